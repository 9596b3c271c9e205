#include "recipe/language/language.h"

#include <stdexcept>

#include "recipe/calls/callables.h"
#include "recipe/language/formula.h"
#include "text/table.h"

namespace gradus::recipe {

namespace {

Form form(const char* name, const char* help, std::initializer_list<const char*> lines, const char* scalar_field = "",
          const char* list_field = "") {
  Form result;
  result.name = name;
  result.help = help;
  for (const char* line : lines) result.fields.push_back(parse_field(line));
  result.scalar_field = scalar_field;
  result.list_field = list_field;
  return result;
}

}  // namespace

const std::vector<Form>& sections() {
  static const std::vector<Form> all{
      form("recipe", "The file itself.",
           {
               "about: text = none -- what the recipe trains; for readers",
               "seed: int>=0 = 1 -- the seed of all random numbers",
               "portable: flag = false -- compute the same bits on every processor, as --portable does",
               "on_nan: (stop|skip|continue) = stop -- what to do if a loss is NaN or infinite: end the run, skip the "
               "update, or apply it anyway",
               "audit: flag = false -- look for classic mistakes while it trains, as --audit does",
               "expect: {pattern} = none -- what is intended, so that an audit does not report it: rules "
               "(docs/audit.md), each with a pattern of names: {unowned: \"teacher.*\"}",
               "data: form data = none -- where batches come from",
               "networks: {form network} -- the networks, by the names that expressions and patterns use",
               "freeze: pattern... = none -- parameters that do not change until a phase unfreezes them",
               "constants: {expression} = none -- computed once, before training",
               "values: {expression} = none -- computed in each update that needs them; each may use those above it",
               "losses: {expression} -- what is minimized; each must be a single number",
               "optimizers: {form optimizer} -- the optimizers, by name",
               "phases: [form phase] -- the phases of training, one after the other",
               "evaluate: form evaluate = none -- what is measured during training",
               "outputs: form outputs = none -- what is written",
           }),
      form("data", "Without a dataset only `batch_size` counts, and values come from random numbers.",
           {
               "dataset: call dataset = none -- the training data; expressions call its samples x and y",
               "test: call dataset = none -- the test data, for `evaluate`",
               "held_out: number[0,1] = 0 -- the share of `dataset` that is kept for `evaluate` instead of a `test`",
               "limit: int>=1 = none -- use only this many samples of `dataset`, from its beginning",
               "standardize: flag | [text] = false -- for rows of numbers: subtract each column's mean and divide by "
               "its standard deviation, both computed from the training samples; a list names the columns of a table "
               "to which it applies",
               "transforms: [call transform] = none -- what is done to each x",
               "test_transforms: [call transform] = none -- what is done to each x in `evaluate`; by default the same "
               "as `transforms`",
               "batch_size: int>=1 = 64 -- samples per step; `batch` in expressions",
               "shuffle: flag = true -- use a new order in each epoch",
               "drop_last: flag = false -- leave out the last batch if it is smaller",
               "num_workers: int>=0 = 0 -- number of threads that prepare samples; they do not change results",
               "prefetch_factor: int>=1 = 2 -- batches that each of these threads prepares ahead",
           }),
      form("network", "A text names a model or a single layer; a list is a list of layers.",
           {
               "model: call model = none -- a network that is known by name",
               "layers: [call layer] | {call layer} = none -- layers that run one after the other. Those of a list are "
               "named 0, 1, ..., those of a map by its keys; a list or map within it is a part of its own",
               "parameter: number... = none -- instead of a network, a single trainable tensor, which expressions use "
               "like a value",
               "average: form average = none -- instead of a network of its own, the average of the weights of a "
               "network that is defined above",
               "weights: form weights = none -- a checkpoint with the initial weights",
               "init: {call init} = none -- initial values, by patterns of the network's own names (\"*.bias\")",
               "adapters: {call adapter} = none -- small parts that are trained beside the frozen network, under names "
               "of your own. The first is active until a phase selects another one",
           },
           "model", "layers"),
      form("average",
           "No optimizer owns an average. It is updated at the end of a step; buffers, such as running statistics, are "
           "copied.",
           {
               "of: text -- the network whose weights are averaged",
               "decay: number[0,1] = none -- the share of the average that remains at each update, such as 0.999; by "
               "default the average is the mean of all weights seen",
               "after: int>=0 = 0 -- number of steps after which updates begin; the first update copies the weights",
               "every: int>=1 = 1 -- number of steps from one update to the next",
           },
           "of"),
      form("weights", "A text is the file.",
           {
               "file: file -- a PyTorch checkpoint, a safetensors file, or a Hugging Face folder",
               "at: text = none -- the part of the file, as `gradus ckpt show` names it: model.state_dict. By default "
               "the one that fits the network",
               "rename: {text} = none -- patterns of names in the file, and what replaces them: \"module.*\": \"*\". A "
               "pattern in slashes is a regular expression. The first pattern that matches a name counts",
               "memory: int>=1 = none -- largest memory in MB that the contents of the file may take",
               "strict: flag = true -- names that only the file or only the network has are an error",
               "skip_mismatched: flag = false -- leave out tensors whose sizes differ, such as those of a new head",
           },
           "file"),
      form(
          "optimizer", "A text is the type. Options such as lr and momentum are written beside these fields.",
          {
              "type: text -- which optimizer; see Optimizers",
              "params: pattern... = none -- what it owns: names of networks, or patterns such as net.decoder; by "
              "default all networks",
              "groups: {options} = none -- groups by pattern, each with options of its own; a parameter belongs to the "
              "first pattern that matches it",
              "unmatched: (group|leave|error) = group -- what happens to parameters that no group matches: they form a "
              "last group, are not trained, or are a mistake",
              "schedule: call schedule = none -- how an option changes; see Schedules",
              "schedule_by: (epoch|step) = epoch -- what the schedule counts; steps are those of this optimizer",
              "clip_norm: number>=0 = none -- the largest norm of all gradients together",
              "clip_value: number>=0 = none -- the largest absolute value of an element of a gradient",
              "nonfinite: (error|skip|propagate) = error -- what to do if a gradient is not finite, if one of these "
              "limits is set",
          },
          "type"),
      form("phase",
           "At its start, a phase freezes and unfreezes parameters and changes options; then it makes steps, each on "
           "one "
           "batch.",
           {
               "name: text = none -- its name in the log and on the progress bar; by default phase 1, ...",
               "epochs: int>=1 = none -- its length in passes through the data",
               "steps: int>=1 = none -- its length in batches",
               "minimize: loss = none -- the loss, if a step is a single update",
               "optimizer: optimizer = none -- the optimizer of this update; may be left out if there is only one",
               "accumulate: int>=1 = 1 -- make one update from this many batches, with the mean of their gradients",
               "updates: [form update] = none -- several updates per step, in this order, instead of `minimize`",
               "freeze: pattern... = none -- parameters that are frozen from now on",
               "unfreeze: pattern... = none -- parameters that are trained from now on; their momentum goes on where "
               "it stopped",
               "change: {options} = none -- new values of options, by optimizer; momentum is kept. Write options of "
               "groups under `groups`, by their patterns",
               "use: {text} = none -- the adapter that a network uses from now on, by network: {net: first}; none "
               "means the network without adapters",
               "scale: {options} = none -- factors by which options are multiplied, by optimizer: {sgd: {lr: 0.1}}",
           }),
      form("update", "One step of one optimizer.",
           {
               "minimize: loss -- the loss; gradients are computed only for what the optimizer owns",
               "optimizer: optimizer = none -- the optimizer; may be left out if there is only one",
               "every: int>=1 = 1 -- make this update only in every n-th step: with 5, there are five steps of the "
               "others for one of this",
               "accumulate: int>=1 = 1 -- make one update from this many of its batches, with the mean of their "
               "gradients",
           }),
      form("evaluate", "Runs in evaluation mode, without gradients, with random numbers of its own.",
           {
               "metrics: {expression} -- what is measured: means over the samples of the test data",
               "every: int>=1 = 1 -- number of epochs from one evaluation to the next; there is also one at the end of "
               "each phase",
               "batches: int>=1 = 10 -- number of batches, if there is no dataset",
               "best: metric | {(min|max)} | form best = none -- the metric whose best checkpoint is kept as "
               "checkpoints/best.pth; {accuracy: max} also says what is better",
               "mode: (min|max) | {(min|max)} = none -- what is better; by default max for an accuracy(...), otherwise "
               "min",
           }),
      form("best", "A text is the metric.",
           {
               "metric: metric -- the name of the metric",
               "mode: (min|max) = none -- what is better",
           },
           "metric"),
      form("outputs", "Written to the run's folder, in addition to metrics.jsonl and summary.json.",
           {
               "weights: flag = true -- write NETWORK.pth for each network, at the end",
               "images: {form image} = none -- grids of images, NAME-EPOCH.png",
               "log_every: int>=1 = 100 -- number of steps between lines of metrics.jsonl",
               "predict: expression = none -- what `gradus predict` computes for the rows x of a table; by default "
               "NET(x) if there is only one network",
           }),
      form("image", "A text is what is shown.",
           {
               "show: expression -- images [n, height, width], [n, 1, height, width] or rows of pixels",
               "size: int>=1... = none -- height and width, for rows of pixels",
               "columns: int>=1 = 8 -- number of images side by side",
               "range: number... = [-1, 1] -- the values of black and white",
               "every: int>=1 = 1 -- number of epochs from one grid to the next; there is also one at the end",
           },
           "show"),
  };
  return all;
}

const Form& section(const std::string& name) {
  for (const Form& form : sections())
    if (form.name == name) return form;
  throw std::logic_error("recipe: there is no form " + name);
}

const std::vector<CallKind>& call_kinds() {
  static const std::vector<CallKind> all{
      {"dataset", "Samples in files, with torchvision's names."},
      {"transform", "What is done to an image or a row, with the names of torchvision.transforms.v2."},
      {"model",
       "Networks that are known by name. `gradus flops` lists them with their options. There are also "
       "`from_pretrained(folder, num_labels=none)`, the model in a Hugging Face folder, and new language models: "
       "`GPT2(vocab_size=50257, n_positions=1024, n_embd=768, n_layer=12, n_head=12, dropout=0.1)`, "
       "`Llama(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, "
       "num_attention_heads=32, num_key_value_heads=none, max_position_embeddings=2048)`."},
      {"layer", "The layers of torch.nn."},
      {"init", "Initial values, as in torch.nn.init."},
      {"adapter", "Adapters for layers whose names match a pattern (docs/adapters.md)."},
      {"optimizer", "The optimizers of torch.optim, and others, with their options."},
      {"schedule", "The schedules of torch.optim.lr_scheduler, and warm-ups."},
      {"function",
       "Functions that expressions may call. x.mean(1) is mean(x, 1). There are also the operators + - * / ** and @."},
  };
  return all;
}

std::vector<const Form*> forms_of(const std::string& kind) {
  std::vector<const Form*> forms;
  const auto take = [&](const auto& rows) {
    for (const auto& row : rows) forms.push_back(&row.form);
  };
  if (kind == "dataset") take(datasets());
  if (kind == "transform") take(transforms());
  if (kind == "model") take(models());
  if (kind == "layer") take(layers());
  if (kind == "init") take(inits());
  if (kind == "adapter") take(adapters());
  if (kind == "optimizer") take(optimizers());
  if (kind == "schedule") take(schedules());
  if (kind == "function") take(functions());
  return forms;
}

void no_such(const std::string& kind, const Call& call, Mistakes& mistakes) {
  std::vector<std::string> names;
  for (const Form* form : forms_of(kind)) names.push_back(form->name);
  if (kind == "model")  // a single layer may stand there too
    for (const Form* form : forms_of("layer")) names.push_back(form->name);
  std::string hint = did_you_mean(call.name, names);
  constexpr std::size_t kFew = 8;
  if (names.size() > kFew && !hint.starts_with("; did you mean")) hint = "; docs/recipes-reference.md lists them";
  mistakes.add(call.place, "there is no " + kind + " '" + call.name + "'" + hint);
}

}  // namespace gradus::recipe

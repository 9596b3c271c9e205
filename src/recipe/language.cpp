#include "recipe/language.h"

#include <stdexcept>

#include "recipe/callables.h"
#include "recipe/formula.h"
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
               "about: text = none -- what it trains; for readers",
               "seed: int>=0 = 1 -- of everything random",
               "on_nan: (stop|skip|continue) = stop -- what a loss that is NaN or infinite does: it ends the run, "
               "leaves "
               "its update out, or nothing",
               "audit: flag = false -- look for the classic mistakes while it trains, as --audit does",
               "expect: {pattern} = none -- what is meant, and so no finding of an audit: rules (docs/audit.md), each "
               "with a pattern of names: {unowned: \"teacher.*\"}",
               "data: form data = none -- where batches come from",
               "networks: {form network} -- by names that expressions and patterns use",
               "freeze: pattern... = none -- parameters that stay as they are until a phase unfreezes them",
               "constants: {expression} = none -- computed once, before training",
               "values: {expression} = none -- computed in each update where they are needed; they may use those above "
               "them",
               "losses: {expression} -- what is minimized: each is one number",
               "optimizers: {form optimizer} -- by name",
               "phases: [form phase] -- one after the other",
               "evaluate: form evaluate = none -- what is measured beside training",
               "outputs: form outputs = none -- what is written",
           }),
      form("data", "Without a dataset only `batch_size` counts, and values come from random numbers.",
           {
               "dataset: call dataset = none -- its samples are x and y in expressions",
               "test: call dataset = none -- another one, for `evaluate`",
               "held_out: number[0,1] = 0 -- the share of `dataset` that is kept for `evaluate` instead",
               "limit: int>=1 = none -- at most so many samples of `dataset`, the first ones",
               "standardize: flag | [text] = false -- rows of numbers: each column minus its mean, by its deviation, "
               "both of the samples that are trained on; a list: of a table these columns alone",
               "transforms: [call transform] = none -- what is done to each x",
               "test_transforms: [call transform] = none -- what is done to x in `evaluate`; as `transforms` where "
               "absent",
               "batch_size: int>=1 = 64 -- samples per step; `batch` in expressions",
               "shuffle: flag = true -- a new order in each epoch",
               "drop_last: flag = false -- leave out a last batch that is smaller",
               "num_workers: int>=0 = 0 -- threads that prepare samples; they change no result",
               "prefetch_factor: int>=1 = 2 -- batches that each of them prepares ahead",
           }),
      form("network", "A text is a model or a single layer, a list is layers.",
           {
               "model: call model = none -- one that is known by name",
               "layers: [call layer] | {call layer} = none -- one after the other, named 0, 1, ... or, in a map, as it "
               "says; "
               "a list or map within makes a part of its own",
               "parameter: number... = none -- no network but one trainable tensor, which expressions use as they use "
               "values",
               "average: form average = none -- no network of its own but a network above it, with the average of its "
               "weights",
               "weights: form weights = none -- a checkpoint to start from",
               "init: {call init} = none -- initial values, by patterns of the network's own names (\"*.bias\")",
           },
           "model", "layers"),
      form("average",
           "No optimizer owns it. It is updated at the end of a step; buffers, such as running statistics, are copied.",
           {
               "of: text -- the network whose weights are averaged",
               "decay: number[0,1] = none -- how much of the average stays in each update, such as 0.999; where absent "
               "it "
               "is the mean of all",
               "after: int>=0 = 0 -- steps before the first update, which copies the weights",
               "every: int>=1 = 1 -- steps from one update to the next",
           },
           "of"),
      form(
          "weights", "A text is the file.",
          {
              "file: file -- a checkpoint of PyTorch's, safetensors, or a folder of the Hub's",
              "at: text = none -- the part of the file, as `gradus ckpt show` names it: model.state_dict. Where absent "
              "it is what fits the network",
              "rename: {text} = none -- patterns of the file's names, and what they become: \"module.*\": \"*\"; a "
              "pattern in slashes is a regular expression. The first that matches a name counts",
              "memory: int>=1 = none -- most MB for what the file describes",
              "strict: flag = true -- names that only the file, or only the network, has are an error",
              "skip_mismatched: flag = false -- leave out tensors of other sizes, such as those of a new head",
          },
          "file"),
      form(
          "optimizer", "A text is its type. Its options stand beside these fields: lr, momentum, ...",
          {
              "type: text -- which optimizer: see Optimizers",
              "params: pattern... = none -- what it owns: names of networks, or patterns such as net.decoder; all "
              "networks where absent",
              "groups: {options} = none -- groups by pattern, each with options of its own; a parameter belongs to the "
              "first that matches",
              "unmatched: (group|leave|error) = group -- what becomes of parameters that no group matches: a last "
              "group, not trained, a mistake",
              "schedule: call schedule = none -- how an option changes; see Schedules",
              "schedule_by: (epoch|step) = epoch -- what the schedule counts; steps are this optimizer's",
              "clip_norm: number>=0 = none -- the largest norm of all gradients together",
              "clip_value: number>=0 = none -- the largest absolute value of a gradient's element",
              "nonfinite: (error|skip|propagate) = error -- what a gradient that is not finite does, where one of "
              "these "
              "limits is set",
          },
          "type"),
      form("phase", "At its start it freezes, unfreezes and changes; then it makes steps, each on one batch.",
           {
               "name: text = none -- in the log and on the progress bar; phase 1, ... where absent",
               "epochs: int>=1 = none -- how long: times through the data",
               "steps: int>=1 = none -- how long: batches",
               "minimize: loss = none -- the loss, where a step is a single update",
               "optimizer: optimizer = none -- by which optimizer; may be absent where there is one",
               "accumulate: int>=1 = 1 -- so many batches make one update, by the mean of their gradients",
               "updates: [form update] = none -- what a step does instead, in this order",
               "freeze: pattern... = none -- from now on",
               "unfreeze: pattern... = none -- from now on; momentum goes on where it stopped",
               "change: {options} = none -- options of optimizers, by optimizer: their momentum stays. Groups are "
               "changed below `groups`, by their patterns",
               "scale: {options} = none -- factors of options, by optimizer: {sgd: {lr: 0.1}}",
           }),
      form("update", "One step of one optimizer.",
           {
               "minimize: loss -- gradients are computed for what the optimizer owns alone",
               "optimizer: optimizer = none -- may be absent where there is one",
               "every: int>=1 = 1 -- only in each so many steps: 5 makes five steps of the others for one of this",
               "accumulate: int>=1 = 1 -- so many of its batches make one update, by the mean of their gradients",
           }),
      form(
          "evaluate", "In evaluation mode, without gradients, with random numbers of its own.",
          {
              "metrics: {expression} -- means over the samples of the test data",
              "every: int>=1 = 1 -- epochs; and at the end of each phase",
              "batches: int>=1 = 10 -- how many, where there is no dataset",
              "best: metric | {(min|max)} | form best = none -- whose best checkpoint is kept as checkpoints/best.pth; "
              "{accuracy: max} says what is better too",
              "mode: (min|max) | {(min|max)} = none -- what is better; where absent max of an accuracy(...), else min",
          }),
      form("best", "A text is the metric.",
           {
               "metric: metric -- its name",
               "mode: (min|max) = none -- what is better",
           },
           "metric"),
      form("outputs", "Written to the run's folder, beside metrics.jsonl and summary.json.",
           {
               "weights: flag = true -- NETWORK.pth for each network, at the end",
               "images: {form image} = none -- grids of images, NAME-EPOCH.png",
               "log_every: int>=1 = 100 -- steps between lines of metrics.jsonl",
               "predict: expression = none -- what `gradus predict` computes for the rows x of a table; where absent "
               "NET(x) "
               "of the only network",
           }),
      form("image", "A text is what is shown.",
           {
               "show: expression -- images [n, height, width], [n, 1, height, width] or rows of pixels",
               "size: int>=1... = none -- height and width of rows of pixels",
               "columns: int>=1 = 8 -- images side by side",
               "range: number... = [-1, 1] -- what is black and white",
               "every: int>=1 = 1 -- epochs; and at the end",
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
      {"dataset", "Samples in files. torchvision's names."},
      {"transform", "What is done to an image, or a row. torchvision.transforms.v2's names."},
      {"model", "Networks that are known by name. `gradus flops --help` lists them with their options."},
      {"layer", "torch.nn's layers."},
      {"init", "torch.nn.init's initial values."},
      {"optimizer", "torch.optim's optimizers, and others; these are their options."},
      {"schedule", "torch.optim.lr_scheduler's schedules, and warm-ups."},
      {"function", "What expressions may call. x.mean(1) is mean(x, 1). Beside them there are + - * / ** and @."},
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

// The gradus command. Mistakes of the user and of the outside world are one line on standard error and exit status 2.
#include <fmt/format.h>
#include <gradus/core/portable.h>
#include <gradus/core/version.h>
#include <gradus/distributed.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "cli/commands/ckpt/ckpt.h"
#include "cli/commands/ckpt/verify.h"
#include "cli/commands/devices.h"
#include "cli/commands/finetune.h"
#include "cli/commands/flops.h"
#include "cli/commands/plot_runs.h"
#include "cli/commands/train/train_autoencoder.h"
#include "cli/commands/train/train_gan.h"
#include "cli/commands/train/train_lenet.h"
#include "cli/commands/train/train_recipe.h"
#include "cli/commands/use_classifier.h"
#include "cli/commands/watch.h"
#include "cli/run/device_option.h"
#include "cli/run/output.h"
#include "cli/run/processes.h"
#include "cli/shell/completion.h"
#include "cli/shell/manual.h"
#include "cli/text/finetune_lm.h"
#include "cli/text/generate.h"
#include "recipe/language/language.h"

namespace gradus::cli {
namespace {

void add_run_options(CLI::App& app, RunOptions& run) {
  app.add_option("--seed", run.seed, "Seed of all random numbers")->capture_default_str();
  app.add_option("--threads", run.threads, "Number of threads; by default one per core")->check(CLI::Range(1, 1024));
  add_device_option(app, run.device);
  app.add_option("--chunks", run.chunks,
                 "Compute every batch in this many parts: the bits are then the same for any number of processes up to "
                 "it; by default one part per process")
      ->check(CLI::Range(1, 1 << 16));
  app.add_option("--out", run.out, "Folder for the results; created if it does not exist")
      ->capture_default_str()
      ->configurable(false);
  app.add_option("--save-every", run.save_every, "Steps between checkpoints in OUT/checkpoints; 0: only by time")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--save-minutes", run.save_minutes, "Minutes between checkpoints; 0: only by steps")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--keep", run.keep, "How many of the latest checkpoints to keep; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--on-nan", run.on_nan,
                 "What to do if a loss is NaN or infinite: stop the run (exit status 3), skip the update, or continue")
      ->check(CLI::IsMember({"stop", "skip", "continue"}))
      ->capture_default_str();
  app.add_flag("--audit", run.audit,
               "Look for classic mistakes of training; report them after the first epoch and at the end, and in "
               "OUT/audit.json. The exit status does not depend on it");
  app.add_option("--receipt", run.receipt,
                 "Record what the run did to every parameter, for `gradus verify`; by default in OUT/receipt.json")
      ->expected(0, 1)
      ->type_name("[FILE]");
  app.add_flag_function(
      "--portable", [](std::int64_t count) { set_portable(count > 0); },
      "Compute the same bits on every processor, which takes longer");
  add_view_options(app, run.views);
  app.add_flag("--overwrite", run.overwrite, "Delete the checkpoints of an earlier run in the folder")
      ->configurable(false);
}

// What to parse to have these options again: all that are not `configurable(false)`, defaults too, as a later version
// may have others.
std::vector<std::string> arguments_of(const CLI::App& app) {
  std::vector<std::string> arguments;
  for (const CLI::App* level = &app; level->get_parent() != nullptr; level = level->get_parent())
    arguments.insert(arguments.begin(), level->get_name());
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_configurable()) continue;
    std::vector<std::string> values = option->results();
    if (option->count() == 0 && !option->get_default_str().empty()) values = {option->get_default_str()};
    for (const std::string& value : values)
      arguments.push_back(option->get_positional() ? value : option->get_name() + "=" + value);
  }
  return arguments;
}

template <class Options>
void train_with(CLI::App& app, Options& options, int& status, int (*train)(const Options&)) {
  app.callback([&app, &options, &status, train] {
    options.run.arguments = arguments_of(app);
    status = train(options);
  });
}

void add_autoencoder(CLI::App& train, AutoencoderOptions& o, int& status) {
  CLI::App& app = *train.add_subcommand(
      "autoencoder",
      "Train an encoder and a decoder for a noisy channel together, then the decoder alone; compare block error "
      "rates with maximum-likelihood decoding and the Hamming(7,4) code");
  add_run_options(app, o.run);
  app.add_option("--messages", o.messages, "Number of messages M")->check(CLI::Range(2, 65536))->capture_default_str();
  app.add_option("--channel-uses", o.uses, "Channel uses n per message, each a real number")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--steps", o.steps, "Steps of joint training")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--receiver-steps", o.receiver_steps, "Steps in which only the decoder is trained")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--batch", o.batch, "Messages per step")->check(CLI::Range(1, 1 << 24))->capture_default_str();
  app.add_option("--ebn0", o.ebn0_db, "Eb/N0 of joint training [dB]")
      ->check(CLI::Range(-30.0, 60.0))
      ->capture_default_str();
  app.add_option("--receiver-ebn0", o.receiver_ebn0_db, "Eb/N0 of the second phase [dB]")
      ->check(CLI::Range(-30.0, 60.0))
      ->capture_default_str();
  app.add_option("--lr", o.lr, "Initial learning rate of joint training; falls along a cosine")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--receiver-lr", o.receiver_lr, "Initial learning rate of the second phase")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--errors", o.bler.errors, "Simulate each point until every decoder has made this many block errors")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--blocks", o.bler.blocks, "Simulate at most this many blocks per point")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  train_with(app, o, status, train_autoencoder);
}

void add_gan(CLI::App& train, GanOptions& o, int& status) {
  CLI::App& app = *train.add_subcommand("gan", "Train a generator and a discriminator in turn, on images of clothes");
  add_run_options(app, o.run);
  app.add_option("--data", o.data, "Folder with train-images-idx3-ubyte, plain or .gz")->capture_default_str();
  app.add_option("--epochs", o.epochs, "Number of passes through the data")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--steps", o.steps, "At most this many steps of each network")->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch, "Images per step")->check(CLI::Range(1, 1 << 24))->capture_default_str();
  app.add_option("--lr", o.lr, "Learning rate of both Adam optimizers")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--beta1", o.beta1, "beta1 of both Adam optimizers, in [0, 1)")->capture_default_str();
  train_with(app, o, status, train_gan);
}

constexpr const char* kImages =
    "Folder with IDX files, CIFAR's binary files, or pictures in one folder per class (directly, or in train/ and "
    "val/)";
constexpr const char* kClasses = "Classes to use: numbers, ranges and names, such as '0-4,sneaker'; by default all";
constexpr const char* kHeldOut = "Share of the pictures to hold out for the test, if the data has no test part";

void add_lenet(CLI::App& train, LenetOptions& o, int& status) {
  CLI::App& app = *train.add_subcommand(
      "lenet", "Train LeNet on pictures, with one learning rate for its features and one for its classifier");
  add_run_options(app, o.run);
  app.add_option("--data", o.data, kImages)->capture_default_str();
  app.add_option("--classes", o.classes, kClasses);
  app.add_option("--epochs", o.epochs, "Number of passes through the data")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", o.batch, "Pictures per step")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--features-lr", o.features_lr, "Initial learning rate of the features; falls along a cosine")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--classifier-lr", o.classifier_lr, "Initial learning rate of the classifier; falls along a cosine")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--momentum", o.momentum, "Momentum of both")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  train_with(app, o, status, train_lenet);
}

constexpr const char* kRename =
    "PATTERN=REPLACEMENT, where * stands for any text: 'module.*=*'. A pattern in slashes is a regular expression: "
    "'/^module\\.|^net\\./='. The first pattern that matches a name applies. May be repeated";

CLI::Option& add_memory(CLI::App& app, std::int64_t& memory) {
  return *app.add_option(
                 "--memory", memory,
                 "Largest memory in MB that the contents of a checkpoint may take; by default depends on its size")
              ->check(CLI::Range(1, 1 << 24));
}

void add_weights(CLI::App& app, Weights& o, const char* what) {
  app.add_option("--weights", o.file, what);
  app.add_option(
      "--at", o.at,
      "Place of the weights in the checkpoint, as `gradus ckpt show` names it: 'state_dict'. By default the one "
      "that fits the network");
  app.add_option("--rename", o.rename, std::string("Rename entries of the checkpoint: ") + kRename)
      ->allow_extra_args(false);
  add_memory(app, o.memory);
}

void add_finetune(CLI::App& parent, FinetuneOptions& o, int& status) {
  const std::map<std::string, Augment> augments{
      {"none", Augment::none}, {"flip", Augment::flip}, {"crop", Augment::crop}};
  CLI::App& app = *parent.add_subcommand(
      "finetune", "Train a network, or parts of it, on pictures, starting from pretrained weights");
  add_run_options(app, o.run);
  app.add_option("--model", o.model, "A network for pictures; `gradus flops` lists them")->capture_default_str();
  add_weights(app, o.weights,
              "A checkpoint, or a folder with one; what matches by name and size is loaded. By default random weights");
  app.add_flag("--partial", o.partial, "Continue even if few of the weights fit, or if frozen parts are missing");
  app.add_option("--data", o.data, kImages)->required();
  app.add_option("--classes", o.classes, kClasses);
  app.add_option("--size", o.size, "Height and width of the pictures; by default the usual size for the network")
      ->check(CLI::Range(8, 4096));
  app.add_option("--held-out", o.held_out, kHeldOut)->check(CLI::Range(0.0, 1.0))->capture_default_str();
  app.add_option("--freeze", o.freeze,
                 "Parts that are not trained, by name: 'layer1.*'; 'backbone' is everything but the last layer. May be "
                 "repeated")
      ->allow_extra_args(false);
  app.add_option(
         "--lr", o.lr,
         "Learning rate: RATE for all parts (by default 0.01), or PATTERN=RATE for some: 'layer4.*=1e-4'. May be "
         "repeated")
      ->allow_extra_args(false);
  app.add_option("--momentum", o.momentum, "Momentum of SGD")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "Weight decay of SGD")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "Number of passes through the data")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", o.batch, "Pictures per step")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--workers", o.workers, "Number of threads that read pictures")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--augment", o.augment, "Random changes of the training pictures; crop includes flip")
      ->type_name("TEXT")
      ->transform(CLI::CheckedTransformer(augments).description("{none,flip,crop}"))
      ->default_str("flip");
  app.add_flag("--skip-damaged", o.skip_damaged, "Leave out pictures that cannot be read, and name them");
  app.add_flag("--bf16", o.bf16, "Compute products in bfloat16; weights and optimizer state stay float32");
  app.add_flag("--cache-features", o.cache_features,
               "Compute the input of the last layer once for each picture, keep it in OUT/features, and train from it");
  train_with(app, o, status, finetune);
}

void add_finetune_lm(CLI::App& parent, FinetuneLmOptions& o, int& status) {
  CLI::App& app = *parent.add_subcommand(
      "finetune-lm", "Train a language model from a Hugging Face folder, or parts of it, on a text");
  add_run_options(app, o.run);
  app.add_option("--model", o.model, "Folder with config.json, weights and tokenizer")->required();
  app.add_option("--data", o.data, "A text file; empty lines separate texts")->required();
  app.add_option("--length", o.length, "Tokens per sample")->check(CLI::Range(2, 1 << 20))->capture_default_str();
  app.add_option("--held-out", o.held_out, "Share of the samples, the last ones, to hold out for the test")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option(
         "--freeze", o.freeze,
         "Parts that are not trained, by name: 'transformer.h.0.*'; 'body' is everything but the last layer. May be "
         "repeated")
      ->allow_extra_args(false);
  app.add_option(
         "--lora", o.lora,
         "Train an adapter and freeze the model: rank=8, alpha=16, dropout=0.05, rslora=1, dora=1, layers=PATTERN "
         "(by default the attention layers). May be repeated")
      ->expected(1, -1);
  app.add_option("--lr", o.lr, "Largest learning rate of AdamW; rises linearly and falls along a cosine")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--warmup", o.warmup, "Share of the steps in which the learning rate rises")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "Weight decay of AdamW")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--clip", o.clip, "Clip gradients to this norm; 0: no clipping")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "Number of passes through the data")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", o.batch, "Samples per step")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_flag("--bf16", o.bf16, "Compute products in bfloat16; weights and optimizer state stay float32");
  train_with(app, o, status, finetune_lm);
}

void add_eval(CLI::App& parent, EvalOptions& o, int& status) {
  CLI::App& app = *parent.add_subcommand("eval", "Measure a trained classifier on the test part of some data");
  app.add_option("DIR", o.folder, "The --out folder of `train lenet` or `finetune`")->required();
  add_weights(app, o.weights, "Other weights to use, all of which must fit: DIR/checkpoints/best.pth");
  app.add_option("--data", o.data, kImages)->required();
  app.add_option("--classes", o.classes, kClasses);
  app.add_option("--held-out", o.held_out, kHeldOut)->check(CLI::Range(0.0, 1.0))->capture_default_str();
  app.add_option("--seed", o.seed, "Seed of the training, which decides which pictures are held out")
      ->capture_default_str();
  app.add_option("--batch", o.batch, "Pictures per batch")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--workers", o.workers, "Number of threads that read pictures")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_flag("--skip-damaged", o.skip_damaged, "Leave out pictures that cannot be read, and name them");
  add_device_option(app, o.device);
  app.add_flag("--json", o.json, "Print JSON");
  app.callback([&] { status = eval_classifier(o); });
}

void add_predict(CLI::App& parent, PredictOptions& o, int& status) {
  CLI::App& app = *parent.add_subcommand(
      "predict",
      "Print the likeliest classes of pictures, or the outputs of a recipe's network for the rows of a table");
  app.add_option("DIR", o.folder, "The --out folder of `train lenet`, `finetune` or a recipe")->required();
  add_weights(app, o.weights, "Other weights to use, all of which must fit: DIR/checkpoints/best.pth");
  app.add_option("IMAGE", o.images, "JPEG and PNG files; for a recipe, a table")->required();
  app.add_option("--top", o.top, "How many classes to print")->check(CLI::PositiveNumber)->capture_default_str();
  add_device_option(app, o.device);
  app.add_flag("--json", o.json, "Print JSON");
  app.callback([&] { status = predict(o); });
}

void add_changes(CLI::App& app, std::vector<std::string>& changes) {
  app.add_option("--set", changes,
                 "KEY=VALUE, such as data.batch_size=32, replaces what the recipe says. May be repeated")
      ->allow_extra_args(false);
}

// `train` itself trains by recipe; its subcommands are training programs of their own.
void add_recipe(CLI::App& train, RecipeOptions& o, int& status) {
  train.add_option("RECIPE", o.recipe, "A recipe, or the name of one that comes with Gradus (docs/recipes.md)");
  add_run_options(train, o.run);
  CLI::Option& seed = *train.get_option("--seed")->default_str("");  // else the recipe's
  CLI::Option& on_nan = *train.get_option("--on-nan")->default_str("");
  add_changes(train, o.changes);
  train.callback([&train, &o, &status, &seed, &on_nan] {
    if (!train.get_subcommands().empty()) return;
    if (o.recipe.empty()) throw ValueError("train needs a recipe or a subcommand (see --help)");
    o.run.arguments = arguments_of(train);
    if (seed.count() > 0) o.changes.push_back("seed=" + std::to_string(o.run.seed));
    if (on_nan.count() > 0) o.changes.push_back("on_nan=" + o.run.on_nan);
    status = train_recipe(o);
  });
}

void add_check(CLI::App& app, RecipeOptions& o, int& status) {
  CLI::App& check = *app.add_subcommand("check", "Find the mistakes in a recipe, without training");
  check.add_option("RECIPE", o.recipe, "A recipe, or the name of one that comes with Gradus")->required();
  add_changes(check, o.changes);
  check.callback([&] { status = check_recipe(o); });
}

void add_plan(CLI::App& app, PlanOptions& o, int& status) {
  CLI::App& plan =
      *app.add_subcommand("plan",
                          "Show who trains what in each phase of a recipe, and what it costs; needs neither the "
                          "data nor the weights");
  plan.add_option("RECIPE", o.recipe, "A recipe, or the name of one that comes with Gradus")->required();
  add_changes(plan, o.changes);
  plan.add_option("--input", o.input,
                  "Size of one sample as the networks see it, such as 3x224x224; replaces the data");
  plan.add_option("--classes", o.classes, "Number of classes of blank samples")->check(CLI::PositiveNumber);
  plan.add_option("--processes", o.processes.processes,
                  "Also show what each of this many processes needs: memory, bytes per step, and the time they take")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  plan.add_option("--bandwidth", o.processes.bandwidth, "Between machines, per second: 10Gbit, 1.25GB")
      ->capture_default_str();
  plan.add_option("--latency", o.processes.latency, "From one machine to another: 50us")->capture_default_str();
  plan.add_option("--overhead", o.processes.overhead,
                  "How long a message keeps the processor of its sender, and of its receiver, busy: 5us")
      ->capture_default_str();
  plan.callback([&] { status = plan_recipe(o); });
}

void add_verify(CLI::App& app, VerifyOptions& o, int& status) {
  CLI::App& verify =
      *app.add_subcommand("verify",
                          "Compare a checkpoint with a run's receipt: is what was frozen unchanged, and is what "
                          "was trained as the run left it? The exit status is 1 if not");
  verify.add_option("RECEIPT", o.receipt, "A file written by a training command with --receipt")->required();
  verify.add_option("CHECKPOINT", o.checkpoint, "Weights of the run, in any format")->required();
  verify.add_option("--network", o.network,
                    "The network of the receipt that the checkpoint contains; by default found by names");
  verify.add_option("--at", o.at, "Place of its tensors in the checkpoint, as `ckpt show` names it");
  verify.add_flag("--frozen", o.frozen_only,
                  "Allow differences in what was trained, as in a checkpoint from the middle of a run");
  add_memory(verify, o.memory);
  verify.callback([&] { status = verify_receipt(o); });
}

void add_schema(CLI::App& app) {
  CLI::App& schema = *app.add_subcommand("schema", "Print the JSON schema of recipes, for editors");
  const CLI::Option* reference = schema.add_flag("--reference")->description("Print the reference in Markdown instead");
  schema.callback(
      [reference] { fmt::print("{}", reference->count() > 0 ? recipe::reference() : recipe::json_schema()); });
}

struct CkptOptions {
  std::string file;  // of show and verify
  std::int64_t memory = 0;
  CkptDiffOptions diff;
  CkptConvertOptions convert;
};

void add_ckpt(CLI::App& app, CkptOptions& o, int& status) {
  CLI::App& ckpt = *app.add_subcommand("ckpt", "Show, compare and convert checkpoint files");
  ckpt.require_subcommand(1);
  CLI::App& show =
      *ckpt.add_subcommand("show", "List the names, sizes and types of a file's contents; does not read the data");
  show.add_option("FILE", o.file, "A PyTorch checkpoint, a safetensors, .npy or .npz file, or a Hugging Face folder")
      ->required();
  add_memory(show, o.memory);
  show.callback([&] { status = ckpt_show(o.file, o.memory); });
  CLI::App& verify = *ckpt.add_subcommand("verify", "Read everything, and compare checksums if there are any");
  verify.add_option("FILE", o.file, "The file to verify")->required();
  add_memory(verify, o.memory);
  verify.callback([&] { status = ckpt_verify(o.file, o.memory); });
  CLI::App& diff =
      *ckpt.add_subcommand("diff", "List the differences of two files; the exit status is 1 if there are any");
  diff.add_option("A", o.diff.a, "One file")->required();
  diff.add_option("B", o.diff.b, "Another file, in any format")->required();
  diff.add_option("--rename", o.diff.rename, std::string("Rename entries of A: ") + kRename)->allow_extra_args(false);
  add_memory(diff, o.diff.memory);
  diff.callback([&] { status = ckpt_diff(o.diff); });
  CLI::App& convert =
      *ckpt.add_subcommand("convert", "Convert a file to the format given by the extension of the new name");
  convert.add_option("IN", o.convert.in, "The file to read")->required();
  convert.add_option("OUT", o.convert.out, "The file to write: .pt, .pth, .ckpt, .bin, .safetensors, .npy or .npz")
      ->required();
  convert.add_option("--at", o.convert.at, "The part to convert, as `ckpt show` names it: 'state_dict', 'models.0'");
  convert.add_option("--rename", o.convert.rename, kRename)->allow_extra_args(false);
  convert.add_option("--dtype", o.convert.dtype,
                     "Type of floating-point tensors: float16, bfloat16, float32 or float64");
  add_memory(convert, o.convert.memory);
  convert.callback([&] { status = ckpt_convert(o.convert); });
}

struct ResumeOptions {
  std::string folder;
  std::vector<std::string> changes;  // options of the command that take the place of recorded ones
};

void add_resume(CLI::App& app, ResumeOptions& o) {
  CLI::App& resume = *app.add_subcommand(
      "resume",
      "Continue a training run from its latest checkpoint, with the options with which it was started. Options of its "
      "command may be added: --threads 4");
  resume.add_option("DIR", o.folder, "The run's folder, which was given as --out")->required();
  resume.allow_extras();
  resume.callback([&resume, &o] { o.changes = resume.remaining(); });
}

std::string option_name(const std::string& argument) { return argument.substr(0, argument.find('=')); }

// The recorded command line with the changes. Its relative paths begin where the run was started, if that folder still
// exists: it becomes the working directory. Paths in the changes begin here.
std::vector<std::string> resumed_arguments(const ResumeOptions& o) {
  namespace fs = std::filesystem;
  const RecordedStart start = recorded_start(o.folder);
  std::vector<std::string> arguments = start.arguments;
  const auto is_path = [](const std::string& option) { return option == "--data" || option == "--weights"; };
  std::string before;
  for (std::string change : o.changes) {
    const std::string name = option_name(change);
    if (change.starts_with("--"))
      std::erase_if(arguments, [&](const std::string& known) { return option_name(known) == name; });
    if (is_path(before)) change = fs::absolute(change).string();
    if (is_path(name) && name != change) change = name + "=" + fs::absolute(change.substr(name.size() + 1)).string();
    before = change;
    arguments.push_back(std::move(change));
  }
  arguments.push_back("--out=" + fs::absolute(o.folder).string());
  std::error_code gone;
  if (!start.folder.empty()) fs::current_path(start.folder, gone);
  return arguments;
}

int run(std::vector<std::string> arguments, bool resumed) {
  CLI::App app("Gradus trains neural networks.", "gradus");
  app.set_version_flag("--version", std::string("gradus ") + version());
  app.require_subcommand(1);
  CLI::App& train = *app.add_subcommand("train", "Train a network with a recipe, or with one of the built-in programs");
  train.require_subcommand(0, 1);
  int status = 0;
  AutoencoderOptions autoencoder;
  GanOptions gan;
  LenetOptions lenet;
  FinetuneOptions finetuning;
  FinetuneLmOptions language;
  RecipeOptions recipe, checked;
  for (RunOptions* options : {&autoencoder.run, &gan.run, &lenet.run, &finetuning.run, &language.run, &recipe.run})
    options->resume = resumed;
  add_autoencoder(train, autoencoder, status);
  add_gan(train, gan, status);
  add_lenet(train, lenet, status);
  add_finetune(app, finetuning, status);
  add_finetune_lm(app, language, status);
  add_recipe(train, recipe, status);
  ResumeOptions resume;
  CkptOptions ckpt;
  EvalOptions eval;
  PredictOptions prediction;
  VerifyOptions verification;
  PlanOptions planned;
  if (!resumed) {  // a file may ask for training only
    add_resume(app, resume);
    add_ckpt(app, ckpt, status);
    add_eval(app, eval, status);
    add_predict(app, prediction, status);
    add_generate(app, status);
    add_perplexity(app, status);
    add_devices(app, status);
    add_flops(app, status);
    add_plot(app, status);
    add_watch(app, status);
    add_completion(app, status);
    add_manual(app, status);
    add_check(app, checked, status);
    add_plan(app, planned, status);
    add_verify(app, verification, status);
    add_schema(app);
  }
  try {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    app.parse(arguments);
    if (!resume.folder.empty()) return run(resumed_arguments(resume), true);
    return status;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return leads() ? app.exit(e) : 0;  // --help, --version
    // Of a misspelt command CLI11 says only that one is missing.
    const auto rest = app.remaining(true);
    const bool unknown = e.get_name() == "RequiredError" && !rest.empty();
    complain_of(
        fmt::format("gradus: {} (see --help)", unknown ? "there is no command '" + rest.front() + "'" : e.what()),
        false);
  } catch (const recipe::RecipeError& e) {
    complain_of(e.what(), false);  // as editors want them: FILE:LINE:COLUMN: ...
  } catch (const distributed::DistributedError& e) {
    complain_of(fmt::format("gradus: {}", e.what()), true);
  } catch (const std::exception& e) {
    complain_of(fmt::format("gradus: {}", e.what()), false);
  }
  return 2;
}

// Those that several processes may run together.
bool trains(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return false;
  for (const char* command : {"train", "finetune", "finetune-lm", "resume"})
    if (arguments.front() == command) return true;
  return false;
}

int run_command(const std::vector<std::string>& arguments) {
  const auto command = [&] { return run(arguments, false); };
  return trains(arguments) ? in_processes(command) : command();
}

}  // namespace
}  // namespace gradus::cli

int main(int argc, char** argv) {
  gradus::cli::reserve_standard_streams();
  return gradus::cli::finish_output(gradus::cli::run_command({argv + 1, argv + argc}));
}

#include "cli/commands/finetune.h"

#include <fmt/format.h>
#include <gradus/autocast.h>
#include <gradus/data/feature_cache.h>
#include <gradus/models/registry.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim/control/groups.h>
#include <gradus/optim/lr_scheduler/cosine.h>
#include <gradus/optim/sgd.h>
#include <gradus/random.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/pictures/classifier.h"
#include "cli/run/interrupt.h"
#include "cli/run/output.h"
#include "cli/run/run_watch.h"

namespace gradus::cli {

using nlohmann::ordered_json;

namespace {

// The last linear layer: what tells the classes apart.
nn::NamedModule head_of(const std::string& model, nn::Module& net) {
  nn::NamedModule head{"", nullptr};
  for (const auto& [path, module] : net.named_modules())
    if (module->as<nn::Linear>() != nullptr) head = {path, module};
  if (head.second == nullptr)
    throw ValueError(fmt::format("--model: '{}' has no linear layer to classify with", model));
  return head;
}

double parse_rate(const std::string& argument, std::string_view text) {
  double rate = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(rate) || rate < 0) {
    throw ValueError(fmt::format("--lr: need RATE or PATTERN=RATE with a rate of at least 0, got '{}'", argument));
  }
  return rate;
}

optim::SGD make_optimizer(const nn::Module& net, const FinetuneOptions& options) {
  optim::SGDOptions defaults{.lr = 1e-2, .momentum = options.momentum, .weight_decay = options.weight_decay};
  std::vector<std::pair<std::string, optim::SGDOptions>> patterns;
  for (const std::string& argument : options.lr) {
    const std::size_t equals = argument.rfind('=');
    const double rate = parse_rate(argument, equals == std::string::npos ? argument : argument.substr(equals + 1));
    if (equals == std::string::npos) {
      defaults.lr = rate;
    } else {
      patterns.emplace_back(argument.substr(0, equals), optim::SGDOptions{.lr = rate});
    }
  }
  const optim::Params trained = optim::filter(net, [](const Tensor& p) { return p.requires_grad(); });
  if (trained.empty()) throw ValueError("--freeze: everything is frozen; there is nothing to train");
  return {optim::groups<optim::SGD>(trained, patterns, optim::Unmatched::group), defaults};
}

void freeze(nn::Module& net, const nn::NamedModule& head, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (pattern == "backbone") {
      nn::freeze(net);
      nn::unfreeze(*head.second);
    } else {
      nn::freeze(net, pattern);
    }
  }
}

std::int64_t count_of(const nn::Module& net, bool trained) {
  std::int64_t count = 0;
  for (const Tensor& p : net.parameters())
    if (p.requires_grad() == trained) count += p.numel();
  return count;
}

// Takes the samples out that cannot be read, says which, and returns how many.
std::size_t keep_readable(data::AnyDataset& dataset, int workers) {
  data::DataLoader loader(dataset, {.batch_size = 32, .num_workers = workers, .seed = 0, .skip_damaged = true});
  std::vector<std::int64_t> kept;
  for (const data::Batch& batch : loader) kept.insert(kept.end(), batch.indices.begin(), batch.indices.end());
  if (!loader.skipped().empty()) dataset = data::Subset(dataset, kept);
  return say_skipped({&loader});
}

void check_only_head_trains(const nn::Module& net, const std::string& head) {
  for (const auto& [name, p] : net.named_parameters()) {
    if (p.requires_grad() && name.rfind(head + ".", 0) != 0) {
      throw ValueError(
          fmt::format("--cache-features: only '{}' may be trained, but '{}' is; use --freeze backbone", head, name));
    }
  }
}

// The head alone trains; so the rest is computed once for each picture.
struct CachedFeatures {
  data::FeatureCache train, test;

  CachedFeatures(const Images& images, nn::Module& net, nn::NamedModule& head, const Preprocess& preprocess,
                 const FinetuneOptions& options)
      : train(make(images.train, net, head, preprocess, options)),
        test(make(images.test, net, head, preprocess, options)) {}

 private:
  static data::FeatureCache make(const data::AnyDataset& dataset, nn::Module& net, nn::NamedModule& head,
                                 const Preprocess& preprocess, const FinetuneOptions& options) {
    net.eval();
    nn::freeze(*head.second);  // the whole network is at rest while it makes the features
    Tensor taken;
    const auto hook = head.second->register_forward_pre_hook([&](nn::Module&, const Tensor& x) {
      taken = x;
      return Tensor();
    });
    data::FeatureCache cache(dataset, net,
                             {.folder = options.run.out + "/features",
                              .batch_size = options.batch,
                              .num_workers = options.workers,
                              .forward =
                                  [&](const Tensor& x) {
                                    const Autocast scope(kBFloat16, options.bf16);
                                    net(preprocess(x.to(options.run.device)));
                                    return taken.to(kFloat32).cpu();
                                  },
                              .variant = fmt::format("input of {}, {}{}", head.first, ordered_json(preprocess).dump(),
                                                     options.bf16 ? ", bfloat16" : "")});
    head.second->remove_hook(hook);
    nn::unfreeze(*head.second);
    return cache;
  }
};

}  // namespace

int finetune(const FinetuneOptions& options) {
  const InterruptScope interrupts;
  const models::ModelInfo& model = models::info(options.model);
  if (model.input.rank() != 3 || model.input[0] != 3) {
    throw ValueError(fmt::format("--model: '{}' does not take pictures of three channels", options.model));
  }
  if (options.cache_features && options.augment != Augment::none) {
    throw ValueError("--cache-features: each picture is seen once, so it needs --augment none");
  }
  const Preprocess preprocess{.size = options.size > 0 ? options.size : model.input[1]};
  Images images = read_images({.folder = options.data,
                               .classes = options.classes,
                               .held_out = options.held_out,
                               .seed = options.run.seed,
                               .augment = options.augment},
                              preprocess);
  const auto classes = static_cast<std::int64_t>(images.classes.size());
  // What is wrong with the weights must be known before the run's folder is touched. The run seeds anew.
  manual_seed(options.run.seed);
  const auto net = models::make(options.model, {{"num_classes", classes}});
  nn::NamedModule head = head_of(options.model, *net);
  freeze(*net, head, options.freeze);
  if (!options.weights.file.empty()) {
    const nn::LoadReport report = load_weights(*net, options.weights, head.first, options.partial);
    if (!options.partial) check_frozen(*net, report, options.weights.file);
  }
  const Generator drawn = default_generator();
  Run run(options.run);
  default_generator() = drawn;
  run.use_data("data", *images.train, images.classes);
  run.use_data("test_data", *images.test);
  net->to(run.device());
  optim::SGD optimizer = make_optimizer(*net, options);

  std::size_t unreadable = 0;
  std::optional<CachedFeatures> features;
  if (options.cache_features) {
    check_only_head_trains(*net, head.first);
    if (options.skip_damaged) {
      unreadable += keep_readable(images.train, options.workers);
      unreadable += keep_readable(images.test, options.workers);
    }
    features.emplace(images, *net, head, preprocess, options);
  }
  const data::AnyDataset train_set = features ? data::AnyDataset(features->train) : images.train;
  const data::AnyDataset test_set = features ? data::AnyDataset(features->test) : images.test;
  const int workers = features ? 0 : options.workers;
  data::DataLoader train(train_set, {.batch_size = options.batch,
                                     .shuffle = true,
                                     .num_workers = workers,
                                     .seed = options.run.seed,
                                     .skip_damaged = options.skip_damaged,
                                     .share = run.train_share()});
  data::DataLoader test(test_set, {.batch_size = options.batch,
                                   .num_workers = workers,
                                   .seed = 0,
                                   .skip_damaged = options.skip_damaged,
                                   .share = run.test_share()});
  optim::lr_scheduler::CosineAnnealingLR scheduler(optimizer, {.T_max = options.epochs * train.size()});
  run.state().add("net", *net);
  run.state().add("optimizer", optimizer);
  run.state().add("scheduler", scheduler);
  run.watch({.networks = *net, .optimizers = {{"optimizer", optimizer}}});
  for (const std::string& what : images.left_out) say("left out: {}\n", what);
  say("{}: {} pictures to train on, {} to test, {} classes\n{}: {} parameters are trained, {} are not\n", images.about,
      train_set->size(), test_set->size(), classes, options.model, count_of(*net, true), count_of(*net, false));

  const Score score = train_classifier(run, {.label = options.model,
                                             .network = net.get(),
                                             .forward =
                                                 [&](const Tensor& x) {
                                                   const Autocast scope(kBFloat16, options.bf16);
                                                   const Tensor there = x.to(run.device());
                                                   return features ? (*head.second)(there) : (*net)(preprocess(there));
                                                 },
                                             .set_training = [&](bool on) { net->train(on); },
                                             .optimizer = &optimizer,
                                             .scheduler = &scheduler,
                                             .train = &train,
                                             .test = &test,
                                             .classes = images.classes.size(),
                                             .epochs = options.epochs,
                                             .skip_single = options.batch > 1 && !features && has_batch_norm(*net)});
  const std::size_t skipped = unreadable + say_skipped({&train, &test});
  run.check_finite(options.model, *net);
  if (run.writes()) Classifier{options.model, images.classes, preprocess, net}.save(options.run.out);
  run.write_summary({{"command", "finetune"},
                     {"model", options.model},
                     {"weights", options.weights.file},
                     {"seed", options.run.seed},
                     {"data", images.about},
                     {"classes", images.classes},
                     {"frozen", options.freeze},
                     {"bf16", options.bf16},
                     {"epochs", options.epochs},
                     {"steps", run.step()},
                     {"skipped", skipped},
                     {"interrupted", run.interrupted()},
                     {"training_seconds", run.seconds()},
                     {"accuracy", score.accuracy()}});
  say("accuracy {:.2f} % on {} pictures\nnetwork: {}\nsummary: {}\n", 100 * score.accuracy(), score.pictures(),
      run.path("model.pth"), run.path("summary.json"));
  return run.status();
}

}  // namespace gradus::cli

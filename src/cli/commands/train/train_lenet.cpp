#include "cli/commands/train/train_lenet.h"

#include <fmt/format.h>
#include <gradus/models/lenet.h>
#include <gradus/optim/lr_scheduler/cosine.h>
#include <gradus/optim/sgd.h>

#include <nlohmann/json.hpp>

#include "cli/pictures/classifier.h"
#include "cli/run/interrupt.h"
#include "cli/run/output.h"
#include "cli/run/run_watch.h"

namespace gradus::cli {

int train_lenet(const LenetOptions& options) {
  const InterruptScope interrupts;
  // Pixels from -1 to 1.
  const Preprocess preprocess{.size = 32, .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}};
  const Images images = read_images({.folder = options.data, .classes = options.classes}, preprocess);
  Run run(options.run);
  run.use_data("data", *images.train, images.classes);
  run.use_data("test_data", *images.test);

  const auto classes = static_cast<std::int64_t>(images.classes.size());
  const auto net = std::make_shared<models::LeNet>(classes);
  net->to(run.device());
  optim::SGD optimizer({{.params = net->features.parameters(), .lr = options.features_lr},
                        {.params = net->classifier.parameters(), .lr = options.classifier_lr}},
                       {.momentum = options.momentum});
  data::DataLoader train(
      images.train,
      {.batch_size = options.batch, .shuffle = true, .seed = options.run.seed, .share = run.train_share()});
  data::DataLoader test(images.test, {.batch_size = 500, .seed = 0, .share = run.test_share()});
  optim::lr_scheduler::CosineAnnealingLR scheduler(optimizer, {.T_max = options.epochs * train.size()});
  run.state().add("net", *net);
  run.state().add("optimizer", optimizer);
  run.state().add("scheduler", scheduler);
  run.watch({.networks = *net, .optimizers = {{"optimizer", optimizer}}});
  for (const std::string& what : images.left_out) say("left out: {}\n", what);
  say("{}: {} pictures to train on, {} to test, {} classes\n", images.about, images.train->size(), images.test->size(),
      classes);

  const Score score =
      train_classifier(run, {.label = "lenet",
                             .network = net.get(),
                             .forward = [&](const Tensor& x) { return (*net)(preprocess(x.to(run.device()))); },
                             .set_training = [&](bool on) { net->train(on); },
                             .optimizer = &optimizer,
                             .scheduler = &scheduler,
                             .train = &train,
                             .test = &test,
                             .classes = images.classes.size(),
                             .epochs = options.epochs});
  run.check_finite("lenet", *net);
  if (run.writes()) Classifier{"lenet", images.classes, preprocess, net}.save(options.run.out);
  run.write_summary({{"command", "train lenet"},
                     {"seed", options.run.seed},
                     {"data", images.about},
                     {"classes", images.classes},
                     {"epochs", options.epochs},
                     {"steps", run.step()},
                     {"interrupted", run.interrupted()},
                     {"training_seconds", run.seconds()},
                     {"accuracy", score.accuracy()}});
  say("accuracy {:.2f} % on {} pictures\nnetwork: {}\nsummary: {}\n", 100 * score.accuracy(), score.pictures(),
      run.path("model.pth"), run.path("summary.json"));
  return run.status();
}

}  // namespace gradus::cli

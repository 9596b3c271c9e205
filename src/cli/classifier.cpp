#include "cli/classifier.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/io/load.h>
#include <gradus/models/registry.h>
#include <gradus/nn/functional.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/progress.h"
#include "io/atomic_file.h"

namespace gradus::cli {

using nlohmann::ordered_json;

namespace {

std::string weights_path(const std::string& folder) { return folder + "/model.pth"; }
std::string description_path(const std::string& folder) { return folder + "/classifier.json"; }

}  // namespace

void Classifier::save(const std::string& folder) const {
  io::save(weights_path(folder), net->state_dict());
  const ordered_json description{{"model", model}, {"classes", classes}, {"preprocess", preprocess}};
  io::write_file(description_path(folder), description.dump(2) + "\n");
}

Classifier Classifier::load(const std::string& folder) {
  const std::string path = description_path(folder);
  std::ifstream file(path);
  if (!file) throw IoError(fmt::format("'{}' cannot be read; a trained classifier's folder has that file", path));
  Classifier result;
  try {
    const ordered_json description = ordered_json::parse(file);
    description.at("model").get_to(result.model);
    description.at("classes").get_to(result.classes);
    description.at("preprocess").get_to(result.preprocess);
  } catch (const std::exception& e) {
    throw IoError(fmt::format("'{}' does not describe a classifier: {}", path, e.what()));
  }
  if (result.classes.empty()) throw IoError(fmt::format("'{}' does not describe a classifier: no classes", path));
  result.net = models::make(result.model, {{"num_classes", static_cast<std::int64_t>(result.classes.size())}});
  result.net->load_state_dict(io::load_state_dict(weights_path(folder)));
  result.net->eval();
  return result;
}

double Score::accuracy() const {
  const auto sum = [](const std::vector<std::int64_t>& of) { return std::accumulate(of.begin(), of.end(), 0.0); };
  return sum(count) == 0 ? 0 : sum(right) / sum(count);
}

Score test_classifier(const Forward& forward, data::DataLoader& loader, std::size_t classes) {
  const NoGrad guard;
  Score score{std::vector<std::int64_t>(classes), std::vector<std::int64_t>(classes)};
  for (const data::Batch& batch : loader) {
    const auto answers = argmax(forward(batch.data), 1).to_vector<std::int64_t>();
    const auto targets = batch.target.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto target = static_cast<std::size_t>(targets[i]);
      if (target >= classes) {
        throw ValueError(fmt::format("{}: there are {} classes, so a label is from 0 to {}, got {}",
                                     loader.dataset().name(batch.indices[i]), classes, classes - 1, targets[i]));
      }
      ++score.count[target];
      score.right[target] += answers[i] == targets[i] ? 1 : 0;
    }
  }
  return score;
}

Score train_classifier(Run& run, const ClassifierTraining& t) {
  double loss_sum = 0;  // of this epoch
  std::int64_t loss_steps = 0;
  run.state().add("loader", *t.train);
  run.state().add("loss_sum", loss_sum);
  run.state().add("loss_steps", loss_steps);
  run.begin();

  const std::int64_t per_epoch = t.train->size(), total = t.epochs * per_epoch;
  const auto test = [&] {
    t.set_training(false);
    Score score = test_classifier(t.forward, *t.test, t.classes);
    t.set_training(true);
    return score;
  };
  Score score;
  Progress progress(t.label, total);
  progress.start_at(run.step());
  t.set_training(true);
  std::string shown;
  while (run.step() < total && !run.interrupted()) {
    for (auto& [x, y] : *t.train) {
      const Tensor loss = nn::functional::cross_entropy(t.forward(x), y);
      const double value = loss.item();
      if (run.accept("loss", value)) {
        t.optimizer->minimize(loss);
        loss_sum += value;
        ++loss_steps;
      }
      if (t.scheduler != nullptr) t.scheduler->step();
      const std::int64_t step = run.step() + 1;
      std::optional<double> accuracy;
      if (step % per_epoch == 0) {
        score = test();
        accuracy = score.accuracy();
        shown = fmt::format("accuracy {:.2f}%", 100 * *accuracy);
        run.log({{"epoch", step / per_epoch},
                 {"step", step},
                 {"loss", loss_sum / static_cast<double>(loss_steps)},
                 {"accuracy", *accuracy}});
        loss_sum = 0;
        loss_steps = 0;
      }
      progress.update(step, value, shown);
      run.advance(accuracy);
      if (run.interrupted() || run.step() >= total) break;
    }
  }
  progress.finish();
  run.end();
  t.set_training(false);
  return score.count.empty() || run.step() % per_epoch != 0 ? test() : score;
}

}  // namespace gradus::cli

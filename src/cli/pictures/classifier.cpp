#include "cli/pictures/classifier.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/distributed.h>
#include <gradus/io/load.h>
#include <gradus/models/registry.h>
#include <gradus/nn/functional.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/run/output.h"
#include "cli/run/processes.h"
#include "cli/run/progress.h"
#include "io/log/jsonl.h"

namespace gradus::cli {

using nlohmann::ordered_json;

namespace {

std::string weights_path(const std::string& folder) { return folder + "/model.pth"; }
std::string description_path(const std::string& folder) { return folder + "/classifier.json"; }

std::vector<std::string> skipped_lines(const data::DataLoader& loader) {
  std::vector<std::string> lines;
  for (const auto& skipped : loader.skipped()) {
    lines.push_back(skipped.name + ": " + skipped.error);
    std::replace(lines.back().begin(), lines.back().end(), '\n', ' ');
  }
  return lines;
}

// Batch normalization has no variance of one picture.
void leave_out_single(distributed::ChunkedBatch& batch) {
  std::int64_t left = 0;
  for (nn::Chunk& chunk : batch.chunks) {
    if (chunk.size == 1) chunk.size = 0;
    left += chunk.size;
  }
  if (batch.total) batch.total = left;
}

// An epoch had no step, and neither would the next ones.
Error nothing_to_train_on(const data::DataLoader& train) {
  const std::vector<std::string> skipped = lines_of_all(skipped_lines(train));
  if (!skipped.empty() && std::ssize(skipped) == train.dataset().size()) {
    return IoError(
        fmt::format("--data: none of the {} pictures to train on can be read: {}", skipped.size(), skipped[0]));
  }
  return ValueError(
      fmt::format("--data: no two of the {} pictures to train on can be read in one batch; batch normalization needs "
                  "two",
                  train.dataset().size()));
}

}  // namespace

void Classifier::save(const std::string& folder) const {
  io::save(weights_path(folder), net->state_dict());
  io::write_json_file(description_path(folder), {{"model", model}, {"classes", classes}, {"preprocess", preprocess}});
}

Classifier Classifier::load(const std::string& folder, const Weights& weights) {
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
  Weights from = weights;
  if (from.file.empty()) from.file = weights_path(folder);
  load_all_weights(*result.net, from);
  result.net->eval();
  return result;
}

double Score::accuracy() const {
  const auto sum = [](const std::vector<std::int64_t>& of) { return std::accumulate(of.begin(), of.end(), 0.0); };
  return sum(right) / sum(count);
}

std::int64_t Score::pictures() const { return std::accumulate(count.begin(), count.end(), std::int64_t{0}); }

std::string Score::nan_message() const {
  return fmt::format("the scores of {} of {} pictures are NaN", nan, pictures());
}

Score test_classifier(const Forward& forward, data::DataLoader& loader, std::size_t classes) {
  const NoGrad guard;
  Score score{std::vector<std::int64_t>(classes), std::vector<std::int64_t>(classes)};
  for (const data::Batch& batch : loader) {
    const Tensor scores = forward(batch.data);
    const auto answers = argmax(scores, 1).to_vector<std::int64_t>();
    const auto nan = any(isnan(scores), {1}).to_vector<bool>();
    const auto targets = batch.target.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto target = static_cast<std::size_t>(targets[i]);
      if (target >= classes) {
        throw ValueError(fmt::format("{}: there are {} classes, so a label is from 0 to {}, got {}",
                                     loader.dataset().name(batch.indices[i]), classes, classes - 1, targets[i]));
      }
      ++score.count[target];
      score.right[target] += answers[i] == targets[i] && !nan[i] ? 1 : 0;
      score.nan += nan[i] ? 1 : 0;
    }
  }
  if (distributed::size() > 1) {
    for (std::vector<std::int64_t>* counts : {&score.right, &score.count}) {
      const Tensor sum = tensor(*counts);
      distributed::all_reduce(sum);
      *counts = sum.to_vector<std::int64_t>();
    }
    const Tensor sum = tensor({score.nan});
    distributed::all_reduce(sum);
    score.nan = sum.item<std::int64_t>();
  }
  return score;
}

Score train_classifier(Run& run, const ClassifierTraining& t) {
  std::int64_t epoch = 0, epoch_steps = 0;  // finished epochs; steps of this one
  double loss_sum = 0;                      // of this epoch
  std::int64_t loss_steps = 0;              // those with a finite loss
  run.state().add("loader", *t.train);
  run.state().add("epoch", epoch);
  run.state().add("epoch_steps", epoch_steps);
  run.state().add("loss_sum", loss_sum);
  run.state().add("loss_steps", loss_steps);
  run.begin(*t.network);

  const auto test = [&] {
    t.set_training(false);
    Score score = test_classifier(t.forward, *t.test, t.classes);
    t.set_training(true);
    return score;
  };
  Score score;
  bool tested = false;                                     // since the last step
  Progress progress(t.label, t.epochs * t.train->size());  // fewer where pictures are left out
  progress.start_at(run.step());
  t.set_training(true);
  std::string shown;
  while (epoch < t.epochs && !run.interrupted()) {
    for (const data::Batch& batch : *t.train) {
      distributed::ChunkedBatch chunks = run.chunks(batch);
      if (t.skip_single) leave_out_single(chunks);
      const auto result = run.update("loss", *t.optimizer, chunks, [&](const nn::Chunk& chunk) {
        const auto& [x, y] = distributed::chunk_of(batch, chunk);
        const Tensor scores = t.forward(x);
        return nn::functional::cross_entropy(scores, y.to(scores.device()));
      });
      if (!result) continue;
      const double value = result->loss;
      if (result->accepted) {
        loss_sum += value;
        ++loss_steps;
      }
      if (t.scheduler != nullptr) t.scheduler->step();
      ++epoch_steps;
      tested = false;
      progress.update(run.step() + 1, value, shown);
      run.advance();
      if (run.interrupted()) break;
    }
    if (run.interrupted()) break;
    if (epoch_steps == 0) throw nothing_to_train_on(*t.train);
    score = test();
    tested = true;
    ++epoch;
    shown = fmt::format("accuracy {:.2f}%", 100 * score.accuracy());
    run.log({{"epoch", epoch},
             {"step", run.step()},
             {"loss", loss_sum / static_cast<double>(loss_steps)},
             {"accuracy", score.accuracy()}},
            run.step());
    loss_sum = 0;
    epoch_steps = loss_steps = 0;
    run.rate(score.accuracy());
    run.end_epoch();
  }
  progress.finish();
  run.end();
  t.set_training(false);
  if (!tested) score = test();
  if (score.nan > 0) run.say_not_finite(score.nan_message());
  return score;
}

std::size_t say_skipped(std::initializer_list<const data::DataLoader*> loaders) {
  std::vector<std::string> own;
  for (const data::DataLoader* loader : loaders)
    for (const std::string& line : skipped_lines(*loader)) own.push_back(line);
  const std::vector<std::string> all = lines_of_all(own);
  for (const std::string& line : all) say("left out: {}\n", line);
  return all.size();
}

bool has_batch_norm(nn::Module& net) {
  for (const auto& [name, module] : net.named_modules())
    if (module->as<nn::BatchNorm>() != nullptr && module->is_training()) return true;
  return false;
}

}  // namespace gradus::cli

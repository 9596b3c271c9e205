// A network that tells pictures apart, as the commands that train, test and use one share it.
#pragma once

#include <gradus/data/data_loader.h>
#include <gradus/nn/module.h>
#include <gradus/optim/lr_scheduler/scheduler.h>
#include <gradus/optim/optimizer.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "cli/pictures/images.h"
#include "cli/run/run.h"
#include "cli/run/weights.h"

namespace gradus::cli {

// In a folder: model.pth has the weights, classifier.json the rest.
struct Classifier {
  std::string model;  // its name in models::list()
  std::vector<std::string> classes;
  Preprocess preprocess;
  std::shared_ptr<nn::Module> net;

  void save(const std::string& folder) const;
  // With the weights in the folder, or others. IoError for files that are missing or damaged, ValueError where they do
  // not fit together.
  static Classifier load(const std::string& folder, const Weights& weights = {});
};

// Right answers of each class, and how many there are. Without any the accuracy is NaN. Scores that are NaN are no
// answer.
struct Score {
  std::vector<std::int64_t> right, count;
  std::int64_t nan = 0;  // pictures with such scores

  double accuracy() const;
  std::int64_t pictures() const;
  std::string nan_message() const;  // "the scores of 3 of 10 pictures are NaN"
};
using Forward = std::function<Tensor(const Tensor& data)>;  // a batch as it comes from the loader -> scores
// In several processes, of a loader whose batches they take in turn.
Score test_classifier(const Forward& forward, data::DataLoader& loader, std::size_t classes);

struct ClassifierTraining {
  std::string label;                       // in the progress line
  nn::Module* network = nullptr;           // what is trained
  Forward forward;                         // in training
  std::function<void(bool)> set_training;  // before training, and (false) before a test
  optim::Optimizer* optimizer = nullptr;
  optim::lr_scheduler::LRScheduler* scheduler = nullptr;  // stepped with each batch; may be null
  data::DataLoader* train = nullptr;
  data::DataLoader* test = nullptr;
  std::size_t classes = 0;
  std::int64_t epochs = 1;
  bool skip_single = false;  // leave out batches, or chunks of them, of one picture
};
// Trains by cross entropy until the epochs are run or Ctrl-C ends it, and returns the score of the last test. After
// each epoch it tests, prints a line and logs {"epoch", "step", "loss", "accuracy"}; the best checkpoint is the one
// with the highest accuracy. The run's state must hold all of it but the loader, which is added here. IoError where not
// one picture can be read.
Score train_classifier(Run& run, const ClassifierTraining& training);

// Says which pictures were left out, in any process, each once, and returns how many.
std::size_t say_skipped(std::initializer_list<const data::DataLoader*> loaders);

// Whether a batch of one picture may fail: batch normalization in training has no variance of one value.
bool has_batch_norm(nn::Module& net);

}  // namespace gradus::cli

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/run/weights.h"

namespace gradus::cli {

struct EvalOptions {
  std::string folder;  // of `train lenet` or `finetune`
  Weights weights;     // no file: those in the folder
  std::string data, classes, device = "cpu";
  double held_out = 0.2;  // as in training, with its seed: then the test is on pictures that were not trained on
  std::uint64_t seed = 1;
  std::int64_t batch = 64;
  int workers = 1;
  bool skip_damaged = false;
  bool json = false;
};
// `gradus eval`: the accuracy on the test part of some data, in all and for each class.
int eval_classifier(const EvalOptions& options);

struct PredictOptions {
  std::string folder;
  Weights weights;
  std::vector<std::string> images;  // or tables
  std::string device = "cpu";
  std::int64_t top = 3;
  bool json = false;
};
// `gradus predict`: the likeliest classes of pictures. The exit status is 2 if one could not be read; the others are
// told all the same.
int predict(const PredictOptions& options);

}  // namespace gradus::cli

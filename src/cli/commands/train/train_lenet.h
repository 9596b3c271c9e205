#pragma once

#include "cli/run/run.h"

namespace gradus::cli {

struct LenetOptions {
  RunOptions run{.out = "runs/lenet", .best = "max"};
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string classes;
  std::int64_t epochs = 10, batch = 64;
  double features_lr = 1e-2, classifier_lr = 2e-2;  // the article's two groups
  double momentum = 0.9;
};

// `gradus train lenet`. The process's exit status: 0, or 130 where Ctrl-C ended it.
int train_lenet(const LenetOptions& options);

}  // namespace gradus::cli

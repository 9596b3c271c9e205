#pragma once

#include "cli/run/run.h"

#include <map>

#include "cli/pictures/images.h"
#include "cli/run/weights.h"

namespace gradus::cli {

struct FinetuneOptions {
  RunOptions run{.out = "runs/finetune", .best = "max"};
  std::string model = "resnet18";
  Weights weights;       // no file: the network starts anew
  bool partial = false;  // even if little of them fits
  std::string data, classes;
  std::int64_t size = 0;  // 0: the model's own
  double held_out = 0.2;
  std::vector<std::string> freeze;  // patterns; "backbone": all but the last linear layer
  std::vector<std::string> lr;      // "RATE" for all, "PATTERN=RATE" for a group
  double momentum = 0.9, weight_decay = 1e-4;
  std::int64_t epochs = 5, batch = 32;
  int workers = 1;
  Augment augment = Augment::flip;
  bool skip_damaged = false;
  bool cache_features = false;
  bool bf16 = false;  // in mixed precision
};

// `gradus finetune`. The process's exit status: 0, or 130 where Ctrl-C ended it.
int finetune(const FinetuneOptions& options);

}  // namespace gradus::cli

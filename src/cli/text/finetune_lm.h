#pragma once

#include "cli/run/run.h"

namespace gradus::cli {

struct FinetuneLmOptions {
  RunOptions run{.out = "runs/finetune-lm"};
  std::string model, data;
  std::int64_t length = 128;  // tokens of a sample
  double held_out = 0.1;
  std::vector<std::string> freeze;  // patterns; "body": all but the head
  std::vector<std::string> lora;    // KEY=VALUE of an adapter; none: without one
  double lr = 5e-5, weight_decay = 0.01, warmup = 0.05, clip = 1;
  std::int64_t epochs = 1, batch = 8;
  bool bf16 = false;
};

// `gradus finetune-lm`. The process's exit status.
int finetune_lm(const FinetuneLmOptions& options);

}  // namespace gradus::cli

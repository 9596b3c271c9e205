#pragma once

#include "cli/commands/bler.h"
#include "cli/run/run.h"

namespace gradus::cli {

struct AutoencoderOptions {
  RunOptions run{.out = "runs/autoencoder"};
  std::int64_t messages = 16, uses = 7;
  std::int64_t steps = 12000, receiver_steps = 4000, batch = 256;
  double ebn0_db = 4, receiver_ebn0_db = 3;
  double lr = 2e-2, receiver_lr = 3e-3;
  BlerOptions bler;
};

// `gradus train autoencoder`. The process's exit status: 0, or 130 where Ctrl-C ended it.
int train_autoencoder(const AutoencoderOptions& options);

}  // namespace gradus::cli

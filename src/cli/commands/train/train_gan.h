#pragma once

#include "cli/run/run.h"

namespace gradus::cli {

struct GanOptions {
  RunOptions run{.out = "runs/gan"};
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::int64_t epochs = 20, batch = 128;
  std::int64_t steps = 0;  // where above 0: the most steps of each network
  double lr = 3e-4;
  double beta1 = 0.5;  // Radford et al. (2016); with 0.9 most samples become alike
};

// `gradus train gan`. The process's exit status: 0, or 130 where Ctrl-C ended it.
int train_gan(const GanOptions& options);

}  // namespace gradus::cli

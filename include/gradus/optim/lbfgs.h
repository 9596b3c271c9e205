#pragma once

#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct LBFGSOptions {
  Params params = {};
  std::optional<double> lr = {};                   // 1
  detail::LearningRateIsLr learning_rate = {};     // refused
  std::optional<std::int64_t> max_iter = {};       // 20: iterations of a step
  std::optional<std::int64_t> max_eval = {};       // evaluations of a step; unset: max_iter * 5 / 4
  std::optional<double> tolerance_grad = {};       // 1e-7: the largest gradient to stop at
  std::optional<double> tolerance_change = {};     // 1e-9: the least change of parameters or loss to go on for
  std::optional<std::int64_t> history_size = {};   // 100
  std::optional<std::string> line_search_fn = {};  // unset: steps of lr; or "strong_wolfe"
  std::string name = {};
};

// L-BFGS (Liu and Nocedal, 1989), with a line search by the strong Wolfe conditions (Nocedal and Wright, 2006,
// algorithms 3.5 and 3.6), as torch.optim.LBFGS. One group only. A step takes a closure that clears the gradients,
// computes them again and returns the loss:
//
//   opt.step([&] {
//     opt.zero_grad();
//     const Tensor loss = criterion(net(x), y);
//     loss.backward();
//     return loss;
//   });
//
// A parameter that is frozen or without a gradient does not move; to the others it is as if its gradient were zero.
// Clipping applies to the first evaluation of a step. A closure that throws leaves the parameters where the last
// finished iteration put them.
using LBFGS = OptimizerOf<LBFGSOptions>;

}  // namespace gradus::optim

// A line search by the strong Wolfe conditions.
#pragma once

#include <gradus/tensor.h>

#include <functional>
#include <vector>

namespace gradus::optim {

// A point at distance t along a direction: the loss there, its slope along the direction, its gradient.
struct LinePoint {
  double t = 0, loss = 0, slope = 0;
  std::vector<Tensor> gradient;
};

struct LineSearch {
  std::int64_t max_steps;
  double direction_size;  // the direction's largest element
  std::function<LinePoint(double t)> evaluate;

  // From `start`, at t = 0, with t as the first guess.
  LinePoint run(const LinePoint& start, double t) const;
};

}  // namespace gradus::optim

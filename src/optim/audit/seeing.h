// What the files share that see what is computed.
#pragma once

#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>

#include "optim/audit/watch.h"

namespace gradus::optim {

inline bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

inline bool all_finite(const Tensor& x) { return x.numel() == 0 || std::isfinite(sum(abs(x.to(kFloat64))).item()); }

// Larger tensors are not checked element by element where that is done for operations.
inline constexpr std::int64_t kMostChecked = 1 << 20;

// Operations that can make an infinity or a NaN of finite numbers.
inline bool can_overflow(std::string_view name) {
  return is_one_of(name, {"log", "log2", "log10", "log1p", "sqrt", "rsqrt", "div", "reciprocal", "pow", "exp", "expm1",
                          "norm", "square"});
}

// While one lives, what the audit computes is neither recorded nor looked at.
struct Quiet {
  std::atomic<int>& busy;
  NoGrad guard;
  explicit Quiet(std::atomic<int>& count) : busy(count) { ++busy; }
  ~Quiet() { --busy; }
};

}  // namespace gradus::optim

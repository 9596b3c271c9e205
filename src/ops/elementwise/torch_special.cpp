// What torch.special composes of other functions.
#include <gradus/ops.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/special.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "core/range.h"

namespace gradus::special {

namespace {

Tensor floating(const Tensor& x) { return x.is_floating_point() ? x : x.to(kFloat32); }

}  // namespace

Tensor entr(const Tensor& x) {
  const Tensor y = floating(x);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return where(y.detach() < 0, Scalar(-infinity), -gradus::xlogy(y, y));
}

Tensor ndtr(const Tensor& x) { return erfc(floating(x) * -std::numbers::sqrt2 / 2) * 0.5; }

Tensor xlog1py(const Tensor& x, const Tensor& y) {
  const Tensor a = floating(x), b = floating(y);
  const Tensor zero = logical_and(a.detach() == 0, logical_not(isnan(b.detach())));
  // The logarithm is not taken where it counts for nothing: its gradient could be infinite there.
  return where(zero, Scalar(0.0), a * log1p(where(zero, Scalar(0.0), b)));
}

Tensor multigammaln(const Tensor& x, std::int64_t p) {
  check_range("multigammaln", "p", p, at_least(1));
  const Tensor y = floating(x);
  const double half = static_cast<double>(p - 1) / 2;
  if (any(logical_not(y.detach() > half)).item<bool>())
    throw ValueError("multigammaln: all elements must be above (p - 1) / 2, " + to_string(half));
  Tensor total = lgamma(y);
  for (std::int64_t i = 1; i < p; ++i) total = total + lgamma(y - static_cast<double>(i) / 2);
  return total + static_cast<double>(p) * half / 2 * std::log(std::numbers::pi);
}

}  // namespace gradus::special

// Differences of neighbours, and the trapezoidal rule.
#include <gradus/ops/products.h>

#include <algorithm>

#include "core/range.h"

namespace gradus {

namespace {

Tensor next(const Tensor& x, int dim) { return narrow(x, dim, 1, x.size(dim) - 1); }
Tensor previous(const Tensor& x, int dim) { return narrow(x, dim, 0, x.size(dim) - 1); }

int along(const char* call, const Tensor& x, std::int64_t dim) {
  if (x.dim() == 0) throw ShapeError(std::string(call) + ": needs at least one dimension");
  return wrap_dim(call, dim, x.sizes().rank());
}

// The widths of the steps of y at x, as they broadcast against y.
Tensor steps(const char* call, const Tensor& y, const Tensor& x, int dim) {
  if (x.dim() == 1) {
    if (x.size(0) != y.size(dim)) {
      throw ShapeError(std::string(call) + ": x must have one number for each of the " + std::to_string(y.size(dim)) +
                       " values along the dimension, got " + to_string(x.sizes()));
    }
    Shape sizes;
    for (int d = 0; d < y.sizes().rank(); ++d) sizes.push_back(d == dim ? x.size(0) : 1);
    return diff(reshape(x, sizes), 1, dim);
  }
  // As broadcasting has it, its dimensions are y's last ones.
  const int own = dim - (y.sizes().rank() - x.sizes().rank());
  if (x.dim() > y.dim() || own < 0 || x.size(own) != y.size(dim)) {
    throw ShapeError(std::string(call) + ": x of sizes " + to_string(x.sizes()) + " does not fit y of " +
                     to_string(y.sizes()));
  }
  broadcast_shapes(call, x.sizes(), y.sizes());  // throws where they differ elsewhere
  return diff(x, 1, own);
}

// Twice the areas between neighbours, for steps of 1.
Tensor sums(const Tensor& y, int dim) {
  const Tensor in = y.to(to_floating(y.dtype()));
  return y.size(dim) == 0 ? in : next(in, dim) + previous(in, dim);
}

}  // namespace

Tensor diff(const Tensor& x, std::int64_t n, std::int64_t dim, const Tensor& prepend, const Tensor& append) {
  const int d = along("diff", x, dim);
  check_range("diff", "n", n, at_least(0));
  std::vector<Tensor> parts;
  if (prepend.defined()) parts.push_back(prepend);
  parts.push_back(x);
  if (append.defined()) parts.push_back(append);
  Tensor y = parts.size() == 1 ? x : cat(parts, d);
  if (n == 0) return y.is_same(x) ? x.clone() : y;
  if (n >= y.size(d)) return narrow(y, d, 0, 0).clone();
  for (std::int64_t i = 0; i < n; ++i)
    y = y.dtype() == kBool ? logical_xor(next(y, d), previous(y, d)) : next(y, d) - previous(y, d);
  return y;
}

Tensor trapezoid(const Tensor& y, double dx, std::int64_t dim) {
  const int d = along("trapezoid", y, dim);
  return sum(sums(y, d), d) * (dx / 2);
}

Tensor trapezoid(const Tensor& y, const Tensor& x, std::int64_t dim) {
  const int d = along("trapezoid", y, dim);
  return sum(sums(y, d) * steps("trapezoid", y, x, d), d) / 2;
}

Tensor cumulative_trapezoid(const Tensor& y, double dx, std::int64_t dim) {
  const int d = along("cumulative_trapezoid", y, dim);
  return cumsum(sums(y, d), d) * (dx / 2);
}

Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, std::int64_t dim) {
  const int d = along("cumulative_trapezoid", y, dim);
  return cumsum(sums(y, d) * steps("cumulative_trapezoid", y, x, d), d) / 2;
}

}  // namespace gradus

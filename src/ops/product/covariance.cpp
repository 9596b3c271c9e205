// cov and corrcoef.
#include <gradus/ops/products.h>

#include <algorithm>

namespace gradus {

namespace {

void check_weights(const char* name, const Tensor& weights, std::int64_t n, bool whole) {
  const std::string call = std::string("cov: ") + name;
  if (weights.dim() != 1 || weights.numel() != n) {
    throw ShapeError(call + " must have one number for each of the " + std::to_string(n) + " observations, got " +
                     to_string(weights.sizes()));
  }
  if (is_integral(weights.dtype()) != whole || weights.dtype() == kBool) {
    throw DtypeError(call + (whole ? " must be integers, got " : " must be floating-point, got ") +
                     to_string(weights.dtype()));
  }
  if (any(weights < 0).item<bool>()) throw ValueError(call + " must not be negative");
}

}  // namespace

Tensor cov(const Tensor& x, std::int64_t correction, const Tensor& fweights, const Tensor& aweights) {
  if (x.dim() > 2) throw ShapeError("cov: needs at most two dimensions, got " + to_string(x.sizes()));
  if (x.dtype() == kBool) throw DtypeError("cov: not defined for bool tensors");
  Tensor in = x.to(to_floating(x.dtype()));
  if (x.dim() < 2) in = reshape(in, {1, in.numel()});
  const std::int64_t n = in.size(1);
  Tensor weights;
  if (fweights.defined()) {
    check_weights("fweights", fweights, n, true);
    weights = fweights.to(in.dtype());
  }
  if (aweights.defined()) {
    check_weights("aweights", aweights, n, false);
    const Tensor w = aweights.to(in.dtype());
    weights = weights.defined() ? weights * w : w;
  }
  if (!weights.defined()) {
    const Tensor deviation = in - mean(in, 1, true);
    const double freedom = static_cast<double>(std::max<std::int64_t>(n - correction, 0));
    return squeeze(mm(deviation, t(deviation)) / freedom);
  }
  const Tensor total = sum(weights);
  if (!(total.item<double>() > 0)) throw ValueError("cov: the weights sum to zero");
  Tensor freedom = total;
  if (correction != 0) {
    const auto less = static_cast<double>(correction);
    freedom = aweights.defined() ? total - sum(weights * aweights.to(in.dtype())) / total * less : total - less;
  }
  const Tensor deviation = in - sum(in * weights, 1, true) / total;
  return squeeze(mm(deviation, t(deviation * weights)) / clamp(freedom, 0));
}

Tensor corrcoef(const Tensor& x) {
  if (x.dim() > 2) throw ShapeError("corrcoef: needs at most two dimensions, got " + to_string(x.sizes()));
  const Tensor c = cov(x);
  if (c.dim() == 0) return c / c;
  const Tensor places = unsqueeze(arange(0, c.size(0), 1, {.dtype = kInt64, .device = x.device()}), 1);
  const Tensor deviation = sqrt(gather(c, 1, places));
  return clamp(c / deviation / t(deviation), -1, 1);
}

}  // namespace gradus

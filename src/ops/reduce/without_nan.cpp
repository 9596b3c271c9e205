// Reductions that leave NaN out, pairs of reductions, counts.
#include <gradus/autograd.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/statistics.h>

#include <algorithm>
#include <cmath>

#include "core/range.h"
#include "ops/reduce/reduce.h"

namespace gradus {

Tensor count_nonzero(const Tensor& x, const Dims& dims) { return sum((x != 0).to(kInt64), dims); }

Tensor nansum(const Tensor& x, const Dims& dims, bool keepdim) {
  return sum(x.is_floating_point() ? masked_fill(x, isnan(x), 0) : x, dims, keepdim);
}

Tensor nanmean(const Tensor& x, const Dims& dims, bool keepdim) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("nanmean: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  return nansum(x, dims, keepdim) / sum(logical_not(isnan(x)).to(kInt64), dims, keepdim);
}

std::pair<Tensor, Tensor> var_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  Tensor spread = var(x, dims, correction, keepdim);
  return {spread, mean(x, dims, keepdim)};
}

std::pair<Tensor, Tensor> std_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  Tensor spread = std(x, dims, correction, keepdim);
  return {spread, mean(x, dims, keepdim)};
}

std::pair<Tensor, Tensor> aminmax(const Tensor& x, std::optional<std::int64_t> dim, bool keepdim) {
  const Dims dims = dim ? Dims(*dim) : Dims();
  return {amin(x, dims, keepdim), amax(x, dims, keepdim)};
}

Tensor histc(const Tensor& x, std::int64_t bins, double min, double max) {
  const NoGrad guard;
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("histc: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  if (bins <= 0) throw ValueError("histc: bins must be positive, got " + std::to_string(bins));
  if (min == max && x.numel() > 0) {
    min = amin(x).item<double>();
    max = amax(x).item<double>();
  }
  if (min == max) {
    min -= 1;
    max += 1;
  }
  if (!(std::isfinite(min) && std::isfinite(max) && min < max)) {
    throw ValueError("histc: min and max must be finite, and min not above max, got " + std::to_string(min) + " and " +
                     std::to_string(max));
  }
  const Tensor line = reshape(x, {-1});
  const Tensor inside = masked_select(line, (line >= min) & (line <= max));
  const Tensor places =
      clamp(((inside - min) * static_cast<double>(bins) / (max - min)).to(kInt64), 0, static_cast<double>(bins - 1));
  const Tensor none = zeros({bins}, {.dtype = kInt64, .device = x.device()});
  return scatter_add(none, 0, places, ones_like(places)).to(x.dtype());
}

Tensor bincount(const Tensor& x, const Tensor& weights, std::int64_t minlength) {
  const NoGrad guard;
  if (x.dim() != 1) throw ShapeError("bincount: needs a vector, got sizes " + to_string(x.sizes()));
  if (!is_integral(x.dtype()) || x.dtype() == kBool) {
    throw DtypeError(std::string("bincount: needs integers, got ") + to_string(x.dtype()));
  }
  check_range("bincount", "minlength", minlength, at_least(0));
  if (weights.defined() && !(weights.sizes() == x.sizes())) {
    throw ShapeError("bincount: weights must have the sizes of x, " + to_string(x.sizes()) + ", got " +
                     to_string(weights.sizes()));
  }
  std::int64_t length = minlength;
  if (x.numel() > 0) {
    const auto least = amin(x).item<std::int64_t>();
    if (least < 0) throw ValueError("bincount: numbers must not be negative, got " + std::to_string(least));
    length = std::max(length, amax(x).item<std::int64_t>() + 1);
  }
  // Weights are summed in float64, but those of float32 in their type, as in PyTorch.
  const Dtype dtype = !weights.defined() ? kInt64 : weights.dtype() == kFloat32 ? kFloat32 : kFloat64;
  const Tensor none = zeros({length}, {.dtype = dtype, .device = x.device()});
  if (x.numel() == 0) return none.to(kInt64);
  const Tensor places = x.to(kInt64);
  return scatter_add(none, 0, places, weights.defined() ? weights.to(dtype) : ones_like(places));
}

Tensor renorm(const Tensor& x, double p, std::int64_t dim, double maxnorm) {
  if (x.dim() < 2) throw ShapeError("renorm: needs at least two dimensions, got " + to_string(x.sizes()));
  if (!(p > 0)) throw ValueError("renorm: p must be positive, got " + std::to_string(p));
  if (!(maxnorm >= 0)) throw ValueError("renorm: maxnorm must be at least 0, got " + to_string(maxnorm));
  const int kept = wrap_dim("renorm", dim, x.sizes().rank());
  Dims dims;
  for (int d = 0; d < x.sizes().rank(); ++d)
    if (d != kept) dims.push_back(d);
  const Tensor in = x.element_size() == 2 && x.is_floating_point() ? x.to(kFloat32) : x;
  const Tensor length = norm(in, p, dims, true);
  // Slightly less, so that rounding does not lead beyond it.
  const Tensor y = in * where(length > maxnorm, maxnorm / (length + 1e-7), 1.0);
  return in.dtype() == x.dtype() ? y : y.to(x.dtype());
}

}  // namespace gradus

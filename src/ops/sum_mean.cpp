// sum, mean, var, std.
#include <gradus/op.h>
#include <gradus/ops.h>

#include <cmath>

#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace gradus {

using namespace ops;

namespace {

void require_floating(const char* call, const Tensor& x) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  }
}

template <class T>
void divide(const Tensor& y, std::int64_t divisor) {
  T* p = y.data_ptr<T>();
  for (std::int64_t i = 0; i < y.numel(); ++i) p[i] /= static_cast<T>(divisor);
}

struct Sum final : Op {
  Reduction reduction;
  bool average;
  Sum(Reduction r, bool mean) : reduction(std::move(r)), average(mean) {}
  const char* name() const override { return average ? "mean" : "sum"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return x.numel(); }
  Tensor forward(const Tensor& x) {
    const Dtype compute = compute_type(x.dtype());
    const Tensor y = run_reduce(cpu::Reduce::sum, x.to(compute), reduction);
    if (average && compute == kFloat32) divide<float>(y, reduction.count);
    if (average && compute == kFloat64) divide<double>(y, reduction.count);
    return y.to(x.dtype());
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor each = average ? g / reduction.count : g;
    gx[0] = expand(restored(each, reduction), reduction.from);
  }
};

// The root of a variance. Where all values are equal its slope is taken as zero, as PyTorch does.
struct RootOfVariance {
  static constexpr const char* name = "std";
  static constexpr bool from_output = true;
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return std::sqrt(x);
  }
  template <class T>
  GRADUS_INLINE T df(T y) const {
    return y == 0 ? T(0) : T(0.5) / y;
  }
  Tensor d2(const Tensor& y) const { return masked_fill(-0.5 / square(y), y == 0, 0); }
};

}  // namespace

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim, std::optional<Dtype> dtype) {
  const Dtype type = dtype.value_or(is_integral(x.dtype()) ? kInt64 : x.dtype());
  // The kernel adds int64 and floating point; narrower integers wrap on the way back.
  const Dtype wide = is_integral(type) ? kInt64 : type;
  return apply(Sum(reduction("sum", x, dims, keepdim), false), x.to(type).to(wide)).to(type);
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  require_floating("mean", x);
  return apply(Sum(reduction("mean", x, dims, keepdim), true), x);
}

// In two passes: the squares are of distances from the mean, so nothing cancels.
Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  require_floating("var", x);
  if (!std::isfinite(correction)) {
    throw ValueError("var: correction must be finite, got " + std::to_string(correction));
  }
  const Tensor wide = x.to(compute_type(x.dtype()));
  const double freedom = static_cast<double>(reduction("var", x, dims, keepdim).count) - correction;
  const Tensor squares = sum(square(wide - mean(wide, dims, true)), dims, keepdim);
  return (squares / std::max(0.0, freedom)).to(x.dtype());
}

Tensor std(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  require_floating("std", x);
  return unary(RootOfVariance{}, var(x, dims, correction, keepdim));
}

}  // namespace gradus

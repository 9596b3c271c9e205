// Choosing between elements and numbers, made of other operations.
#include <gradus/autograd.h>
#include <gradus/ops/choice.h>

#include <cmath>
#include <limits>

namespace gradus {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The largest number of a floating-point type.
double largest(Dtype dtype) {
  switch (dtype) {
    case kFloat16:
      return 65504;
    case kBFloat16:
      return 0x1.FEp127;
    case kFloat32:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Scalar& b) { return where(condition, a, number(b, a)); }
Tensor where(const Tensor& condition, const Scalar& a, const Tensor& b) { return where(condition, number(a, b), b); }
Tensor where(const Tensor& condition, const Scalar& a, const Scalar& b) {
  const Tensor left = tensor(a), right = tensor(b);
  return where(condition, left, right);
}

// Of equal elements the first gets the gradient, as in PyTorch.
Tensor fmax(const Tensor& a, const Tensor& b) { return where(logical_or(a >= b, isnan(b)), a, b); }
Tensor fmin(const Tensor& a, const Tensor& b) { return where(logical_or(a <= b, isnan(b)), a, b); }

Tensor heaviside(const Tensor& x, const Tensor& values) {
  if (x.dtype() != values.dtype()) {
    throw DtypeError(std::string("heaviside: both operands must have the same type, got ") + to_string(x.dtype()) +
                     " and " + to_string(values.dtype()));
  }
  const NoGrad guard;
  return where(x == 0, values, (x > 0).to(x.dtype()));
}

Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  if (!x.is_floating_point()) return x.clone();
  const double most = largest(x.dtype());
  // As in PyTorch, a number beyond the type is an infinity.
  const auto in_type = [most](double v) { return std::abs(v) > most ? std::copysign(kInfinity, v) : v; };
  Tensor y = masked_fill(x, isnan(x), in_type(nan.value_or(0)));
  y = masked_fill(y, x == kInfinity, in_type(posinf.value_or(most)));
  return masked_fill(y, x == -kInfinity, in_type(neginf.value_or(-most)));
}

Tensor isposinf(const Tensor& x) { return x.is_floating_point() ? x == kInfinity : zeros_like(x, {.dtype = kBool}); }
Tensor isneginf(const Tensor& x) { return x.is_floating_point() ? x == -kInfinity : zeros_like(x, {.dtype = kBool}); }

}  // namespace gradus

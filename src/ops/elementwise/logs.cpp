// Functions with logarithms and powers of two operands, logit, hypot.
#include <gradus/ops/mathematics.h>

#include "kernels/formulas/logs.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

void refuse_integers(const char* call, const Tensor& a, const Tensor& b) {
  if (a.is_floating_point() || b.is_floating_point()) return;
  throw DtypeError(std::string(call) + ": needs floating-point tensors, got " + to_string(a.dtype()) + " and " +
                   to_string(b.dtype()));
}

}  // namespace

Tensor exp2(const Tensor& x) { return pow(2.0, x.to(to_floating(x.dtype()))); }

Tensor logaddexp(const Tensor& a, const Tensor& b) {
  refuse_integers("logaddexp", a, b);
  return binary(LogAddExp<false>{}, a, b);
}

Tensor logaddexp2(const Tensor& a, const Tensor& b) {
  refuse_integers("logaddexp2", a, b);
  return binary(LogAddExp<true>{}, a, b);
}

Tensor logit(const Tensor& x, std::optional<double> eps) {
  if (!eps) return unary(Logit{}, x);
  if (!(*eps >= 0 && *eps <= 1)) throw ValueError("logit: eps must be in [0, 1], got " + std::to_string(*eps));
  const Tensor in = x.to(to_floating(x.dtype()));
  if (*eps <= 0.5) return unary(Logit{}, clamp(in, *eps, 1 - *eps));
  // The lower bound counts first, and nothing lies between the two: clamp, where the upper one wins, differs.
  const Tensor bounded = where(in < *eps, clamp(in, *eps), clamp(in, {}, 1 - *eps));
  return unary(Logit{}, bounded);
}

Tensor xlogy(const Tensor& x, const Tensor& y) { return binary(XLogY{}, x, y); }
// A number beside integers is not cut to their range: the result is in floating point.
Tensor xlogy(const Tensor& x, const Scalar& y) {
  const Tensor in = x.to(to_floating(x.dtype()));
  return xlogy(in, number(y, in));
}
Tensor xlogy(const Scalar& x, const Tensor& y) {
  const Tensor in = y.to(to_floating(y.dtype()));
  return xlogy(number(x, in), in);
}

Tensor hypot(const Tensor& a, const Tensor& b) {
  refuse_integers("hypot", a, b);
  return binary(Hypot{}, a, b);
}

Tensor float_power(const Tensor& a, const Tensor& exponent) { return pow(a.to(kFloat64), exponent.to(kFloat64)); }
Tensor float_power(const Tensor& a, const Scalar& exponent) { return pow(a.to(kFloat64), exponent.to<double>()); }
Tensor float_power(const Scalar& a, const Tensor& exponent) { return pow(a.to<double>(), exponent.to(kFloat64)); }

}  // namespace gradus

// add, sub, mul, div: two broadcast operands, or one and a number.
#include <gradus/ops.h>

#include <cmath>

#include "kernels/formulas/arithmetic.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/with_number.h"

namespace gradus {

using namespace ops;

namespace {

std::int64_t integer_of(const Scalar& alpha) { return alpha.kind() == kFloat64 ? 0 : alpha.as<std::int64_t>(); }
Add scaled(const Scalar& alpha) { return {alpha.to<double>(), integer_of(alpha)}; }
Add negated(const Scalar& alpha) { return {-alpha.to<double>(), -integer_of(alpha)}; }

void check_alpha(const char* name, Dtype dtype, const Scalar& alpha) {
  if (is_integral(dtype) && alpha.kind() == kFloat64) {
    throw ValueError(std::string(name) + ": integer tensors need an integer alpha");
  }
  check_fits(name, alpha, dtype);
}

// What it means to subtract a truth value nobody can say; PyTorch refuses it too.
void refuse_bool(Dtype a, Dtype b) {
  if (a == kBool || b == kBool) throw DtypeError("sub: not defined for truth values; use logical_xor or logical_not");
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  check_alpha("add", result_type(a, b), alpha);
  return binary(scaled(alpha), a, b);
}

Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  refuse_bool(a.dtype(), b.dtype());
  check_alpha("sub", result_type(a, b), alpha);
  return binary(negated(alpha), a, b);
}

Tensor mul(const Tensor& a, const Tensor& b) { return binary(Mul{}, a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return binary(Div{}, a, b); }

Tensor add(const Tensor& a, const Scalar& b) { return with_number(Add{}, a, b); }
Tensor mul(const Tensor& a, const Scalar& b) { return with_number(Mul{}, a, b); }
Tensor div(const Tensor& a, const Scalar& b) { return with_number(Div{}, a, b); }
Tensor div(const Scalar& a, const Tensor& b) { return with_number<Side::left>(Div{}, b, a); }

Tensor sub(const Tensor& a, const Scalar& b) {
  refuse_bool(a.dtype(), b.kind());
  return with_number(negated(1), a, b);
}

Tensor sub(const Scalar& a, const Tensor& b) {
  refuse_bool(a.kind(), b.dtype());
  return with_number<Side::left>(negated(1), b, a);
}

Tensor& Tensor::add_(const Tensor& other, const Scalar& alpha) const { return binary_(scaled(alpha), self(), other); }
Tensor& Tensor::add_(const Scalar& other) const { return with_number_(Add{}, self(), other); }
Tensor& Tensor::sub_(const Tensor& other, const Scalar& alpha) const {
  refuse_bool(dtype(), other.dtype());
  return binary_(negated(alpha), self(), other);
}
Tensor& Tensor::sub_(const Scalar& other) const {
  refuse_bool(dtype(), other.kind());
  return with_number_(negated(1), self(), other);
}
Tensor& Tensor::mul_(const Tensor& other) const { return binary_(Mul{}, self(), other); }
Tensor& Tensor::mul_(const Scalar& other) const { return with_number_(Mul{}, self(), other); }
Tensor& Tensor::div_(const Tensor& other) const { return binary_(Div{}, self(), other); }
Tensor& Tensor::div_(const Scalar& other) const { return with_number_(Div{}, self(), other); }

}  // namespace gradus

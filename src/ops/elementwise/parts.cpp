// Parts of a number, divisions that round, and sums with a product or a quotient.
#include <gradus/ops/choice.h>
#include <gradus/ops/mathematics.h>

#include "kernels/formulas/parts.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

void refuse_zero(const char* call, const Tensor& a, const Tensor& b) {
  if (!is_integral(a.dtype()) || !is_integral(b.dtype())) return;
  // In the type that divides: a number beside a tensor may become zero there.
  if (any(b.to(result_type(a, b)) == 0).item<bool>())
    throw ValueError(std::string(call) + ": an integer divisor is zero");
}

void require_integers(const char* call, const Tensor& a, const Tensor& b, bool with_bool = true) {
  if (is_integral(a.dtype()) && is_integral(b.dtype()) && (with_bool || a.dtype() != kBool || b.dtype() != kBool))
    return;
  throw DtypeError(std::string(call) + ": needs integers" + (with_bool ? " or truth values" : "") + ", got " +
                   to_string(a.dtype()) + " and " + to_string(b.dtype()));
}

template <class F>
Tensor bits(const Tensor& a, const Tensor& b, bool with_bool = true) {
  require_integers(F::name, a, b, with_bool);
  return detail::observed(
      F::name, [&] { return binary_forward(F{}, a, b); }, a, b);
}

// Sums with a product or a quotient are rounded to 16 bits once.
bool are_halves(const Tensor& input, const Tensor& a, const Tensor& b) {
  const auto half = [&](const Tensor& x) { return x.is_floating_point() && x.element_size() == 2; };
  return half(input) && a.dtype() == input.dtype() && b.dtype() == input.dtype();
}
Tensor wide(const Tensor& x) { return x.to(kFloat32); }

}  // namespace

Tensor trunc(const Tensor& x) { return unary(Trunc{}, x); }

Tensor frac(const Tensor& x) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("frac: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  return x - trunc(x);
}

Tensor fmod(const Tensor& a, const Tensor& b) {
  refuse_zero("fmod", a, b);
  return binary(Fmod{}, a, b);
}
Tensor fmod(const Tensor& a, const Scalar& b) { return fmod(a, number(b, a)); }

Tensor copysign(const Tensor& magnitude, const Tensor& sign) { return binary(Copysign{}, magnitude, sign); }
// A number beside integers is not cut to their range: the result is in floating point.
Tensor copysign(const Tensor& magnitude, const Scalar& sign) {
  const Tensor x = magnitude.to(to_floating(magnitude.dtype()));
  return copysign(x, number(sign, x));
}

Tensor signbit(const Tensor& x) { return predicate(Signbit{}, x); }

Tensor div(const Tensor& a, const Tensor& b, std::string_view rounding_mode) {
  if (rounding_mode == "floor") return floor_divide(a, b);
  if (rounding_mode != "trunc") {
    throw ValueError("div: rounding_mode must be trunc or floor, got \"" + std::string(rounding_mode) + "\"");
  }
  // What is left without the rest divides evenly.
  if (is_integral(a.dtype()) && is_integral(b.dtype())) {
    return floor_divide(a.to(result_type(a, b)) - fmod(a, b), b);
  }
  return trunc(div(a.detach(), b.detach()));  // outside of every graph, as floor_divide is
}

Tensor div(const Tensor& a, const Scalar& b, std::string_view rounding_mode) {
  return div(a, number(b, a), rounding_mode);
}

Tensor addcmul(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& value) {
  if (are_halves(input, a, b)) return addcmul(wide(input), wide(a), wide(b), value).to(input.dtype());
  return add(input, mul(a, b), value);
}

Tensor addcdiv(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& value) {
  if (is_integral(a.dtype()) && is_integral(b.dtype())) {
    throw DtypeError(std::string("addcdiv: does not divide integers, got ") + to_string(a.dtype()) + " and " +
                     to_string(b.dtype()));
  }
  if (are_halves(input, a, b)) return addcdiv(wide(input), wide(a), wide(b), value).to(input.dtype());
  return add(input, div(a, b), value);
}

Tensor bitwise_and(const Tensor& a, const Tensor& b) { return bits<BitwiseAnd>(a, b); }
Tensor bitwise_or(const Tensor& a, const Tensor& b) { return bits<BitwiseOr>(a, b); }
Tensor bitwise_xor(const Tensor& a, const Tensor& b) { return bits<BitwiseXor>(a, b); }
Tensor bitwise_and(const Tensor& a, const Scalar& b) { return bitwise_and(a, number(b, a)); }
Tensor bitwise_or(const Tensor& a, const Scalar& b) { return bitwise_or(a, number(b, a)); }
Tensor bitwise_xor(const Tensor& a, const Scalar& b) { return bitwise_xor(a, number(b, a)); }

Tensor bitwise_not(const Tensor& x) {
  require_integers("bitwise_not", x, x);
  return x.dtype() == kBool ? logical_not(x) : bitwise_xor(x, x.dtype() == kUInt8 ? 255 : -1);
}

Tensor bitwise_left_shift(const Tensor& x, const Tensor& places) { return bits<LeftShift>(x, places, false); }
Tensor bitwise_right_shift(const Tensor& x, const Tensor& places) { return bits<RightShift>(x, places, false); }
Tensor bitwise_left_shift(const Tensor& x, const Scalar& places) { return bitwise_left_shift(x, number(places, x)); }
Tensor bitwise_right_shift(const Tensor& x, const Scalar& places) { return bitwise_right_shift(x, number(places, x)); }

}  // namespace gradus

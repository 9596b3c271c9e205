// The operations of gradus/ops/ in place.
#include <gradus/ops.h>
#include <gradus/ops/activation.h>
#include <gradus/ops/arranging.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/diagonals.h>
#include <gradus/ops/further.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/placing.h>
#include <gradus/ops/products.h>
#include <gradus/ops/searching.h>
#include <gradus/ops/statistics.h>

#include "ops/methods/inplace.h"

namespace gradus {

Tensor& TensorMethods::floor_divide_(const Tensor& other) const {
  return ops::change("floor_divide_", self(), {&other},
                     [&](const Tensor& x) { return gradus::floor_divide(x, other); });
}
Tensor& TensorMethods::floor_divide_(const Scalar& other) const {
  return ops::change("floor_divide_", self(), {}, [&](const Tensor& x) { return gradus::floor_divide(x, other); });
}
Tensor& TensorMethods::pow_(const Tensor& exponent) const {
  return ops::change("pow_", self(), {&exponent}, [&](const Tensor& x) { return gradus::pow(x, exponent); });
}
Tensor& TensorMethods::logical_and_(const Tensor& other) const {
  return ops::change("logical_and_", self(), {&other}, [&](const Tensor& x) { return gradus::logical_and(x, other); });
}
Tensor& TensorMethods::logical_or_(const Tensor& other) const {
  return ops::change("logical_or_", self(), {&other}, [&](const Tensor& x) { return gradus::logical_or(x, other); });
}
Tensor& TensorMethods::logical_xor_(const Tensor& other) const {
  return ops::change("logical_xor_", self(), {&other}, [&](const Tensor& x) { return gradus::logical_xor(x, other); });
}
Tensor& TensorMethods::logical_not_() const {
  return ops::change("logical_not_", self(), {}, [](const Tensor& x) { return gradus::logical_not(x); });
}
Tensor& TensorMethods::atan_() const {
  return ops::change("atan_", self(), {}, [](const Tensor& x) { return gradus::atan(x); });
}
Tensor& TensorMethods::heaviside_(const Tensor& values) const {
  return ops::change("heaviside_", self(), {&values}, [&](const Tensor& x) { return gradus::heaviside(x, values); });
}
Tensor& TensorMethods::nan_to_num_(std::optional<double> nan, std::optional<double> posinf,
                                   std::optional<double> neginf) const {
  return ops::change("nan_to_num_", self(), {},
                     [&](const Tensor& x) { return gradus::nan_to_num(x, nan, posinf, neginf); });
}
Tensor& TensorMethods::bitwise_and_(const Tensor& other) const {
  return ops::change("bitwise_and_", self(), {&other}, [&](const Tensor& x) { return gradus::bitwise_and(x, other); });
}
Tensor& TensorMethods::bitwise_or_(const Tensor& other) const {
  return ops::change("bitwise_or_", self(), {&other}, [&](const Tensor& x) { return gradus::bitwise_or(x, other); });
}
Tensor& TensorMethods::bitwise_xor_(const Tensor& other) const {
  return ops::change("bitwise_xor_", self(), {&other}, [&](const Tensor& x) { return gradus::bitwise_xor(x, other); });
}
Tensor& TensorMethods::bitwise_and_(const Scalar& other) const {
  return ops::change("bitwise_and_", self(), {}, [&](const Tensor& x) { return gradus::bitwise_and(x, other); });
}
Tensor& TensorMethods::bitwise_or_(const Scalar& other) const {
  return ops::change("bitwise_or_", self(), {}, [&](const Tensor& x) { return gradus::bitwise_or(x, other); });
}
Tensor& TensorMethods::bitwise_xor_(const Scalar& other) const {
  return ops::change("bitwise_xor_", self(), {}, [&](const Tensor& x) { return gradus::bitwise_xor(x, other); });
}
Tensor& TensorMethods::bitwise_not_() const {
  return ops::change("bitwise_not_", self(), {}, [](const Tensor& x) { return gradus::bitwise_not(x); });
}
Tensor& TensorMethods::bitwise_left_shift_(const Tensor& places) const {
  return ops::change("bitwise_left_shift_", self(), {&places},
                     [&](const Tensor& x) { return gradus::bitwise_left_shift(x, places); });
}
Tensor& TensorMethods::bitwise_left_shift_(const Scalar& places) const {
  return ops::change("bitwise_left_shift_", self(), {},
                     [&](const Tensor& x) { return gradus::bitwise_left_shift(x, places); });
}
Tensor& TensorMethods::bitwise_right_shift_(const Tensor& places) const {
  return ops::change("bitwise_right_shift_", self(), {&places},
                     [&](const Tensor& x) { return gradus::bitwise_right_shift(x, places); });
}
Tensor& TensorMethods::bitwise_right_shift_(const Scalar& places) const {
  return ops::change("bitwise_right_shift_", self(), {},
                     [&](const Tensor& x) { return gradus::bitwise_right_shift(x, places); });
}
Tensor& TensorMethods::atan2_(const Tensor& x) const {
  return ops::change("atan2_", self(), {&x}, [&](const Tensor& y) { return gradus::atan2(y, x); });
}
Tensor& TensorMethods::asin_() const {
  return ops::change("asin_", self(), {}, [](const Tensor& x) { return gradus::asin(x); });
}
Tensor& TensorMethods::acos_() const {
  return ops::change("acos_", self(), {}, [](const Tensor& x) { return gradus::acos(x); });
}
Tensor& TensorMethods::sinh_() const {
  return ops::change("sinh_", self(), {}, [](const Tensor& x) { return gradus::sinh(x); });
}
Tensor& TensorMethods::cosh_() const {
  return ops::change("cosh_", self(), {}, [](const Tensor& x) { return gradus::cosh(x); });
}
Tensor& TensorMethods::asinh_() const {
  return ops::change("asinh_", self(), {}, [](const Tensor& x) { return gradus::asinh(x); });
}
Tensor& TensorMethods::acosh_() const {
  return ops::change("acosh_", self(), {}, [](const Tensor& x) { return gradus::acosh(x); });
}
Tensor& TensorMethods::atanh_() const {
  return ops::change("atanh_", self(), {}, [](const Tensor& x) { return gradus::atanh(x); });
}
Tensor& TensorMethods::deg2rad_() const {
  return ops::change("deg2rad_", self(), {}, [](const Tensor& x) { return gradus::deg2rad(x); });
}
Tensor& TensorMethods::rad2deg_() const {
  return ops::change("rad2deg_", self(), {}, [](const Tensor& x) { return gradus::rad2deg(x); });
}
Tensor& TensorMethods::sinc_() const {
  return ops::change("sinc_", self(), {}, [](const Tensor& x) { return gradus::sinc(x); });
}
Tensor& TensorMethods::hypot_(const Tensor& other) const {
  return ops::change("hypot_", self(), {&other}, [&](const Tensor& x) { return gradus::hypot(x, other); });
}
Tensor& TensorMethods::arcsin_() const {
  return ops::change("arcsin_", self(), {}, [](const Tensor& x) { return gradus::arcsin(x); });
}
Tensor& TensorMethods::arccos_() const {
  return ops::change("arccos_", self(), {}, [](const Tensor& x) { return gradus::arccos(x); });
}
Tensor& TensorMethods::arctan_() const {
  return ops::change("arctan_", self(), {}, [](const Tensor& x) { return gradus::arctan(x); });
}
Tensor& TensorMethods::arcsinh_() const {
  return ops::change("arcsinh_", self(), {}, [](const Tensor& x) { return gradus::arcsinh(x); });
}
Tensor& TensorMethods::arccosh_() const {
  return ops::change("arccosh_", self(), {}, [](const Tensor& x) { return gradus::arccosh(x); });
}
Tensor& TensorMethods::arctanh_() const {
  return ops::change("arctanh_", self(), {}, [](const Tensor& x) { return gradus::arctanh(x); });
}
Tensor& TensorMethods::arctan2_(const Tensor& x) const {
  return ops::change("arctan2_", self(), {&x}, [&](const Tensor& y) { return gradus::arctan2(y, x); });
}
Tensor& TensorMethods::exp2_() const {
  return ops::change("exp2_", self(), {}, [](const Tensor& x) { return gradus::exp2(x); });
}
Tensor& TensorMethods::logit_(std::optional<double> eps) const {
  return ops::change("logit_", self(), {}, [&](const Tensor& x) { return gradus::logit(x, eps); });
}
Tensor& TensorMethods::xlogy_(const Tensor& y) const {
  return ops::change("xlogy_", self(), {&y}, [&](const Tensor& x) { return gradus::xlogy(x, y); });
}
Tensor& TensorMethods::xlogy_(const Scalar& y) const {
  return ops::change("xlogy_", self(), {}, [&](const Tensor& x) { return gradus::xlogy(x, y); });
}
Tensor& TensorMethods::float_power_(const Tensor& exponent) const {
  return ops::change("float_power_", self(), {&exponent},
                     [&](const Tensor& x) { return gradus::float_power(x, exponent); });
}
Tensor& TensorMethods::float_power_(const Scalar& exponent) const {
  return ops::change("float_power_", self(), {}, [&](const Tensor& x) { return gradus::float_power(x, exponent); });
}
Tensor& TensorMethods::erfc_() const {
  return ops::change("erfc_", self(), {}, [](const Tensor& x) { return gradus::erfc(x); });
}
Tensor& TensorMethods::erfinv_() const {
  return ops::change("erfinv_", self(), {}, [](const Tensor& x) { return gradus::erfinv(x); });
}
Tensor& TensorMethods::lgamma_() const {
  return ops::change("lgamma_", self(), {}, [](const Tensor& x) { return gradus::lgamma(x); });
}
Tensor& TensorMethods::digamma_() const {
  return ops::change("digamma_", self(), {}, [](const Tensor& x) { return gradus::digamma(x); });
}
Tensor& TensorMethods::trunc_() const {
  return ops::change("trunc_", self(), {}, [](const Tensor& x) { return gradus::trunc(x); });
}
Tensor& TensorMethods::frac_() const {
  return ops::change("frac_", self(), {}, [](const Tensor& x) { return gradus::frac(x); });
}
Tensor& TensorMethods::fmod_(const Tensor& other) const {
  return ops::change("fmod_", self(), {&other}, [&](const Tensor& x) { return gradus::fmod(x, other); });
}
Tensor& TensorMethods::fmod_(const Scalar& other) const {
  return ops::change("fmod_", self(), {}, [&](const Tensor& x) { return gradus::fmod(x, other); });
}
Tensor& TensorMethods::copysign_(const Tensor& sign) const {
  return ops::change("copysign_", self(), {&sign}, [&](const Tensor& x) { return gradus::copysign(x, sign); });
}
Tensor& TensorMethods::copysign_(const Scalar& sign) const {
  return ops::change("copysign_", self(), {}, [&](const Tensor& x) { return gradus::copysign(x, sign); });
}
Tensor& TensorMethods::fix_() const {
  return ops::change("fix_", self(), {}, [](const Tensor& x) { return gradus::fix(x); });
}
Tensor& TensorMethods::addcmul_(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return ops::change("addcmul_", self(), {&a, &b}, [&](const Tensor& x) { return gradus::addcmul(x, a, b, value); });
}
Tensor& TensorMethods::addcdiv_(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return ops::change("addcdiv_", self(), {&a, &b}, [&](const Tensor& x) { return gradus::addcdiv(x, a, b, value); });
}
Tensor& TensorMethods::subtract_(const Tensor& other, const Scalar& alpha) const {
  return ops::change("subtract_", self(), {&other}, [&](const Tensor& x) { return gradus::subtract(x, other, alpha); });
}
Tensor& TensorMethods::subtract_(const Scalar& other) const {
  return ops::change("subtract_", self(), {}, [&](const Tensor& x) { return gradus::subtract(x, other); });
}
Tensor& TensorMethods::multiply_(const Tensor& other) const {
  return ops::change("multiply_", self(), {&other}, [&](const Tensor& x) { return gradus::multiply(x, other); });
}
Tensor& TensorMethods::multiply_(const Scalar& other) const {
  return ops::change("multiply_", self(), {}, [&](const Tensor& x) { return gradus::multiply(x, other); });
}
Tensor& TensorMethods::divide_(const Tensor& other) const {
  return ops::change("divide_", self(), {&other}, [&](const Tensor& x) { return gradus::divide(x, other); });
}
Tensor& TensorMethods::divide_(const Scalar& other) const {
  return ops::change("divide_", self(), {}, [&](const Tensor& x) { return gradus::divide(x, other); });
}
Tensor& TensorMethods::divide_(const Tensor& other, std::string_view rounding_mode) const {
  return ops::change("divide_", self(), {&other},
                     [&](const Tensor& x) { return gradus::divide(x, other, rounding_mode); });
}
Tensor& TensorMethods::divide_(const Scalar& other, std::string_view rounding_mode) const {
  return ops::change("divide_", self(), {}, [&](const Tensor& x) { return gradus::divide(x, other, rounding_mode); });
}
Tensor& TensorMethods::true_divide_(const Tensor& other) const {
  return ops::change("true_divide_", self(), {&other}, [&](const Tensor& x) { return gradus::true_divide(x, other); });
}
Tensor& TensorMethods::true_divide_(const Scalar& other) const {
  return ops::change("true_divide_", self(), {}, [&](const Tensor& x) { return gradus::true_divide(x, other); });
}
Tensor& TensorMethods::absolute_() const {
  return ops::change("absolute_", self(), {}, [](const Tensor& x) { return gradus::absolute(x); });
}
Tensor& TensorMethods::negative_() const {
  return ops::change("negative_", self(), {}, [](const Tensor& x) { return gradus::negative(x); });
}
Tensor& TensorMethods::clip_(std::optional<double> min, std::optional<double> max) const {
  return ops::change("clip_", self(), {}, [&](const Tensor& x) { return gradus::clip(x, min, max); });
}
Tensor& TensorMethods::index_copy_(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return ops::change("index_copy_", self(), {&index, &src},
                     [&](const Tensor& x) { return gradus::index_copy(x, dim, index, src); });
}
Tensor& TensorMethods::index_fill_(std::int64_t dim, const Tensor& index, const Scalar& value) const {
  return ops::change("index_fill_", self(), {&index},
                     [&](const Tensor& x) { return gradus::index_fill(x, dim, index, value); });
}
Tensor& TensorMethods::index_fill_(std::int64_t dim, const Tensor& index, const Tensor& value) const {
  return ops::change("index_fill_", self(), {&index, &value},
                     [&](const Tensor& x) { return gradus::index_fill(x, dim, index, value); });
}
Tensor& TensorMethods::index_reduce_(std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                                     bool include_self) const {
  return ops::change("index_reduce_", self(), {&index, &src},
                     [&](const Tensor& x) { return gradus::index_reduce(x, dim, index, src, reduce, include_self); });
}
Tensor& TensorMethods::scatter_reduce_(std::int64_t dim, const Tensor& index, const Tensor& src,
                                       std::string_view reduce, bool include_self) const {
  return ops::change("scatter_reduce_", self(), {&index, &src},
                     [&](const Tensor& x) { return gradus::scatter_reduce(x, dim, index, src, reduce, include_self); });
}
Tensor& TensorMethods::masked_scatter_(const Tensor& mask, const Tensor& src) const {
  return ops::change("masked_scatter_", self(), {&mask, &src},
                     [&](const Tensor& x) { return gradus::masked_scatter(x, mask, src); });
}
Tensor& TensorMethods::put_(const Tensor& index, const Tensor& src, bool accumulate) const {
  return ops::change("put_", self(), {&index, &src},
                     [&](const Tensor& x) { return gradus::put(x, index, src, accumulate); });
}
Tensor& TensorMethods::addmv_(const Tensor& matrix, const Tensor& vector, double beta, double alpha) const {
  return ops::change("addmv_", self(), {&matrix, &vector},
                     [&](const Tensor& x) { return gradus::addmv(x, matrix, vector, beta, alpha); });
}
Tensor& TensorMethods::addr_(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return ops::change("addr_", self(), {&a, &b}, [&](const Tensor& x) { return gradus::addr(x, a, b, beta, alpha); });
}
Tensor& TensorMethods::baddbmm_(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return ops::change("baddbmm_", self(), {&a, &b},
                     [&](const Tensor& x) { return gradus::baddbmm(x, a, b, beta, alpha); });
}
Tensor& TensorMethods::addbmm_(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return ops::change("addbmm_", self(), {&a, &b},
                     [&](const Tensor& x) { return gradus::addbmm(x, a, b, beta, alpha); });
}
Tensor& TensorMethods::clamp_min_(double min) const { return self().clamp_(min, {}); }
Tensor& TensorMethods::clamp_max_(double max) const { return self().clamp_({}, max); }
Tensor& TensorMethods::renorm_(double p, std::int64_t dim, double maxnorm) const {
  return ops::change("renorm_", self(), {}, [&](const Tensor& x) { return gradus::renorm(x, p, dim, maxnorm); });
}
Tensor& Tensor::div_(const Tensor& other, std::string_view rounding_mode) const {
  return ops::change("div_", self(), {&other}, [&](const Tensor& x) { return gradus::div(x, other, rounding_mode); });
}
Tensor& Tensor::div_(const Scalar& other, std::string_view rounding_mode) const {
  return ops::change("div_", self(), {}, [&](const Tensor& x) { return gradus::div(x, other, rounding_mode); });
}

}  // namespace gradus

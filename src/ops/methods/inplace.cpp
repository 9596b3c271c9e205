// The usual operations in place.
#include <gradus/ops.h>
#include <gradus/ops/further.h>

#include "ops/methods/inplace.h"

namespace gradus {

Tensor& TensorMethods::tanh_() const {
  return ops::change("tanh_", self(), {}, [](const Tensor& x) { return gradus::tanh(x); });
}
Tensor& TensorMethods::sigmoid_() const {
  return ops::change("sigmoid_", self(), {}, [](const Tensor& x) { return gradus::sigmoid(x); });
}
Tensor& TensorMethods::exp_() const {
  return ops::change("exp_", self(), {}, [](const Tensor& x) { return gradus::exp(x); });
}
Tensor& TensorMethods::log_() const {
  return ops::change("log_", self(), {}, [](const Tensor& x) { return gradus::log(x); });
}
Tensor& TensorMethods::sqrt_() const {
  return ops::change("sqrt_", self(), {}, [](const Tensor& x) { return gradus::sqrt(x); });
}
Tensor& TensorMethods::abs_() const {
  return ops::change("abs_", self(), {}, [](const Tensor& x) { return gradus::abs(x); });
}
Tensor& TensorMethods::neg_() const {
  return ops::change("neg_", self(), {}, [](const Tensor& x) { return gradus::neg(x); });
}
Tensor& TensorMethods::pow_(const Scalar& exponent) const {
  return ops::change("pow_", self(), {}, [&](const Tensor& x) { return gradus::pow(x, exponent); });
}
Tensor& TensorMethods::lerp_(const Tensor& end, double weight) const {
  return ops::change("lerp_", self(), {&end}, [&](const Tensor& x) { return gradus::lerp(x, end, weight); });
}
Tensor& TensorMethods::masked_fill_(const Tensor& mask, const Scalar& value) const {
  return ops::change("masked_fill_", self(), {}, [&](const Tensor& x) { return gradus::masked_fill(x, mask, value); });
}
Tensor& TensorMethods::index_add_(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return ops::change("index_add_", self(), {&src},
                     [&](const Tensor& x) { return gradus::index_add(x, dim, index, src); });
}
Tensor& TensorMethods::scatter_(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return ops::change("scatter_", self(), {&src}, [&](const Tensor& x) { return gradus::scatter(x, dim, index, src); });
}
Tensor& TensorMethods::scatter_(std::int64_t dim, const Tensor& index, const Scalar& value) const {
  return ops::change("scatter_", self(), {}, [&](const Tensor& x) { return gradus::scatter(x, dim, index, value); });
}
Tensor& TensorMethods::scatter_add_(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return ops::change("scatter_add_", self(), {&src},
                     [&](const Tensor& x) { return gradus::scatter_add(x, dim, index, src); });
}
Tensor& TensorMethods::ceil_() const {
  return ops::change("ceil_", self(), {}, [](const Tensor& x) { return gradus::ceil(x); });
}
Tensor& TensorMethods::floor_() const {
  return ops::change("floor_", self(), {}, [](const Tensor& x) { return gradus::floor(x); });
}
Tensor& TensorMethods::round_() const {
  return ops::change("round_", self(), {}, [](const Tensor& x) { return gradus::round(x); });
}
Tensor& TensorMethods::sign_() const {
  return ops::change("sign_", self(), {}, [](const Tensor& x) { return gradus::sign(x); });
}
Tensor& TensorMethods::square_() const {
  return ops::change("square_", self(), {}, [](const Tensor& x) { return gradus::square(x); });
}
Tensor& TensorMethods::reciprocal_() const {
  return ops::change("reciprocal_", self(), {}, [](const Tensor& x) { return gradus::reciprocal(x); });
}
Tensor& TensorMethods::rsqrt_() const {
  return ops::change("rsqrt_", self(), {}, [](const Tensor& x) { return gradus::rsqrt(x); });
}
Tensor& TensorMethods::sin_() const {
  return ops::change("sin_", self(), {}, [](const Tensor& x) { return gradus::sin(x); });
}
Tensor& TensorMethods::cos_() const {
  return ops::change("cos_", self(), {}, [](const Tensor& x) { return gradus::cos(x); });
}
Tensor& TensorMethods::tan_() const {
  return ops::change("tan_", self(), {}, [](const Tensor& x) { return gradus::tan(x); });
}
Tensor& TensorMethods::log2_() const {
  return ops::change("log2_", self(), {}, [](const Tensor& x) { return gradus::log2(x); });
}
Tensor& TensorMethods::log10_() const {
  return ops::change("log10_", self(), {}, [](const Tensor& x) { return gradus::log10(x); });
}
Tensor& TensorMethods::log1p_() const {
  return ops::change("log1p_", self(), {}, [](const Tensor& x) { return gradus::log1p(x); });
}
Tensor& TensorMethods::expm1_() const {
  return ops::change("expm1_", self(), {}, [](const Tensor& x) { return gradus::expm1(x); });
}
Tensor& TensorMethods::erf_() const {
  return ops::change("erf_", self(), {}, [](const Tensor& x) { return gradus::erf(x); });
}
Tensor& TensorMethods::remainder_(const Tensor& other) const {
  return ops::change("remainder_", self(), {&other}, [&](const Tensor& x) { return gradus::remainder(x, other); });
}
Tensor& TensorMethods::remainder_(const Scalar& other) const {
  return ops::change("remainder_", self(), {}, [&](const Tensor& x) { return gradus::remainder(x, other); });
}
Tensor& TensorMethods::tril_(std::int64_t diagonal) const {
  return ops::change("tril_", self(), {}, [&](const Tensor& x) { return gradus::tril(x, diagonal); });
}
Tensor& TensorMethods::triu_(std::int64_t diagonal) const {
  return ops::change("triu_", self(), {}, [&](const Tensor& x) { return gradus::triu(x, diagonal); });
}
Tensor& TensorMethods::cumsum_(std::int64_t dim) const {
  return ops::change("cumsum_", self(), {}, [&](const Tensor& x) { return gradus::cumsum(x, dim); });
}
Tensor& TensorMethods::cumprod_(std::int64_t dim) const {
  return ops::change("cumprod_", self(), {}, [&](const Tensor& x) { return gradus::cumprod(x, dim); });
}
Tensor& TensorMethods::addmm_(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return ops::change("addmm_", self(), {&a, &b}, [&](const Tensor& x) { return gradus::addmm(x, a, b, beta, alpha); });
}

}  // namespace gradus

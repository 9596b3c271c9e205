// Operations in place that compute anew and copy: what they save for backward is not what they change.
#include <gradus/ops.h>
#include <gradus/ops/further.h>

#include "autograd/inplace.h"

namespace gradus {

namespace {

// self = f(self). While recording, f reads a copy, so that it may keep its input for backward.
template <class F>
Tensor& change(const char* call, Tensor& self, std::initializer_list<const Tensor*> others, const F& f) {
  detail::check_inplace(call, self);
  const Tensor result = f(detail::records_inplace(self, others) ? self.clone() : self);
  if (result.dtype() != self.dtype()) {
    throw DtypeError(std::string(call) + ": the result is " + to_string(result.dtype()) +
                     ", which does not fit in place into " + to_string(self.dtype()));
  }
  detail::commit_inplace(call, self, result);
  return self;
}

}  // namespace

Tensor& Tensor::tanh_() const {
  return change("tanh_", self(), {}, [](const Tensor& x) { return gradus::tanh(x); });
}
Tensor& Tensor::sigmoid_() const {
  return change("sigmoid_", self(), {}, [](const Tensor& x) { return gradus::sigmoid(x); });
}
Tensor& Tensor::exp_() const {
  return change("exp_", self(), {}, [](const Tensor& x) { return gradus::exp(x); });
}
Tensor& Tensor::log_() const {
  return change("log_", self(), {}, [](const Tensor& x) { return gradus::log(x); });
}
Tensor& Tensor::sqrt_() const {
  return change("sqrt_", self(), {}, [](const Tensor& x) { return gradus::sqrt(x); });
}
Tensor& Tensor::abs_() const {
  return change("abs_", self(), {}, [](const Tensor& x) { return gradus::abs(x); });
}
Tensor& Tensor::neg_() const {
  return change("neg_", self(), {}, [](const Tensor& x) { return gradus::neg(x); });
}
Tensor& Tensor::pow_(const Scalar& exponent) const {
  return change("pow_", self(), {}, [&](const Tensor& x) { return gradus::pow(x, exponent); });
}
Tensor& Tensor::lerp_(const Tensor& end, double weight) const {
  return change("lerp_", self(), {&end}, [&](const Tensor& x) { return gradus::lerp(x, end, weight); });
}
Tensor& Tensor::masked_fill_(const Tensor& mask, const Scalar& value) const {
  return change("masked_fill_", self(), {}, [&](const Tensor& x) { return gradus::masked_fill(x, mask, value); });
}
Tensor& Tensor::index_add_(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return change("index_add_", self(), {&src}, [&](const Tensor& x) { return gradus::index_add(x, dim, index, src); });
}
Tensor& Tensor::scatter_(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return change("scatter_", self(), {&src}, [&](const Tensor& x) { return gradus::scatter(x, dim, index, src); });
}
Tensor& Tensor::scatter_(std::int64_t dim, const Tensor& index, const Scalar& value) const {
  return change("scatter_", self(), {}, [&](const Tensor& x) { return gradus::scatter(x, dim, index, value); });
}
Tensor& Tensor::scatter_add_(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return change("scatter_add_", self(), {&src},
                [&](const Tensor& x) { return gradus::scatter_add(x, dim, index, src); });
}
Tensor& Tensor::ceil_() const {
  return change("ceil_", self(), {}, [](const Tensor& x) { return gradus::ceil(x); });
}
Tensor& Tensor::floor_() const {
  return change("floor_", self(), {}, [](const Tensor& x) { return gradus::floor(x); });
}
Tensor& Tensor::round_() const {
  return change("round_", self(), {}, [](const Tensor& x) { return gradus::round(x); });
}
Tensor& Tensor::sign_() const {
  return change("sign_", self(), {}, [](const Tensor& x) { return gradus::sign(x); });
}
Tensor& Tensor::square_() const {
  return change("square_", self(), {}, [](const Tensor& x) { return gradus::square(x); });
}
Tensor& Tensor::reciprocal_() const {
  return change("reciprocal_", self(), {}, [](const Tensor& x) { return gradus::reciprocal(x); });
}
Tensor& Tensor::rsqrt_() const {
  return change("rsqrt_", self(), {}, [](const Tensor& x) { return gradus::rsqrt(x); });
}
Tensor& Tensor::sin_() const {
  return change("sin_", self(), {}, [](const Tensor& x) { return gradus::sin(x); });
}
Tensor& Tensor::cos_() const {
  return change("cos_", self(), {}, [](const Tensor& x) { return gradus::cos(x); });
}
Tensor& Tensor::tan_() const {
  return change("tan_", self(), {}, [](const Tensor& x) { return gradus::tan(x); });
}
Tensor& Tensor::log2_() const {
  return change("log2_", self(), {}, [](const Tensor& x) { return gradus::log2(x); });
}
Tensor& Tensor::log10_() const {
  return change("log10_", self(), {}, [](const Tensor& x) { return gradus::log10(x); });
}
Tensor& Tensor::log1p_() const {
  return change("log1p_", self(), {}, [](const Tensor& x) { return gradus::log1p(x); });
}
Tensor& Tensor::expm1_() const {
  return change("expm1_", self(), {}, [](const Tensor& x) { return gradus::expm1(x); });
}
Tensor& Tensor::erf_() const {
  return change("erf_", self(), {}, [](const Tensor& x) { return gradus::erf(x); });
}
Tensor& Tensor::remainder_(const Tensor& other) const {
  return change("remainder_", self(), {&other}, [&](const Tensor& x) { return gradus::remainder(x, other); });
}
Tensor& Tensor::remainder_(const Scalar& other) const {
  return change("remainder_", self(), {}, [&](const Tensor& x) { return gradus::remainder(x, other); });
}
Tensor& Tensor::tril_(std::int64_t diagonal) const {
  return change("tril_", self(), {}, [&](const Tensor& x) { return gradus::tril(x, diagonal); });
}
Tensor& Tensor::triu_(std::int64_t diagonal) const {
  return change("triu_", self(), {}, [&](const Tensor& x) { return gradus::triu(x, diagonal); });
}
Tensor& Tensor::cumsum_(std::int64_t dim) const {
  return change("cumsum_", self(), {}, [&](const Tensor& x) { return gradus::cumsum(x, dim); });
}
Tensor& Tensor::cumprod_(std::int64_t dim) const {
  return change("cumprod_", self(), {}, [&](const Tensor& x) { return gradus::cumprod(x, dim); });
}
Tensor& Tensor::addmm_(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return change("addmm_", self(), {&a, &b}, [&](const Tensor& x) { return gradus::addmm(x, a, b, beta, alpha); });
}

}  // namespace gradus

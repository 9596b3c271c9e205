// Operations in place that compute anew and copy: what they save for backward is not what they change.
#include <gradus/ops.h>

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

}  // namespace gradus

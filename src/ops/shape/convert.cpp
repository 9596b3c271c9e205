// Copies and conversions: to, clone, contiguous, copy_, fill_.
#include <gradus/op.h>
#include <gradus/ops.h>

#include "autograd/inplace.h"
#include "core/layout.h"
#include "kernels/cpu/elementwise/elementwise.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

namespace detail {

void copy_data(const Tensor& dst, const Tensor& src) {
  cpu::copy(dst.sizes(), {dst.impl()->data, dst.dtype(), dst.strides()},
            {src.impl()->data, src.dtype(), src.strides()});
  bump_version(dst);
}

void fill_data(const Tensor& x, const Scalar& value) {
  const Tensor one = Tensor::scalar(value, x.dtype());
  Shape strides;
  strides.resize(x.sizes().rank());
  cpu::copy(x.sizes(), {x.impl()->data, x.dtype(), x.strides()}, {one.impl()->data, x.dtype(), strides});
}

}  // namespace detail

namespace {

Tensor copied(const Tensor& x, Tensor y) {
  cpu::copy(x.sizes(), {y.impl()->data, y.dtype(), y.strides()}, {x.impl()->data, x.dtype(), x.strides()});
  return y;
}

struct To final : Op {
  Dtype from = kFloat32, to;
  explicit To(Dtype dtype) : to(dtype) {}
  const char* name() const override { return "to"; }
  Tensor forward(const Tensor& x) {
    from = x.dtype();
    return copied(x, detail::make_like(x, x.sizes(), to));
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = g.to(from); }
};

struct Clone final : Op {
  const char* name() const override { return "clone"; }
  Tensor forward(const Tensor& x) { return copied(x, detail::make_empty(x.sizes(), x.dtype(), x.device())); }
  void backward(const Tensor& g, Grads gx) override { gx[0] = g; }
};

// A constant: the gradient ends here, as a zero.
struct Fill final : Op {
  Scalar value;
  explicit Fill(const Scalar& v) : value(v) {}
  const char* name() const override { return "fill_"; }
  Tensor forward(const Tensor& x) { return full_like(x, value); }
  void backward(const Tensor& g, Grads gx) override { gx[0] = zeros_like(g); }
};

}  // namespace

Tensor Tensor::to(Dtype dtype) const { return this->dtype() == dtype ? *this : apply(To(dtype), *this); }

Tensor Tensor::to(Device device) const {
  require_available("to", device);
  return *this;
}

Tensor Tensor::clone() const { return apply(Clone{}, *this); }
Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor& Tensor::copy_(const Tensor& source) const {
  if (source.is_same(self())) return self();
  const Tensor values = source.sizes() == sizes() ? source : source.expand(sizes());
  if (detail::records_inplace(self(), {&values})) {
    detail::commit_inplace("copy_", self(), values);
  } else {
    detail::check_inplace("copy_", self());
    detail::copy_data(self(), ops::disturbs(self(), values) ? values.detach().clone() : values);
  }
  return self();
}

Tensor& Tensor::fill_(const Scalar& value) const {
  check_fits("fill_", value, dtype());
  if (detail::records_inplace(self(), {})) {
    detail::commit_inplace("fill_", self(), apply(Fill(value), self()));
    return self();
  }
  detail::check_inplace("fill_", self());
  detail::fill_data(self(), value);
  detail::bump_version(self());
  return self();
}

}  // namespace gradus

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

Tensor& Tensor::copy_(const Tensor& source) {
  if (source.is_same(*this)) return *this;
  const Tensor values = source.sizes() == sizes() ? source : source.expand(sizes());
  if (detail::records_inplace(*this, {&values})) {
    detail::commit_inplace("copy_", *this, values);
  } else {
    detail::check_inplace("copy_", *this);
    detail::copy_data(*this, ops::disturbs(*this, values) ? values.detach().clone() : values);
  }
  return *this;
}

Tensor& Tensor::fill_(const Scalar& value) {
  check_fits("fill_", value, dtype());
  if (detail::records_inplace(*this, {})) {
    detail::commit_inplace("fill_", *this, apply(Fill(value), *this));
    return *this;
  }
  detail::check_inplace("fill_", *this);
  detail::fill_data(*this, value);
  detail::bump_version(*this);
  return *this;
}

}  // namespace gradus

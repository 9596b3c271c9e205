// Copies and conversions: to, clone, contiguous, copy_, fill_.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "autograd/inplace.h"
#include "core/layout.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/shape/element.h"

namespace gradus {

namespace detail {

void copy_data(const Tensor& dst, const Tensor& src) {
  if (src.device() != dst.device()) return copy_data(dst, moved(src, dst.device()));
  kernels(dst.device())
      .copy(dst.sizes(), {dst.impl()->data, dst.dtype(), dst.strides()},
            {src.impl()->data, src.dtype(), src.strides()});
  bump_version(dst);
}

void fill_data(const Tensor& x, const Scalar& value) {
  kernels(x.device()).fill(x.sizes(), {x.impl()->data, x.dtype(), x.strides()}, ops::element_of(value, x.dtype()));
}

}  // namespace detail

namespace {

Tensor copied(const Tensor& x, Tensor y) {
  kernels(x.device())
      .copy(x.sizes(), {y.impl()->data, y.dtype(), y.strides()}, {x.impl()->data, x.dtype(), x.strides()});
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

struct Move final : Op {
  Device from, to;
  explicit Move(Device device) : to(device) {}
  const char* name() const override { return "to"; }
  Tensor forward(const Tensor& x) {
    from = x.device();
    return detail::moved(x, to);
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = g.to(from); }
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
  if (this->device() == device) return *this;
  require_available("to", device);
  return apply(Move(device), *this);
}

Tensor Tensor::clone() const { return apply(Clone{}, *this); }
Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor& Tensor::copy_(const Tensor& source) const {
  if (source.is_same(self())) return self();
  const Tensor here = source.to(device());
  const Tensor values = here.sizes() == sizes() ? here : here.expand(sizes());
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

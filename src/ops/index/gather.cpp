// gather, scatter, scatter_add.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/index/positions.h"

namespace gradus {

namespace {

kernel::Scatter places(const Tensor& index, int dim, const Tensor& x, const Tensor& values) {
  const std::int64_t extent = x.dim() > 0 ? x.sizes()[dim] : 1;
  return {index.sizes(), dim, index.data_ptr<std::int64_t>(), x.strides(), values.strides(), extent};
}

// The index is checked, contiguous int64, and of x's rank, in all of these.
Tensor gather_from(const Tensor& x, int dim, const Tensor& index);

// Zeros of sizes `from` with g added at the places: the gradient of gather.
struct GatherBackward final : Op {
  int dim;
  Shape from;
  GatherBackward(int d, Shape f) : dim(d), from(std::move(f)) {}
  const char* name() const override { return "gather_backward"; }
  Tensor forward(const Tensor& g, const Tensor& index) {
    save(1, index);
    const Dtype sum = ops::compute_type(g.dtype());
    const Tensor values = g.to(sum);
    const Tensor x = zeros(from, {.dtype = sum, .device = g.device()});
    kernels(g.device()).scatter_add(sum, x.data_ptr(), places(index, dim, x, values), values.data_ptr());
    return x.to(g.dtype());
  }
  void backward(const Tensor& gg, Grads gx) override { gx[0] = gather_from(gg, dim, saved(1)); }
};

struct Gather final : Op {
  int dim;
  Shape from;
  explicit Gather(int d) : dim(d) {}
  const char* name() const override { return "gather"; }
  Tensor forward(const Tensor& x, const Tensor& index) {
    from = x.sizes();
    save(1, index);
    Tensor y = detail::make_empty(index.sizes(), x.dtype(), x.device());
    kernels(x.device()).gather(x.dtype(), x.data_ptr(), places(index, dim, x, y), y.data_ptr());
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(GatherBackward(dim, from), g, saved(1)); }
};

Tensor gather_from(const Tensor& x, int dim, const Tensor& index) { return apply(Gather(dim), x, index); }

// src has the index's sizes here.
struct Scatter final : Op {
  int dim;
  bool accumulate;
  Scatter(int d, bool a) : dim(d), accumulate(a) {}
  const char* name() const override { return accumulate ? "scatter_add" : "scatter"; }
  Tensor forward(const Tensor& x, const Tensor& index, const Tensor& src) {
    save(1, index);
    if (!accumulate) {
      const Tensor y = x.clone();
      kernels(x.device()).scatter(y.dtype(), y.data_ptr(), places(index, dim, y, src), src.data_ptr());
      return y;
    }
    const Dtype sum = ops::compute_type(x.dtype());
    const Tensor y = x.dtype() == sum ? x.clone() : x.to(sum).contiguous(), values = src.to(sum);
    kernels(x.device()).scatter_add(sum, y.data_ptr(), places(index, dim, y, values), values.data_ptr());
    return y.to(x.dtype());
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor index = saved(1);
    if (needs(0)) {
      gx[0] = accumulate ? g
                         : apply(Scatter(dim, false), g, index,
                                 expand(zeros({}, {.dtype = g.dtype(), .device = g.device()}), index.sizes()));
    }
    if (needs(2)) gx[2] = gather_from(g, dim, index);
  }
};

// A 0-d tensor counts as one of one element.
Tensor with_dimension(const Tensor& x) { return x.dim() == 0 ? unsqueeze(x, 0) : x; }

// Refuses an index that reaches outside of `sizes` in any dimension but `except`.
void check_within(const char* call, const char* what, const Shape& index, const Shape& sizes, int except) {
  bool fits = index.rank() == sizes.rank();
  for (int d = 0; fits && d < index.rank(); ++d) fits = d == except || index[d] <= sizes[d];
  if (fits) return;
  throw ShapeError(std::string(call) + ": the index must have as many dimensions as " + what + " and be no larger" +
                   (except >= 0 ? " but in dimension " + std::to_string(except) : "") + ", got " + to_string(index) +
                   " and " + to_string(sizes));
}

Tensor scattered(const char* call, const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src,
                 bool accumulate) {
  if (x.dtype() != src.dtype()) {
    throw DtypeError(std::string(call) + ": both tensors must have the same type, got " + to_string(x.dtype()) +
                     " and " + to_string(src.dtype()));
  }
  const Tensor own = with_dimension(x);
  const int d = wrap_dim(call, dim, own.sizes().rank());
  const Tensor at = ops::checked_index(call, with_dimension(index), own.sizes()[d], false);
  if (at.numel() == 0) return x.clone();
  Tensor values = with_dimension(src);
  check_within(call, "the tensor", at.sizes(), own.sizes(), d);
  check_within(call, "the source", at.sizes(), values.sizes(), -1);
  for (int i = 0; i < at.sizes().rank(); ++i)
    if (values.sizes()[i] != at.sizes()[i]) values = narrow(values, i, 0, at.sizes()[i]);
  const Tensor y = apply(Scatter(d, accumulate), own, at, values);
  return x.dim() == 0 ? view(y, {}) : y;
}

}  // namespace

Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
  const Tensor own = with_dimension(x);
  const int d = wrap_dim("gather", dim, own.sizes().rank());
  const Tensor at = ops::checked_index("gather", with_dimension(index), own.sizes()[d], false);
  // PyTorch takes an index without elements whatever its rank.
  if (at.numel() > 0 || at.dim() == own.dim()) check_within("gather", "the tensor", at.sizes(), own.sizes(), d);
  if (at.dim() != own.dim()) return empty(at.sizes(), {.dtype = x.dtype(), .device = x.device()});
  const Tensor y = gather_from(own, d, at);
  return index.dim() == 0 ? view(y, {}) : y;
}

Tensor scatter(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src) {
  return scattered("scatter", x, dim, index, src, false);
}

Tensor scatter(const Tensor& x, std::int64_t dim, const Tensor& index, const Scalar& value) {
  return scattered("scatter", x, dim, index, full(index.sizes(), value, {.dtype = x.dtype(), .device = x.device()}),
                   false);
}

Tensor scatter_add(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src) {
  return scattered("scatter_add", x, dim, index, src, true);
}

}  // namespace gradus

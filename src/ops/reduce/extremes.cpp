// amax, amin, max, min, argmax, argmin. A NaN is larger and smaller than every number.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

// The types that kernels compare in; every value of the others has its place in one of them.
Dtype comparison_type(Dtype dtype) {
  const Dtype compute = compute_type(dtype);
  return compute == kBool ? kUInt8 : compute == kInt32 ? kInt64 : compute;
}

kernel::Reduce kind(bool largest) { return largest ? kernel::Reduce::max : kernel::Reduce::min; }

struct Extreme final : Op {
  Reduction reduction;
  bool largest;
  Extreme(Reduction r, bool l) : reduction(std::move(r)), largest(l) {}
  const char* name() const override { return largest ? "amax" : "amin"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return x.numel(); }
  Tensor forward(const Tensor& x) {
    save(0, x);
    const Tensor y = run_reduce(kind(largest), x.to(comparison_type(x.dtype())), reduction).to(x.dtype());
    save_output(y);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor x = saved(0), y = restored(output(), reduction);
    // On another device than the CPU, an answer would have to be waited for.
    const bool asks = y.numel() == 1 && y.device() == kCPU;
    const Tensor equal = y.numel() != 1 || (asks && !isnan(y).item<bool>()) ? x == y
                         : asks                                             ? isnan(x)
                                                                            : (x == y) | (isnan(x) & isnan(y));
    const Tensor winners = equal.to(g.dtype());
    gx[0] = winners * (restored(g, reduction) / sum(winners, dims(), true));
  }
  Dims dims() const {
    Dims all;
    for (int i = 0; i < reduction.from.rank(); ++i)
      if (reduction.reduces(i)) all.push_back(i);
    return all;
  }
};

// The extreme along one dimension and the place of the first element that has it, which gets the gradient.
struct Pick final : Op {
  Reduction reduction;
  int dim;
  bool largest;
  Tensor* indices_out;
  Tensor indices;
  Pick(Reduction r, int d, bool l, Tensor* out) : reduction(std::move(r)), dim(d), largest(l), indices_out(out) {}
  const char* name() const override { return largest ? "max" : "min"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return x.numel(); }
  Tensor forward(const Tensor& x) {
    const Dtype type = is_integral(x.dtype()) ? kInt64 : compute_type(x.dtype());
    const Tensor in = x.to(type).contiguous();
    const Tensor y = run_reduce(kind(largest), in, reduction);
    *indices_out = detail::make_empty(reduction.result, kInt64, x.device());
    if (y.numel() > 0) {
      const kernel::Extent extent = x.dim() == 0 ? kernel::Extent{1, 1, 1} : extent_around(x.sizes(), dim);
      kernels(x.device()).find_first(type, in.data_ptr(), y.data_ptr(), indices_out->data_ptr<std::int64_t>(), extent);
    }
    if (needs(0)) indices = *indices_out;
    indices_out = nullptr;
    return y.to(x.dtype());
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor none = zeros(reduction.from, {.dtype = g.dtype(), .device = g.device()});
    gx[0] = scatter(none, dim, restored(indices, reduction), restored(g, reduction));
  }
};

Tensor extreme(const char* call, const Tensor& x, const Dims& dims, bool keepdim, bool largest) {
  Reduction r = reduction(call, x, dims, keepdim);
  require_elements(call, r);
  return apply(Extreme(std::move(r), largest), x);
}

std::pair<Tensor, Tensor> pick(const char* call, const Tensor& x, std::int64_t dim, bool keepdim, bool largest) {
  Reduction r = reduction(call, x, dim, keepdim);
  require_elements(call, r);
  Tensor indices;
  Tensor values = apply(Pick(std::move(r), wrap_dim(call, dim, x.sizes().rank()), largest, &indices), x);
  return {values, indices};
}

Tensor place(const char* call, const Tensor& x, std::optional<std::int64_t> dim, bool keepdim, bool largest) {
  const NoGrad guard;
  if (dim) return pick(call, x, *dim, keepdim, largest).second;
  const Tensor index = pick(call, reshape(x, {-1}), 0, false, largest).second;
  return keepdim ? reshape(index, reduction(call, x, {}, true).result) : index;
}

}  // namespace

Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) { return extreme("amax", x, dims, keepdim, true); }
Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) { return extreme("amin", x, dims, keepdim, false); }
Tensor max(const Tensor& x) { return extreme("max", x, {}, false, true); }
Tensor min(const Tensor& x) { return extreme("min", x, {}, false, false); }

std::pair<Tensor, Tensor> max(const Tensor& x, std::int64_t dim, bool keepdim) {
  return pick("max", x, dim, keepdim, true);
}
std::pair<Tensor, Tensor> min(const Tensor& x, std::int64_t dim, bool keepdim) {
  return pick("min", x, dim, keepdim, false);
}

Tensor argmax(const Tensor& x, std::optional<std::int64_t> dim, bool keepdim) {
  return detail::observed(
      "argmax", [&] { return place("argmax", x, dim, keepdim, true); }, x);
}
Tensor argmin(const Tensor& x, std::optional<std::int64_t> dim, bool keepdim) {
  return place("argmin", x, dim, keepdim, false);
}

}  // namespace gradus

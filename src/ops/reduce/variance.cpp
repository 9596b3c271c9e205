// var and std.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "kernels/formulas/moments.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

// The roots are taken in float64: the square of a float32 may be beyond its range where the deviation itself is not.
struct Variance final : Op {
  Reduction reduction;
  Dims dims;
  double freedom;  // what the sum of squares is divided by
  bool root;
  Tensor mean;  // of the elements that go into each of the result; broadcasts against x
  Variance(Reduction r, Dims d, double correction, bool r2)
      : reduction(std::move(r)),
        dims(std::move(d)),
        freedom(std::max(0.0, static_cast<double>(reduction.count) - correction)),
        root(r2) {}
  const char* name() const override { return root ? "std" : "var"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return 4 * x.numel(); }

  Tensor forward(const Tensor& x_given) {
    if (needs(0)) save(0, x_given);
    const Tensor x = x_given.to(compute_type(x_given.dtype()));
    mean = detail::make_empty(reduction.kept, x.dtype(), x.device());
    Tensor y = detail::make_empty(reduction.result, kFloat64, x.device());
    if (x.numel() > 0) {
      take_moments(x, static_cast<double*>(y.data_ptr()));
    } else {
      y.zero_();
    }
    unary_forward(OfMeanSquare{static_cast<double>(reduction.count), freedom, root}, y, y);
    y = y.to(x_given.dtype());
    if (root && needs(0)) save_output(y);
    return y;
  }

  void backward(const Tensor& g_given, Grads gx) override {
    const Dtype compute = compute_type(g_given.dtype());
    const Tensor x = saved(0).to(compute), g = restored(g_given, reduction).to(compute);
    Tensor deviation = x - mean;
    if (is_grad_enabled()) deviation = deviation - gradus::mean(deviation, dims, true);
    if (root) {
      // Where all values are equal the slope is taken as zero, as PyTorch does.
      const Tensor y = restored(output(), reduction).to(compute), flat = y == 0;
      deviation = deviation / masked_fill(y, flat, 1) * masked_fill(g / freedom, flat, 0);
    } else {
      deviation = deviation * (g * (2 / freedom));
    }
    gx[0] = deviation.to(g_given.dtype());
  }

 private:
  // Dimensions that are reduced come last in memory, or first where they are so already.
  void take_moments(const Tensor& x, double* var) {
    Shape kept, reduced;
    for (int i = 0; i < reduction.from.rank(); ++i) (reduction.reduces(i) ? reduced : kept).push_back(i);
    kernel::Normalization n{.dtype = x.dtype(), .batch = x.numel() / reduction.count, .channels = reduction.count};
    Tensor rows;
    if (!kept.empty() && reduced.rank() == kept[0]) {
      n = {.dtype = x.dtype(), .batch = reduction.count, .groups = x.numel() / reduction.count, .over_batch = true};
      rows = x.contiguous();
    } else {
      for (std::int64_t dim : reduced) kept.push_back(dim);
      rows = permute(x, kept).contiguous();
    }
    kernels(x.device()).moments(n, 0, rows.data_ptr(), mean.data_ptr(), var);
  }
};

Tensor spread(const char* call, const Tensor& x, const Dims& dims, double correction, bool keepdim, bool root) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  }
  if (!std::isfinite(correction)) {
    throw ValueError(std::string(call) + ": correction must be finite, got " + std::to_string(correction));
  }
  return apply(Variance(reduction(call, x, dims, keepdim), dims, correction, root), x);
}

}  // namespace

Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  return spread("var", x, dims, correction, keepdim, false);
}

Tensor std(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  return spread("std", x, dims, correction, keepdim, true);
}

}  // namespace gradus

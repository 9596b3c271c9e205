// norm and logsumexp.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

// (sum |x|^p)^(1/p); the number of non-zeros for p = 0; the largest or smallest |x| for p = inf or -inf. Where the norm
// has no slope its gradient is the zero of its subgradients, as PyTorch has it.
struct Norm final : Op {
  Reduction reduction;
  Dims dims;
  double p;
  Norm(Reduction r, Dims d, double power) : reduction(std::move(r)), dims(std::move(d)), p(power) {}
  const char* name() const override { return "norm"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return 2 * x.numel(); }

  Tensor forward(const Tensor& x) {
    save(0, x);
    const Tensor y = value(x.to(compute_type(x.dtype()))).to(x.dtype());
    save_output(y);
    return y;
  }
  Tensor value(const Tensor& x) const {
    if (p == 0) return run_reduce(kernel::Reduce::sum, (x != 0).to(x.dtype()), reduction);
    if (p == 1) return run_reduce(kernel::Reduce::sum_abs, x, reduction);
    if (std::isinf(p)) return run_reduce(p > 0 ? kernel::Reduce::max : kernel::Reduce::min, abs(x), reduction);
    const Tensor total = powers(x);
    if (p < 0 || is_exact(total)) return root(total);
    // Of numbers up to 1: the powers of huge and tiny ones are beyond the type where the norm is not.
    Reduction keeping = reduction;
    keeping.result = reduction.kept;
    const Tensor largest = run_reduce(kernel::Reduce::max, abs(x), keeping);
    const Tensor unit = masked_fill(largest, (largest == 0) | !isfinite(largest), 1);
    return root(powers(x / unit)) * reshape(unit, reduction.result);
  }
  Tensor powers(const Tensor& x) const {
    return p == 2 ? run_reduce(kernel::Reduce::sum_square, x, reduction)
                  : run_reduce(kernel::Reduce::sum, pow(abs(x), p), reduction);
  }
  Tensor root(const Tensor& total) const { return p == 2 ? sqrt(total) : pow(total, 1 / p); }

  // Whether no sum of powers is beyond the type, or so small that some were lost.
  static bool is_exact(const Tensor& total) {
    if (total.device() != kCPU) return false;  // the way that is always right, without waiting
    bool exact = false;
    visit<float, double>("norm", total.dtype(), [&]<class T>(T) {
      const T* p = total.const_data_ptr<T>();
      const T least = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
      exact = std::all_of(p, p + total.numel(), [&](T v) { return v >= least && v <= std::numeric_limits<T>::max(); });
    });
    return exact;
  }

  void backward(const Tensor& g_given, Grads gx) override {
    const Tensor x = saved(0), y = restored(output(), reduction), g = restored(g_given, reduction);
    if (p == 0) {
      gx[0] = zeros_like(x);
    } else if (p == 1) {
      gx[0] = sign(x) * g;
    } else if (p == 2) {
      gx[0] = x * (g / masked_fill(y, y == 0, 1));
    } else if (std::isinf(p)) {
      const Tensor winners = (abs(x) == y).to(g.dtype());
      gx[0] = sign(x) * winners * (g / sum(winners, dims, true));
    } else if (p < 2) {
      // |x|^(p-1) has no value at 0 for p < 1, and no slope there for p < 2.
      const Tensor nothing = x == 0;
      const Tensor slope = masked_fill(pow(masked_fill(abs(x), nothing, 1), p - 1), nothing, 0);
      gx[0] = sign(x) * slope * scale(g, y);
    } else {
      gx[0] = x * pow(abs(x), p - 2) * scale(g, y);
    }
  }
  // g / y^(p-1), and 0 where y is 0.
  Tensor scale(const Tensor& g, const Tensor& y) const {
    const Tensor nothing = y == 0;
    return masked_fill(g * pow(masked_fill(y, nothing, 1), 1 - p), nothing, 0);
  }
};

struct LogSumExp final : Op {
  Reduction reduction;
  explicit LogSumExp(Reduction r) : reduction(std::move(r)) {}
  const char* name() const override { return "logsumexp"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return 3 * x.numel(); }
  Tensor forward(const Tensor& x_given) {
    save(0, x_given);
    const Tensor x = x_given.to(compute_type(x_given.dtype()));
    Reduction keeping = reduction;
    keeping.result = reduction.kept;
    const Tensor largest = run_reduce(kernel::Reduce::max, x, keeping);
    // An infinite maximum would leave inf - inf.
    const Tensor shift = masked_fill(largest, isinf(largest), 0);
    const Tensor total = run_reduce(kernel::Reduce::sum, exp(x - shift), keeping);
    const Tensor y = reshape(log(total) + shift, reduction.result).to(x_given.dtype());
    save_output(y);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor y = restored(output(), reduction);
    // A sum of nothing has no slope; PyTorch's formula gives NaN there.
    const Tensor shift = masked_fill(y, y == -std::numeric_limits<double>::infinity(), 0);
    gx[0] = restored(g, reduction) * exp(saved(0) - shift);
  }
};

}  // namespace

Tensor norm(const Tensor& x, double p, const Dims& dims, bool keepdim) {
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("norm: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  if (std::isnan(p)) throw ValueError("norm: p must be a number, got nan");
  Reduction r = reduction("norm", x, dims, keepdim);
  if (p < 0 || std::isinf(p)) require_elements("norm", r);
  return apply(Norm(std::move(r), dims, p), x);
}

Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim) {
  return apply(LogSumExp(reduction("logsumexp", x, dims, keepdim)), x.to(to_floating(x.dtype())));
}

}  // namespace gradus

// Running values by doubling: after k rounds each element holds the result of the 2^k elements up to it. That takes
// log2(n) passes over whole tensors, on every device.
#include <gradus/autograd/op.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/statistics.h>

#include <limits>

namespace gradus {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor running_logsumexp(const Tensor& x, int dim) {
  Tensor y = x;
  const std::int64_t n = x.size(dim);
  for (std::int64_t step = 1; step < n; step *= 2) {
    const Tensor more = logaddexp(narrow(y, dim, step, n - step), narrow(y, dim, 0, n - step));
    y = cat(std::vector<Tensor>{narrow(y, dim, 0, step), more}, dim);
  }
  return y.is_same(x) ? x.clone() : y;
}

struct LogCumSumExp final : Op {
  int dim;
  explicit LogCumSumExp(int d) : dim(d) {}
  const char* name() const override { return "logcumsumexp"; }
  Tensor forward(const Tensor& x) {
    save(0, x);
    // In float32 at least, as 16 bits would be rounded in every round.
    const Dtype compute = x.dtype() == kFloat64 ? kFloat64 : kFloat32;
    const Tensor y = running_logsumexp(x.to(compute), dim).to(x.dtype());
    save_output(y);
    return y;
  }
  // The sum of g[j] exp(x[i] - y[j]) over j >= i, in logarithms: the parts of g above 0 and below 0 by themselves.
  void backward(const Tensor& g, Grads gx) override {
    const Tensor x = saved(0), y = output(), nothing = x == -kInfinity;
    const Tensor level = masked_fill(y, y == -kInfinity, 0), at = masked_fill(x, nothing, 0);
    const auto part = [&](const Tensor& size) {
      const Tensor there = size > 0;
      const Tensor logs =
          masked_fill(log(masked_fill(size, logical_not(there), 1)) - level, logical_not(there), -kInfinity);
      const Tensor sums = flip(apply(LogCumSumExp(dim), flip(logs, dim)), dim);
      const Tensor none = sums == -kInfinity;
      return masked_fill(exp(masked_fill(sums, none, 0) + at), none, 0);
    };
    gx[0] = masked_fill(part(g) - part(-g), nothing, 0);
  }
};

// The values by a gather, which has the gradient.
std::pair<Tensor, Tensor> running_extreme(const char* call, const Tensor& x, std::int64_t dim, bool largest) {
  const int d = wrap_dim(call, dim, x.sizes().rank());
  const TensorOptions options{.dtype = kInt64, .device = x.device()};
  if (x.dim() == 0) return {x.clone(), zeros({}, options)};
  const std::int64_t n = x.size(d);
  Tensor places;
  {
    const NoGrad guard;
    Shape line;
    for (int i = 0; i < x.sizes().rank(); ++i) line.push_back(i == d ? n : 1);
    places = expand(reshape(arange(0, n, 1, options), line), x.sizes()).contiguous();
    Tensor y = x.detach();
    for (std::int64_t step = 1; step < n; step *= 2) {
      const auto later = [&](const Tensor& v) { return narrow(v, d, step, n - step); };
      const auto earlier = [&](const Tensor& v) { return narrow(v, d, 0, n - step); };
      const auto first = [&](const Tensor& v) { return narrow(v, d, 0, step); };
      const Tensor beats = largest ? later(y) >= earlier(y) : later(y) <= earlier(y);
      const Tensor takes = logical_or(isnan(later(y)), logical_and(beats, logical_not(isnan(earlier(y)))));
      const Tensor more = where(takes, later(y), earlier(y)), where_from = where(takes, later(places), earlier(places));
      y = cat(std::vector<Tensor>{first(y), more}, d);
      places = cat(std::vector<Tensor>{first(places), where_from}, d);
    }
  }
  return {gather(x, d, places), places};
}

}  // namespace

Tensor logcumsumexp(const Tensor& x, std::int64_t dim) {
  const int d = wrap_dim("logcumsumexp", dim, x.sizes().rank());
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("logcumsumexp: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  return x.dim() == 0 ? x.clone() : apply(LogCumSumExp(d), x);
}

std::pair<Tensor, Tensor> cummax(const Tensor& x, std::int64_t dim) { return running_extreme("cummax", x, dim, true); }
std::pair<Tensor, Tensor> cummin(const Tensor& x, std::int64_t dim) { return running_extreme("cummin", x, dim, false); }

}  // namespace gradus

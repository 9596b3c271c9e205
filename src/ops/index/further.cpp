#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/ops/further.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/formulas/trigonometric.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

Tensor floating(const char* call, const Tensor& x) {
  if (x.is_floating_point()) return x;
  throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
}

void check_p(const char* call, double p) {
  if (!(p >= 0)) throw ValueError(std::string(call) + ": p must be at least 0, got " + std::to_string(p));
}

// The median of all elements. Those that equal it share the gradient.
struct MedianOfAll final : Op {
  const char* name() const override { return "median"; }
  Tensor forward(const Tensor& x) {
    const Tensor y = median(flatten(x), 0).first.clone();
    save(0, x);
    save_output(y);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor x = saved(0).detach(), y = output().detach();
    const Tensor share = where(isnan(y), isnan(x), x == y).to(g.dtype());
    gx[0] = share * (g / sum(share));
  }
};

}  // namespace

Tensor prelu(const Tensor& x, const Tensor& weight) {
  const std::int64_t channels = x.dim() > 1 ? x.size(1) : 1, n = weight.numel();
  if (weight.dim() > 1 || (n != 1 && n != channels)) {
    throw ShapeError("prelu: weight must have one number, or one for each of the " + std::to_string(channels) +
                     " channels, got " + to_string(weight.sizes()));
  }
  Tensor slope = weight;
  if (n != 1 || weight.dim() == 1) {
    Shape sizes;
    for (std::int64_t d = 0; d < x.dim(); ++d) sizes.push_back(d == 1 ? n : 1);
    slope = reshape(weight, sizes);
  }
  return where(x > 0, x, clamp(x, {}, 0) * slope);  // an infinity that passes must not meet the weight's gradient
}

Tensor atan2(const Tensor& y, const Tensor& x) { return binary(Atan2{}, y, x); }

Tensor cumprod(const Tensor& x, std::int64_t dim) {
  const int d = wrap_dim("cumprod", dim, x.sizes().rank());
  const Tensor in = is_integral(x.dtype()) ? x.to(kInt64) : x;
  if (x.dim() == 0 || x.numel() == 0) return in.clone();
  // A product after the other: division by what may be zero has no place in the gradient.
  std::vector<Tensor> parts = unbind(in, d);
  for (std::size_t i = 1; i < parts.size(); ++i) parts[i] = parts[i - 1] * parts[i];
  return stack(parts, d);
}

std::pair<Tensor, Tensor> median(const Tensor& x, std::int64_t dim, bool keepdim) {
  const int d = wrap_dim("median", dim, x.sizes().rank());
  if (x.dim() == 0) return {x.clone(), zeros({}, {.dtype = kInt64, .device = x.device()})};
  const std::int64_t n = x.size(d);
  if (n == 0)
    throw IndexError("median: dimension " + std::to_string(dim) + " must have elements, got " + to_string(x.sizes()));
  const auto [sorted, order] = sort(x, d);
  Tensor values = narrow(sorted, d, (n - 1) / 2, 1), indices = narrow(order, d, (n - 1) / 2, 1);
  if (x.is_floating_point()) {
    // NaNs are sorted last; where there is one, it is the median.
    const Tensor last = narrow(sorted, d, n - 1, 1), bad = isnan(last.detach());
    values = where(bad, last, values);
    indices = where(bad, narrow(order, d, n - 1, 1), indices);
  }
  return keepdim ? std::pair{values, indices} : std::pair{squeeze(values, d), squeeze(indices, d)};
}

Tensor median(const Tensor& x) {
  if (x.numel() == 0) {
    return full({}, x.is_floating_point() ? Scalar(std::numeric_limits<double>::quiet_NaN()) : Scalar(0),
                {.dtype = x.dtype(), .device = x.device()});
  }
  return apply(MedianOfAll(), x);
}

Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim) {
  check_p("pairwise_distance", p);
  const Tensor difference = floating("pairwise_distance", x1) - floating("pairwise_distance", x2) + eps;
  return norm(difference, p, {-1}, keepdim);
}

Tensor cdist(const Tensor& x1, const Tensor& x2, double p) {
  check_p("cdist", p);
  if (x1.dim() < 2 || x2.dim() < 2 || x1.size(-1) != x2.size(-1)) {
    throw ShapeError("cdist: needs rows of equal length, [..., P, M] and [..., R, M], got " + to_string(x1.sizes()) +
                     " and " + to_string(x2.sizes()));
  }
  return norm(unsqueeze(floating("cdist", x1), -2) - unsqueeze(floating("cdist", x2), -3), p, {-1});
}

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<std::int64_t> dim) {
  const Tensor in = dim && x.dim() > 0 ? x : flatten(x);
  const int d = dim && x.dim() > 0 ? wrap_dim("repeat_interleave", *dim, x.sizes().rank()) : 0;
  const std::int64_t n = in.size(d);
  if (!is_integral(repeats.dtype()) || repeats.dim() > 1 || (repeats.numel() != 1 && repeats.numel() != n)) {
    throw ValueError("repeat_interleave: repeats must be one integer, or one for each of the " + std::to_string(n) +
                     " slices, got " + to_string(repeats.dtype()) + " " + to_string(repeats.sizes()));
  }
  const std::vector<std::int64_t> each = repeats.to_vector<std::int64_t>();
  std::vector<std::int64_t> index;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t times = each[each.size() == 1 ? 0 : static_cast<std::size_t>(i)];
    if (times < 0) throw ValueError("repeat_interleave: repeats must not be negative, got " + std::to_string(times));
    index.insert(index.end(), static_cast<std::size_t>(times), i);
  }
  return index_select(in, d, tensor(index, {.device = in.device()}));
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<std::int64_t> dim) {
  return repeat_interleave(x, tensor(repeats), dim);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& xs, std::string_view indexing) {
  if (indexing != "ij" && indexing != "xy") {
    throw ValueError("meshgrid: indexing must be 'ij' or 'xy', got '" + std::string(indexing) + "'");
  }
  Shape sizes;
  for (const Tensor& x : xs) {
    if (x.dim() > 1) throw ShapeError("meshgrid: needs vectors, got " + to_string(x.sizes()));
    sizes.push_back(x.numel());
  }
  std::vector<Tensor> grids;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Shape own = sizes;
    for (int d = 0; d < own.rank(); ++d)
      if (d != static_cast<int>(i)) own[d] = 1;
    const Tensor grid = expand(reshape(xs[i], own), sizes);
    grids.push_back(indexing == "xy" && xs.size() > 1 ? transpose(grid, 0, 1) : grid);
  }
  return grids;
}

Unique unique(const Tensor& x) {
  const NoGrad guard;
  const Tensor flat = flatten(x.detach());
  const std::int64_t n = flat.numel();
  const TensorOptions like{.dtype = kInt64, .device = x.device()};
  if (n == 0) return {flat, zeros(x.sizes(), like), zeros({0}, like)};
  const auto [sorted, order] = sort(flat, 0);
  const Tensor starts = cat({ones({1}, {.dtype = kBool, .device = x.device()}),
                             ne(narrow(sorted, 0, 1, n - 1), narrow(sorted, 0, 0, n - 1))});
  const Tensor place = cumsum(starts.to(kInt64), 0) - 1;
  const std::int64_t count = place.to_vector<std::int64_t>().back() + 1;
  const Tensor inverse = scatter(zeros({n}, like), 0, order, place);
  const Tensor counts = index_add(zeros({count}, like), 0, place, ones({n}, like));
  return {masked_select(sorted, starts), reshape(inverse, x.sizes()), counts};
}

Tensor multinomial(const Tensor& weights, std::int64_t num_samples, bool replacement, Generator* generator) {
  const NoGrad guard;
  floating("multinomial", weights);
  if (weights.dim() < 1 || weights.dim() > 2 || weights.size(-1) == 0) {
    throw ShapeError("multinomial: needs weights [n] or [rows, n], got " + to_string(weights.sizes()));
  }
  const std::int64_t n = weights.size(-1);
  if (num_samples < 1 || (!replacement && num_samples > n)) {
    throw ValueError("multinomial: num_samples must be at least 1" +
                     std::string(replacement ? "" : ", and without replacement at most " + std::to_string(n)) +
                     ", got " + std::to_string(num_samples));
  }
  const Tensor p = weights.detach().to(kFloat64), total = sum(p, {-1}, true);
  if (!isfinite(p).all().item<bool>() || !(p >= 0).all().item<bool>() || !(total > 0).all().item<bool>()) {
    throw ValueError("multinomial: weights must be finite and not negative, and each row must have one above 0");
  }
  if (!replacement) {
    if ((sum((p > 0).to(kInt64), {-1}) < num_samples).any().item<bool>()) {
      throw ValueError("multinomial: without replacement each row needs " + std::to_string(num_samples) +
                       " weights above 0");
    }
    // The largest of log(weight) + Gumbel noise, one after the other, are draws without replacement.
    const Tensor u = clamp(rand(p.sizes(), {.dtype = kFloat64, .device = p.device()}, generator),
                           std::numeric_limits<double>::min());
    return topk(log(p) - log(-log(u)), num_samples, -1).second;
  }
  Shape sizes = weights.sizes();
  sizes[sizes.rank() - 1] = num_samples;
  const std::int64_t rows = weights.numel() / n;
  const std::vector<double> cumulative = cumsum(p, -1).to_vector<double>();
  const std::vector<double> u =
      rand({rows, num_samples}, {.dtype = kFloat64, .device = kCPU}, generator).to_vector<double>();
  std::vector<std::int64_t> drawn(u.size());
  for (std::size_t i = 0; i < u.size(); ++i) {
    const auto row = cumulative.begin() + static_cast<std::ptrdiff_t>(i) / num_samples * n;
    const double target = u[i] * row[n - 1];
    auto at = std::upper_bound(row, row + n, target);
    // Rounding may lead past the end, and weights of zero are never drawn.
    if (at == row + n) at = std::lower_bound(row, row + n, row[n - 1]);
    drawn[i] = at - row;
  }
  return reshape(tensor(drawn, {.device = p.device()}), sizes);
}

}  // namespace gradus

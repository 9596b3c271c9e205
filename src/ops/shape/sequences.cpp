// logspace, vander, windows; randint_like, bernoulli, normal.
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/ops/creation.h>
#include <gradus/ops/further.h>

#include <cmath>
#include <numbers>

namespace gradus {

namespace {

// float64 numbers of the CPU as the options want them.
Tensor as_wanted(const Tensor& x, const TensorOptions& options) {
  const Tensor y = x.to(options.dtype.value_or(kFloat32)).to(options.device.value_or(kCPU));
  return options.requires_grad ? y.requires_grad_() : y;
}

// f of the angles 2 pi i / (points - 1).
template <class F>
Tensor window(const char* call, std::int64_t length, bool periodic, const TensorOptions& options, const F& f) {
  if (length < 0) {
    throw ValueError(std::string(call) + ": the length must not be negative, got " + std::to_string(length));
  }
  if (!is_floating_point(options.dtype.value_or(kFloat32))) {
    throw DtypeError(std::string(call) + ": needs a floating-point type, got " + to_string(*options.dtype));
  }
  check_sizes(call, {length});
  std::vector<double> values(static_cast<std::size_t>(length), 1.0);
  const double last = static_cast<double>(periodic ? length : length - 1);
  for (std::size_t i = 0; length > 1 && i < values.size(); ++i)
    values[i] = f(2 * std::numbers::pi * static_cast<double>(i) / last);
  return as_wanted(tensor(values, {.dtype = kFloat64}), options);
}

// The noise of one draw of `normal`, in x's type.
Tensor noise(const Shape& sizes, const Tensor& like, Generator* generator) {
  return randn(sizes, {.dtype = like.dtype(), .device = like.device()}, generator);
}

void check_std(const Tensor& std) {
  if (std.is_floating_point() && (std >= 0).all().item<bool>()) return;
  throw ValueError("normal: std must be floating-point and at least 0 everywhere, got " +
                   std::string(to_string(std.dtype())) + " " + to_string(std.sizes()));
}

}  // namespace

Tensor logspace(double start, double end, std::int64_t steps, double base, const TensorOptions& options) {
  const Tensor powers = linspace(start, end, steps, {.dtype = kFloat64});
  return as_wanted(pow(Scalar(base), powers), options);
}

Tensor vander(const Tensor& x, std::optional<std::int64_t> n, bool increasing) {
  if (x.dim() != 1) throw ShapeError("vander: needs a vector, got sizes " + to_string(x.sizes()));
  const std::int64_t columns = n.value_or(x.numel());
  if (columns < 0) throw ValueError("vander: n must not be negative, got " + std::to_string(columns));
  const Tensor base = is_integral(x.dtype()) ? x.to(kInt64) : x, column = unsqueeze(base, 1);
  // Products, since the slope of a power has no place at 0 to the 0.
  Tensor y = ones({x.numel(), columns < 1 ? columns : 1}, {.dtype = base.dtype(), .device = x.device()});
  if (columns > 1) y = cat({y, cumprod(expand(column, {x.numel(), columns - 1}), 1)}, 1);
  return increasing ? y : flip(y, 1);
}

Tensor bartlett_window(std::int64_t window_length, bool periodic, const TensorOptions& options) {
  return window("bartlett_window", window_length, periodic, options,
                [](double a) { return 1 - std::abs(a / std::numbers::pi - 1); });
}

Tensor blackman_window(std::int64_t window_length, bool periodic, const TensorOptions& options) {
  return window("blackman_window", window_length, periodic, options,
                [](double a) { return 0.42 - 0.5 * std::cos(a) + 0.08 * std::cos(2 * a); });
}

Tensor hamming_window(std::int64_t window_length, bool periodic, double alpha, double beta,
                      const TensorOptions& options) {
  return window("hamming_window", window_length, periodic, options,
                [=](double a) { return alpha - beta * std::cos(a); });
}

Tensor hann_window(std::int64_t window_length, bool periodic, const TensorOptions& options) {
  return window("hann_window", window_length, periodic, options, [](double a) { return 0.5 - 0.5 * std::cos(a); });
}

Tensor randint_like(const Tensor& x, std::int64_t high, const TensorOptions& options, Generator* generator) {
  return randint_like(x, 0, high, options, generator);
}

Tensor randint_like(const Tensor& x, std::int64_t low, std::int64_t high, const TensorOptions& options,
                    Generator* generator) {
  TensorOptions like = options;
  like.dtype = options.dtype.value_or(x.dtype());
  like.device = options.device.value_or(x.device());
  return randint(low, high, x.sizes(), like, generator);
}

Tensor bernoulli(const Tensor& p, Generator* generator) {
  const NoGrad guard;
  if (!p.is_floating_point()) {
    throw DtypeError(std::string("bernoulli: needs floating-point probabilities, got ") + to_string(p.dtype()));
  }
  const Tensor chances = p.detach().to(kFloat64);
  if (!((chances >= 0) & (chances <= 1)).all().item<bool>()) {
    throw ValueError("bernoulli: probabilities must be in [0, 1]");
  }
  return (rand(p.sizes(), {.dtype = kFloat64, .device = p.device()}, generator) < chances).to(p.dtype());
}

Tensor bernoulli(const Tensor& x, double p, Generator* generator) {
  const NoGrad guard;
  Tensor y = empty(x.sizes(), {.dtype = x.dtype(), .device = x.device()});
  return y.bernoulli_(p, generator);
}

Tensor normal(const Tensor& mean, const Tensor& std, Generator* generator) {
  const NoGrad guard;
  check_std(std);
  const Tensor at = mean.is_floating_point() ? mean : mean.to(std.dtype());
  return at + std * noise(broadcast_shapes("normal", mean.sizes(), std.sizes()), at, generator);
}

Tensor normal(const Tensor& mean, double std, Generator* generator) {
  return normal(mean,
                tensor(std, {.dtype = mean.is_floating_point() ? mean.dtype() : kFloat32, .device = mean.device()}),
                generator);
}

Tensor normal(double mean, const Tensor& std, Generator* generator) {
  check_std(std);
  return normal(tensor(mean, {.dtype = std.dtype(), .device = std.device()}), std, generator);
}

Tensor normal(double mean, double std, const Shape& sizes, const TensorOptions& options, Generator* generator) {
  TensorOptions plain = options;
  plain.requires_grad = false;
  Tensor y = empty(sizes, plain);
  y.normal_(mean, std, generator);
  return options.requires_grad ? y.requires_grad_() : y;
}

}  // namespace gradus

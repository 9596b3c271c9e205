// gradus/ops/activation.h: formulas where PyTorch rounds once, and compositions where it composes.
#include <gradus/detail/observer.h>
#include <gradus/ops.h>
#include <gradus/ops/activation.h>

#include <cmath>

#include "core/range.h"
#include "kernels/formulas/further_activation.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

using namespace ops;

namespace {

constexpr double kSeluAlpha = 1.6732632423543772848170429916717, kSeluScale = 1.0507009873554804934193349852946;

void require_floating(const char* call, const Tensor& x) {
  if (x.is_floating_point()) return;
  throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
}

Celu make_celu(double alpha) {
  if (alpha == 0) throw ValueError("celu: alpha must not be 0");
  return {{alpha, 1, 1 / alpha}};
}

// Integers are compared with a truncated threshold, as in PyTorch.
Threshold make_threshold(Dtype dtype, const Scalar& threshold, const Scalar& value) {
  if (!is_integral(dtype)) return {threshold, value};
  const Scalar bound = threshold.to<std::int64_t>(), other = value.to<std::int64_t>();
  check_fits("threshold", bound, dtype);
  check_fits("threshold", other, dtype);
  return {bound, other};
}

// What x is multiplied with.
Tensor slopes(const char* call, const Tensor& x, double lower, double upper, bool training, Generator* generator) {
  require_floating(call, x);
  if (!(lower <= upper)) {
    throw ValueError(std::string(call) + ": lower must be at most upper, got " + std::to_string(lower) + " and " +
                     std::to_string(upper));
  }
  if (!training) return {};
  const Tensor drawn = empty(x.sizes(), {.dtype = x.dtype(), .device = x.device()}).uniform_(lower, upper, generator);
  return where(x.detach() <= 0, drawn, number(1.0, x));
}

}  // namespace

Tensor selu(const Tensor& x) { return unary(Selu{{kSeluAlpha, kSeluScale, 1}}, x); }
Tensor& selu_(Tensor& x) { return unary_(Selu{{kSeluAlpha, kSeluScale, 1}}, x); }
Tensor celu(const Tensor& x, double alpha) { return unary(make_celu(alpha), x); }
Tensor& celu_(Tensor& x, double alpha) { return unary_(make_celu(alpha), x); }
Tensor mish(const Tensor& x) { return unary(Mish{}, x); }
Tensor& mish_(Tensor& x) { return unary_(Mish{}, x); }
Tensor hardswish(const Tensor& x) { return unary(Hardswish{}, x); }
Tensor& hardswish_(Tensor& x) { return unary_(Hardswish{}, x); }
Tensor hardsigmoid(const Tensor& x) { return unary(Hardsigmoid{}, x); }
Tensor& hardsigmoid_(Tensor& x) { return unary_(Hardsigmoid{}, x); }
Tensor softsign(const Tensor& x) { return x / (abs(x) + 1); }
Tensor tanhshrink(const Tensor& x) { return x - tanh(x); }

Tensor softshrink(const Tensor& x, double lambd) {
  if (!(lambd >= 0)) throw ValueError("softshrink: lambd must be at least 0, got " + to_string(lambd));
  return unary(Softshrink{lambd}, x);
}

Tensor hardshrink(const Tensor& x, double lambd) {
  // As hardtanh and PyTorch: 16-bit elements are compared with a bound of their own type.
  const bool rounds = x.dtype() == kFloat16 || x.dtype() == kBFloat16;
  return unary(Hardshrink{rounds ? Tensor::scalar(lambd, kFloat64).to(x.dtype()).item<double>() : lambd}, x);
}

Tensor threshold(const Tensor& x, const Scalar& bound, const Scalar& value) {
  return unary(make_threshold(x.dtype(), bound, value), x);
}
Tensor& threshold_(Tensor& x, const Scalar& bound, const Scalar& value) {
  return unary_(make_threshold(x.dtype(), bound, value), x);
}

Tensor softmin(const Tensor& x, std::int64_t dim) {
  require_floating("softmin", x);
  return softmax(-x, dim);
}

Tensor glu(const Tensor& x, std::int64_t dim) {
  if (x.dim() == 0) throw ShapeError("glu: needs a dimension to halve, got a 0-d tensor");
  const int d = wrap_dim("glu", dim, x.sizes().rank());
  const std::int64_t size = x.sizes()[d], half = size / 2;
  if (size % 2 != 0) {
    throw ShapeError("glu: the size of dimension " + std::to_string(d) + " must be even, got " + to_string(x.sizes()));
  }
  return binary(Gated{}, narrow(x, d, 0, half), narrow(x, d, half, half));
}

Tensor rrelu(const Tensor& x, double lower, double upper, bool training, Generator* generator) {
  const Tensor factors = slopes("rrelu", x, lower, upper, training, generator);
  return factors.defined() ? x * factors : leaky_relu(x, (lower + upper) / 2);
}

Tensor& rrelu_(Tensor& x, double lower, double upper, bool training, Generator* generator) {
  const Tensor factors = slopes("rrelu_", x, lower, upper, training, generator);
  if (!factors.defined()) return leaky_relu_(x, (lower + upper) / 2);
  x.mul_(factors);
  return x;
}

Tensor gumbel_softmax(const Tensor& logits, double tau, bool hard, double /*eps*/, std::int64_t dim,
                      Generator* generator) {
  require_floating("gumbel_softmax", logits);
  const int d = wrap_dim("gumbel_softmax", dim, logits.sizes().rank());
  // -log(-log(u)); a u of 0 would make the sample impossible.
  const Tensor drawn = empty(logits.sizes(), {.dtype = compute_type(logits.dtype()), .device = logits.device()})
                           .uniform_(0, 1, generator);
  const Tensor noise = -log(-log(clamp(drawn, 0x1p-40)));
  const Tensor soft = softmax((logits + noise.to(logits.dtype())) / tau, d);
  if (!hard) return soft;
  const Tensor chosen = soft.detach();
  const Tensor one_hot =
      chosen.numel() == 0 ? zeros_like(chosen) : scatter(zeros_like(chosen), d, argmax(chosen, d, true), 1.0);
  return one_hot - chosen + soft;  // straight through
}

namespace {

// x a noise + b, where noise is 0 with probability p. a and b keep the mean 0 and the variance 1.
Tensor alpha_drop(const char* call, const Tensor& x, const Shape& sizes, double p, bool training,
                  Generator* generator) {
  check_range(call, "p", p, between(0, 1));
  require_floating(call, x);
  if (p == 0 || !training || x.numel() == 0) return x;
  detail::begin_loss("dropout", x, x);  // for audits, as in dropout()
  if (p == 1) return x * 0;
  constexpr double kAlpha = kSeluAlpha * kSeluScale;
  const double a = 1 / std::sqrt((kAlpha * kAlpha * p + 1) * (1 - p));
  const Tensor noise = empty(sizes, {.dtype = x.dtype(), .device = x.device()}).bernoulli_(1 - p, generator);
  const Tensor shift = (noise - 1) * (kAlpha * a) + kAlpha * a * p;
  return x * (noise * a) + shift;
}

}  // namespace

Tensor alpha_dropout(const Tensor& x, double p, bool training, Generator* generator) {
  return alpha_drop("alpha_dropout", x, x.sizes(), p, training, generator);
}

Tensor feature_alpha_dropout(const Tensor& x, double p, bool training, Generator* generator) {
  Shape sizes = x.sizes();
  if (training && p != 0 && sizes.rank() < 2) {
    throw ShapeError("feature_alpha_dropout: needs x of at least 2 dimensions, got " + to_string(sizes));
  }
  for (int d = 2; d < sizes.rank(); ++d) sizes[d] = 1;
  return alpha_drop("feature_alpha_dropout", x, sizes, p, training, generator);
}

}  // namespace gradus

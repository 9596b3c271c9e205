// The non-linear functions between layers. Formulas avoid branches around calls, and overflow where it would give NaN.
#include <gradus/ops.h>
#include <gradus/ops/in_place.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/formulas/activation.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/rectifiers.h"

namespace gradus {

using namespace ops;

namespace {

Hardtanh make_hardtanh(Dtype dtype, double min, double max) {
  if (!(min <= max)) {
    throw ValueError("hardtanh: min_val must be at most max_val, got " + std::to_string(min) + " and " +
                     std::to_string(max));
  }
  if (dtype == kFloat32 || dtype == kFloat64) return {min, max};
  if (is_integral(dtype)) {
    const double least = dtype == kUInt8 ? 0 : std::numeric_limits<std::int32_t>::min();
    const double most = dtype == kUInt8 ? 255 : std::numeric_limits<std::int32_t>::max();
    if (std::trunc(min) < least || max > most) {
      throw ValueError("hardtanh: min_val and max_val must be numbers that " + std::string(to_string(dtype)) +
                       " holds, got " + std::to_string(min) + " and " + std::to_string(max));
    }
    return {std::trunc(min), std::trunc(max)};
  }
  const auto rounded = [&](double bound) { return Tensor::scalar(bound, kFloat64).to(dtype).item<double>(); };
  return {rounded(min), rounded(max)};
}

}  // namespace

Tensor relu(const Tensor& x) { return unary(Relu{}, x); }
Tensor& TensorMethods::relu_() const { return unary_(Relu{}, self()); }
Tensor leaky_relu(const Tensor& x, double negative_slope) { return unary(LeakyRelu{negative_slope}, x); }
Tensor& leaky_relu_(Tensor& x, double negative_slope) {
  // Where the result says enough for backward, the input need not be copied.
  if (negative_slope >= 0) return unary_(LeakyReluOfResult{{negative_slope}}, x);
  return unary_(LeakyRelu{negative_slope}, x);
}
Tensor hardtanh(const Tensor& x, double min_val, double max_val) {
  return unary(make_hardtanh(x.dtype(), min_val, max_val), x);
}
Tensor& hardtanh_(Tensor& x, double min_val, double max_val) {
  return unary_(make_hardtanh(x.dtype(), min_val, max_val), x);
}
Tensor relu6(const Tensor& x) { return hardtanh(x, 0, 6); }
Tensor elu(const Tensor& x, double alpha) { return unary(Elu{alpha}, x); }
Tensor& elu_(Tensor& x, double alpha) { return unary_(Elu{alpha}, x); }
Tensor silu(const Tensor& x) { return unary(Silu{}, x); }
Tensor& silu_(Tensor& x) { return unary_(Silu{}, x); }
Tensor sigmoid(const Tensor& x) { return unary(Sigmoid{}, x); }
Tensor logsigmoid(const Tensor& x) { return unary(LogSigmoid{}, x); }
Tensor softplus(const Tensor& x, double beta, double threshold) {
  if (!(beta > 0)) throw ValueError("softplus: beta must be positive, got " + std::to_string(beta));
  return unary(Softplus{beta, threshold}, x);
}

Tensor gelu(const Tensor& x, std::string_view approximate) {
  if (approximate == "none") return unary(Gelu{}, x);
  if (approximate == "tanh") return unary(GeluTanh{}, x);
  throw ValueError("gelu: approximate must be none or tanh, got " + std::string(approximate));
}

}  // namespace gradus

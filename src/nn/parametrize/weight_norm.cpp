// Weight and spectral normalisation.
#include <gradus/autograd.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/parametrize.h>

#include <cmath>

#include "core/range.h"
#include "nn/module/repr.h"
#include "nn/parametrize/computed.h"

namespace gradus::nn {

namespace {

// The norms over all dimensions but `dim`, which stay as dimensions of one element; without `dim` one number.
Tensor norm_except(const Tensor& v, std::optional<std::int64_t> dim) {
  if (!dim) return norm(v);
  Dims others;
  for (std::int64_t d = 0; d < v.dim(); ++d)
    if (d != *dim) others.push_back(d);
  return others.empty() ? abs(v) : norm(v, 2, others, true);
}

std::int64_t wrapped(const char* call, std::int64_t dim, const Tensor& x) {
  const std::int64_t rank = x.dim(), at = dim < 0 ? dim + rank : dim;
  if (at >= 0 && at < rank) return at;
  throw ValueError(std::string(call) + ": dim must be a dimension of the parameter, of " + std::to_string(rank) +
                   " dimensions, got " + std::to_string(dim));
}

Tensor own_parameter(const char* call, const Module& module, const std::string& name) {
  return module.state()->parameter(detail::ComputedParameters::place_of(call, module, name));
}

class WeightNorm final : public Parametrization {
 public:
  explicit WeightNorm(std::optional<std::int64_t> dim) : Parametrization("_WeightNorm"), dim_(dim) {}
  Tensor compute(const std::vector<Tensor>& originals) override {
    const Tensor &g = originals.at(0), &v = originals.at(1);
    return v * (g / norm_except(v, dim_));
  }
  std::vector<Tensor> right_inverse(const Tensor& value) override { return {norm_except(value, dim_), value}; }
  std::vector<std::pair<std::string, std::string>> older_names() const override {
    return {{"original0", "_g"}, {"original1", "_v"}};
  }

 private:
  std::optional<std::int64_t> dim_;
};

class SpectralNorm final : public Parametrization {
 public:
  Buffer u = add("_u", Buffer()), v = add("_v", Buffer());

  SpectralNorm(const Tensor& weight, const SpectralNormOptions& options, std::int64_t dim)
      : Parametrization("_SpectralNorm"), iterations_(options.n_power_iterations), eps_(options.eps), dim_(dim) {
    if (weight.dim() < 2) return;
    const NoGrad guard;
    const Tensor matrix = as_matrix(weight.detach());
    const TensorOptions like{.dtype = matrix.dtype(), .device = matrix.device()};
    u = Buffer(unit(randn({matrix.size(0)}, like)));
    v = Buffer(unit(randn({matrix.size(1)}, like)));
    iterate(matrix, 15);
  }

  Tensor forward(const Tensor& weight) override {
    if (weight.dim() < 2) return unit(weight);
    const Tensor matrix = as_matrix(weight);
    if (is_training()) {
      const NoGrad guard;
      iterate(matrix.detach(), iterations_);
    }
    // Copies: the next call moves the vectors while this one's graph may wait for its backward.
    const Tensor left = u.detach().clone(), right = v.detach().clone();
    return weight / dot(left, matmul(matrix, right));
  }
  std::vector<std::pair<std::string, std::string>> older_names() const override {
    return {{"original", "_orig"}, {"0._u", "_u"}, {"0._v", "_v"}};
  }

 private:
  Tensor as_matrix(const Tensor& weight) const {
    Tensor first = weight;
    if (dim_ != 0) {
      Shape order{dim_};
      for (std::int64_t d = 0; d < weight.dim(); ++d)
        if (d != dim_) order.push_back(d);
      first = permute(weight, order);
    }
    return flatten(first, 1);
  }
  Tensor unit(const Tensor& x) const { return x / clamp(norm(x), eps_); }
  void iterate(const Tensor& matrix, std::int64_t times) {
    for (std::int64_t i = 0; i < times; ++i) {
      u.copy_(unit(matmul(matrix, v)));
      v.copy_(unit(matmul(t(matrix), u)));
    }
  }

  std::int64_t iterations_;
  double eps_;
  std::int64_t dim_;
};

bool is_transposed(Module& module) {
  return module.as<ConvTranspose1d>() != nullptr || module.as<ConvTranspose2d>() != nullptr ||
         module.as<ConvTranspose3d>() != nullptr;
}

}  // namespace

Module& weight_norm(Module& module, const std::string& name, std::optional<std::int64_t> dim) {
  const Tensor weight = own_parameter("weight_norm", module, name);
  if (dim) dim = wrapped("weight_norm", *dim, weight);
  return register_parametrization(module, name, WeightNorm(dim), true);
}

Module& spectral_norm(Module& module, const std::string& name, const SpectralNormOptions& options) {
  const Tensor weight = own_parameter("spectral_norm", module, name);
  check_range("spectral_norm", "n_power_iterations", options.n_power_iterations, at_least(1));
  check_range("spectral_norm", "eps", options.eps, at_least(0));
  if (weight.numel() == 0) {
    throw ValueError("spectral_norm: needs a parameter with elements, got " + gradus::to_string(weight.sizes()));
  }
  const std::int64_t dim = wrapped("spectral_norm", options.dim.value_or(is_transposed(module) ? 1 : 0), weight);
  return register_parametrization(module, name, SpectralNorm(weight, options, dim));
}

}  // namespace gradus::nn

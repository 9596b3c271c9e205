#include "nn/adapters/int8.h"

#include <gradus/autograd.h>
#include <gradus/autograd/op.h>
#include <gradus/core/pattern.h>
#include <gradus/nn/adapters.h>
#include <gradus/nn/layers/linear.h>

#include "nn/parametrize/computed.h"

namespace gradus::nn {

namespace detail {

namespace {

constexpr const char* kScale = "weight_scale";

const Tensor& scale_of(const Module& layer) {
  for (const auto& buffer : layer.state()->buffers)
    if (buffer.name == kScale) return buffer.tensor;
  throw ValueError(layer.type_name() + ": an int8 weight needs a buffer 'weight_scale' next to it");
}

// The weight lives in floating point only while a product runs.
struct Int8Product final : Op {
  Tensor weight, scale;
  Int8Product(const Tensor& w, const Tensor& s) : weight(w), scale(s) {}
  const char* name() const override { return "int8_linear"; }
  std::int64_t multiply_adds(const Tensor& y, const Tensor&) const { return y.numel() * weight.size(1); }
  Tensor dense(Dtype dtype) const { return weight.to(dtype) * unsqueeze(scale.to(dtype), 1); }
  Tensor forward(const Tensor& x) { return linear(x, dense(x.dtype())); }
  void backward(const Tensor& g, Grads gx) override {
    Tensor w;
    {
      const NoGrad guard;
      w = dense(g.dtype());
    }
    gx[0] = matmul(g, w);
  }
};

}  // namespace

Tensor int8_linear(const Module& layer, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor y = apply(Int8Product(weight.detach(), scale_of(layer)), x);
  return bias.defined() ? y + bias : y;
}

Tensor dense_weight(const Module& layer, const Tensor& weight) {
  if (!is_int8(weight)) return weight;
  const Tensor& scale = scale_of(layer);
  return weight.to(scale.dtype()) * unsqueeze(scale, 1);
}

Int8Weight int8_of(const Tensor& weight) {
  const Tensor largest = weight.numel() == 0
                             ? zeros({weight.size(0)}, {.dtype = weight.dtype(), .device = weight.device()})
                             : amax(abs(weight), {1});
  const Dtype dtype = weight.dtype() == kFloat64 ? kFloat64 : kFloat32;
  const Tensor scale = largest.to(dtype) / 127;
  const Tensor divisor = where(scale > 0, scale, ones_like(scale));
  const Tensor numbers = clamp(round(weight.to(dtype) / unsqueeze(divisor, 1)), -127, 127);
  return {numbers.to(kInt8), scale};
}

}  // namespace detail

std::vector<std::string> quantize_int8(Module& net, const std::string& pattern) {
  const NoGrad guard;
  std::vector<std::string> paths;
  std::vector<Linear*> layers;
  for (const auto& [path, module] : net.named_modules()) {
    auto* layer = module->as<Linear>();
    if (layer == nullptr || !matches(pattern, path) || !layer->weight.is_floating_point()) continue;
    if (module->state()->computes()) {
      throw ValueError("quantize_int8: the weight of " + path + " is computed by a parametrization");
    }
    if (!gradus::isfinite(layer->weight).all().item<bool>()) {
      throw ValueError("quantize_int8: the weight of " + path + " has numbers that are not finite");
    }
    paths.push_back(path);
    layers.push_back(layer);
  }
  if (layers.empty()) {
    throw ValueError("quantize_int8: no Linear layer of " + net.type_name() + " matches '" + pattern + "'");
  }
  for (Linear* layer : layers) {
    const detail::Int8Weight made = detail::int8_of(layer->weight.detach());
    static_cast<void>(layer->add(detail::kScale, Buffer(made.scale)));
    layer->weight = Parameter(made.numbers, false);
  }
  return paths;
}

}  // namespace gradus::nn

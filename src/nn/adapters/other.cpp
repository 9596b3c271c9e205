// IA3 and bottlenecks.
#include <gradus/core/pattern.h>
#include <gradus/nn/init.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/nn/parametrize.h>

#include <cmath>

#include "core/range.h"
#include "nn/adapters/adapter.h"
#include "nn/module/repr.h"

namespace gradus::nn {

namespace detail {

Ia3Adapter::Ia3Adapter(const Module& layer, bool feedforward)
    : Adapter("Ia3", feedforward ? "feedforward=True" : ""), feedforward_(feedforward) {
  const LayerKind kind = kind_of(layer);
  const std::int64_t n = feedforward ? kind.in : kind.out;
  Shape sizes = kind.type == LayerKind::Conv || feedforward ? Shape{1, n} : Shape{n, 1};  // PEFT's
  for (int i = 0; i < kind.spatial; ++i) sizes.push_back(1);
  scale = add("ia3_l", Parameter(ones(sizes, {.dtype = kind.dtype(), .device = kind.weight.device()})));
}

Tensor Ia3Adapter::scaled(const Module& layer, const Tensor& x) const {
  Shape sizes{scale.numel()};
  for (int i = 0; i < kind_of(layer).spatial; ++i) sizes.push_back(1);
  return (x.to(scale.dtype()) * reshape(scale, sizes)).to(x.dtype());
}

Tensor Ia3Adapter::before(const Module& layer, const Tensor& x) { return feedforward_ ? scaled(layer, x) : x; }

Tensor Ia3Adapter::after(const Module& layer, const Tensor&, const Tensor& y) {
  return feedforward_ ? y : scaled(layer, y);
}

std::vector<std::pair<std::string, Tensor>> Ia3Adapter::merged(const Module& layer) const {
  const LayerKind kind = kind_of(layer);
  const Tensor weight = kind.weight.detach().to(kFloat64), factors = flatten(scale.detach().to(kFloat64));
  // Along the dimension of what comes in, or of what goes out.
  const bool first = (kind.type == LayerKind::Transposed) == feedforward_;
  Shape sizes(weight.dim() > 1 ? Shape{1, 1} : Shape{1});
  for (int i = 0; i < kind.spatial; ++i) sizes.push_back(1);
  sizes[first ? 0 : 1] = factors.numel();
  std::vector<std::pair<std::string, Tensor>> all{{kind.weight_name, weight * reshape(factors, sizes)}};
  for (const auto& [name, p] : layer.state()->parameters)
    if (!feedforward_ && name == "bias" && p.defined()) all.emplace_back(name, p.detach().to(kFloat64) * factors);
  return all;
}

namespace {

Parameter drawn(const Shape& sizes, Dtype dtype, double deviation) {
  Tensor x = zeros(sizes, {.dtype = dtype});
  if (deviation > 0) init::normal_(x, 0, deviation);
  return Parameter(x);
}

Tensor activated(const std::string& name, const Tensor& x) {
  return name == "gelu" ? gelu(x) : name == "tanh" ? tanh(x) : relu(x);
}

}  // namespace

BottleneckAdapter::BottleneckAdapter(std::int64_t features, Dtype dtype, const BottleneckOptions& o)
    : Adapter("Bottleneck", std::to_string(features) + ", size=" + std::to_string(o.size)), options_(o) {
  // Near the identity at first: what comes up is zero.
  down_weight = add("down_weight", drawn({o.size, features}, dtype, 0.02));
  down_bias = add("down_bias", drawn({o.size}, dtype, 0));
  up_weight = add("up_weight", drawn({features, o.size}, dtype, 0));
  up_bias = add("up_bias", drawn({features}, dtype, 0));
}

Tensor BottleneckAdapter::after(const Module&, const Tensor&, const Tensor& y) {
  const Tensor h = activated(options_.activation, linear(y.to(down_weight.dtype()), down_weight, down_bias));
  return y + (linear(h, up_weight, up_bias) * options_.scale).to(y.dtype());
}

}  // namespace detail

std::vector<std::string> ia3(Module& net, const std::string& pattern, const Ia3Options& options) {
  using detail::LayerKind;
  return detail::attach(
      "ia3", net, pattern, options.name,
      [](const std::string&, const Module& layer) {
        const auto type = detail::kind_of(layer).type;
        return type == LayerKind::Linear || type == LayerKind::Transposed || type == LayerKind::Conv;
      },
      [&](const std::string& path, Module& layer) {
        const bool feedforward = !options.feedforward.empty() && matches(options.feedforward, path);
        return detail::KeptModule::of(detail::Ia3Adapter(layer, feedforward));
      });
}

std::vector<std::string> bottleneck(Module& net, const std::string& pattern, const BottleneckOptions& options) {
  check_range("bottleneck", "size", options.size, at_least(1));
  if (options.activation != "relu" && options.activation != "gelu" && options.activation != "tanh") {
    throw ValueError("bottleneck: activation must be 'relu', 'gelu' or 'tanh', got '" + options.activation + "'");
  }
  check_range("bottleneck", "scale", options.scale, any_number);
  if (options.features) check_range("bottleneck", "features", *options.features, at_least(1));
  const auto of = [&](const Module& layer) -> std::pair<std::int64_t, Dtype> {
    const auto wide = [](Dtype dtype) { return dtype == kFloat64 ? kFloat64 : kFloat32; };
    const detail::LayerKind kind = detail::kind_of(layer);
    if (kind.type == detail::LayerKind::Linear || kind.type == detail::LayerKind::Transposed)
      return {kind.out, kind.dtype()};
    if (const auto* norm = dynamic_cast<const LayerNorm*>(&layer); norm != nullptr && norm->weight.defined())
      return {norm->weight.size(-1), wide(norm->weight.dtype())};
    if (!options.features) return {0, kFloat32};
    const auto all = layer.parameters();
    return {*options.features, all.empty() ? kFloat32 : wide(all[0].dtype())};
  };
  return detail::attach(
      "bottleneck", net, pattern, options.name,
      [&](const std::string&, const Module& layer) { return of(layer).first > 0; },
      [&](const std::string&, Module& layer) {
        const auto [features, dtype] = of(layer);
        return detail::KeptModule::of(detail::BottleneckAdapter(features, dtype, options));
      });
}

}  // namespace gradus::nn

// LoRA and DoRA.
#include <gradus/autograd.h>
#include <gradus/nn/init.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/embedding.h>
#include <gradus/ops/convolution.h>

#include <cmath>

#include "core/range.h"
#include "nn/adapters/adapter.h"
#include "nn/adapters/int8.h"
#include "nn/module/repr.h"
#include "nn/parametrize/computed.h"

namespace gradus::nn {

namespace detail {

namespace {

void check(const char* call, const LoraOptions& o) {
  const std::string start = std::string(call) + ": ";
  check_range(call, "rank", o.rank, at_least(1));
  check_range(call, "alpha", o.alpha, any_number);
  check_range(call, "dropout", o.dropout, from_below(0, 1));
  if (o.init != "kaiming" && o.init != "gaussian" && o.init != "orthogonal" && o.init != "random") {
    throw ValueError(start + "init must be 'kaiming', 'gaussian', 'orthogonal' or 'random', got '" + o.init + "'");
  }
}

void check_layer(const LayerKind& kind, const Module& layer, const LoraOptions& o) {
  const auto refuse = [&](const std::string& why) { throw ValueError("lora: " + why); };
  if (kind.type == LayerKind::Conv && kind.in != kind.weight.size(1)) {
    refuse("needs convolutions of one group, got " + layer.to_string());
  }
  if (o.dora && kind.type == LayerKind::Attention) refuse("dora is not for MultiheadAttention");
  if (o.dropout > 0 && kind.type == LayerKind::Embedding) refuse("an Embedding's indices have no dropout");
}

// x with the layer's own stride, padding and dilation.
template <int N>
Tensor convolved(const Module& layer, const Tensor& x, const Tensor& weight) {
  const auto& o = dynamic_cast<const Conv<N>&>(layer).options();
  if (o.padding_mode != "zeros") {
    throw ValueError("lora: needs convolutions that are padded with zeros, got padding_mode '" + o.padding_mode + "'");
  }
  if constexpr (N == 1) return conv1d(x, weight, Tensor(), o.stride, o.padding, o.dilation);
  if constexpr (N == 2) return conv2d(x, weight, Tensor(), o.stride, o.padding, o.dilation);
  if constexpr (N == 3) return conv3d(x, weight, Tensor(), o.stride, o.padding, o.dilation);
}

Tensor convolved(const Module& layer, int spatial, const Tensor& x, const Tensor& weight) {
  if (spatial == 1) return convolved<1>(layer, x, weight);
  return spatial == 2 ? convolved<2>(layer, x, weight) : convolved<3>(layer, x, weight);
}

Tensor at_places(int spatial, const Tensor& x, const Tensor& weight) {
  if (spatial == 1) return conv1d(x, weight);
  return spatial == 2 ? conv2d(x, weight) : conv3d(x, weight);
}

// [n] beside the features of a layer's result.
Tensor beside(const LayerKind& kind, const Tensor& x) {
  if (kind.type != LayerKind::Conv) return x;
  Shape sizes{x.numel()};
  for (int i = 0; i < kind.spatial; ++i) sizes.push_back(1);
  return reshape(x, sizes);
}

// The weight with one row for each feature of the result.
Tensor rows(const LayerKind& kind, const Tensor& weight) {
  const bool turned = kind.type == LayerKind::Transposed || kind.type == LayerKind::Embedding;
  return turned ? t(weight) : flatten(weight, 1);
}

Tensor bias_of(const Module& layer) {
  for (const auto& [name, p] : layer.state()->parameters)
    if (name == "bias") return p;
  return Tensor();
}

}  // namespace

LoraAdapter::LoraAdapter(const Module& layer, const LoraOptions& options)
    : Adapter("Lora", "rank=" + std::to_string(options.rank) + ", alpha=" + repr(options.alpha)), options_(options) {
  const LayerKind kind = kind_of(layer);
  check_layer(kind, layer, options);
  const std::int64_t r = options.rank;
  Shape a_sizes{r, kind.in}, b_sizes{kind.out, r};
  for (int i = 0; i < kind.spatial; ++i) {
    a_sizes.push_back(kind.weight.size(2 + i));
    b_sizes.push_back(1);
  }
  const TensorOptions wide{.dtype = kind.dtype(), .device = kind.weight.device()};
  const bool table = kind.type == LayerKind::Embedding;
  a = add(table ? "lora_embedding_A" : "lora_A", Parameter(zeros(a_sizes, wide)));
  b = add(table ? "lora_embedding_B" : "lora_B", Parameter(zeros(b_sizes, wide)));
  initialize(kind);
  if (!options.dora) {
    magnitude = add("lora_magnitude_vector", Parameter());
    return;
  }
  const NoGrad guard;
  const Tensor weight = dense_weight(layer, kind.weight).to(kind.dtype());
  magnitude = add("lora_magnitude_vector", Parameter(norm(rows(kind, weight), 2, {1})));
}

// As PEFT: what is not drawn is zero, A but for embeddings, whose B is.
void LoraAdapter::initialize(const LayerKind& kind) {
  if (kind.type == LayerKind::Embedding) {
    init::normal_(b);
    if (options_.init == "random") init::normal_(a);
    return;
  }
  if (options_.init == "gaussian") {
    init::normal_(a, 0, 1 / static_cast<double>(options_.rank));
  } else if (options_.init == "orthogonal") {
    init::orthogonal_(a);
  } else {
    init::kaiming_uniform_(a, std::sqrt(5.0));
  }
  if (options_.init == "random") init::kaiming_uniform_(b, std::sqrt(5.0));
}

double LoraAdapter::scaling() const {
  const auto rank = static_cast<double>(options_.rank);
  return options_.alpha / (options_.rslora ? std::sqrt(rank) : rank);
}

// scaling A x, of rank features.
Tensor LoraAdapter::low(const Module& layer, const LayerKind& kind, const Tensor& x) const {
  if (kind.type == LayerKind::Embedding) {
    return embedding(x, t(a), dynamic_cast<const Embedding&>(layer).padding_idx()) * scaling();
  }
  const Tensor in = x.to(a.dtype());
  return (kind.type == LayerKind::Conv ? convolved(layer, kind.spatial, in, a) : linear(in, a)) * scaling();
}

Tensor LoraAdapter::high(const LayerKind& kind, const Tensor& h, const Tensor& weight) const {
  return kind.type == LayerKind::Conv ? at_places(kind.spatial, h, weight) : linear(h, weight);
}

Tensor LoraAdapter::after(const Module& layer, const Tensor& x, const Tensor& y) {
  const LayerKind kind = kind_of(layer);
  if (kind.type == LayerKind::Attention) return y;
  const bool drops = options_.dropout > 0 && is_training();
  const Tensor in = drops ? dropout(x, options_.dropout) : x;
  if (options_.dora) {
    const Tensor bias = bias_of(layer);
    Tensor base = y;
    if (drops) {  // not of a table
      // As PEFT has it: the base's result of what was dropped, too.
      const Tensor weight = dense_weight(layer, kind.weight).detach();
      base = kind.type == LayerKind::Conv ? convolved(layer, kind.spatial, in, weight)
                                          : linear(in, kind.type == LayerKind::Transposed ? t(weight) : weight);
    } else if (bias.defined()) {
      base = y - beside(kind, bias);
    }
    return y + decomposed(layer, kind, in, base);
  }
  return y + high(kind, low(layer, kind, in), b).to(y.dtype());
}

// (m / |V| - 1) base + m / |V| delta, V being the weight with the delta; its norms count as constants.
Tensor LoraAdapter::decomposed(const Module& layer, const LayerKind& kind, const Tensor& x, const Tensor& base) {
  Tensor norms;
  {
    const NoGrad guard;
    const Tensor delta = matmul(flatten(b, 1), flatten(a, 1)) * scaling();
    const Tensor weight = dense_weight(layer, kind.weight).to(a.dtype());
    norms = norm(rows(kind, weight) + delta, 2, {1});
  }
  const Tensor share = beside(kind, magnitude / norms);
  const Tensor delta = high(kind, low(layer, kind, x), b);
  return ((share - 1) * base.to(a.dtype()) + share * delta).to(base.dtype());
}

Tensor LoraAdapter::after_projection(const MultiheadAttention& layer, const Tensor& x, const Tensor& y, int part) {
  const LayerKind kind = kind_of(layer);
  const Tensor h = low(layer, kind, options_.dropout > 0 && is_training() ? dropout(x, options_.dropout) : x);
  const std::int64_t each = b.size(0) / 3;
  return y + linear(h, part < 0 ? Tensor(b) : narrow(b, 0, part * each, each)).to(y.dtype());
}

std::vector<std::pair<std::string, Tensor>> LoraAdapter::merged(const Module& layer) const {
  const LayerKind kind = kind_of(layer);
  const Tensor weight = kind.weight.detach().to(kFloat64);
  const Tensor delta = matmul(flatten(b.detach().to(kFloat64), 1), flatten(a.detach().to(kFloat64), 1)) * scaling();
  Tensor sum = rows(kind, weight) + delta;
  if (options_.dora) sum = sum * unsqueeze(magnitude.detach().to(kFloat64) / norm(sum, 2, {1}), 1);
  const bool turned = kind.type == LayerKind::Transposed || kind.type == LayerKind::Embedding;
  return {{kind.weight_name, turned ? t(sum) : reshape(sum, weight.sizes())}};
}

}  // namespace detail

std::vector<std::string> lora(Module& net, const std::string& pattern, const LoraOptions& options) {
  detail::check("lora", options);
  return detail::attach(
      "lora", net, pattern, options.name,
      [](const std::string&, const Module& layer) { return detail::kind_of(layer).type != detail::LayerKind::None; },
      [&](const std::string&, Module& layer) { return detail::KeptModule::of(detail::LoraAdapter(layer, options)); });
}

}  // namespace gradus::nn

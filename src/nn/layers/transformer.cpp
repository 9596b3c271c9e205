#include <gradus/nn/layers/transformer.h>

namespace gradus::nn {

namespace {

std::function<Tensor(const Tensor&)> activation_of(const TransformerEncoderLayerOptions& o) {
  if (o.activation_function) return o.activation_function;
  if (o.activation == "relu") return [](const Tensor& x) { return relu(x); };
  if (o.activation == "gelu") return [](const Tensor& x) { return gelu(x); };
  throw ValueError("TransformerEncoderLayer: activation must be 'relu' or 'gelu', got '" + o.activation + "'");
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead,
                                                 const TransformerEncoderLayerOptions& o)
    : Module("TransformerEncoderLayer"),
      self_attn(add(
          "self_attn",
          MultiheadAttention(d_model, nhead,
                             {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first, .dtype = o.dtype}))),
      linear1(add("linear1", Linear(d_model, o.dim_feedforward, {.bias = o.bias, .dtype = o.dtype}))),
      dropout(add("dropout", Dropout(o.dropout))),
      linear2(add("linear2", Linear(o.dim_feedforward, d_model, {.bias = o.bias, .dtype = o.dtype}))),
      norm1(add("norm1", LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias, .dtype = o.dtype}))),
      norm2(add("norm2", LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias, .dtype = o.dtype}))),
      dropout1(add("dropout1", Dropout(o.dropout))),
      dropout2(add("dropout2", Dropout(o.dropout))),
      activation_(activation_of(o)),
      norm_first_(o.norm_first) {}

Tensor TransformerEncoderLayer::attend(const Tensor& x, const TransformerMasks& m) {
  return dropout1(self_attn(x, x, x,
                            {.key_padding_mask = m.src_key_padding_mask,
                             .need_weights = false,
                             .attn_mask = m.mask,
                             .is_causal = m.is_causal})
                      .first);
}

Tensor TransformerEncoderLayer::feed(const Tensor& x) { return dropout2(linear2(dropout(activation_(linear1(x))))); }

Tensor TransformerEncoderLayer::forward(const Tensor& src, const TransformerMasks& masks) {
  if (norm_first_) {
    const Tensor x = src + attend(norm1(src), masks);
    return x + feed(norm2(x));
  }
  const Tensor x = norm1(src + attend(src, masks));
  return norm2(x + feed(x));
}

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& layer, std::int64_t num_layers,
                                       const std::optional<LayerNorm>& given)
    : Module("TransformerEncoder") {
  if (num_layers < 0) {
    throw ValueError("TransformerEncoder: num_layers must not be negative, got " + std::to_string(num_layers));
  }
  ModuleList copies;
  for (std::int64_t i = 0; i < num_layers; ++i) copies.append(clone(layer));
  layers = add("layers", copies);
  if (given) norm.emplace(add("norm", LayerNorm(*given)));
}

Tensor TransformerEncoder::forward(const Tensor& src, const TransformerMasks& masks) {
  Tensor x = src;
  for (Module* layer : layers.children()) x = layer->as<TransformerEncoderLayer>()->forward(x, masks);
  return norm ? (*norm)(x) : x;
}

}  // namespace gradus::nn

#include <gradus/nn/init.h>
#include <gradus/nn/layers/transformer_decoder.h>

#include <limits>

namespace gradus::nn {

namespace {

std::function<Tensor(const Tensor&)> activation_of(const TransformerDecoderLayerOptions& o) {
  if (o.activation_function) return o.activation_function;
  if (o.activation == "relu") return [](const Tensor& x) { return relu(x); };
  if (o.activation == "gelu") return [](const Tensor& x) { return gelu(x); };
  throw ValueError("TransformerDecoderLayer: activation must be 'relu' or 'gelu', got '" + o.activation + "'");
}

MultiheadAttention attention(std::int64_t d_model, std::int64_t nhead, const TransformerDecoderLayerOptions& o) {
  return {d_model, nhead, {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first, .dtype = o.dtype}};
}

LayerNorm normalization(std::int64_t d_model, const TransformerDecoderLayerOptions& o) {
  return LayerNorm(d_model, {.eps = o.layer_norm_eps, .bias = o.bias, .dtype = o.dtype});
}

TransformerDecoderLayerOptions layer_options(const TransformerOptions& o) {
  return {.dim_feedforward = o.dim_feedforward,
          .dropout = o.dropout,
          .activation = o.activation,
          .layer_norm_eps = o.layer_norm_eps,
          .batch_first = o.batch_first,
          .norm_first = o.norm_first,
          .bias = o.bias,
          .dtype = o.dtype};
}

}  // namespace

TransformerDecoderLayer::TransformerDecoderLayer(std::int64_t d_model, std::int64_t nhead,
                                                 const TransformerDecoderLayerOptions& o)
    : Module("TransformerDecoderLayer"),
      self_attn(add("self_attn", attention(d_model, nhead, o))),
      multihead_attn(add("multihead_attn", attention(d_model, nhead, o))),
      linear1(add("linear1", Linear(d_model, o.dim_feedforward, {.bias = o.bias, .dtype = o.dtype}))),
      dropout(add("dropout", Dropout(o.dropout))),
      linear2(add("linear2", Linear(o.dim_feedforward, d_model, {.bias = o.bias, .dtype = o.dtype}))),
      norm1(add("norm1", normalization(d_model, o))),
      norm2(add("norm2", normalization(d_model, o))),
      norm3(add("norm3", normalization(d_model, o))),
      dropout1(add("dropout1", Dropout(o.dropout))),
      dropout2(add("dropout2", Dropout(o.dropout))),
      dropout3(add("dropout3", Dropout(o.dropout))),
      activation_(activation_of(o)),
      norm_first_(o.norm_first) {}

Tensor TransformerDecoderLayer::attend(const Tensor& x, const TransformerDecoderMasks& m) {
  return dropout1(self_attn(x, x, x,
                            {.key_padding_mask = m.tgt_key_padding_mask,
                             .need_weights = false,
                             .attn_mask = m.tgt_mask,
                             .is_causal = m.tgt_is_causal})
                      .first);
}

Tensor TransformerDecoderLayer::look(const Tensor& x, const Tensor& memory, const TransformerDecoderMasks& m) {
  return dropout2(multihead_attn(x, memory, memory,
                                 {.key_padding_mask = m.memory_key_padding_mask,
                                  .need_weights = false,
                                  .attn_mask = m.memory_mask,
                                  .is_causal = m.memory_is_causal})
                      .first);
}

Tensor TransformerDecoderLayer::feed(const Tensor& x) { return dropout3(linear2(dropout(activation_(linear1(x))))); }

Tensor TransformerDecoderLayer::forward(const Tensor& tgt, const Tensor& memory, const TransformerDecoderMasks& masks) {
  if (norm_first_) {
    Tensor x = tgt + attend(norm1(tgt), masks);
    x = x + look(norm2(x), memory, masks);
    return x + feed(norm3(x));
  }
  Tensor x = norm1(tgt + attend(tgt, masks));
  x = norm2(x + look(x, memory, masks));
  return norm3(x + feed(x));
}

TransformerDecoder::TransformerDecoder(const TransformerDecoderLayer& layer, std::int64_t num_layers,
                                       const std::optional<LayerNorm>& given)
    : Module("TransformerDecoder") {
  if (num_layers < 0) {
    throw ValueError("TransformerDecoder: num_layers must not be negative, got " + std::to_string(num_layers));
  }
  ModuleList copies;
  for (std::int64_t i = 0; i < num_layers; ++i) copies.append(clone(layer));
  layers = add("layers", copies);
  if (given) norm.emplace(add("norm", LayerNorm(*given)));
}

Tensor TransformerDecoder::forward(const Tensor& tgt, const Tensor& memory, const TransformerDecoderMasks& masks) {
  Tensor x = tgt;
  for (Module* layer : layers.children()) x = (*layer->as<TransformerDecoderLayer>())(x, memory, masks);
  return norm ? (*norm)(x) : x;
}

Transformer::Transformer(const TransformerOptions& o)
    : Module("Transformer"),
      encoder(add("encoder", TransformerEncoder(TransformerEncoderLayer(o.d_model, o.nhead, layer_options(o)),
                                                o.num_encoder_layers, normalization(o.d_model, layer_options(o))))),
      decoder(add("decoder", TransformerDecoder(TransformerDecoderLayer(o.d_model, o.nhead, layer_options(o)),
                                                o.num_decoder_layers, normalization(o.d_model, layer_options(o))))),
      d_model_(o.d_model) {
  for (Tensor& p : parameters())
    if (p.dim() > 1) init::xavier_uniform_(p);
}

Tensor Transformer::forward(const Tensor& src, const Tensor& tgt, const TransformerMasks& src_masks,
                            const TransformerDecoderMasks& tgt_masks) {
  if (src.dim() != tgt.dim() || src.size(-1) != d_model_ || tgt.size(-1) != d_model_) {
    throw ShapeError("Transformer: needs src and tgt of as many dimensions, and of " + std::to_string(d_model_) +
                     " features, got " + gradus::to_string(src.sizes()) + " and " + gradus::to_string(tgt.sizes()));
  }
  return decoder(tgt, encoder(src, src_masks), tgt_masks);
}

Tensor Transformer::generate_square_subsequent_mask(std::int64_t size, Dtype dtype) {
  return masked_fill(zeros({size, size}, {.dtype = dtype}), triu(ones({size, size}, {.dtype = kBool}), 1),
                     -std::numeric_limits<double>::infinity());
}

}  // namespace gradus::nn

// The decoder of transformers, and encoder and decoder together: Vaswani et al., "Attention Is All You Need" (2017).
#pragma once

#include <gradus/nn/layers/transformer.h>

namespace gradus::nn {

using TransformerDecoderLayerOptions = TransformerEncoderLayerOptions;

// Masks as in AttentionOptions. tgt is the sequence that is decoded, memory the result of the encoder.
struct TransformerDecoderMasks {
  Tensor tgt_mask = {};                 // [T, T] or [N nhead, T, T]
  Tensor memory_mask = {};              // [T, S] or [N nhead, T, S]
  Tensor tgt_key_padding_mask = {};     // [N, T], or [T] without a batch
  Tensor memory_key_padding_mask = {};  // [N, S], or [S]
  bool tgt_is_causal = false;
  bool memory_is_causal = false;
};

// Self-attention, attention to `memory` and a feed-forward network, each with dropout, a residual connection and
// normalisation: tgt [T, N, d_model] and memory [S, N, d_model] -> [T, N, d_model]; with batch_first N comes first.
class TransformerDecoderLayer : public Module {
 public:
  MultiheadAttention self_attn, multihead_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2, norm3;
  Dropout dropout1, dropout2, dropout3;
  TransformerDecoderLayer(std::int64_t d_model, std::int64_t nhead, const TransformerDecoderLayerOptions& options = {});
  using Module::forward;
  Tensor forward(const Tensor& tgt, const Tensor& memory, const TransformerDecoderMasks& masks = {});
  Tensor operator()(const Tensor& tgt, const Tensor& memory, const TransformerDecoderMasks& masks = {}) {
    return call([&] { return forward(tgt, memory, masks); });
  }

 private:
  Tensor attend(const Tensor& x, const TransformerDecoderMasks& masks);
  Tensor look(const Tensor& x, const Tensor& memory, const TransformerDecoderMasks& masks);
  Tensor feed(const Tensor& x);

  std::function<Tensor(const Tensor&)> activation_;
  bool norm_first_;
};

// `num_layers` copies of a layer, all with its initial values, and a final normalisation if one is given.
class TransformerDecoder : public Module {
 public:
  ModuleList layers;
  std::optional<LayerNorm> norm;
  TransformerDecoder(const TransformerDecoderLayer& layer, std::int64_t num_layers,
                     const std::optional<LayerNorm>& norm = {});
  using Module::forward;
  Tensor forward(const Tensor& tgt, const Tensor& memory, const TransformerDecoderMasks& masks = {});
  Tensor operator()(const Tensor& tgt, const Tensor& memory, const TransformerDecoderMasks& masks = {}) {
    return call([&] { return forward(tgt, memory, masks); });
  }
};

struct TransformerOptions {
  std::int64_t d_model = 512, nhead = 8;
  std::int64_t num_encoder_layers = 6, num_decoder_layers = 6;
  std::int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::string activation = "relu";
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;
  bool bias = true;
  Dtype dtype = kFloat32;
};

// An encoder of src [S, N, d_model], and a decoder of tgt [T, N, d_model] that attends to its result; with batch_first
// N comes first. Both end in a layer normalisation. Matrices start with Xavier's uniform values.
class Transformer : public Module {
 public:
  TransformerEncoder encoder;
  TransformerDecoder decoder;
  explicit Transformer(const TransformerOptions& options = {});
  using Module::forward;
  Tensor forward(const Tensor& src, const Tensor& tgt, const TransformerMasks& src_masks = {},
                 const TransformerDecoderMasks& tgt_masks = {});
  Tensor operator()(const Tensor& src, const Tensor& tgt, const TransformerMasks& src_masks = {},
                    const TransformerDecoderMasks& tgt_masks = {}) {
    return call([&] { return forward(src, tgt, src_masks, tgt_masks); });
  }
  // [size, size], to be added to scores: 0 where a query may attend to a key, minus infinity elsewhere.
  static Tensor generate_square_subsequent_mask(std::int64_t size, Dtype dtype = kFloat32);

 private:
  std::int64_t d_model_;
};

}  // namespace gradus::nn

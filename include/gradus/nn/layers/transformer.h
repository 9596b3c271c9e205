// The encoder of transformers: Vaswani et al., "Attention Is All You Need" (2017).
#pragma once

#include <functional>

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/attention.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/normalization.h>

namespace gradus::nn {

struct TransformerEncoderLayerOptions {
  std::int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::string activation = "relu";                                // or "gelu"
  std::function<Tensor(const Tensor&)> activation_function = {};  // instead of `activation`, where it is set
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;  // normalise before attention and feed-forward, not after
  bool bias = true;
  Dtype dtype = kFloat32;
};

// Masks as in AttentionOptions.
struct TransformerMasks {
  Tensor mask = {};                  // [L, L] or [N nhead, L, L]
  Tensor src_key_padding_mask = {};  // [N, L], or [L] without a batch
  bool is_causal = false;
};

// Self-attention and a feed-forward network, each with dropout, a residual connection and normalisation:
// [L, N, d_model] -> the same; with batch_first [N, L, d_model]; or [L, d_model].
class TransformerEncoderLayer : public Module {
 public:
  MultiheadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;
  TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead, const TransformerEncoderLayerOptions& options = {});
  Tensor forward(const Tensor& src) override { return forward(src, TransformerMasks{}); }
  Tensor forward(const Tensor& src, const TransformerMasks& masks);
  using Module::operator();
  Tensor operator()(const Tensor& src, const TransformerMasks& masks) {
    return call([&] { return forward(src, masks); });
  }

 private:
  Tensor attend(const Tensor& x, const TransformerMasks& masks);
  Tensor feed(const Tensor& x);

  std::function<Tensor(const Tensor&)> activation_;
  bool norm_first_;
};

// `num_layers` copies of a layer, all with its initial values, and a final normalisation if one is given.
class TransformerEncoder : public Module {
 public:
  ModuleList layers;
  std::optional<LayerNorm> norm;
  TransformerEncoder(const TransformerEncoderLayer& layer, std::int64_t num_layers,
                     const std::optional<LayerNorm>& norm = {});
  Tensor forward(const Tensor& src) override { return forward(src, TransformerMasks{}); }
  Tensor forward(const Tensor& src, const TransformerMasks& masks);
  using Module::operator();
  Tensor operator()(const Tensor& src, const TransformerMasks& masks) {
    return call([&] { return forward(src, masks); });
  }
};

}  // namespace gradus::nn

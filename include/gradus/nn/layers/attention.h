// Multi-head attention: Vaswani et al., "Attention Is All You Need" (2017).
#pragma once

#include <gradus/nn/layers/linear.h>

namespace gradus::nn {

struct MultiheadAttentionOptions {
  double dropout = 0;  // of the attention weights
  bool bias = true;
  bool add_bias_kv = false;                          // one more key and value, which are parameters
  bool add_zero_attn = false;                        // one more key and value of zeros
  std::optional<std::int64_t> kdim = {}, vdim = {};  // features of keys and values; unset: embed_dim
  bool batch_first = false;
  Dtype dtype = kFloat32;
};

// Masks: bool, true where a key must not be seen; or of the inputs' type, and added.
struct AttentionOptions {
  Tensor key_padding_mask = {};  // [N, S], or [S] without a batch
  bool need_weights = true;
  Tensor attn_mask = {};  // [L, S] or [N num_heads, L, S]
  bool average_attn_weights = true;
  bool is_causal = false;  // query i sees keys 0 to i. With attn_mask a hint that this is what that says.
};

// query [L, N, E], key [S, N, kdim], value [S, N, vdim] -> {[L, N, E], weights [N, L, S] (mean over the heads) or
// [N, num_heads, L, S], undefined without need_weights}. With batch_first N comes first; all may lack it.
//
// Without need_weights a query that may see no key gets the output projection's bias; with them NaN, as in PyTorch.
// is_causal needs no attn_mask here; PyTorch asks for one.
//
// in_proj_weight [3 E, E] holds the projections of query, key and value; where kdim or vdim differs from embed_dim,
// q_proj_weight [E, E], k_proj_weight [E, kdim] and v_proj_weight [E, vdim] stand for it.
class MultiheadAttention : public Module {
 public:
  Parameter q_proj_weight, k_proj_weight, v_proj_weight, in_proj_weight, in_proj_bias;
  Linear out_proj;
  Parameter bias_k, bias_v;  // [1, 1, E]
  MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads, const MultiheadAttentionOptions& options = {});
  std::pair<Tensor, Tensor> forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {});
  std::pair<Tensor, Tensor> operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                       const AttentionOptions& options = {}) {
    return call([&] { return forward(query, key, value, options); });
  }

 private:
  using Module::forward;
  struct Projected {
    Tensor q, k, v;
  };
  Projected project(const Tensor& query, const Tensor& key, const Tensor& value) const;
  Tensor heads(const Tensor& x) const;

  std::int64_t embed_dim_, num_heads_;
  MultiheadAttentionOptions options_;
};

}  // namespace gradus::nn

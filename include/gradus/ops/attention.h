// Attention: torch.nn.functional's name, argument order and defaults. Vaswani et al., "Attention Is All You Need"
// (2017). Differentiable to any order. Scores are stored only for dropout and for masks that need a gradient.
#pragma once

#include <optional>

#include <gradus/tensor.h>

namespace gradus {

// softmax(query key^T scale + mask) value: query [..., L, E], key [..., S, E], value [..., S, Ev] -> [..., L, Ev]. The
// leading dimensions broadcast. scale is 1 / sqrt(E) unless given.
//
// attn_mask broadcasts to [..., L, S]: a bool one is true where a key takes part (the opposite of
// nn::MultiheadAttention's masks, as in PyTorch), a floating-point one is added. With is_causal, query i sees keys 0 to
// i; not both (ValueError). A query that sees no key gets zeros. Dropout is applied whenever dropout_p is above 0. With
// enable_gqa, key and value [..., H, S, E] may have fewer heads than the query: H must divide the number of the query's
// heads, and each serves as many of them in a row.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask = Tensor(), double dropout_p = 0, bool is_causal = false,
                                    std::optional<double> scale = {}, bool enable_gqa = false);

}  // namespace gradus

// Attention in blocks of queries and keys: Dao et al., "FlashAttention" (2022).
#pragma once

#include "kernels/attention.h"

namespace gradus::cpu {

// Kernels::attention and attention_backward.
void attention(const kernel::Attention& a);
void attention_backward(const kernel::Attention& a);

}  // namespace gradus::cpu

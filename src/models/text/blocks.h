// What the language models share: activations by the Hub's names, checks of options, initial values.
#pragma once

#include <gradus/nn/checkpoint.h>
#include <gradus/nn/layers/embedding.h>
#include <gradus/nn/layers/linear.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "nn/module/recomputed.h"

namespace gradus::models {

using Activation = Tensor (*)(const Tensor& x);
// "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh"; null for others.
Activation find_activation(const std::string& name);
// ValueError, which lists the known ones, for others.
Activation activation(const char* model, const std::string& name);
std::string activations();  // all names, for messages

using Sizes = std::initializer_list<std::pair<const char*, std::int64_t>>;
// ValueError, naming it, for a size below 1.
void check_sizes(const char* model, Sizes sizes);
void check_divides(const char* model, std::pair<const char*, std::int64_t> part,
                   std::pair<const char*, std::int64_t> whole);
void check_probability(const char* model, const char* name, double p);

// Weights normal with deviation `std`, biases zero, as transformers starts them.
nn::Linear normal_linear(std::int64_t in, std::int64_t out, bool bias, double std);
nn::Embedding normal_embedding(std::int64_t count, std::int64_t size, double std, const nn::EmbeddingOptions& o = {});
nn::Parameter normal_parameter(const Shape& sizes, double std);

// block(x, step), which runs again in the backward where nn::recompute has marked the block; not with a cache, which
// would be extended twice.
template <class Block, class Step>
Tensor call_block(Block& block, const Tensor& x, const Step& step) {
  bool once = !nn::detail::is_recomputed(*block.state());
  if constexpr (requires { step.cache; }) once = once || step.cache != nullptr;
  if (once) return block(x, step);
  return nn::checkpoint(block, [&block, step](const std::vector<Tensor>& in) { return block(in[0], step); }, {x});
}

// [batch, positions, heads * size] <-> [batch, heads, positions, size]
Tensor split_heads(const Tensor& x, std::int64_t heads);
Tensor join_heads(const Tensor& x);

}  // namespace gradus::models

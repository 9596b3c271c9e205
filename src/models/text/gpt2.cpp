#include <gradus/models/gpt2.h>
#include <gradus/nn/init.h>
#include <gradus/ops/attention.h>

#include <cmath>

#include "models/text/blocks.h"

namespace gradus::models {

namespace {

const GPT2Options& checked(const GPT2Options& o) {
  check_sizes("GPT2", {{"vocab_size", o.vocab_size},
                       {"n_positions", o.n_positions},
                       {"n_embd", o.n_embd},
                       {"n_layer", o.n_layer},
                       {"n_head", o.n_head},
                       {"n_inner", o.n_inner.value_or(1)}});
  check_divides("GPT2", {"n_head", o.n_head}, {"n_embd", o.n_embd});
  check_probability("GPT2", "attn_pdrop", o.attn_pdrop);
  activation("GPT2", o.activation_function);
  return o;
}

// What is added to the stream of all layers starts the smaller, the more of them there are.
double residual_std(const GPT2Options& o) {
  return o.initializer_range / std::sqrt(2 * static_cast<double>(o.n_layer));
}

std::int64_t inner(const GPT2Options& o) { return o.n_inner.value_or(4 * o.n_embd); }

}  // namespace

Conv1D::Conv1D(std::int64_t out_features, std::int64_t in_features, double std)
    : Module("Conv1D", "nf=" + std::to_string(out_features) + ", nx=" + std::to_string(in_features)),
      weight(add("weight", normal_parameter({in_features, out_features}, std))),
      bias(add("bias", nn::Parameter(zeros({out_features})))) {}

GPT2::Attention::Attention(const GPT2Options& o, std::int64_t layer)
    : Module("GPT2Attention"),
      c_attn(add("c_attn", Conv1D(3 * o.n_embd, o.n_embd, o.initializer_range))),
      c_proj(add("c_proj", Conv1D(o.n_embd, o.n_embd, residual_std(o)))),
      resid_dropout(add("resid_dropout", nn::Dropout(o.resid_pdrop))),
      layer_(layer),
      heads_(o.n_head),
      dropout_(o.attn_pdrop),
      scale_(o.scale_attn_weights ? 1 / std::sqrt(static_cast<double>(o.n_embd / o.n_head)) : 1) {
  if (o.scale_attn_by_inverse_layer_idx) scale_ /= static_cast<double>(layer + 1);
}

Tensor GPT2::Attention::forward(const Tensor& x, const Step& step) {
  const auto parts = chunk(c_attn(x), 3, -1);
  const Tensor q = split_heads(parts[0], heads_);
  Tensor k = split_heads(parts[1], heads_), v = split_heads(parts[2], heads_);
  step.extend(*this, layer_, k, v);
  const double p = is_training() ? dropout_ : 0;
  const Tensor y = scaled_dot_product_attention(q, k, v, step.seen.mask, p, step.seen.is_causal, scale_);
  return resid_dropout(c_proj(join_heads(y)));
}

GPT2::MLP::MLP(const GPT2Options& o)
    : Module("GPT2MLP"),
      c_fc(add("c_fc", Conv1D(inner(o), o.n_embd, o.initializer_range))),
      c_proj(add("c_proj", Conv1D(o.n_embd, inner(o), residual_std(o)))),
      dropout(add("dropout", nn::Dropout(o.resid_pdrop))),
      act_(activation("GPT2", o.activation_function)) {}

GPT2::Block::Block(const GPT2Options& o, std::int64_t layer)
    : Module("GPT2Block"),
      ln_1(add("ln_1", nn::LayerNorm(o.n_embd, {.eps = o.layer_norm_epsilon}))),
      attn(add("attn", Attention(o, layer))),
      ln_2(add("ln_2", nn::LayerNorm(o.n_embd, {.eps = o.layer_norm_epsilon}))),
      mlp(add("mlp", MLP(o))) {}

Tensor GPT2::Block::forward(const Tensor& x, const Step& step) {
  const Tensor y = x + attn(ln_1(x), step);
  return y + mlp(ln_2(y));
}

GPT2::Transformer::Transformer(const GPT2Options& o)
    : Module("GPT2Model"),
      wte(add("wte", normal_embedding(checked(o).vocab_size, o.n_embd, o.initializer_range))),
      wpe(add("wpe", normal_embedding(o.n_positions, o.n_embd, o.initializer_range))),
      drop(add("drop", nn::Dropout(o.embd_pdrop))),
      ln_f(o.n_embd, {.eps = o.layer_norm_epsilon}) {
  nn::ModuleList blocks;
  for (std::int64_t i = 0; i < o.n_layer; ++i) blocks.append(Block(o, i));
  h = add("h", blocks);
  ln_f = add("ln_f", ln_f);
}

GPT2::GPT2(const GPT2Options& o)
    : CausalLM("GPT2LMHeadModel"),
      transformer(add("transformer", Transformer(o))),
      lm_head(normal_linear(o.n_embd, o.vocab_size, false, o.initializer_range)),
      options_(o) {
  if (o.tie_word_embeddings) lm_head.weight = transformer.wte.weight;
  lm_head = add("lm_head", lm_head);
}

const nn::Module* GPT2::first_attention() { return &transformer.h[0].as<Block>()->attn; }

Tensor GPT2::hidden_states(const Tensor& ids, const Step& step) {
  const std::int64_t last = step.position_ids.max().item<std::int64_t>();
  if (last >= options_.n_positions)
    throw IndexError("GPT2: position " + std::to_string(last) + " is beyond n_positions, " +
                     std::to_string(options_.n_positions));
  Tensor x = transformer.drop(transformer.wte(ids) + transformer.wpe(step.position_ids));
  for (nn::Module& block : transformer.h) x = call_block(*block.as<Block>(), x, step);
  return transformer.ln_f(x);
}

}  // namespace gradus::models

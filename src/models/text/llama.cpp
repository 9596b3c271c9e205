#include <gradus/models/llama.h>
#include <gradus/ops/attention.h>

#include <cmath>
#include <numbers>
#include <tuple>

#include "kernels/math.h"
#include "models/text/blocks.h"

namespace gradus::models {

namespace {

std::int64_t head_dim(const LlamaOptions& o) { return o.head_dim.value_or(o.hidden_size / o.num_attention_heads); }
std::int64_t key_heads(const LlamaOptions& o) { return o.num_key_value_heads.value_or(o.num_attention_heads); }

const LlamaOptions& checked(const LlamaOptions& o) {
  check_sizes("Llama", {{"vocab_size", o.vocab_size},
                        {"hidden_size", o.hidden_size},
                        {"intermediate_size", o.intermediate_size},
                        {"num_hidden_layers", o.num_hidden_layers},
                        {"num_attention_heads", o.num_attention_heads},
                        {"num_key_value_heads", key_heads(o)},
                        {"max_position_embeddings", o.max_position_embeddings},
                        {"sliding_window", o.sliding_window.value_or(1)}});
  if (!o.head_dim)
    check_divides("Llama", {"num_attention_heads", o.num_attention_heads}, {"hidden_size", o.hidden_size});
  check_sizes("Llama", {{"head_dim", head_dim(o)}});
  if (head_dim(o) % 2 != 0)
    throw ValueError("Llama: head_dim must be even, as halves turn, got " + std::to_string(head_dim(o)));
  check_divides("Llama", {"num_key_value_heads", key_heads(o)}, {"num_attention_heads", o.num_attention_heads});
  check_probability("Llama", "attention_dropout", o.attention_dropout);
  activation("Llama", o.hidden_act);
  return o;
}

void check_rope(const RopeOptions& o) {
  if (o.rope_type != "default" && o.rope_type != "linear" && o.rope_type != "llama3")
    throw ValueError("rotary_embedding: rope_type must be default, linear or llama3, got '" + o.rope_type + "'");
  if (!(o.rope_theta > 0) || !(o.factor > 0) || !(o.low_freq_factor > 0) || !(o.high_freq_factor > o.low_freq_factor) ||
      !(o.original_max_position_embeddings > 0))
    throw ValueError(
        "rotary_embedding: rope_theta, factor, low_freq_factor and original_max_position_embeddings must be above 0, "
        "and high_freq_factor above low_freq_factor");
}

// How fast the pairs of a head turn. In float32 each step is rounded as transformers rounds it: at far positions the
// angles are then its own.
template <class T>
std::vector<T> rates(std::int64_t head_dim, const RopeOptions& o) {
  check_rope(o);
  std::vector<T> rates;
  for (std::int64_t i = 0; i < head_dim; i += 2) {
    const T exponent = static_cast<T>(i) / static_cast<T>(head_dim);
    T rate = 1 / static_cast<T>(math::pow(o.rope_theta, static_cast<double>(exponent)));
    if (o.rope_type == "linear") rate /= static_cast<T>(o.factor);
    if (o.rope_type == "llama3") {
      const T wavelength = static_cast<T>(2 * std::numbers::pi) / rate, slow = rate / static_cast<T>(o.factor);
      const T low = static_cast<T>(o.low_freq_factor), high = static_cast<T>(o.high_freq_factor);
      const T context = static_cast<T>(o.original_max_position_embeddings);
      if (wavelength > context / low) {
        rate = slow;
      } else if (!(wavelength < context / high)) {
        const T smooth = (context / wavelength - low) / (high - low);
        rate = (1 - smooth) * slow + smooth * rate;
      }
    }
    rates.push_back(rate);
  }
  return rates;
}

template <class T>
std::pair<Tensor, Tensor> rotary(const Tensor& position_ids, std::int64_t head_dim, const RopeOptions& rope) {
  const std::vector<T> rate = rates<T>(head_dim, rope);
  const std::vector<std::int64_t> positions = position_ids.to_vector<std::int64_t>();
  std::vector<T> cos, sin;
  for (std::vector<T>* table : {&cos, &sin}) table->reserve(positions.size() * 2 * rate.size());
  for (const std::int64_t position : positions) {
    for (int half = 0; half < 2; ++half) {
      for (const T r : rate) {
        const T angle = static_cast<T>(position) * r;
        cos.push_back(static_cast<T>(math::cos(static_cast<double>(angle))));
        sin.push_back(static_cast<T>(math::sin(static_cast<double>(angle))));
      }
    }
  }
  Shape sizes = position_ids.sizes();
  sizes.insert(sizes.rank(), head_dim);
  const TensorOptions options{.dtype = DtypeOf<T>::value, .device = position_ids.device()};
  return {tensor(cos, sizes, options), tensor(sin, sizes, options)};
}

}  // namespace

std::pair<Tensor, Tensor> rotary_embedding(const Tensor& position_ids, std::int64_t head_dim, const RopeOptions& rope,
                                           Dtype dtype) {
  if (dtype == kFloat64) return rotary<double>(position_ids, head_dim, rope);
  const auto [cos, sin] = rotary<float>(position_ids, head_dim, rope);
  return {cos.to(dtype), sin.to(dtype)};
}

Tensor apply_rotary(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  const auto halves = chunk(x, 2, -1);
  return x * cos + cat({-halves[1], halves[0]}, -1) * sin;
}

Llama::Attention::Attention(const LlamaOptions& o, std::int64_t layer)
    : Module("LlamaAttention"),
      q_proj(add("q_proj", normal_linear(o.hidden_size, o.num_attention_heads * head_dim(o), o.attention_bias,
                                         o.initializer_range))),
      k_proj(add("k_proj",
                 normal_linear(o.hidden_size, key_heads(o) * head_dim(o), o.attention_bias, o.initializer_range))),
      v_proj(add("v_proj",
                 normal_linear(o.hidden_size, key_heads(o) * head_dim(o), o.attention_bias, o.initializer_range))),
      o_proj(add("o_proj", normal_linear(o.num_attention_heads * head_dim(o), o.hidden_size, o.attention_output_bias,
                                         o.initializer_range))),
      layer_(layer),
      heads_(o.num_attention_heads),
      key_heads_(key_heads(o)),
      dropout_(o.attention_dropout) {}

Tensor Llama::Attention::forward(const Tensor& x, const RotaryStep& step) {
  const Tensor q = apply_rotary(split_heads(q_proj(x), heads_), step.cos, step.sin);
  Tensor k = apply_rotary(split_heads(k_proj(x), key_heads_), step.cos, step.sin),
         v = split_heads(v_proj(x), key_heads_);
  step.extend(*this, layer_, k, v);
  const double p = is_training() ? dropout_ : 0;
  return o_proj(join_heads(
      scaled_dot_product_attention(q, k, v, step.seen.mask, p, step.seen.is_causal, {}, key_heads_ != heads_)));
}

Llama::MLP::MLP(const LlamaOptions& o)
    : Module("LlamaMLP"),
      gate_proj(add("gate_proj", normal_linear(o.hidden_size, o.intermediate_size, o.mlp_bias, o.initializer_range))),
      up_proj(add("up_proj", normal_linear(o.hidden_size, o.intermediate_size, o.mlp_bias, o.initializer_range))),
      down_proj(add("down_proj", normal_linear(o.intermediate_size, o.hidden_size, o.mlp_bias, o.initializer_range))),
      act_(activation("Llama", o.hidden_act)) {}

Llama::Layer::Layer(const LlamaOptions& o, std::int64_t layer)
    : Module("LlamaDecoderLayer"),
      self_attn(add("self_attn", Attention(o, layer))),
      mlp(add("mlp", MLP(o))),
      input_layernorm(add("input_layernorm", nn::RMSNorm(o.hidden_size, {.eps = o.rms_norm_eps}))),
      post_attention_layernorm(add("post_attention_layernorm", nn::RMSNorm(o.hidden_size, {.eps = o.rms_norm_eps}))) {}

Tensor Llama::Layer::forward(const Tensor& x, const RotaryStep& step) {
  const Tensor y = x + self_attn(input_layernorm(x), step);
  return y + mlp(post_attention_layernorm(y));
}

Llama::Body::Body(const LlamaOptions& o)
    : Module("LlamaModel"),
      embed_tokens(add("embed_tokens", normal_embedding(checked(o).vocab_size, o.hidden_size, o.initializer_range))),
      norm(o.hidden_size, {.eps = o.rms_norm_eps}) {
  nn::ModuleList blocks;
  for (std::int64_t i = 0; i < o.num_hidden_layers; ++i) blocks.append(Layer(o, i));
  layers = add("layers", blocks);
  norm = add("norm", norm);
}

Llama::Llama(const LlamaOptions& o)
    : CausalLM("LlamaForCausalLM"),
      model(add("model", Body(o))),
      lm_head(normal_linear(o.hidden_size, o.vocab_size, false, o.initializer_range)),
      options_(o) {
  check_rope(o.rope);
  if (o.tie_word_embeddings) lm_head.weight = model.embed_tokens.weight;
  lm_head = add("lm_head", lm_head);
}

const nn::Module* Llama::first_attention() { return &model.layers[0].as<Layer>()->self_attn; }

Tensor Llama::hidden_states(const Tensor& ids, const Step& step) {
  Tensor x = model.embed_tokens(ids);
  RotaryStep turned{step, {}, {}};
  std::tie(turned.cos, turned.sin) = rotary_embedding(step.position_ids, head_dim(options_), options_.rope, x.dtype());
  turned.cos = unsqueeze(turned.cos, 1);  // for all heads
  turned.sin = unsqueeze(turned.sin, 1);
  for (nn::Module& layer : model.layers) x = call_block(*layer.as<Layer>(), x, turned);
  return model.norm(x);
}

}  // namespace gradus::models

// Llama: Touvron et al. (2023), and what is built as it is: Llama 2 and 3, Mistral (sliding window), Qwen2 (biases).
// Names, sizes and initial values are those of transformers' LlamaForCausalLM.
#pragma once

#include <gradus/models/decoder.h>
#include <gradus/nn/adapters.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/layers/embedding.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>

namespace gradus::models {

// Rotary position embeddings: Su et al. (2021). Two halves of each query and key turn by angles that grow with the
// position, at rates from 1 down to 1 / rope_theta.
struct RopeOptions {
  std::string rope_type = "default";  // "linear": positions divided by factor; "llama3": slow rates are, by wavelength
  double rope_theta = 10000;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // of llama3
  double original_max_position_embeddings = 8192;    // of llama3
};

// The fields of the Hub's config.json. By default Llama 7B's.
struct LlamaOptions {
  std::int64_t vocab_size = 32000;
  std::int64_t hidden_size = 4096;
  std::int64_t intermediate_size = 11008;
  std::int64_t num_hidden_layers = 32;
  std::int64_t num_attention_heads = 32;
  std::optional<std::int64_t> num_key_value_heads = {};  // a divisor of num_attention_heads; unset: as many
  std::optional<std::int64_t> head_dim = {};             // even; unset: hidden_size / num_attention_heads
  std::string hidden_act = "silu";
  std::int64_t max_position_embeddings = 2048;
  double initializer_range = 0.02;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  RopeOptions rope = {};
  bool attention_bias = false;         // of queries, keys and values
  bool attention_output_bias = false;  // Llama's configuration has one field for both
  bool mlp_bias = false;
  double attention_dropout = 0;
  std::optional<std::int64_t> sliding_window = {};  // each position sees so many, itself among them
};

// cos and sin [.., positions, head_dim] for position_ids [.., positions]: of angles in float64 for that type, and in
// float32, as transformers has them, for all others.
std::pair<Tensor, Tensor> rotary_embedding(const Tensor& position_ids, std::int64_t head_dim, const RopeOptions& rope,
                                           Dtype dtype = kFloat32);
// x [batch, heads, positions, head_dim] turned by them.
Tensor apply_rotary(const Tensor& x, const Tensor& cos, const Tensor& sin);

class Llama : public CausalLM {
 public:
  struct RotaryStep : Step {
    Tensor cos, sin;
  };
  class Attention : public nn::Module, public nn::TakesPrefix {
   public:
    nn::Linear q_proj, k_proj, v_proj, o_proj;
    Attention(const LlamaOptions& options, std::int64_t layer);
    Heads prefix_heads() const override { return {key_heads_, k_proj.weight.size(0) / key_heads_}; }
    Tensor forward(const Tensor& x, const RotaryStep& step);
    Tensor operator()(const Tensor& x, const RotaryStep& step) {
      return call([&] { return forward(x, step); });
    }

   private:
    using nn::Module::forward;
    std::int64_t layer_, heads_, key_heads_;
    double dropout_;
  };
  class MLP : public nn::Module {
   public:
    nn::Linear gate_proj, up_proj, down_proj;
    explicit MLP(const LlamaOptions& options);
    Tensor forward(const Tensor& x) override { return down_proj(act_(gate_proj(x)) * up_proj(x)); }

   private:
    Tensor (*act_)(const Tensor&);
  };
  class Layer : public nn::Module {
   public:
    Attention self_attn;
    MLP mlp;
    nn::RMSNorm input_layernorm, post_attention_layernorm;
    Layer(const LlamaOptions& options, std::int64_t layer);
    Tensor forward(const Tensor& x, const RotaryStep& step);
    Tensor operator()(const Tensor& x, const RotaryStep& step) {
      return call([&] { return forward(x, step); });
    }

   private:
    using nn::Module::forward;
  };
  class Body : public nn::Module {
   public:
    nn::Embedding embed_tokens;
    nn::ModuleList layers;
    nn::RMSNorm norm;
    explicit Body(const LlamaOptions& options);
  };

  Body model;
  nn::Linear lm_head;  // its weight is model.embed_tokens's where they are tied
  explicit Llama(const LlamaOptions& options = {});

  const LlamaOptions& options() const { return options_; }
  std::int64_t vocab_size() const override { return options_.vocab_size; }
  std::int64_t max_positions() const override { return options_.max_position_embeddings; }

 protected:
  Tensor hidden_states(const Tensor& input_ids, const Step& step) override;
  Tensor logits(const Tensor& hidden) override { return lm_head(hidden); }
  const nn::Module* first_attention() override;
  std::optional<std::int64_t> sliding_window() const override { return options_.sliding_window; }

 private:
  LlamaOptions options_;
};

}  // namespace gradus::models

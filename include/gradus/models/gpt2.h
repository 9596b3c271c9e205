// GPT-2: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019). Names, sizes and initial values
// are those of transformers' GPT2LMHeadModel.
#pragma once

#include <gradus/models/decoder.h>
#include <gradus/nn/adapters.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/embedding.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>

namespace gradus::models {

// The fields of config.json on the Hugging Face Hub. The defaults are those of the small model, of 124 million
// parameters. ValueError, when a model is made, for values out of range.
struct GPT2Options {
  std::int64_t vocab_size = 50257;
  std::int64_t n_positions = 1024;
  std::int64_t n_embd = 768;  // a multiple of n_head
  std::int64_t n_layer = 12;
  std::int64_t n_head = 12;
  std::optional<std::int64_t> n_inner = {};  // unset: 4 n_embd
  std::string activation_function = "gelu_new";
  double resid_pdrop = 0.1, embd_pdrop = 0.1, attn_pdrop = 0.1;
  double layer_norm_epsilon = 1e-5;
  double initializer_range = 0.02;
  bool scale_attn_weights = true;
  bool scale_attn_by_inverse_layer_idx = false;
  bool tie_word_embeddings = true;
};

// y = x weight + bias: a linear layer whose weight is [in_features, out_features], the transpose of nn::Linear's, as in
// GPT-2's files.
class Conv1D : public nn::Module {
 public:
  nn::Parameter weight, bias;
  Conv1D(std::int64_t out_features, std::int64_t in_features, double std = 0.02);
  Tensor forward(const Tensor& x) override { return linear(x, transpose(weight, 0, 1), bias); }
};

class GPT2 : public CausalLM {
 public:
  class Attention : public nn::Module, public nn::TakesPrefix {
   public:
    Conv1D c_attn, c_proj;
    nn::Dropout resid_dropout;
    Attention(const GPT2Options& options, std::int64_t layer);
    Heads prefix_heads() const override { return {heads_, c_proj.weight.size(1) / heads_}; }
    Tensor forward(const Tensor& x, const Step& step);
    Tensor operator()(const Tensor& x, const Step& step) {
      return call([&] { return forward(x, step); });
    }

   private:
    using nn::Module::forward;
    std::int64_t layer_, heads_;
    double dropout_, scale_;
  };
  class MLP : public nn::Module {
   public:
    Conv1D c_fc, c_proj;
    nn::Dropout dropout;
    explicit MLP(const GPT2Options& options);
    Tensor forward(const Tensor& x) override { return dropout(c_proj(act_(c_fc(x)))); }

   private:
    Tensor (*act_)(const Tensor&);
  };
  class Block : public nn::Module {
   public:
    nn::LayerNorm ln_1;
    Attention attn;
    nn::LayerNorm ln_2;
    MLP mlp;
    Block(const GPT2Options& options, std::int64_t layer);
    Tensor forward(const Tensor& x, const Step& step);
    Tensor operator()(const Tensor& x, const Step& step) {
      return call([&] { return forward(x, step); });
    }

   private:
    using nn::Module::forward;
  };
  class Transformer : public nn::Module {
   public:
    nn::Embedding wte, wpe;
    nn::Dropout drop;
    nn::ModuleList h;
    nn::LayerNorm ln_f;
    explicit Transformer(const GPT2Options& options);
  };

  Transformer transformer;
  nn::Linear lm_head;  // its weight is that of transformer.wte where they are tied
  explicit GPT2(const GPT2Options& options = {});

  const GPT2Options& options() const { return options_; }
  std::int64_t vocab_size() const override { return options_.vocab_size; }
  std::int64_t max_positions() const override { return options_.n_positions; }

 protected:
  Tensor hidden_states(const Tensor& input_ids, const Step& step) override;
  Tensor logits(const Tensor& hidden) override { return lm_head(hidden); }
  const nn::Module* first_attention() override;

 private:
  GPT2Options options_;
};

}  // namespace gradus::models

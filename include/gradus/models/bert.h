// BERT: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding" (2019), and
// the sentence encoders that have the same architecture. Names, sizes and initial values are those of transformers'
// BertModel and its classes for other tasks.
#pragma once

#include <gradus/nn/adapters.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/embedding.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>

namespace gradus::models {

// The fields of config.json on the Hugging Face Hub. The defaults are those of bert-base-uncased. ValueError, when a
// model is made, for values out of range.
struct BERTOptions {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;  // a multiple of num_attention_heads
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::string hidden_act = "gelu";
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  std::optional<std::int64_t> pad_token_id = 0;  // its embedding gets no gradient
  double initializer_range = 0.02;
  bool add_pooling_layer = true;                  // BERT itself only
  std::int64_t num_labels = 2;                    // the two classifiers only
  std::optional<double> classifier_dropout = {};  // the two classifiers only; unset: hidden_dropout_prob
  bool tie_word_embeddings = true;                // BERTForMaskedLM only
};

struct BERTInputs {
  Tensor attention_mask = {};  // [batch, positions]: 1 or true where a token takes part; by default all of them do
  Tensor token_type_ids = {};  // [batch, positions]: 0 for the first text, 1 for the second; by default all 0
  Tensor position_ids = {};    // [batch, positions]; by default 0, 1, ...
};

struct BERTOutput {
  Tensor last_hidden_state;  // [batch, positions, hidden_size]
  Tensor pooler_output;      // [batch, hidden_size], from the first token; undefined without a pooling layer
};

// A module that takes token numbers, and optionally BERTInputs with them.
template <class Self, class Output>
class TokenModule : public nn::Module {
 public:
  using nn::Module::operator();
  Output operator()(const Tensor& input_ids, const BERTInputs& inputs) {
    return call([&] { return static_cast<Self*>(this)->run(input_ids, inputs); });
  }

 protected:
  using nn::Module::Module;
};

class BERT : public TokenModule<BERT, BERTOutput> {
 public:
  class Embeddings : public nn::Module {
   public:
    nn::Embedding word_embeddings, position_embeddings, token_type_embeddings;
    nn::LayerNorm LayerNorm;
    nn::Dropout dropout;
    explicit Embeddings(const BERTOptions& options);
    Tensor forward(const Tensor& input_ids, const BERTInputs& inputs);

   private:
    using nn::Module::forward;
  };
  // A linear layer whose result is added to a residual and normalised.
  class Output : public nn::Module {
   public:
    nn::Linear dense;
    nn::LayerNorm LayerNorm;
    nn::Dropout dropout;
    Output(std::int64_t in_features, const BERTOptions& options);
    Tensor forward(const Tensor& x, const Tensor& residual);

   private:
    using nn::Module::forward;
  };
  class SelfAttention : public nn::Module, public nn::TakesPrefix {
   public:
    nn::Linear query, key, value;
    explicit SelfAttention(const BERTOptions& options);
    Heads prefix_heads() const override { return {heads_, key.weight.size(0) / heads_}; }
    Tensor forward(const Tensor& x, const Tensor& mask);

   private:
    using nn::Module::forward;
    std::int64_t heads_;
    double dropout_;
  };
  class Attention : public nn::Module {
   public:
    SelfAttention self;
    Output output;
    explicit Attention(const BERTOptions& options);
  };
  class Dense : public nn::Module {
   public:
    nn::Linear dense;
    explicit Dense(const char* type, std::int64_t in_features, std::int64_t out_features, const BERTOptions& options);
  };
  class Layer : public nn::Module {
   public:
    Attention attention;
    Dense intermediate;
    Output output;
    explicit Layer(const BERTOptions& options);
    Tensor forward(const Tensor& x, const Tensor& mask);
    Tensor operator()(const Tensor& x, const Tensor& mask) {
      return call([&] { return forward(x, mask); });
    }

   private:
    using nn::Module::forward;
    Tensor (*act_)(const Tensor&);
  };
  class Encoder : public nn::Module {
   public:
    nn::ModuleList layer;
    explicit Encoder(const BERTOptions& options);
  };

  Embeddings embeddings;
  Encoder encoder;
  std::optional<Dense> pooler;
  explicit BERT(const BERTOptions& options = {});
  // input_ids [batch, positions] -> last_hidden_state
  Tensor forward(const Tensor& input_ids) override { return run(input_ids, {}).last_hidden_state; }
  BERTOutput run(const Tensor& input_ids, const BERTInputs& inputs);
  const BERTOptions& options() const { return options_; }

 private:
  BERTOptions options_;
};

// Classifies whole texts: unnormalised scores [batch, num_labels].
class BERTForSequenceClassification : public TokenModule<BERTForSequenceClassification, Tensor> {
 public:
  BERT bert;
  nn::Dropout dropout;
  nn::Linear classifier;
  explicit BERTForSequenceClassification(const BERTOptions& options = {});
  Tensor forward(const Tensor& input_ids) override { return run(input_ids, {}); }
  Tensor run(const Tensor& input_ids, const BERTInputs& inputs);
  const BERTOptions& options() const { return bert.options(); }
};

// Classifies each token: unnormalised scores [batch, positions, num_labels].
class BERTForTokenClassification : public TokenModule<BERTForTokenClassification, Tensor> {
 public:
  BERT bert;
  nn::Dropout dropout;
  nn::Linear classifier;
  explicit BERTForTokenClassification(const BERTOptions& options = {});
  Tensor forward(const Tensor& input_ids) override { return run(input_ids, {}); }
  Tensor run(const Tensor& input_ids, const BERTInputs& inputs);
  const BERTOptions& options() const { return bert.options(); }
};

// Predicts masked tokens: unnormalised scores [batch, positions, vocab_size] of the token at each position.
class BERTForMaskedLM : public TokenModule<BERTForMaskedLM, Tensor> {
 public:
  class Transform : public nn::Module {
   public:
    nn::Linear dense;
    nn::LayerNorm LayerNorm;
    explicit Transform(const BERTOptions& options);
    Tensor forward(const Tensor& x) override { return LayerNorm(act_(dense(x))); }

   private:
    Tensor (*act_)(const Tensor&);
  };
  class Predictions : public nn::Module {
   public:
    nn::Parameter bias;
    Transform transform;
    nn::Linear decoder;  // its weight is that of the word embeddings where they are tied, its bias is the one above
    Predictions(const BERTOptions& options, const nn::Embedding& words);
    Tensor forward(const Tensor& x) override { return decoder(transform(x)); }
  };
  class Head : public nn::Module {
   public:
    Predictions predictions;
    Head(const BERTOptions& options, const nn::Embedding& words);
  };
  BERT bert;
  Head cls;
  explicit BERTForMaskedLM(const BERTOptions& options = {});
  Tensor forward(const Tensor& input_ids) override { return run(input_ids, {}); }
  Tensor run(const Tensor& input_ids, const BERTInputs& inputs);
  const BERTOptions& options() const { return bert.options(); }
};

// One vector [batch, size] for each text, as sentence-transformers computes it: the mean of last_hidden_state
// [batch, positions, size] over the tokens whose attention_mask [batch, positions] is not 0.
Tensor mean_pooling(const Tensor& last_hidden_state, const Tensor& attention_mask);

}  // namespace gradus::models

// What decoders of text share: models that say of each position which token comes next.
//
//   auto net = models::from_pretrained<models::GPT2>("gpt2");
//   const Tensor logits = net(input_ids);                           // [batch, positions, vocabulary]
//   const Tensor loss = models::causal_lm_loss(logits, input_ids);  // of each token, given those before it
#pragma once

#include <vector>

#include <gradus/nn/module.h>

namespace gradus::models {

// Keys and values of the positions that a decoder has seen, layer by layer, so that they are computed once. For one
// decoder and one batch; what is recorded through it is differentiable.
class KVCache {
 public:
  std::int64_t length() const { return length_; }  // positions seen
  // Appends a layer's [batch, heads, positions, head_dim]; returns all that it has.
  std::pair<Tensor, Tensor> update(std::size_t layer, const Tensor& key, const Tensor& value);
  void reset() { *this = KVCache(); }

 private:
  friend class CausalLM;
  static void append(Tensor& kept, std::int64_t length, const Tensor& next);

  std::vector<std::pair<Tensor, Tensor>> layers_;  // with room for more positions, but for what is recorded
  std::int64_t length_ = 0;
};

struct DecoderInputs {
  // [batch, positions seen + positions]: 1 or true where a token takes part, 0 or false where a row is filled up.
  Tensor attention_mask = {};
  // [batch, positions]; by default they go on after the cache's, from 0.
  Tensor position_ids = {};
  KVCache* cache = nullptr;  // taken from and added to
  bool last_only = false;    // logits of the last position alone: [batch, 1, vocabulary]
};

class CausalLM : public nn::Module {
 public:
  // input_ids [batch, positions] of an integer type -> logits [batch, positions, vocabulary].
  Tensor forward(const Tensor& input_ids) override { return forward(input_ids, DecoderInputs()); }
  Tensor forward(const Tensor& input_ids, const DecoderInputs& inputs);
  using nn::Module::operator();
  Tensor operator()(const Tensor& input_ids, const DecoderInputs& inputs) {
    return call([&] { return forward(input_ids, inputs); });
  }

  virtual std::int64_t vocab_size() const = 0;
  virtual std::int64_t max_positions() const = 0;  // that it was made for

 protected:
  // What takes part in attention, for all layers alike.
  struct Seen {
    Tensor mask;             // bool [batch or 1, 1, positions, all positions], or undefined
    bool is_causal = false;  // without a mask: query i sees keys 0 to i
  };
  struct Step {
    Seen seen;
    Tensor position_ids;  // [batch or 1, positions]
    KVCache* cache;
  };
  using nn::Module::Module;
  virtual Tensor hidden_states(const Tensor& input_ids, const Step& step) = 0;
  virtual Tensor logits(const Tensor& hidden) = 0;
  virtual std::optional<std::int64_t> sliding_window() const { return {}; }
};

// The mean cross entropy of each token, given those before it: logits [batch, positions, vocabulary] against labels
// [batch, positions], which are the inputs themselves; labels of -100 count for nothing.
Tensor causal_lm_loss(const Tensor& logits, const Tensor& labels);

}  // namespace gradus::models

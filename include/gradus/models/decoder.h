// What causal language models share: models that predict, at each position, the token that comes next.
//
//   auto net = models::from_pretrained<models::GPT2>("gpt2");
//   const Tensor logits = net(input_ids);                           // [batch, positions, vocabulary]
//   const Tensor loss = models::causal_lm_loss(logits, input_ids);  // of each token, given those before it
#pragma once

#include <vector>

#include <gradus/nn/module.h>

namespace gradus::models {

// The keys and values of the positions that a decoder has seen, layer by layer, so that each is computed only once. It
// belongs to one decoder and one batch. What is computed through it while gradients are recorded is differentiable. A
// copy continues from the same positions, independently of the original.
class KVCache {
 public:
  std::int64_t length() const { return length_ - prefix_; }  // positions seen so far, without those of a prefix
  // Appends keys and values [batch, heads, positions, head_dim] of a layer. Returns all that the layer has.
  std::pair<Tensor, Tensor> update(std::size_t layer, const Tensor& key, const Tensor& value);
  void reset() { *this = KVCache(); }

 private:
  friend class CausalLM;
  static void append(Tensor& kept, std::int64_t length, const Tensor& next);

  std::vector<std::pair<Tensor, Tensor>> layers_;  // with room for more positions, unless gradients are recorded
  std::int64_t length_ = 0;
  std::int64_t prefix_ = 0;  // how many of these are of a prefix
};

struct DecoderInputs {
  // [batch, positions seen + positions]: 1 or true where a token takes part, 0 or false where it is padding.
  Tensor attention_mask = {};
  // [batch, positions]; by default they continue those of the cache, or start from 0. A prefix of adapters comes before
  // all of them, and moves them.
  Tensor position_ids = {};
  KVCache* cache = nullptr;  // read, and extended by these positions
  bool last_only = false;    // only the logits of the last position: [batch, 1, vocabulary]
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
  virtual std::int64_t max_positions() const = 0;  // the most that the model was made for

 protected:
  // What each position may attend to; the same for all layers.
  struct Seen {
    Tensor mask;             // bool [batch or 1, 1, positions, all positions], or undefined
    bool is_causal = false;  // without a mask: query i sees keys 0 to i
  };
  struct Step {
    Seen seen;
    Tensor position_ids;  // [batch or 1, positions]
    KVCache* cache;
    std::optional<std::int64_t> prefix;  // positions of the prefix that layers put before their keys; unset: not again
    // A layer's keys and values [batch, heads, positions, head_dim], with its prefix and what the cache has before
    // them.
    void extend(const nn::Module& attention, std::int64_t layer, Tensor& k, Tensor& v) const;
  };
  using nn::Module::Module;
  virtual Tensor hidden_states(const Tensor& input_ids, const Step& step) = 0;
  virtual Tensor logits(const Tensor& hidden) = 0;
  virtual std::optional<std::int64_t> sliding_window() const { return {}; }
  virtual const nn::Module* first_attention() { return nullptr; }  // where prefixes lie
};

// The mean cross entropy of each token, given those before it. logits [batch, positions, vocabulary]; labels
// [batch, positions] are the inputs themselves, not shifted. Labels of -100 are ignored.
Tensor causal_lm_loss(const Tensor& logits, const Tensor& labels);

}  // namespace gradus::models

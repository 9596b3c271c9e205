// Text from a decoder, and how well it foresees one.
//
//   const Tensor ids = models::generate(net, prompt, {.max_new_tokens = 50, .do_sample = true, .top_p = 0.9});
#pragma once

#include <functional>

#include <gradus/models/decoder.h>
#include <gradus/random.h>

namespace gradus::models {

// Names, order of what is done to the scores, and defaults are transformers'.
struct GenerationOptions {
  std::int64_t max_new_tokens = 20;
  bool do_sample = false;                         // else the likeliest token is taken
  double temperature = 1;                         // above 0; what scores are divided by
  std::int64_t top_k = 50;                        // only the so many likeliest; 0: all
  double top_p = 1;                               // only the likeliest that together have this probability
  double repetition_penalty = 1;                  // above 1: tokens that are there already become less likely
  std::vector<std::int64_t> eos_token_id = {};    // a row ends with one of them
  std::optional<std::int64_t> pad_token_id = {};  // fills up rows that have ended; unset: the first of eos_token_id
  Tensor attention_mask = {};                     // [batch, positions], where rows are filled up on the left
  bool use_cache = true;                          // compute each position once
  Generator* generator = nullptr;                 // what samples are drawn with
  std::function<bool(const Tensor& tokens)> on_token = {};  // told each step's tokens [batch]; false ends it
};

// input_ids [batch, positions] -> [batch, positions + up to max_new_tokens]. ValueError for options out of range, and
// for more positions than the model has. Without gradients; the model's mode stays what it is.
Tensor generate(CausalLM& model, const Tensor& input_ids, const GenerationOptions& options = {});

struct PerplexityOptions {
  std::optional<std::int64_t> max_length = {};  // tokens that the model sees at once; unset: max_positions()
  std::optional<std::int64_t> stride = {};      // how far the window moves; unset: max_length
};
// exp of the mean loss of the tokens of input_ids [1, positions], each given what its window shows before it; the first
// of a window that begins anew counts for nothing.
double perplexity(CausalLM& model, const Tensor& input_ids, const PerplexityOptions& options = {});

}  // namespace gradus::models

// Generates text with a decoder, and measures how well it predicts a given text.
//
//   const Tensor ids = models::generate(net, prompt, {.max_new_tokens = 50, .do_sample = true, .top_p = 0.9});
#pragma once

#include <functional>

#include <gradus/models/decoder.h>
#include <gradus/random.h>

namespace gradus::models {

// Names, defaults and the order in which scores are changed are those of transformers.
struct GenerationOptions {
  std::int64_t max_new_tokens = 20;
  bool do_sample = false;                         // false: the likeliest token is taken (greedy search)
  double temperature = 1;                         // above 0: scores are divided by it
  std::int64_t top_k = 50;                        // sample from this many of the likeliest tokens; 0: from all
  double top_p = 1;                               // in (0, 1]: sample from the likeliest tokens that reach this sum
  double repetition_penalty = 1;                  // above 1: tokens that have occurred become less likely
  std::vector<std::int64_t> eos_token_id = {};    // any of these ends a row
  std::optional<std::int64_t> pad_token_id = {};  // fills rows that have ended; unset: the first of eos_token_id
  Tensor attention_mask = {};                     // [batch, positions], for prompts that are padded on the left
  bool use_cache = true;                          // compute keys and values of each position only once
  Generator* generator = nullptr;                 // draws the samples; null: the default generator
  std::function<bool(const Tensor& tokens)> on_token = {};  // gets the tokens [batch] of each step; false ends it
};

// input_ids [batch, positions] -> int64 [batch, positions + at most max_new_tokens], the prompt included. ValueError
// for options out of range, and for more positions than the model has. No gradients are recorded. The model stays in
// the mode that it is in: call eval() first.
Tensor generate(CausalLM& model, const Tensor& input_ids, const GenerationOptions& options = {});

struct PerplexityOptions {
  std::optional<std::int64_t> max_length = {};  // tokens in a window; unset: max_positions()
  std::optional<std::int64_t> stride = {};      // tokens by which the window moves; unset: max_length
};
// exp of the mean loss over the tokens of input_ids [1, positions], each predicted from those before it in its window.
// A token with none before it in its window is left out.
double perplexity(CausalLM& model, const Tensor& input_ids, const PerplexityOptions& options = {});

}  // namespace gradus::models

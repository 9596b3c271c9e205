#include "cli/text/generate.h"

#include <fmt/format.h>
#include <gradus/core/parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>

#include "cli/run/device_option.h"
#include "cli/run/output.h"
#include "cli/text/language_model.h"

namespace gradus::cli {

namespace {

struct GenerateOptions {
  std::string model, prompt, device = "cpu";
  models::GenerationOptions how{.max_new_tokens = 50};
  std::vector<std::string> stop;
  std::uint64_t seed = 1;
  int threads = 0;
  bool only_new = false;
};

// How much of a text is whole: what a character lacks may come with the next token.
std::size_t whole(const std::string& text) {
  const std::string_view unknown = "\xEF\xBF\xBD";
  std::size_t end = text.size();
  for (int i = 0; i < 3 && std::string_view(text).substr(0, end).ends_with(unknown); ++i) end -= unknown.size();
  return end;
}

int generate_text(GenerateOptions o) {
  if (o.threads > 0) set_num_threads(o.threads);
  require_available("--device", o.device);
  const LanguageModel model = LanguageModel::load(o.model);
  model.net->to(o.device);
  if (o.prompt == "-") o.prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  std::vector<std::int64_t> ids = model.encode(o.prompt);
  if (ids.empty()) throw ValueError("generate: --prompt: need a text of at least one token");
  const std::int64_t room = model.net->max_positions() - static_cast<std::int64_t>(ids.size());
  if (room < 1)
    throw ValueError(fmt::format("generate: --prompt: {} tokens, but the model has {} positions", ids.size(),
                                 model.net->max_positions()));
  o.how.max_new_tokens = std::min(o.how.max_new_tokens, room);
  Generator generator(o.seed);
  o.how.generator = &generator;
  o.how.eos_token_id = model.ends;

  // What the prompt decodes to stands before each text, so that the new part follows as it does within one.
  const std::string before = model.tokenizer.decode(ids, true);
  std::size_t shown = o.only_new ? before.size() : 0;
  const auto show = [&](const std::string& text, std::size_t end) {
    if (end <= shown) return;
    say("{}", std::string_view(text).substr(shown, end - shown));
    std::fflush(stdout);
    shown = end;
  };
  std::string text = before;
  std::size_t longest = 0;
  for (const std::string& stop : o.stop) longest = std::max(longest, stop.size());
  bool stopped = false;
  o.how.on_token = [&](const Tensor& token) {
    ids.push_back(token.item<std::int64_t>());
    text = model.tokenizer.decode(ids, true);
    for (const std::string& stop : o.stop) {
      const std::size_t from = before.size() > stop.size() ? before.size() - stop.size() : 0;
      const std::size_t at =
          stop.empty() ? text.npos : text.find(stop, std::max(from, shown > longest ? shown - longest : 0));
      if (at == text.npos || at + stop.size() <= before.size()) continue;
      text.resize(at);
      stopped = true;
    }
    // A part of a stop may be at the end; it is held back.
    const std::size_t held = stopped || longest == 0 ? 0 : longest - 1;
    const std::size_t end = stopped ? text.size() : whole(text);
    show(text, end > held ? end - held : 0);
    return !stopped;
  };
  show(before, whole(before) > longest ? whole(before) - longest : 0);
  models::generate(*model.net, tensor(ids, {1, static_cast<std::int64_t>(ids.size())}).to(o.device), o.how);
  show(text, text.size());
  say("\n");
  return 0;
}

struct PerplexityCommand {
  std::string model, data, device = "cpu";
  std::int64_t length = 0, stride = 0;
  int threads = 0;
};

int tell_perplexity(const PerplexityCommand& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  require_available("--device", o.device);
  const LanguageModel model = LanguageModel::load(o.model);
  model.net->to(o.device);
  const std::vector<std::int64_t> ids = read_tokens(model, o.data);
  if (ids.size() < 2) throw ValueError(fmt::format("--data: {}: need two tokens at least, got {}", o.data, ids.size()));
  models::PerplexityOptions how;
  if (o.length > 0) how.max_length = o.length;
  if (o.stride > 0) how.stride = o.stride;
  if (o.length > model.net->max_positions())
    throw ValueError(fmt::format("--length: the model has {} positions, got {}", model.net->max_positions(), o.length));
  const double value =
      models::perplexity(*model.net, tensor(ids, {1, static_cast<std::int64_t>(ids.size())}).to(o.device), how);
  say("perplexity {:.4f} on {} tokens\n", value, ids.size());
  if (std::isfinite(value)) return 0;
  complain("gradus: the perplexity is not finite");
  return 3;
}

}  // namespace

void add_generate(CLI::App& app, int& status) {
  CLI::App& generate =
      *app.add_subcommand("generate", "Continue a text with a language model from a Hugging Face folder");
  const auto o = std::make_shared<GenerateOptions>();
  const auto sample = std::make_shared<bool>(false);
  generate.add_option("--model", o->model, "Folder with config.json, weights and tokenizer")->required();
  generate.add_option("--prompt", o->prompt, "The text to continue; - reads it from standard input")->required();
  generate.add_option("--max-new-tokens", o->how.max_new_tokens, "At most this many new tokens")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  generate.add_flag("--sample", *sample, "Draw tokens by their probability, instead of taking the likeliest");
  CLI::Option& temperature =
      *generate.add_option("--temperature", o->how.temperature, "Above 1: more even probabilities; implies --sample")
           ->check(CLI::PositiveNumber)
           ->capture_default_str();
  CLI::Option& top_k =
      *generate
           .add_option("--top-k", o->how.top_k, "Draw only from this many likeliest tokens; 0: all; implies --sample")
           ->check(CLI::NonNegativeNumber)
           ->capture_default_str();
  CLI::Option& top_p =
      *generate
           .add_option("--top-p", o->how.top_p,
                       "Draw only from the likeliest tokens with this total probability; implies --sample")
           ->check(CLI::Range(0.0, 1.0))
           ->capture_default_str();
  generate.add_option("--repetition-penalty", o->how.repetition_penalty, "Above 1: fewer repetitions")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  generate.add_option("--stop", o->stop, "A text that ends the continuation. May be repeated")->allow_extra_args(false);
  generate.add_option("--seed", o->seed, "Seed of the drawing")->capture_default_str();
  add_device_option(generate, o->device);
  generate.add_option("--threads", o->threads, "Number of threads; by default one per core")
      ->check(CLI::Range(1, 1024));
  generate.add_flag("--only-new", o->only_new, "Print only the continuation, without the prompt");
  generate.callback([o, sample, &status, &temperature, &top_k, &top_p] {
    o->how.do_sample = *sample || temperature.count() + top_k.count() + top_p.count() > 0;
    status = generate_text(*o);
  });
}

void add_perplexity(CLI::App& app, int& status) {
  CLI::App& perplexity = *app.add_subcommand("perplexity", "Measure how well a language model predicts a text");
  const auto o = std::make_shared<PerplexityCommand>();
  perplexity.add_option("--model", o->model, "Folder with config.json, weights and tokenizer")->required();
  perplexity.add_option("--data", o->data, "A text file; empty lines separate texts")->required();
  perplexity
      .add_option("--length", o->length, "Tokens that the model sees at once; by default as many as it has positions")
      ->check(CLI::Range(2, 1 << 20));
  perplexity.add_option("--stride", o->stride, "How many tokens that window moves each time; by default its length")
      ->check(CLI::Range(1, 1 << 20));
  add_device_option(perplexity, o->device);
  perplexity.add_option("--threads", o->threads, "Number of threads; by default one per core")
      ->check(CLI::Range(1, 1024));
  perplexity.callback([o, &status] { status = tell_perplexity(*o); });
}

}  // namespace gradus::cli

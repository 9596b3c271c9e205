#include "cli/text/language_model.h"

#include <fmt/format.h>
#include <gradus/models/pretrained.h>

#include <filesystem>

#include "text/token_file.h"

namespace gradus::cli {

namespace fs = std::filesystem;

LanguageModel LanguageModel::load(const std::string& folder) {
  auto net = models::causal_lm_from_pretrained(folder);
  text::Tokenizer tokenizer = text::Tokenizer::from_pretrained(folder);
  std::vector<std::int64_t> ends = text::ends_of_texts(folder, tokenizer);
  return {std::move(tokenizer), std::move(net), std::move(ends)};
}

std::vector<std::int64_t> LanguageModel::encode(const std::string& text, bool add_special_tokens) const {
  std::vector<std::int64_t> ids = tokenizer.encode(text, {.add_special_tokens = add_special_tokens}).ids;
  for (const std::int64_t id : ids)
    if (id >= net->vocab_size())
      throw ValueError(
          fmt::format("the tokenizer makes token {}, but the model's vocab_size is {}", id, net->vocab_size()));
  return ids;
}

std::vector<std::int64_t> read_tokens(const LanguageModel& model, const std::string& file) {
  return text::read_texts(file, [&](const std::string& text) {
    std::vector<std::int64_t> ids = model.encode(text);
    if (!model.ends.empty() && model.ends[0] < model.net->vocab_size()) ids.push_back(model.ends[0]);
    return ids;
  });
}

void copy_tokenizer(const std::string& from, const std::string& to) {
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
                           "merges.txt", "tokenizer.model", "spiece.model", "generation_config.json"}) {
    const fs::path path = fs::path(from) / name;
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    fs::copy_file(path, fs::path(to) / name, fs::copy_options::overwrite_existing, error);
    if (error) throw IoError(fmt::format("{}: cannot be copied to {}: {}", path.string(), to, error.message()));
  }
}

}  // namespace gradus::cli

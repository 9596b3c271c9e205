#include "cli/text/language_model.h"

#include <fmt/format.h>
#include <gradus/models/pretrained.h>

#include <filesystem>

#include "text/json_file.h"

namespace gradus::cli {

namespace {

namespace fs = std::filesystem;

// eos_token_id of generation_config.json or config.json: a number, or several.
std::vector<std::int64_t> ends_of(const std::string& folder, const text::Tokenizer& tokenizer) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const fs::path path = fs::path(folder) / name;
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    const text::JsonObject config = text::JsonObject::read(path.string());
    const auto* value = config.find("eos_token_id");
    if (value == nullptr) continue;
    std::vector<std::int64_t> ends;
    for (const auto& id : value->is_array() ? *value : nlohmann::json::array({*value})) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0x7fffffff)
        config.refuse("eos_token_id", "a token's number, or a list of them");
      ends.push_back(id.get<std::int64_t>());
    }
    return ends;
  }
  if (const auto end = tokenizer.eos_token_id()) return {*end};
  return {};
}

}  // namespace

LanguageModel LanguageModel::load(const std::string& folder) {
  auto net = models::causal_lm_from_pretrained(folder);
  text::Tokenizer tokenizer = text::Tokenizer::from_pretrained(folder);
  std::vector<std::int64_t> ends = ends_of(folder, tokenizer);
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
  const std::string text = text::read_text(file, std::uint64_t{4} << 30);
  std::vector<std::int64_t> all;
  const auto add = [&](const std::string& part) {
    if (part.find_first_not_of(" \t\r\n") == part.npos) return;
    const std::vector<std::int64_t> ids = model.encode(part);
    all.insert(all.end(), ids.begin(), ids.end());
    if (!model.ends.empty() && model.ends[0] < model.net->vocab_size()) all.push_back(model.ends[0]);
  };
  std::size_t begin = 0;
  for (std::size_t gap = text.find("\n\n"); gap != text.npos; gap = text.find("\n\n", begin)) {
    add(text.substr(begin, gap + 1 - begin));
    begin = gap + 2;
  }
  add(text.substr(begin));
  return all;
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

#include <fmt/format.h>
#include <gradus/core/error.h>
#include <gradus/text/tokenizer.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "text/tokenizer/tokenizer_model.h"

namespace gradus::text {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kMostBytes = 256 << 20;
constexpr const char* kRoles[] = {"bos_token", "eos_token", "unk_token", "pad_token",
                                  "cls_token", "sep_token", "mask_token"};

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// A token as tokenizer_config.json has it: "text" or {"content": "text", ...}.
std::optional<std::string> role_of(const JsonObject& config, const char* role) {
  const json* value = config.find(role);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  if (!value->is_object()) config.refuse(role, "a token");
  return config.inside(role, *value).string("content", {});
}

using Roles = std::vector<std::pair<std::string, std::string>>;

Roles roles_in(const fs::path& folder) {
  Roles roles;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    if (!is_there(folder / name)) continue;
    const JsonObject config = JsonObject::read((folder / name).string());
    for (const char* role : kRoles) {
      const bool known = std::any_of(roles.begin(), roles.end(), [&](const auto& r) { return r.first == role; });
      if (known) continue;
      if (const auto token = role_of(config, role)) roles.emplace_back(role, *token);
    }
  }
  return roles;
}

std::optional<JsonObject> config_in(const fs::path& folder) {
  const fs::path path = folder / "tokenizer_config.json";
  if (!is_there(path)) return {};
  return JsonObject::read(path.string());
}

json special_tokens(const Roles& roles, const json& vocab) {
  json list = json::array();
  for (const auto& [role, token] : roles) {
    const auto id = vocab.find(token);
    const bool twice = std::any_of(list.begin(), list.end(), [&](const json& t) { return t["content"] == token; });
    if (id != vocab.end() && !twice)
      list.push_back({{"id", *id}, {"content", token}, {"special", true}, {"lstrip", role == "mask_token"}});
  }
  return list;
}

// GPT-2's own files, as the tokenizer.json that says the same.
json from_merges(const fs::path& folder, Roles& roles) {
  const JsonObject vocab = JsonObject::read((folder / "vocab.json").string(), kMostBytes);
  if (roles.empty())
    for (const char* role : {"bos_token", "eos_token", "unk_token"})
      if (vocab.value().contains("<|endoftext|>")) roles.emplace_back(role, "<|endoftext|>");
  json merges = json::array();
  const std::string text = read_text((folder / "merges.txt").string(), kMostBytes);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty() && !(at == 0 && line.starts_with("#version"))) merges.push_back(line);
    at = end + 1;
  }
  const auto config = config_in(folder);
  const bool prefix = config && config->flag("add_prefix_space", false);
  return {{"model", {{"type", "BPE"}, {"vocab", vocab.value()}, {"merges", merges}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", prefix}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"added_tokens", special_tokens(roles, vocab.value())}};
}

// BERT's own file, likewise.
json from_vocabulary(const fs::path& folder, Roles& roles) {
  const std::string path = (folder / "vocab.txt").string(), text = read_text(path, kMostBytes);
  json vocab = json::object();
  std::int64_t id = 0;
  for (std::size_t at = 0; at < text.size(); ++id) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    vocab[line] = id;
    at = end + 1;
  }
  if (roles.empty())
    roles = {{"unk_token", "[UNK]"},
             {"sep_token", "[SEP]"},
             {"pad_token", "[PAD]"},
             {"cls_token", "[CLS]"},
             {"mask_token", "[MASK]"}};
  const auto token = [&](const char* role) {
    for (const auto& [name, text_of] : roles)
      if (name == role) return text_of;
    return std::string();
  };
  const std::string cls = token("cls_token"), sep = token("sep_token");
  for (const std::string& needed : {cls, sep, token("unk_token")})
    if (!vocab.contains(needed)) throw IoError(fmt::format("{}: it has no line '{}'", path, shown(needed)));
  const auto config = config_in(folder);
  const bool lower = !config || config->flag("do_lower_case", true);
  const bool chinese = !config || config->flag("tokenize_chinese_chars", true);
  const bool accents = config && config->has("strip_accents") ? config->flag("strip_accents", lower) : lower;
  return {{"normalizer",
           {{"type", "BertNormalizer"},
            {"lowercase", lower},
            {"handle_chinese_chars", chinese},
            {"strip_accents", accents}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"model", {{"type", "WordPiece"}, {"vocab", vocab}, {"unk_token", token("unk_token")}}},
          {"post_processor", {{"type", "BertProcessing"}, {"sep", {sep, vocab[sep]}}, {"cls", {cls, vocab[cls]}}}},
          {"decoder", {{"type", "WordPiece"}}},
          {"added_tokens", special_tokens(roles, vocab)}};
}

}  // namespace

Tokenizer Tokenizer::from_file(const std::string& path) {
  if (path.ends_with(".model")) return Tokenizer(sentence_piece(path));
  return Tokenizer(pipeline(JsonObject::read(path, kMostBytes)));
}

Tokenizer Tokenizer::from_pretrained(const std::string& folder) {
  const fs::path at(folder);
  std::error_code error;
  if (!fs::is_directory(at, error)) throw IoError(folder + ": need a folder with a tokenizer");
  Roles roles = roles_in(at);
  std::shared_ptr<Model> model;
  if (is_there(at / "tokenizer.json")) {
    model = pipeline(JsonObject::read((at / "tokenizer.json").string(), kMostBytes));
  } else if (is_there(at / "vocab.json") && is_there(at / "merges.txt")) {
    model = pipeline(JsonObject::made((at / "vocab.json and merges.txt").string(), from_merges(at, roles)));
  } else if (is_there(at / "vocab.txt")) {
    model = pipeline(JsonObject::made((at / "vocab.txt").string(), from_vocabulary(at, roles)));
  } else if (is_there(at / "tokenizer.model") || is_there(at / "spiece.model")) {
    model = sentence_piece((at / (is_there(at / "tokenizer.model") ? "tokenizer.model" : "spiece.model")).string());
  } else {
    throw IoError(folder +
                  ": no tokenizer: need tokenizer.json, vocab.json with merges.txt, vocab.txt, tokenizer.model "
                  "or spiece.model");
  }
  for (const auto& [role, token] : roles)
    if (const auto id = model->token_to_id(token)) model->roles.insert_or_assign(role, *id);
  return Tokenizer(std::move(model));
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  Encoding one{model_->encode(text), {}};
  if (options.max_length) {
    const std::int64_t room = *options.max_length - (options.add_special_tokens ? model_->special_tokens(false) : 0);
    if (room < 0)
      throw ValueError(
          fmt::format("Tokenizer.encode: max_length {} leaves no room for special tokens", *options.max_length));
    if (static_cast<std::int64_t>(one.ids.size()) > room) one.ids.resize(static_cast<std::size_t>(room));
  }
  one.type_ids.resize(one.ids.size(), 0);
  return options.add_special_tokens ? model_->with_special_tokens(std::move(one), nullptr) : one;
}

Encoding Tokenizer::encode(std::string_view text, std::string_view second, const EncodeOptions& options) const {
  Encoding one{model_->encode(text), {}}, two{model_->encode(second), {}};
  if (options.max_length) {
    const std::int64_t room = *options.max_length - (options.add_special_tokens ? model_->special_tokens(true) : 0);
    if (room < 0)
      throw ValueError(
          fmt::format("Tokenizer.encode: max_length {} leaves no room for special tokens", *options.max_length));
    auto* shorter = &one.ids;
    auto* longer = &two.ids;
    if (shorter->size() > longer->size()) std::swap(shorter, longer);
    const auto all = static_cast<std::size_t>(room);
    if (shorter->size() + longer->size() > all) {
      const std::size_t kept = std::max(shorter->size(), all - std::min(all, shorter->size()));
      longer->resize(std::min(longer->size(), kept));
      if (shorter->size() + longer->size() > all) {
        shorter->resize(std::min(shorter->size(), all / 2));
        longer->resize(std::min(longer->size(), all / 2 + all % 2));
      }
    }
  }
  one.type_ids.resize(one.ids.size(), 0);
  two.type_ids.resize(two.ids.size(), 1);
  if (options.add_special_tokens) return model_->with_special_tokens(std::move(one), &two);
  one.ids.insert(one.ids.end(), two.ids.begin(), two.ids.end());
  one.type_ids.insert(one.type_ids.end(), two.type_ids.begin(), two.type_ids.end());
  return one;
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const {
  return model_->decode(ids, skip_special_tokens);
}
std::int64_t Tokenizer::vocab_size() const { return model_->vocab_size(); }
std::optional<std::int64_t> Tokenizer::token_to_id(const std::string& token) const {
  return model_->token_to_id(token);
}
std::optional<std::string> Tokenizer::id_to_token(std::int64_t id) const { return model_->id_to_token(id); }
std::optional<std::int64_t> Tokenizer::special_id(const std::string& role) const {
  const auto at = model_->roles.find(role);
  return at == model_->roles.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace gradus::text

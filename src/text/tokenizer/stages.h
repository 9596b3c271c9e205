// What a tokenizer.json is made of: stages that text and tokens pass through, each read from its part of the file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/json_file.h"

namespace gradus::text {

// Parts may hold parts, so many deep.
inline constexpr int kDeepest = 16;

// A short text must not become a long one, whatever a file asks for. ValueError where `made` bytes or characters are
// very many for `given` ones.
void check_growth(const char* stage, std::size_t made, std::size_t given);

using Normalizer = std::function<std::u32string(std::u32string text)>;
Normalizer read_normalizer(const JsonObject& part, int depth = 0);
Normalizer read_precompiled(const JsonObject& part);

// A part of the text, until it is in tokens.
struct Piece {
  std::string text;
  bool first;  // it begins the whole text
};
using PreTokenizer = std::function<std::vector<Piece>(std::vector<Piece> pieces)>;
PreTokenizer read_pre_tokenizer(const JsonObject& part, int depth = 0);

using TokenDecoder = std::function<std::vector<std::string>(std::vector<std::string> tokens)>;
TokenDecoder read_decoder(const JsonObject& part, int depth = 0);

// Every byte as a character that can be seen, as GPT-2's vocabulary has them, and back.
std::string byte_characters(std::string_view bytes);
std::optional<std::string> bytes_of_characters(std::string_view characters);

// Token <-> number.
struct Vocabulary {
  std::unordered_map<std::string, std::int64_t> ids;
  std::unordered_map<std::int64_t, std::string> tokens;

  // Of an object {"token": number, ...}.
  static Vocabulary read(const JsonObject& model, const char* field);
  std::optional<std::int64_t> find(const std::string& token) const {
    const auto at = ids.find(token);
    return at == ids.end() ? std::nullopt : std::optional(at->second);
  }
};

// Turns one piece into numbers.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  virtual void tokenize(const std::string& piece, std::vector<std::int64_t>& to) const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  explicit TokenModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  Vocabulary vocabulary_;
};
std::unique_ptr<TokenModel> read_model(const JsonObject& part);
std::unique_ptr<TokenModel> read_bpe(const JsonObject& part);
std::unique_ptr<TokenModel> read_unigram(const JsonObject& part);

// What stands around the texts.
struct Template {
  struct Item {
    int text;                       // 0, 1; or -1: special tokens
    std::vector<std::int64_t> ids;  // these
    std::int64_t type_id;
  };
  std::vector<Item> single, pair;
};
// Empty where the part adds nothing.
std::optional<Template> read_post_processor(const JsonObject& part, int depth = 0);

}  // namespace gradus::text

// Tokens that are found in a text before anything else is done to it, such as [MASK] and <|endoftext|>.
#pragma once

#include <string_view>

#include "text/tokenizer/stages.h"

namespace gradus::text {

class AddedTokens {
 public:
  // Of a list of {"id", "content", "special", "normalized", "lstrip", "rstrip", "single_word"}.
  void read(const JsonObject& file, const char* field, const Normalizer& normalizer);

  struct Part {
    std::string_view text;
    std::optional<std::int64_t> id;  // of a token; else the text is ordinary
  };
  // `normalized`: those that are looked for in normalised text.
  std::vector<Part> split(std::string_view text, bool normalized) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  bool is_special(std::int64_t id) const { return special_.contains(id); }

 private:
  struct Token {
    std::string content;
    std::int64_t id;
    bool lstrip, rstrip, single_word;
  };
  const Token* longest(std::string_view text, std::size_t at, bool normalized) const;

  // By the first byte, longer ones first.
  std::unordered_map<char, std::vector<Token>> tokens_[2];
  Vocabulary vocabulary_;
  std::unordered_map<std::int64_t, bool> special_;
};

}  // namespace gradus::text

// What a text::Tokenizer holds.
#pragma once

#include <gradus/text/tokenizer.h>

#include <unordered_map>

#include "text/json_file.h"

namespace gradus::text {

class __attribute__((visibility("hidden"))) Tokenizer::Model {
 public:
  virtual ~Model() = default;
  // Without special tokens.
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  // With what the file says around one text or two. By default as they are.
  virtual Encoding with_special_tokens(Encoding first, const Encoding* second) const = 0;
  virtual std::int64_t special_tokens(bool pair) const = 0;  // how many that adds
  virtual std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const = 0;
  virtual std::int64_t vocab_size() const = 0;
  virtual std::optional<std::int64_t> token_to_id(const std::string& token) const = 0;
  virtual std::optional<std::string> id_to_token(std::int64_t id) const = 0;

  std::unordered_map<std::string, std::int64_t> roles;  // "eos_token" -> its number
};

// Of a tokenizer.json, read or made.
std::shared_ptr<Tokenizer::Model> pipeline(const JsonObject& file);
// Of a file of SentencePiece. IoError where the library was built without it.
std::shared_ptr<Tokenizer::Model> sentence_piece(const std::string& path);

}  // namespace gradus::text

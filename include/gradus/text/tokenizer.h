// Converts text to token numbers and back, with the tokenizer files of the Hugging Face Hub.
//
//   const auto tokenizer = text::Tokenizer::from_pretrained("gpt2");
//   const std::vector<std::int64_t> ids = tokenizer.encode("Hello world").ids;
//   tokenizer.decode(ids);  // "Hello world"
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus::text {

struct EncodeOptions {
  bool add_special_tokens = true;               // such as [CLS] and [SEP], where the file says so
  std::optional<std::int64_t> max_length = {};  // special tokens included; the longer of two texts is cut first
};

struct Encoding {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> type_ids;  // of the same length; usually 0 for the first text and 1 for the second
};

// A cheap handle, which several threads may use at once.
//
// Text is UTF-8; invalid bytes are read as U+FFFD, as by Python's decode("utf-8", "replace").
class Tokenizer {
 public:
  class Model;  // internal
  explicit Tokenizer(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  // A folder with tokenizer.json, or vocab.json and merges.txt (GPT-2), or vocab.txt (BERT), or tokenizer.model or
  // spiece.model (SentencePiece). tokenizer_config.json names the special tokens. IoError, which names file, field and
  // value, for what is missing, damaged or not supported.
  static Tokenizer from_pretrained(const std::string& folder);
  // From one file: a tokenizer.json, or a SentencePiece model. IoError.
  static Tokenizer from_file(const std::string& path);

  // One text, or a pair of texts. ValueError for a max_length that leaves no room for the special tokens.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode(std::string_view text, std::string_view second, const EncodeOptions& options = {}) const;
  // Numbers that belong to no token are left out; so are special tokens if `skip_special_tokens`.
  std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens = false) const;

  std::int64_t vocab_size() const;  // the highest token number plus 1
  std::optional<std::int64_t> token_to_id(const std::string& token) const;
  std::optional<std::string> id_to_token(std::int64_t id) const;
  // The token that tokenizer_config.json, special_tokens_map.json or the file itself names for a role: "bos_token",
  // "eos_token", "unk_token", "pad_token", "cls_token", "sep_token" or "mask_token". Empty if none is named.
  std::optional<std::int64_t> special_id(const std::string& role) const;
  std::optional<std::int64_t> bos_token_id() const { return special_id("bos_token"); }
  std::optional<std::int64_t> eos_token_id() const { return special_id("eos_token"); }
  std::optional<std::int64_t> pad_token_id() const { return special_id("pad_token"); }

 private:
  std::shared_ptr<const Model> model_;
};

}  // namespace gradus::text

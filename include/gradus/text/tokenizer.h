// Text to token numbers and back, by the files of the Hugging Face Hub.
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
#include <vector>

namespace gradus::text {

struct EncodeOptions {
  bool add_special_tokens = true;               // as [CLS] and [SEP], where the file says so
  std::optional<std::int64_t> max_length = {};  // with special tokens; the longer of two texts is cut first
};

struct Encoding {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> type_ids;  // 0 for the first text, 1 for the second, as the file says
};

// A cheap handle, safe to use on several threads.
//
// Text is UTF-8; what is not valid in it counts as U+FFFD, as Python's decode("utf-8", "replace") has it.
class Tokenizer {
 public:
  class Model;  // internal
  explicit Tokenizer(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  // A folder with tokenizer.json, or vocab.json and merges.txt (GPT-2), or vocab.txt (BERT), or tokenizer.model or
  // spiece.model (SentencePiece); tokenizer_config.json says which tokens begin, end and fill up. IoError, naming file,
  // field and value, for what is missing, damaged or not known here.
  static Tokenizer from_pretrained(const std::string& folder);
  // A tokenizer.json, or a model of SentencePiece.
  static Tokenizer from_file(const std::string& path);

  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode(std::string_view text, std::string_view second, const EncodeOptions& options = {}) const;
  // Numbers of no token are left out, as are those of special tokens if asked.
  std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens = false) const;

  std::int64_t vocab_size() const;  // one more than the highest number
  std::optional<std::int64_t> token_to_id(const std::string& token) const;
  std::optional<std::string> id_to_token(std::int64_t id) const;
  // What tokenizer_config.json, special_tokens_map.json or the file itself names: "bos_token", "eos_token",
  // "unk_token", "pad_token", "cls_token", "sep_token", "mask_token".
  std::optional<std::int64_t> special_id(const std::string& role) const;
  std::optional<std::int64_t> bos_token_id() const { return special_id("bos_token"); }
  std::optional<std::int64_t> eos_token_id() const { return special_id("eos_token"); }
  std::optional<std::int64_t> pad_token_id() const { return special_id("pad_token"); }

 private:
  std::shared_ptr<const Model> model_;
};

}  // namespace gradus::text

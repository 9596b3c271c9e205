#include <limits>

#include <fmt/format.h>

#include "text/tokenizer/stages.h"
#include "text/tokenizer/unicode.h"

namespace gradus::text {

namespace {

// The longest token that the rest of a word begins with, again and again: Schuster and Nakajima (2012).
class WordPiece final : public TokenModel {
 public:
  explicit WordPiece(const JsonObject& part)
      : TokenModel(Vocabulary::read(part, "vocab")),
        prefix_(part.string("continuing_subword_prefix", "##")),
        longest_(static_cast<std::size_t>(part.integer("max_input_chars_per_word", 100, 1, 1 << 20))) {
    const auto unk = vocabulary_.find(part.string("unk_token", "[UNK]"));
    if (!unk) part.refuse("unk_token", "a token of vocab");
    unk_ = *unk;
  }

  void tokenize(const std::string& piece, std::vector<std::int64_t>& to) const override {
    if (piece.empty()) return;
    if (to_utf32(piece).size() > longest_) return to.push_back(unk_);
    const std::size_t before = to.size();
    for (std::size_t begin = 0; begin < piece.size();) {
      std::size_t end = piece.size();
      std::optional<std::int64_t> id;
      while (end > begin) {
        id = vocabulary_.find((begin > 0 ? prefix_ : "") + piece.substr(begin, end - begin));
        if (id) break;
        do --end;
        while (end > begin && (static_cast<unsigned char>(piece[end]) & 0xc0) == 0x80);
      }
      if (!id) {
        to.resize(before);
        return to.push_back(unk_);
      }
      to.push_back(*id);
      begin = end;
    }
  }

 private:
  std::string prefix_;
  std::size_t longest_;
  std::int64_t unk_;
};

}  // namespace

Vocabulary Vocabulary::read(const JsonObject& model, const char* field) {
  const auto vocab = model.object(field);
  if (!vocab) model.refuse(field, "an object");
  Vocabulary read;
  for (const auto& [token, id] : vocab->value().items()) {
    const std::int64_t number = vocab->integer(token, {}, 0, std::numeric_limits<std::int32_t>::max());
    read.ids.emplace(token, number);
    read.tokens.emplace(number, token);
  }
  return read;
}

std::unique_ptr<TokenModel> read_model(const JsonObject& part) {
  // Files from before there were others do not say.
  const std::string type = part.string("type", part.has("merges") ? "BPE" : "WordPiece");
  if (type == "BPE") return read_bpe(part);
  if (type == "Unigram") return read_unigram(part);
  if (type == "WordPiece") return std::make_unique<WordPiece>(part);
  part.refuse("type", "BPE, Unigram or WordPiece");
}

}  // namespace gradus::text

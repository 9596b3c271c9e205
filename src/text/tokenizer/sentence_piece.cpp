#include <fmt/format.h>
#include <gradus/core/error.h>

#include "text/tokenizer/tokenizer_model.h"
#include "text/tokenizer/unicode.h"

#ifdef GRADUS_SENTENCEPIECE
#include <sentencepiece_processor.h>
#endif

namespace gradus::text {

#ifdef GRADUS_SENTENCEPIECE

namespace {

class SentencePiece final : public Tokenizer::Model {
 public:
  explicit SentencePiece(const std::string& path) {
    const std::string bytes = read_text(path, 256 << 20);
    const auto status = processor_.LoadFromSerializedProto(bytes);
    if (!status.ok() || processor_.GetPieceSize() < 1)
      throw IoError(fmt::format("{}: not a model of SentencePiece", path));
    for (const auto& [role, id] : {std::pair{"bos_token", processor_.bos_id()},
                                   {"eos_token", processor_.eos_id()},
                                   {"unk_token", processor_.unk_id()},
                                   {"pad_token", processor_.pad_id()}})
      if (id >= 0) roles.emplace(role, id);
  }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    const std::string valid = valid_utf8(text);
    std::vector<int> ids;
    if (const auto status = processor_.Encode(valid, &ids); !status.ok())
      throw ValueError(fmt::format("Tokenizer: SentencePiece: {}", status.ToString()));
    return {ids.begin(), ids.end()};
  }
  // Llama begins a text so, and other users of these files too.
  Encoding with_special_tokens(Encoding first, const Encoding* second) const override {
    Encoding all;
    const auto bos = roles.find("bos_token");
    if (bos != roles.end()) all = {{bos->second}, {0}};
    all.ids.insert(all.ids.end(), first.ids.begin(), first.ids.end());
    all.type_ids.resize(all.ids.size(), 0);
    if (second != nullptr) all.ids.insert(all.ids.end(), second->ids.begin(), second->ids.end());
    all.type_ids.resize(all.ids.size(), 1);
    return all;
  }
  std::int64_t special_tokens(bool) const override { return roles.contains("bos_token") ? 1 : 0; }
  std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const override {
    std::vector<int> known;
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= processor_.GetPieceSize()) continue;
      if (skip_special_tokens &&
          (processor_.IsControl(static_cast<int>(id)) || processor_.IsUnknown(static_cast<int>(id))))
        continue;
      known.push_back(static_cast<int>(id));
    }
    std::string text;
    if (const auto status = processor_.Decode(known, &text); !status.ok())
      throw ValueError(fmt::format("Tokenizer: SentencePiece: {}", status.ToString()));
    return text;
  }
  std::int64_t vocab_size() const override { return processor_.GetPieceSize(); }
  std::optional<std::int64_t> token_to_id(const std::string& token) const override {
    const int id = processor_.PieceToId(token);
    if (id == processor_.unk_id() && processor_.IdToPiece(id) != token) return {};
    return id;
  }
  std::optional<std::string> id_to_token(std::int64_t id) const override {
    if (id < 0 || id >= processor_.GetPieceSize()) return {};
    return processor_.IdToPiece(static_cast<int>(id));
  }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

std::shared_ptr<Tokenizer::Model> sentence_piece(const std::string& path) {
  return std::make_shared<SentencePiece>(path);
}

#else

std::shared_ptr<Tokenizer::Model> sentence_piece(const std::string& path) {
  throw IoError(fmt::format("{}: this library was built without SentencePiece", path));
}

#endif

}  // namespace gradus::text

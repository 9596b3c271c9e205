// A tokenizer.json: added tokens are cut out of the text, the rest is normalised, cut into pieces and tokenised piece
// by piece, and special tokens are put around.
#include <algorithm>

#include "text/tokenizer/added_tokens.h"
#include "text/tokenizer/tokenizer_model.h"
#include "text/tokenizer/unicode.h"

namespace gradus::text {

namespace {

class Pipeline final : public Tokenizer::Model {
 public:
  explicit Pipeline(const JsonObject& file) {
    if (const auto part = file.object("normalizer")) normalizer_ = read_normalizer(*part);
    if (const auto part = file.object("pre_tokenizer")) pre_tokenizer_ = read_pre_tokenizer(*part);
    const auto model = file.object("model");
    if (!model) file.refuse("model", "an object: this is not a tokenizer.json");
    model_ = read_model(*model);
    if (const auto part = file.object("post_processor")) template_ = read_post_processor(*part);
    if (const auto part = file.object("decoder")) decoder_ = read_decoder(*part);
    added_.read(file, "added_tokens", normalizer_);
    if (const auto part = file.object("padding"); part && part->has("pad_token"))
      if (const auto id = token_to_id(part->string("pad_token", {}))) roles.emplace("pad_token", *id);
    for (const Vocabulary* vocabulary : {&model_->vocabulary(), &added_.vocabulary()})
      for (const auto& [id, token] : vocabulary->tokens) size_ = std::max(size_, id + 1);
  }

  std::vector<std::int64_t> encode(std::string_view given) const override {
    const std::string text = valid_utf8(given);
    std::vector<std::int64_t> ids;
    for (const AddedTokens::Part& part : added_.split(text, false)) {
      if (part.id) {
        ids.push_back(*part.id);
        continue;
      }
      const bool first = part.text.data() == text.data();
      const std::string normal = normalizer_ ? to_utf8(normalizer_(to_utf32(part.text))) : std::string(part.text);
      for (const AddedTokens::Part& inner : added_.split(normal, true)) {
        if (inner.id) {
          ids.push_back(*inner.id);
        } else {
          tokenize({std::string(inner.text), first && inner.text.data() == normal.data()}, ids);
        }
      }
    }
    return ids;
  }

  Encoding with_special_tokens(Encoding first, const Encoding* second) const override {
    if (!template_) {
      if (second != nullptr) {
        first.ids.insert(first.ids.end(), second->ids.begin(), second->ids.end());
        first.type_ids.resize(first.ids.size(), 1);
      }
      return first;
    }
    Encoding all;
    for (const Template::Item& item : second != nullptr ? template_->pair : template_->single) {
      if (item.text == 1 && second == nullptr) continue;
      const auto& ids = item.text < 0 ? item.ids : item.text == 0 ? first.ids : second->ids;
      all.ids.insert(all.ids.end(), ids.begin(), ids.end());
      all.type_ids.resize(all.ids.size(), item.type_id);
    }
    return all;
  }

  std::int64_t special_tokens(bool pair) const override {
    std::int64_t count = 0;
    if (template_)
      for (const Template::Item& item : pair ? template_->pair : template_->single)
        count += static_cast<std::int64_t>(item.ids.size());
    return count;
  }

  std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const override {
    std::vector<std::string> tokens;
    for (const std::int64_t id : ids) {
      if (skip_special_tokens && added_.is_special(id)) continue;
      if (auto token = id_to_token(id)) tokens.push_back(std::move(*token));
    }
    if (decoder_) tokens = decoder_(std::move(tokens));
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i) text.append(i > 0 && !decoder_ ? " " : "").append(tokens[i]);
    return text;
  }

  std::int64_t vocab_size() const override { return size_; }
  std::optional<std::int64_t> token_to_id(const std::string& token) const override {
    const auto added = added_.vocabulary().find(token);
    return added ? added : model_->vocabulary().find(token);
  }
  std::optional<std::string> id_to_token(std::int64_t id) const override {
    for (const Vocabulary* vocabulary : {&added_.vocabulary(), &model_->vocabulary()}) {
      const auto found = vocabulary->tokens.find(id);
      if (found != vocabulary->tokens.end()) return found->second;
    }
    return {};
  }

 private:
  void tokenize(Piece piece, std::vector<std::int64_t>& ids) const {
    if (piece.text.empty()) return;
    std::vector<Piece> pieces{std::move(piece)};
    if (pre_tokenizer_) pieces = pre_tokenizer_(std::move(pieces));
    for (const Piece& word : pieces) model_->tokenize(word.text, ids);
  }

  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<TokenModel> model_;
  std::optional<Template> template_;
  TokenDecoder decoder_;
  AddedTokens added_;
  std::int64_t size_ = 0;
};

}  // namespace

std::shared_ptr<Tokenizer::Model> pipeline(const JsonObject& file) { return std::make_shared<Pipeline>(file); }

}  // namespace gradus::text

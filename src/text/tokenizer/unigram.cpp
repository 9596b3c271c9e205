// Unigram: of all ways to cut a piece into tokens, the one whose scores add up to most: Kudo (2018).
#include <fmt/format.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <limits>

#include "text/tokenizer/stages.h"
#include "text/tokenizer/unicode.h"

namespace gradus::text {

namespace {

constexpr double kUnknownPenalty = 10;  // below the lowest score of the file

class Unigram final : public TokenModel {
 public:
  explicit Unigram(const JsonObject& part) : TokenModel({}), byte_fallback_(part.flag("byte_fallback", false)) {
    const auto* vocab = part.find("vocab");
    if (vocab == nullptr || !vocab->is_array() || vocab->empty()) part.refuse("vocab", "a list of tokens with scores");
    if (vocab->size() > std::size_t{1} << 31) part.fail("vocab has too many tokens");
    double lowest = std::numeric_limits<double>::infinity();
    for (const auto& entry : *vocab) {
      if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
        part.fail(fmt::format("vocab: token {} must be a text and its score, got {}", scores_.size(),
                              shown(entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))));
      const auto token = entry[0].get<std::string>();
      const auto score = entry[1].get<double>();
      const auto id = static_cast<std::int64_t>(scores_.size());
      vocabulary_.ids[token] = id;  // of equal ones the last
      vocabulary_.tokens.emplace(id, token);
      longest_ = std::max(longest_, token.size());
      scores_.push_back(score);
      lowest = std::min(lowest, score);
    }
    unknown_score_ = lowest - kUnknownPenalty;
    if (part.has("unk_id")) unk_ = part.integer("unk_id", {}, 0, static_cast<std::int64_t>(scores_.size()) - 1);
    if (byte_fallback_) {
      for (int byte = 0; byte < 256; ++byte) {
        const auto id = vocabulary_.find(fmt::format("<0x{:02X}>", byte));
        bytes_.push_back(id.value_or(-1));
      }
    }
  }

  void tokenize(const std::string& piece, std::vector<std::int64_t>& to) const override {
    for (const std::string& part : cut(piece)) {
      if (const auto id = vocabulary_.find(part)) {
        to.push_back(*id);
      } else if (!by_bytes(part, to)) {
        to.push_back(unknown());
      }
    }
  }

 private:
  struct Node {
    double score = 0;             // of the best way to here
    std::size_t from = kNowhere;  // where its last token begins
    bool unknown = false;
  };
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  std::int64_t unknown() const {
    if (!unk_)
      throw ValueError("Tokenizer: the text has characters that are not in the vocabulary, which has no unk_id");
    return *unk_;
  }

  bool by_bytes(const std::string& part, std::vector<std::int64_t>& to) const {
    if (!byte_fallback_) return false;
    const auto of = [&](char c) { return bytes_[static_cast<unsigned char>(c)]; };
    if (std::any_of(part.begin(), part.end(), [&](char c) { return of(c) < 0; })) return false;
    for (const char c : part) to.push_back(of(c));
    return true;
  }

  // Neighbours that are not known are one token.
  std::vector<std::string> cut(const std::string& text) const {
    std::vector<Node> best(text.size() + 1);
    std::string key;
    for (std::size_t at = 0; at < text.size(); at += utf8_length(text, at)) {
      const double here = best[at].score;
      const std::size_t one = utf8_length(text, at);
      bool single = false;
      const auto offer = [&](std::size_t end, double score, bool is_unknown) {
        Node& node = best[end];
        if (node.from == kNowhere || score > node.score) node = {score, at, is_unknown};
      };
      key.clear();
      for (std::size_t end = at; end < text.size() && key.size() < longest_;) {
        const std::size_t length = utf8_length(text, end);
        key.append(text, end, length);
        end += length;
        const auto id = vocabulary_.ids.find(key);
        if (id == vocabulary_.ids.end()) continue;
        offer(end, here + scores_[static_cast<std::size_t>(id->second)], unk_ && id->second == *unk_);
        single = single || key.size() == one;
      }
      if (!single) {
        unknown();
        offer(at + one, here + unknown_score_, true);
      }
    }
    std::vector<std::string> parts;
    for (std::size_t end = text.size(); end > 0;) {
      std::size_t begin = best[end].from;  // of one part; unknown ones in a row are one
      while (best[end].unknown && begin > 0 && best[begin].unknown) begin = best[begin].from;
      parts.push_back(text.substr(begin, end - begin));
      end = begin;
    }
    std::reverse(parts.begin(), parts.end());
    return parts;
  }

  std::vector<double> scores_;
  std::size_t longest_ = 0;
  double unknown_score_ = 0;
  std::optional<std::int64_t> unk_;
  bool byte_fallback_;
  std::vector<std::int64_t> bytes_;  // of each byte its token; -1: none
};

}  // namespace

std::unique_ptr<TokenModel> read_unigram(const JsonObject& part) { return std::make_unique<Unigram>(part); }

}  // namespace gradus::text

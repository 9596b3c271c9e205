// Byte pair encoding: Sennrich et al. (2016). Of the pairs of neighbours that the file names, the one that it names
// first becomes one, and the leftmost of these; until there are none.
#include <fmt/format.h>

#include <queue>

#include "text/tokenizer/stages.h"
#include "text/tokenizer/unicode.h"

namespace gradus::text {

namespace {

struct Merge {
  std::uint32_t rank;
  std::int64_t result;
};

std::uint64_t pair_key(std::int64_t a, std::int64_t b) {
  return (static_cast<std::uint64_t>(a) << 32) | static_cast<std::uint64_t>(b);  // numbers have 31 bits
}

class BPE final : public TokenModel {
 public:
  explicit BPE(const JsonObject& part)
      : TokenModel(Vocabulary::read(part, "vocab")),
        prefix_(part.string("continuing_subword_prefix", "")),
        suffix_(part.string("end_of_word_suffix", "")),
        fuse_unk_(part.flag("fuse_unk", false)),
        byte_fallback_(part.flag("byte_fallback", false)),
        ignore_merges_(part.flag("ignore_merges", false)) {
    if (part.has("unk_token")) {
      unk_ = vocabulary_.find(part.string("unk_token", {}));
      if (!unk_) part.refuse("unk_token", "a token of vocab");
    }
    if (part.number("dropout", 0, 0, 1) != 0) part.refuse("dropout", "0, as tokenizers that are read are not trained");
    const auto* merges = part.find("merges");
    if (merges == nullptr || !merges->is_array()) part.refuse("merges", "a list");
    for (const auto& merge : *merges) add_merge(part, merge);
  }

  void tokenize(const std::string& piece, std::vector<std::int64_t>& to) const override {
    if (piece.empty()) return;
    if (ignore_merges_) {
      if (const auto whole = vocabulary_.find(piece)) return to.push_back(*whole);
    }
    std::vector<Symbol> symbols = symbols_of(piece);
    merge_all(symbols);
    for (const Symbol& symbol : symbols)
      if (symbol.alive) to.push_back(symbol.id);
  }

 private:
  struct Symbol {
    std::int64_t id;
    std::int64_t previous, next;  // -1: none
    bool alive = true;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int64_t position, result;
    // The queue's top is the largest.
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };

  void add_merge(const JsonObject& part, const nlohmann::json& merge) {
    std::string left, right;
    if (merge.is_string()) {
      const auto text = merge.get<std::string>();
      const std::size_t space = text.find(' ');
      if (space == text.npos || text.find(' ', space + 1) != text.npos)
        part.fail(fmt::format("model.merges must hold pairs, got '{}'", shown(text)));
      left = text.substr(0, space);
      right = text.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    } else {
      part.fail(fmt::format("model.merges must hold pairs, got {}", shown_value(merge)));
    }
    const std::string joined = left + (right.starts_with(prefix_) ? right.substr(prefix_.size()) : right);
    const auto a = vocabulary_.find(left), b = vocabulary_.find(right), c = vocabulary_.find(joined);
    if (!a || !b || !c)
      part.fail(fmt::format("model.merges has '{}' and '{}', but model.vocab lacks '{}'", shown(left), shown(right),
                            shown(!a   ? left
                                  : !b ? right
                                       : joined)));
    merges_.insert_or_assign(pair_key(*a, *b), Merge{static_cast<std::uint32_t>(merges_.size()), *c});
  }

  std::vector<Symbol> symbols_of(const std::string& piece) const {
    std::vector<Symbol> symbols;
    const auto add = [&](std::int64_t id) {
      const auto at = static_cast<std::int64_t>(symbols.size());
      if (at > 0) symbols.back().next = at;
      symbols.push_back({id, at - 1, -1});
    };
    bool unknown = false;  // one is under way
    for (std::size_t at = 0; at < piece.size();) {
      const std::size_t length = utf8_length(piece, at);
      std::string text = piece.substr(at, length);
      if (at > 0) text = prefix_ + text;
      at += length;
      if (at >= piece.size()) text += suffix_;
      if (const auto id = vocabulary_.find(text)) {
        if (unknown) add(*unk_);
        unknown = false;
        add(*id);
        continue;
      }
      if (byte_fallback_) {
        std::vector<std::int64_t> bytes;
        for (const char byte : text) {
          const auto id = vocabulary_.find(fmt::format("<0x{:02X}>", static_cast<unsigned char>(byte)));
          if (!id) break;
          bytes.push_back(*id);
        }
        if (bytes.size() == text.size()) {
          for (const std::int64_t id : bytes) add(id);
          continue;
        }
      }
      if (!unk_) continue;
      if (unknown && !fuse_unk_) add(*unk_);
      unknown = true;
    }
    if (unknown) add(*unk_);
    return symbols;
  }

  void merge_all(std::vector<Symbol>& symbols) const {
    std::priority_queue<Candidate> queue;
    const auto consider = [&](std::int64_t at) {
      if (at < 0) return;
      const Symbol& left = symbols[static_cast<std::size_t>(at)];
      if (left.next < 0) return;
      const auto found = merges_.find(pair_key(left.id, symbols[static_cast<std::size_t>(left.next)].id));
      if (found != merges_.end()) queue.push({found->second.rank, at, found->second.result});
    };
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<std::int64_t>(i));
    while (!queue.empty()) {
      const Candidate best = queue.top();
      queue.pop();
      Symbol& left = symbols[static_cast<std::size_t>(best.position)];
      if (!left.alive || left.next < 0) continue;
      Symbol& right = symbols[static_cast<std::size_t>(left.next)];
      const auto found = merges_.find(pair_key(left.id, right.id));
      if (found == merges_.end() || found->second.result != best.result) continue;  // they have changed since
      left.id = best.result;
      right.alive = false;
      left.next = right.next;
      if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.position;
      consider(left.previous);
      consider(best.position);
    }
  }

  std::unordered_map<std::uint64_t, Merge> merges_;
  std::string prefix_, suffix_;
  std::optional<std::int64_t> unk_;
  bool fuse_unk_, byte_fallback_, ignore_merges_;
};

}  // namespace

std::unique_ptr<TokenModel> read_bpe(const JsonObject& part) { return std::make_unique<BPE>(part); }

}  // namespace gradus::text

// SentencePiece's own normalisation as a tokenizer.json has it: a map from characters to texts, of which the keys are a
// trie in a double array (Yata's darts-clone).
#include <algorithm>

#include <fmt/format.h>

#include "text/tokenizer/stages.h"
#include "text/tokenizer/unicode.h"

namespace gradus::text {

namespace {

std::string from_base64(const JsonObject& part, const char* field) {
  const std::string text = part.string(field, {});
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    int value = 0;
    if (c >= 'A' && c <= 'Z')
      value = c - 'A';
    else if (c >= 'a' && c <= 'z')
      value = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      value = c - '0' + 52;
    else if (c == '+' || c == '/')
      value = c == '+' ? 62 : 63;
    else if (c == '=')
      break;
    else
      part.fail(fmt::format("{} must be base64", field));
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) bytes += static_cast<char>(bits >> (count -= 8));
  }
  return bytes;
}

class CharacterMap {
 public:
  explicit CharacterMap(const JsonObject& part) {
    const std::string bytes = from_base64(part, "precompiled_charsmap");
    const auto number = [&](std::size_t at) {
      std::uint32_t value = 0;
      for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
      return value;
    };
    const std::size_t trie = bytes.size() < 4 ? 0 : number(0);
    if (trie < 4 || trie % 4 != 0 || trie > bytes.size() - 4)
      part.fail("precompiled_charsmap is damaged: its trie does not fit into it");
    for (std::size_t i = 0; i < trie / 4; ++i) units_.push_back(number(4 + 4 * i));
    texts_ = bytes.substr(4 + trie);
  }

  std::string normalized(const std::string& text) const {
    std::string result;
    std::size_t begin = 0;
    for (const std::size_t end : grapheme_ends(text)) {
      const std::string_view whole = std::string_view(text).substr(begin, end - begin);
      begin = end;
      if (whole.size() < 6 && append(whole, result)) continue;
      for (std::size_t at = 0; at < whole.size();) {
        const std::string_view one = whole.substr(at, utf8_length(whole, at));
        if (!append(one, result)) result += one;
        at += one.size();
      }
      check_growth("normalizer", result.size(), text.size());
    }
    return result;
  }

 private:
  static std::size_t offset(std::uint32_t unit) {
    return static_cast<std::size_t>(unit >> 10) << ((unit & (1U << 9)) >> 6);
  }

  // The text of the shortest key that `from` begins with, if there is one.
  bool append(std::string_view from, std::string& to) const {
    std::size_t at = offset(units_[0]);
    for (const char c : from) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) return false;
      at ^= byte;
      if (at >= units_.size() || (units_[at] & ((1U << 31) | 0xff)) != byte) return false;
      const bool leaf = (units_[at] >> 8 & 1) != 0;
      at ^= offset(units_[at]);
      if (!leaf) continue;
      if (at >= units_.size()) return false;
      const std::size_t start = units_[at] & 0x7fffffff;
      if (start >= texts_.size()) return false;
      const std::size_t end = std::min(texts_.find('\0', start), texts_.size());
      to += valid_utf8(std::string_view(texts_).substr(start, end - start));
      return true;
    }
    return false;
  }

  std::vector<std::uint32_t> units_;
  std::string texts_;  // that characters become, with a zero after each
};

}  // namespace

Normalizer read_precompiled(const JsonObject& part) {
  const auto map = std::make_shared<const CharacterMap>(part);
  return [map](const std::u32string& text) { return to_utf32(map->normalized(to_utf8(text))); };
}

}  // namespace gradus::text

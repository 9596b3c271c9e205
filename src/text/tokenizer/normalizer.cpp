#include <fmt/format.h>
#include <gradus/core/error.h>

#include <algorithm>

#include "text/tokenizer/pattern.h"
#include "text/tokenizer/stages.h"

namespace gradus::text {

namespace {

using Filter = bool (*)(char32_t);

std::u32string without(std::u32string text, Filter filter) {
  std::erase_if(text, filter);
  return text;
}

// Letter by letter, as Rust's: one becomes two.
std::u32string lower(const std::u32string& text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (c == 0x130) {
      out += U"i\u0307";
    } else {
      out += to_lower_simple(c);
    }
  }
  return out;
}

// The ranges that BERT's tokenizer takes for Chinese.
bool is_chinese(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

struct BertNormalizer {
  bool clean_text, handle_chinese_chars, strip_accents, lowercase;

  std::u32string operator()(std::u32string text) const {
    if (clean_text) {
      std::u32string clean;
      for (const char32_t c : text) {
        const bool line = c == '\t' || c == '\n' || c == '\r';
        if (c == 0 || c == 0xfffd || (!line && is_bert_control(c))) continue;
        clean += line || is_whitespace(c) ? U' ' : c;
      }
      text = std::move(clean);
    }
    if (handle_chinese_chars) {
      std::u32string spaced;
      for (const char32_t c : text) {
        if (is_chinese(c)) spaced += U' ';
        spaced += c;
        if (is_chinese(c)) spaced += U' ';
      }
      text = std::move(spaced);
    }
    if (strip_accents) text = without(normalized(text, Form::NFD), is_bert_accent);
    return lowercase ? lower(text) : text;
  }
};

std::u32string replaced(const Pattern& pattern, const std::string& content, const std::u32string& given) {
  const std::string text = to_utf8(given);
  std::string out;
  std::size_t done = 0;
  for (const auto& [begin, end] : pattern.matches(text)) {
    out.append(text, done, begin - done).append(content);
    done = end;
    check_growth("normalizer", out.size(), text.size());
  }
  return to_utf32(out.append(text, done));
}

std::u32string stripped(std::u32string text, bool left, bool right) {
  std::size_t begin = 0, end = text.size();
  while (left && begin < end && is_whitespace(text[begin])) ++begin;
  while (right && end > begin && is_whitespace(text[end - 1])) --end;
  return text.substr(begin, end - begin);
}

}  // namespace

void check_growth(const char* stage, std::size_t made, std::size_t given) {
  if (made > 64 * given + (1 << 20))
    throw ValueError(fmt::format("Tokenizer: its {} makes more than {} characters of {}", stage, made, given));
}

Pattern Pattern::read(const JsonObject& part) {
  const auto pattern = part.object("pattern");
  if (!pattern) part.refuse("pattern", "an object");
  Pattern read;
  if (pattern->has("Regex")) {
    read.regex_ = std::make_shared<const Regex>(part.file(), pattern->string("Regex", {}));
  } else {
    read.string_ = pattern->string("String", {});
  }
  return read;
}

std::vector<std::pair<std::size_t, std::size_t>> Pattern::matches(std::string_view text) const {
  if (regex_) return regex_->matches(text);
  std::vector<std::pair<std::size_t, std::size_t>> found;
  if (string_.empty()) return found;
  for (std::size_t at = text.find(string_); at != text.npos; at = text.find(string_, at + string_.size()))
    found.emplace_back(at, at + string_.size());
  return found;
}

Normalizer read_normalizer(const JsonObject& part, int depth) {
  const std::string type = part.string("type", {});
  if (type == "Sequence") {
    const auto* list = part.find("normalizers");
    if (list == nullptr || !list->is_array()) part.refuse("normalizers", "a list");
    if (depth >= kDeepest) part.refuse("normalizers", "nested less deeply");
    std::vector<Normalizer> stages;
    for (const auto& stage : *list) stages.push_back(read_normalizer(part.inside("normalizers", stage), depth + 1));
    return [stages](std::u32string text) {
      const std::size_t given = text.size();
      for (const Normalizer& stage : stages) {
        text = stage(std::move(text));
        check_growth("normalizer", text.size(), given);
      }
      return text;
    };
  }
  if (type == "Replace") {
    return [pattern = Pattern::read(part), content = part.string("content", {})](const std::u32string& text) {
      return replaced(pattern, valid_utf8(content), text);
    };
  }
  if (type == "Prepend") {
    return [prefix = to_utf32(valid_utf8(part.string("prepend", {})))](const std::u32string& text) {
      return text.empty() ? text : prefix + text;
    };
  }
  check_unicode(part.file(), "the normalizer " + shown(type));
  if (type == "BertNormalizer") {
    const bool lowercase = part.flag("lowercase", true);
    return BertNormalizer{part.flag("clean_text", true), part.flag("handle_chinese_chars", true),
                          part.flag("strip_accents", lowercase), lowercase};
  }
  if (type == "Precompiled") return read_precompiled(part);
  if (type == "Lowercase") return lower;
  if (type == "StripAccents") return [](std::u32string text) { return without(std::move(text), is_mark); };
  if (type == "Strip")
    return [left = part.flag("strip_left", true), right = part.flag("strip_right", true)](std::u32string text) {
      return stripped(std::move(text), left, right);
    };
  for (const auto& [name, form] :
       {std::pair{"NFC", Form::NFC}, {"NFD", Form::NFD}, {"NFKC", Form::NFKC}, {"NFKD", Form::NFKD}})
    if (type == name) return [form = form](const std::u32string& text) { return normalized(text, form); };
  part.refuse("type",
              "a supported normalizer: BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, "
              "Precompiled, Prepend, Replace, Sequence, Strip, StripAccents");
}

}  // namespace gradus::text

#include <fmt/format.h>

#include <array>

#include "text/tokenizer/pattern.h"
#include "text/tokenizer/stages.h"

namespace gradus::text {

namespace {

using Spans = std::vector<std::pair<std::size_t, std::size_t>>;

constexpr const char* kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// What a delimiter's matches do.
enum class Behavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

Behavior read_behavior(const JsonObject& part, const char* otherwise) {
  const std::string name = part.string("behavior", otherwise);
  for (const auto& [known, behavior] : {std::pair{"Removed", Behavior::Removed},
                                        {"Isolated", Behavior::Isolated},
                                        {"MergedWithPrevious", Behavior::MergedWithPrevious},
                                        {"MergedWithNext", Behavior::MergedWithNext},
                                        {"Contiguous", Behavior::Contiguous}})
    if (name == known) return behavior;
  part.refuse("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

std::size_t size_of(const std::vector<Piece>& pieces) {
  std::size_t size = 0;
  for (const Piece& piece : pieces) size += piece.text.size();
  return size;
}

struct Part {
  std::size_t begin, end;
  bool delimiter;
};

std::vector<Part> parts_of(const Spans& matches, std::size_t size, bool invert) {
  std::vector<Part> parts;
  std::size_t done = 0;
  for (const auto& [begin, end] : matches) {
    if (begin > done) parts.push_back({done, begin, invert});
    parts.push_back({begin, end, !invert});
    done = end;
  }
  if (done < size) parts.push_back({done, size, invert});
  return parts;
}

std::vector<Part> arranged(const std::vector<Part>& parts, Behavior behavior) {
  std::vector<Part> out;
  bool previous = false;
  switch (behavior) {
    case Behavior::Isolated:
      return parts;
    case Behavior::Removed:
      for (const Part& p : parts)
        if (!p.delimiter) out.push_back(p);
      return out;
    case Behavior::Contiguous:
      for (const Part& p : parts) {
        if (!out.empty() && p.delimiter == previous) {
          out.back().end = p.end;
        } else {
          out.push_back(p);
        }
        previous = p.delimiter;
      }
      return out;
    case Behavior::MergedWithPrevious:
      for (const Part& p : parts) {
        if (p.delimiter && !previous && !out.empty()) {
          out.back().end = p.end;
        } else {
          out.push_back(p);
        }
        previous = p.delimiter;
      }
      return out;
    case Behavior::MergedWithNext:
      for (auto p = parts.rbegin(); p != parts.rend(); ++p) {
        if (p->delimiter && !previous && !out.empty()) {
          out.back().begin = p->begin;
        } else {
          out.push_back(*p);
        }
        previous = p->delimiter;
      }
      return {out.rbegin(), out.rend()};
  }
  return out;
}

void split(const Piece& piece, const Spans& matches, Behavior behavior, bool invert, std::vector<Piece>& to) {
  for (const Part& p : arranged(parts_of(matches, piece.text.size(), invert), behavior))
    to.push_back({piece.text.substr(p.begin, p.end - p.begin), piece.first && p.begin == 0});
}

// A stage that cuts each piece where `find` says.
template <class Find>
PreTokenizer splitting(Find find, Behavior behavior, bool invert = false) {
  return [find = std::move(find), behavior, invert](const std::vector<Piece>& pieces) {
    std::vector<Piece> out;
    for (const Piece& piece : pieces) split(piece, find(piece.text), behavior, invert, out);
    return out;
  };
}

// Each character that is of a kind; a run of them as one where `runs`.
template <class Is>
auto characters(Is is, bool runs = false) {
  return [is, runs](std::string_view text) {
    Spans found;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = utf8_length(text, at);
      if (is(to_utf32(text.substr(at, length))[0])) {
        if (runs && !found.empty() && found.back().second == at) {
          found.back().second = at + length;
        } else {
          found.emplace_back(at, at + length);
        }
      }
      at += length;
    }
    return found;
  };
}

bool begins_with_space(const std::string& text) {
  return is_whitespace(to_utf32(std::string_view(text).substr(0, utf8_length(text, 0)))[0]);
}

PreTokenizer byte_level(const JsonObject& part) {
  std::shared_ptr<const Regex> regex;
  if (part.flag("use_regex", true)) regex = std::make_shared<const Regex>(part.file(), kGpt2Pattern);
  return [regex, prefix = part.flag("add_prefix_space", true)](const std::vector<Piece>& pieces) {
    std::vector<Piece> words;
    for (Piece piece : pieces) {
      if (prefix && !piece.text.empty() && !begins_with_space(piece.text)) piece.text.insert(piece.text.begin(), ' ');
      if (regex) {
        split(piece, regex->matches(piece.text), Behavior::Isolated, false, words);
      } else {
        words.push_back(std::move(piece));
      }
    }
    for (Piece& word : words) word.text = byte_characters(word.text);
    return words;
  };
}

PreTokenizer metaspace(const JsonObject& part) {
  const std::string replacement = valid_utf8(part.string("replacement", "\u2581"));
  if (to_utf32(replacement).size() != 1) part.refuse("replacement", "one character");
  std::string scheme = part.string("prepend_scheme", part.flag("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "never" && scheme != "first")
    part.refuse("prepend_scheme", "always, never or first");
  return [replacement, scheme, cut = part.flag("split", true)](const std::vector<Piece>& pieces) {
    std::vector<Piece> out;
    for (const Piece& piece : pieces) {
      Piece marked{"", piece.first};
      for (const char c : piece.text) c == ' ' ? marked.text += replacement : marked.text += c;
      if ((scheme == "always" || (scheme == "first" && piece.first)) && !marked.text.starts_with(replacement))
        marked.text.insert(0, replacement);
      if (cut) {
        split(marked, Pattern(replacement).matches(marked.text), Behavior::MergedWithNext, false, out);
      } else {
        out.push_back(std::move(marked));
      }
    }
    return out;
  };
}

}  // namespace

std::string byte_characters(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::string, 256> made;
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool shown = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      append_utf8(made[static_cast<std::size_t>(byte)], shown ? static_cast<char32_t>(byte) : next++);
    }
    return made;
  }();
  std::string out;
  for (const char byte : bytes) out += table[static_cast<unsigned char>(byte)];
  return out;
}

std::optional<std::string> bytes_of_characters(std::string_view characters) {
  static const auto table = [] {
    std::unordered_map<std::string, char> made;
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      made.emplace(byte_characters(std::string_view(&c, 1)), c);
    }
    return made;
  }();
  std::string bytes;
  for (std::size_t at = 0; at < characters.size();) {
    const std::size_t length = utf8_length(characters, at);
    const auto found = table.find(std::string(characters.substr(at, length)));
    if (found == table.end()) return {};
    bytes += found->second;
    at += length;
  }
  return bytes;
}

PreTokenizer read_pre_tokenizer(const JsonObject& part, int depth) {
  const std::string type = part.string("type", {});
  if (type == "Sequence") {
    const auto* list = part.find("pretokenizers");
    if (list == nullptr || !list->is_array()) part.refuse("pretokenizers", "a list");
    if (depth >= kDeepest) part.refuse("pretokenizers", "nested less deeply");
    std::vector<PreTokenizer> stages;
    for (const auto& stage : *list)
      stages.push_back(read_pre_tokenizer(part.inside("pretokenizers", stage), depth + 1));
    return [stages](std::vector<Piece> pieces) {
      const std::size_t given = size_of(pieces);
      for (const PreTokenizer& stage : stages) {
        pieces = stage(std::move(pieces));
        check_growth("pre_tokenizer", size_of(pieces), given);
      }
      return pieces;
    };
  }
  if (type == "Metaspace") return metaspace(part);
  check_unicode(part.file(), "the pre_tokenizer " + shown(type));
  if (type == "ByteLevel") return byte_level(part);
  if (type == "Split") {
    const Pattern pattern = Pattern::read(part);
    return splitting([pattern](std::string_view text) { return pattern.matches(text); },
                     read_behavior(part, "Isolated"), part.flag("invert", false));
  }
  if (type == "BertPreTokenizer") {
    const PreTokenizer spaces = splitting(characters(is_whitespace), Behavior::Removed);
    const PreTokenizer marks = splitting(characters(is_bert_punctuation), Behavior::Isolated);
    return [spaces, marks](std::vector<Piece> pieces) { return marks(spaces(std::move(pieces))); };
  }
  if (type == "Whitespace") {
    const auto regex = std::make_shared<const Regex>(part.file(), R"(\w+|[^\w\s]+)");
    return splitting([regex](std::string_view text) { return regex->matches(text); }, Behavior::Removed, true);
  }
  if (type == "WhitespaceSplit") return splitting(characters(is_whitespace), Behavior::Removed);
  if (type == "Digits")
    return splitting(characters(is_number, !part.flag("individual_digits", false)), Behavior::Isolated);
  if (type == "Punctuation") return splitting(characters(is_bert_punctuation), read_behavior(part, "Isolated"));
  part.refuse("type",
              "a supported pre_tokenizer: BertPreTokenizer, ByteLevel, Digits, Metaspace, Punctuation, "
              "Sequence, Split, Whitespace, WhitespaceSplit");
}

}  // namespace gradus::text

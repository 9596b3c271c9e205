#include <array>

#include "text/tokenizer/pattern.h"
#include "text/tokenizer/stages.h"

namespace gradus::text {

namespace {

using Tokens = std::vector<std::string>;

std::string joined(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

std::string replaced(const Pattern& pattern, const std::string& text, const std::string& content) {
  std::string out;
  std::size_t done = 0;
  for (const auto& [begin, end] : pattern.matches(text)) {
    out.append(text, done, begin - done).append(content);
    done = end;
    check_growth("decoder", out.size(), text.size());
  }
  return out.append(text, done);
}

std::size_t size_of(const Tokens& tokens) {
  std::size_t size = 0;
  for (const std::string& token : tokens) size += token.size();
  return size;
}

Tokens byte_level(const Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += bytes_of_characters(token).value_or(token);
  return {valid_utf8(bytes)};
}

std::string cleaned(std::string text) {
  for (const auto& [from, to] : {std::pair{" .", "."},
                                 {" ?", "?"},
                                 {" !", "!"},
                                 {" ,", ","},
                                 {" ' ", "'"},
                                 {" n't", "n't"},
                                 {" 'm", "'m"},
                                 {" do not", " don't"},
                                 {" 's", "'s"},
                                 {" 've", "'ve"},
                                 {" 're", "'re"}})
    text = replaced(Pattern(from), text, to);
  return text;
}

Tokens word_piece(Tokens tokens, const std::string& prefix, bool cleanup) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string& token = tokens[i];
    if (i > 0 && token.starts_with(prefix)) {
      token.erase(0, prefix.size());
    } else if (i > 0) {
      token.insert(token.begin(), ' ');
    }
    if (cleanup) token = cleaned(token);
  }
  return tokens;
}

Tokens byte_fallback(const Tokens& tokens) {
  Tokens out;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (valid_utf8(bytes) == bytes) {
      out.push_back(bytes);
    } else {
      for (std::size_t i = 0; i < bytes.size(); ++i) out.push_back("\xEF\xBF\xBD");
    }
    bytes.clear();
  };
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  for (const std::string& token : tokens) {
    const bool shaped = token.size() == 6 && token.starts_with("<0x") && token[5] == '>';
    const int high = shaped ? digit(token[3]) : -1, low = shaped ? digit(token[4]) : -1;
    if (high >= 0 && low >= 0) {
      bytes += static_cast<char>(16 * high + low);
    } else {
      flush();
      out.push_back(token);
    }
  }
  flush();
  return out;
}

std::string stripped(std::string token, const std::string& content, std::int64_t start, std::int64_t stop) {
  for (std::int64_t i = 0; i < start && token.starts_with(content); ++i) token.erase(0, content.size());
  for (std::int64_t i = 0; i < stop && token.ends_with(content); ++i) token.resize(token.size() - content.size());
  return token;
}

}  // namespace

TokenDecoder read_decoder(const JsonObject& part, int depth) {
  const std::string type = part.string("type", {});
  if (type == "Sequence") {
    const auto* list = part.find("decoders");
    if (list == nullptr || !list->is_array()) part.refuse("decoders", "a list");
    if (depth >= kDeepest) part.refuse("decoders", "nested less deeply");
    std::vector<TokenDecoder> stages;
    for (const auto& stage : *list) stages.push_back(read_decoder(part.inside("decoders", stage), depth + 1));
    return [stages](Tokens tokens) {
      const std::size_t given = size_of(tokens);
      for (const TokenDecoder& stage : stages) {
        tokens = stage(std::move(tokens));
        check_growth("decoder", size_of(tokens), given);
      }
      return tokens;
    };
  }
  if (type == "ByteLevel") return byte_level;
  if (type == "WordPiece")
    return [prefix = part.string("prefix", "##"), cleanup = part.flag("cleanup", true)](Tokens tokens) {
      return word_piece(std::move(tokens), prefix, cleanup);
    };
  if (type == "Fuse") return [](const Tokens& tokens) { return Tokens{joined(tokens)}; };
  if (type == "ByteFallback") return byte_fallback;
  if (type == "Replace")
    return [pattern = Pattern::read(part), content = part.string("content", {})](Tokens tokens) {
      for (std::string& token : tokens) token = replaced(pattern, token, content);
      return tokens;
    };
  if (type == "Strip") {
    const std::string content = part.string("content", " ");
    if (content.empty()) part.refuse("content", "a character");
    return [content, start = part.integer("start", 0, 0, 1 << 20),
            stop = part.integer("stop", 0, 0, 1 << 20)](Tokens tokens) {
      for (std::string& token : tokens) token = stripped(std::move(token), content, start, stop);
      return tokens;
    };
  }
  if (type == "Metaspace") {
    const bool prepended =
        part.string("prepend_scheme", part.flag("add_prefix_space", true) ? "always" : "never") != "never";
    return [mark = Pattern(part.string("replacement", "\u2581")), prepended](Tokens tokens) {
      for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = replaced(mark, tokens[i], i == 0 && prepended ? "" : " ");
      return tokens;
    };
  }
  if (type == "BPEDecoder")
    return [suffix = Pattern(part.string("suffix", "</w>"))](Tokens tokens) {
      for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = replaced(suffix, tokens[i], i + 1 == tokens.size() ? "" : " ");
      return tokens;
    };
  part.refuse("type",
              "a supported decoder: BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, "
              "Sequence, Strip, WordPiece");
}

}  // namespace gradus::text

#include "text/tokenizer/added_tokens.h"

#include <algorithm>
#include <limits>

#include "text/tokenizer/unicode.h"

namespace gradus::text {

namespace {

std::size_t start_of_last(std::string_view text) {
  std::size_t at = text.size();
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
  return at;
}

bool ends_with(std::string_view text, bool (*is)(char32_t)) {
  return !text.empty() && is(to_utf32(text.substr(start_of_last(text)))[0]);
}

bool starts_with(std::string_view text, bool (*is)(char32_t)) {
  return !text.empty() && is(to_utf32(text.substr(0, utf8_length(text, 0)))[0]);
}

}  // namespace

void AddedTokens::read(const JsonObject& file, const char* field, const Normalizer& normalizer) {
  const auto* list = file.find(field);
  if (list == nullptr) return;
  if (!list->is_array()) file.refuse(field, "a list");
  for (const auto& entry : *list) {
    const JsonObject part = file.inside(field, entry);
    const bool special = part.flag("special", false), normalized = part.flag("normalized", !special);
    Token token{part.string("content", {}), part.integer("id", {}, 0, std::numeric_limits<std::int32_t>::max()),
                part.flag("lstrip", false), part.flag("rstrip", false), part.flag("single_word", false)};
    vocabulary_.ids.insert_or_assign(token.content, token.id);
    vocabulary_.tokens.insert_or_assign(token.id, token.content);
    if (special) special_.emplace(token.id, true);
    if (normalized && normalizer) token.content = to_utf8(normalizer(to_utf32(token.content)));
    if (token.content.empty()) continue;
    auto& same = tokens_[normalized ? 1 : 0][token.content[0]];
    const auto at = std::find_if(same.begin(), same.end(),
                                 [&](const Token& other) { return other.content.size() < token.content.size(); });
    same.insert(at, std::move(token));
  }
}

const AddedTokens::Token* AddedTokens::longest(std::string_view text, std::size_t at, bool normalized) const {
  const auto& all = tokens_[normalized ? 1 : 0];
  const auto same = all.find(text[at]);
  if (same == all.end()) return nullptr;
  for (const Token& token : same->second)
    if (text.substr(at).starts_with(token.content)) return &token;
  return nullptr;
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text, bool normalized) const {
  std::vector<Part> parts;
  if (tokens_[normalized ? 1 : 0].empty()) return {{text, {}}};
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Token* token = longest(text, at, normalized);
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->single_word && (ends_with(text.substr(0, begin), is_word) || starts_with(text.substr(end), is_word)))
      continue;
    if (token->lstrip)
      while (begin > done && ends_with(text.substr(done, begin - done), is_whitespace))
        begin = done + start_of_last(text.substr(done, begin - done));
    if (token->rstrip)
      while (starts_with(text.substr(end), is_whitespace)) end += utf8_length(text, end);
    if (begin < done) continue;  // inside of what the one before took with it
    if (begin > done) parts.push_back({text.substr(done, begin - done), {}});
    parts.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done), {}});
  return parts;
}

}  // namespace gradus::text

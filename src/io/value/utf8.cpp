#include "io/value/utf8.h"

#include <fmt/format.h>

namespace gradus::io {

namespace {

unsigned byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

// Of Unicode, which has no surrogates.
bool is_whole(const Character& c) { return c.length > 0 && (c.code < 0xd800 || c.code > 0xdfff); }

}  // namespace

Character character_at(std::string_view text, std::size_t i) {
  const unsigned first = byte_at(text, i);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
  if (length == 0 || first >= 0xf8 || text.size() - i < length) return {};
  std::uint32_t code = first & (0x7fu >> length);
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte_at(text, i + k) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte_at(text, i + k) & 0x3f);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10ffff) return {};
  return {code, length};
}

void add_character(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out.append({static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))});
  } else if (code < 0x10000) {
    out.append({static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
                static_cast<char>(0x80 | (code & 0x3f))});
  } else {
    out.append({static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 0x3f)),
                static_cast<char>(0x80 | (code >> 6 & 0x3f)), static_cast<char>(0x80 | (code & 0x3f))});
  }
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (!is_whole(c)) return false;
    i += c.length;
  }
  return true;
}

std::string as_utf8(std::string_view text) {
  constexpr std::uint32_t kReplacement = 0xfffd;
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (is_whole(c)) {
      out += text.substr(i, c.length);
      i += c.length;
    } else {
      add_character(out, kReplacement);
      ++i;
    }
  }
  return out;
}

std::string escaped_utf8(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (is_whole(c)) {
      out += text.substr(i, c.length);
    } else {
      out += fmt::format("\\x{:02x}", byte_at(text, i));
    }
    i += is_whole(c) ? c.length : 1;
  }
  return out;
}

}  // namespace gradus::io

// Texts as sequences of characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::io {

// The character that begins at `i`, and its length in bytes; length 0 for a byte that begins none. Surrogates count as
// characters here.
struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;
};
Character character_at(std::string_view text, std::size_t i);

void add_character(std::string& out, std::uint32_t code);

bool is_utf8(std::string_view text);

// With U+FFFD in the place of every byte that is not of UTF-8, for files that hold nothing else.
std::string as_utf8(std::string_view text);

// With \xe9 in its place: for names, since different ones stay different.
std::string escaped_utf8(std::string_view text);

}  // namespace gradus::io

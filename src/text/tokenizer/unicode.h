// UTF-8, and what tokenizers ask of Unicode. The classes come from ICU; where the library was built without it, a
// tokenizer that needs them is refused when it is made.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus::text {

// Each longest start of a character that is none becomes U+FFFD.
std::string valid_utf8(std::string_view text);
std::u32string to_utf32(std::string_view valid);
std::string to_utf8(std::u32string_view text);
void append_utf8(std::string& to, char32_t c);
// Of the character that starts at `at` in valid UTF-8.
inline std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// IoError: "FILE: WHAT needs Unicode ..." where there is no ICU.
void check_unicode(const std::string& file, const std::string& what);

bool is_whitespace(char32_t c);  // White_Space
bool is_number(char32_t c);
bool is_word(char32_t c);  // regular expressions' \w
bool is_mark(char32_t c);
char32_t to_lower_simple(char32_t c);
// BERT's classes, which are those of Unicode 8 wherever its tokenizers run.
bool is_bert_control(char32_t c);
bool is_bert_punctuation(char32_t c);
bool is_bert_accent(char32_t c);

enum class Form { NFC, NFD, NFKC, NFKD };
std::u32string normalized(std::u32string_view text, Form form);

// Where the characters that readers see end, in bytes of valid UTF-8.
std::vector<std::size_t> grapheme_ends(std::string_view text);

// A regular expression as tokenizer files have them (Oniguruma's; what they use of it).
class Regex {
 public:
  // IoError naming the file where it is not valid.
  Regex(const std::string& file, const std::string& pattern);
  ~Regex();
  Regex(Regex&&) noexcept;
  // Where the matches lie, from left to right, as [begin, end) in bytes. ValueError where a search takes too long.
  std::vector<std::pair<std::size_t, std::size_t>> matches(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace gradus::text

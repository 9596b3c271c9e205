#include "text/tokenizer/unicode.h"

#include <fmt/format.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "text/json_file.h"

#ifdef GRADUS_ICU
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uregex.h>
#include <unicode/ustring.h>
#include <unicode/utext.h>
#endif

namespace gradus::text {

#ifdef GRADUS_ICU

namespace {

struct Range {
  char32_t first, last;
};

// What Unicode 15.1 and 16 added, for an older ICU: the tokenizers of others know it.
constexpr Range kNewLetters[] = {{0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3},
                                 {0x10D4A, 0x10D65}, {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389},
                                 {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
                                 {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0}, {0x13460, 0x143FA},
                                 {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
                                 {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
constexpr Range kNewNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x16130, 0x16139},
                                 {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA}};

template <std::size_t n>
bool is_in(const Range (&ranges)[n], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges), [c](Range r) { return r.first <= c && c <= r.last; });
}

// As a set in a pattern, without the brackets.
template <std::size_t n>
std::string as_set(const char* known, const Range (&ranges)[n]) {
  std::string set = known;
  for (const Range r : ranges)
    set +=
        fmt::format("\\x{{{:X}}}-\\x{{{:X}}}", static_cast<std::uint32_t>(r.first), static_cast<std::uint32_t>(r.last));
  return set;
}

bool has_class(char32_t c, std::uint32_t mask) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0; }

// Of a class, and in Unicode 8 already.
bool had_class(char32_t c, std::uint32_t mask) {
  if (!has_class(c, mask)) return false;
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] <= 8;
}

}  // namespace

void check_unicode(const std::string&, const std::string&) {}

bool is_whitespace(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_WHITE_SPACE) != 0; }
bool is_number(char32_t c) { return has_class(c, U_GC_N_MASK) || is_in(kNewNumbers, c); }
bool is_mark(char32_t c) { return has_class(c, U_GC_M_MASK); }
bool is_word(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_ALPHABETIC) ||
         has_class(c, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK) || is_in(kNewLetters, c);
}
char32_t to_lower_simple(char32_t c) { return static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))); }

bool is_bert_control(char32_t c) { return had_class(c, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK); }
bool is_bert_punctuation(char32_t c) {
  const bool ascii = (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
  // Two that have become other than punctuation since.
  return ascii || had_class(c, U_GC_P_MASK) || c == 0x166d || c == 0x111c9;
}
bool is_bert_accent(char32_t c) {
  // One that is a spacing mark since, and four that are accents only since.
  if (c == 0x1734) return true;
  return had_class(c, U_GC_MN_MASK) && c != 0x1885 && c != 0x1886 && c != 0xa9bd && c != 0x111c9;
}

std::u32string normalized(std::u32string_view text, Form form) {
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2* by = form == Form::NFC    ? unorm2_getNFCInstance(&error)
                           : form == Form::NFD  ? unorm2_getNFDInstance(&error)
                           : form == Form::NFKC ? unorm2_getNFKCInstance(&error)
                                                : unorm2_getNFKDInstance(&error);
  std::u16string given, out;
  for (const char32_t c : text) {
    if (c < 0x10000) {
      given += static_cast<char16_t>(c);
    } else {
      given += static_cast<char16_t>(U16_LEAD(c));
      given += static_cast<char16_t>(U16_TRAIL(c));
    }
  }
  out.resize(given.size() + 16);
  for (;;) {
    error = U_ZERO_ERROR;
    const std::int32_t length = unorm2_normalize(by, given.data(), static_cast<std::int32_t>(given.size()), out.data(),
                                                 static_cast<std::int32_t>(out.size()), &error);
    if (error != U_BUFFER_OVERFLOW_ERROR && U_FAILURE(error))
      throw ValueError(fmt::format("Tokenizer: normalising failed: {}", u_errorName(error)));
    const bool fits = static_cast<std::size_t>(length) <= out.size();
    out.resize(static_cast<std::size_t>(length));
    if (fits) break;
  }
  std::u32string result;
  for (std::size_t i = 0; i < out.size();) {
    char32_t c = out[i++];
    if (U16_IS_LEAD(c) && i < out.size()) c = static_cast<char32_t>(U16_GET_SUPPLEMENTARY(c, out[i++]));
    result += c;
  }
  return result;
}

std::vector<std::size_t> grapheme_ends(std::string_view text) {
  std::vector<std::size_t> ends;
  UErrorCode error = U_ZERO_ERROR;
  UText over = UTEXT_INITIALIZER;
  utext_openUTF8(&over, text.data(), static_cast<std::int64_t>(text.size()), &error);
  const auto free = [](UBreakIterator* i) { ubrk_close(i); };
  const std::unique_ptr<UBreakIterator, decltype(free)> breaks(ubrk_open(UBRK_CHARACTER, "en", nullptr, 0, &error),
                                                               free);
  if (U_SUCCESS(error)) ubrk_setUText(breaks.get(), &over, &error);
  if (U_SUCCESS(error))
    for (std::int32_t end = ubrk_next(breaks.get()); end != UBRK_DONE; end = ubrk_next(breaks.get()))
      ends.push_back(static_cast<std::size_t>(end));
  utext_close(&over);
  if (U_FAILURE(error))
    throw ValueError(fmt::format("Tokenizer: splitting into characters failed: {}", u_errorName(error)));
  return ends;
}

struct Regex::Compiled {
  URegularExpression* regex = nullptr;
  ~Compiled() { uregex_close(regex); }
};

namespace {

// Oniguruma's \s is White_Space and ICU's is less; letters and numbers are as new as theirs.
std::string translated(const std::string& pattern) {
  static const std::string letters = as_set("\\p{L}", kNewLetters), numbers = as_set("\\p{N}", kNewNumbers);
  std::string out;
  bool in_set = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view rest = std::string_view(pattern).substr(i);
    if (rest.starts_with("\\p{L}")) {
      out += in_set ? letters : "[" + letters + "]";
      i += 4;
    } else if (rest.starts_with("\\p{N}")) {
      out += in_set ? numbers : "[" + numbers + "]";
      i += 4;
    } else if (rest.starts_with("\\s") || rest.starts_with("\\S")) {
      out += rest[1] == 's' ? "\\p{White_Space}" : "\\P{White_Space}";
      ++i;
    } else if (rest[0] == '\\' && rest.size() > 1) {
      out += rest.substr(0, 2);
      ++i;
    } else if (in_set && rest[0] == '[') {
      out += "\\[";  // ICU would begin a set within the set
    } else {
      if (rest[0] == '[') in_set = true;
      if (rest[0] == ']') in_set = false;
      out += rest[0];
    }
  }
  return out;
}

}  // namespace

Regex::Regex(const std::string& file, const std::string& pattern) : compiled_(std::make_unique<Compiled>()) {
  const std::string valid = valid_utf8(translated(pattern));
  UErrorCode error = U_ZERO_ERROR;
  UParseError place;
  UText text = UTEXT_INITIALIZER;
  utext_openUTF8(&text, valid.data(), static_cast<std::int64_t>(valid.size()), &error);
  compiled_->regex = uregex_openUText(&text, 0, &place, &error);
  utext_close(&text);
  if (U_FAILURE(error))
    throw IoError(
        fmt::format("{}: '{}' is not a valid regular expression ({})", file, shown(pattern), u_errorName(error)));
}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;

std::vector<std::pair<std::size_t, std::size_t>> Regex::matches(std::string_view text) const {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  UErrorCode error = U_ZERO_ERROR;
  UText over = UTEXT_INITIALIZER;
  const auto free = [](URegularExpression* r) { uregex_close(r); };
  const std::unique_ptr<URegularExpression, decltype(free)> own(uregex_clone(compiled_->regex, &error), free);
  utext_openUTF8(&over, text.data(), static_cast<std::int64_t>(text.size()), &error);
  uregex_setUText(own.get(), &over, &error);
  uregex_setTimeLimit(own.get(), 2000, &error);  // for each match; about a millisecond each
  while (U_SUCCESS(error) && uregex_findNext(own.get(), &error)) {
    const std::int64_t begin = uregex_start64(own.get(), 0, &error), end = uregex_end64(own.get(), 0, &error);
    if (end > begin) found.emplace_back(begin, end);
  }
  utext_close(&over);
  if (U_FAILURE(error))
    throw ValueError(fmt::format("Tokenizer: its regular expression fails on this text ({})", u_errorName(error)));
  return found;
}

#else

void check_unicode(const std::string& file, const std::string& what) {
  throw IoError(fmt::format("{}: {} needs the classes of Unicode, and this library was built without ICU", file, what));
}

bool is_whitespace(char32_t c) { return c == ' ' || (c >= 9 && c <= 13); }
bool is_number(char32_t c) { return c >= '0' && c <= '9'; }
bool is_mark(char32_t) { return false; }
bool is_word(char32_t c) {
  return is_number(c) || c == '_' || (to_lower_simple(c) >= 'a' && to_lower_simple(c) <= 'z');
}
char32_t to_lower_simple(char32_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
bool is_bert_control(char32_t c) { return c < 32; }
bool is_bert_punctuation(char32_t c) { return c > 32 && c < 127 && !is_word(c); }
bool is_bert_accent(char32_t) { return false; }
std::u32string normalized(std::u32string_view text, Form) { return std::u32string(text); }
std::vector<std::size_t> grapheme_ends(std::string_view) { return {}; }

struct Regex::Compiled {};
Regex::Regex(const std::string& file, const std::string& pattern) { check_unicode(file, "'" + shown(pattern) + "'"); }
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
std::vector<std::pair<std::size_t, std::size_t>> Regex::matches(std::string_view) const { return {}; }

#endif

}  // namespace gradus::text

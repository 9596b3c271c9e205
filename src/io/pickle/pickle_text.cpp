#include "io/pickle/pickle_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

#include "io/value/utf8.h"

namespace gradus::io {

namespace {

unsigned byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

bool is_escaped_byte(std::uint32_t code) { return code >= 0xdc80 && code <= 0xdcff; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// `count` hexadecimal digits at `i`.
std::optional<std::uint32_t> hex_at(std::string_view text, std::size_t i, std::size_t count) {
  if (text.size() < i + count) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const int digit = hex_digit(text[i + k]);
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint32_t>(digit);
  }
  return value;
}

// Decimal digits take time with the square of the length.
constexpr std::size_t kMostDecimalBytes = 256;

std::string digits_of(std::string_view bytes) {
  const bool negative = (byte_at(bytes, bytes.size() - 1) & 0x80) != 0;
  std::vector<std::uint8_t> magnitude(bytes.begin(), bytes.end());
  if (negative) {
    unsigned carry = 1;
    for (std::uint8_t& byte : magnitude) {
      carry += static_cast<std::uint8_t>(~byte);
      byte = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
  }
  while (magnitude.size() > 1 && magnitude.back() == 0) magnitude.pop_back();
  std::string out;
  if (bytes.size() > kMostDecimalBytes) {
    for (const std::uint8_t byte : magnitude) {
      out += "0123456789abcdef"[byte & 15];
      out += "0123456789abcdef"[byte >> 4];
    }
    out += "x0";
  } else {
    while (!magnitude.empty()) {
      unsigned rest = 0;
      for (std::size_t i = magnitude.size(); i-- > 0;) {
        rest = rest << 8 | magnitude[i];
        magnitude[i] = static_cast<std::uint8_t>(rest / 10);
        rest %= 10;
      }
      out += static_cast<char>('0' + rest);
      while (!magnitude.empty() && magnitude.back() == 0) magnitude.pop_back();
    }
  }
  if (negative) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

std::string pickled_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, length] = character_at(text, i);
    if (length > 0 && !is_escaped_byte(code)) {
      out += text.substr(i, length);
      i += length;
    } else {
      add_character(out, 0xdc00 + byte_at(text, i++));
    }
  }
  return out;
}

std::string text_of_pickle(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, length] = character_at(text, i);
    if (length == 3 && is_escaped_byte(code)) {
      out += static_cast<char>(code & 0xff);
    } else {
      out += text.substr(i, std::max<std::size_t>(length, 1));
    }
    i += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view quoted) {
  const bool framed = quoted.size() >= 2 && quoted.front() == quoted.back() && (quoted[0] == '\'' || quoted[0] == '"');
  if (!framed) return std::nullopt;
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    constexpr std::string_view kNames = "\\'\"abfnrtv", kMeant = "\\'\"\a\b\f\n\r\t\v";
    if (const std::size_t at = kNames.find(text[i]); at != kNames.npos) {
      out += kMeant[at];
    } else if (text[i] == 'x') {
      const auto code = hex_at(text, i + 1, 2);
      if (!code) return std::nullopt;
      out += static_cast<char>(*code);
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<std::string> unescaped_unicode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digits = !text.substr(i).starts_with('\\') ? 0
                               : text.substr(i, 2) == "\\u"      ? 4
                               : text.substr(i, 2) == "\\U"      ? 8
                                                                 : 0;
    if (digits == 0) {
      add_character(out, byte_at(text, i));
      continue;
    }
    const auto code = hex_at(text, i + 2, digits);
    if (!code || *code > 0x10ffff) return std::nullopt;
    add_character(out, *code);
    i += 1 + digits;
  }
  return text_of_pickle(out);
}

Value integer_of_bytes(std::string_view bytes) {
  const bool negative = !bytes.empty() && (byte_at(bytes, bytes.size() - 1) & 0x80) != 0;
  const char filling = negative ? '\xff' : '\0';
  while (bytes.size() > 8 && bytes.back() == filling && ((byte_at(bytes, bytes.size() - 2) & 0x80) != 0) == negative)
    bytes.remove_suffix(1);
  if (bytes.size() > 8) return Value::object("int", digits_of(bytes));
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value = (value & ~(std::uint64_t{0xff} << (8 * i))) | std::uint64_t{byte_at(bytes, i)} << (8 * i);
  return static_cast<std::int64_t>(value);
}

std::optional<Value> integer_of_digits(std::string_view digits) {
  std::int64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error == std::errc() && stop == end) return value;
  if (error != std::errc::result_out_of_range || stop != end) return std::nullopt;
  return Value::object("int", digits);
}

std::optional<double> number_of_text(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

std::string bytes_of_integer(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  const bool hex = digits.starts_with("0x");
  if (hex) digits.remove_prefix(2);
  std::string bytes;
  for (const char c : digits) {
    unsigned carry = static_cast<unsigned>(hex_digit(c));
    for (char& byte : bytes) {
      carry += static_cast<unsigned char>(byte) * (hex ? 16u : 10u);
      byte = static_cast<char>(carry);
      carry >>= 8;
    }
    if (carry != 0) bytes += static_cast<char>(carry);
  }
  bytes += '\0';
  if (!negative) return bytes;
  unsigned carry = 1;
  for (char& byte : bytes) {
    carry += static_cast<unsigned char>(~byte);
    byte = static_cast<char>(carry);
    carry >>= 8;
  }
  return bytes;
}

}  // namespace gradus::io

// How texts and large integers stand in pickles.
#pragma once

#include <gradus/io/value.h>

#include <optional>
#include <string>
#include <string_view>

namespace gradus::io {

// Python's texts are characters, ours are bytes. A byte that is not of UTF-8 stands as Python's file names have it
// (os.fsdecode): byte b as the character U+DC00 + b, which pickles write in three bytes.
std::string pickled_text(std::string_view text);
std::string text_of_pickle(std::string_view text);

// What the texts of the protocols 0 and 1 mean: 'it\'s\n' of Python 2, in quotes, and unicode with \u1234. Nothing for
// what is not well formed.
std::optional<std::string> unescaped(std::string_view quoted);
std::optional<std::string> unescaped_unicode(std::string_view text);

// An integer in two's complement, little-endian, or in decimal digits: an Int, or an object "int" with the digits
// (in hexadecimal where they are very many). Nothing where there are no digits.
Value integer_of_bytes(std::string_view bytes);
std::optional<Value> integer_of_digits(std::string_view digits);

// "1.5", "nan", "-inf".
std::optional<double> number_of_text(std::string_view text);

// The bytes of an object "int", for writing it.
std::string bytes_of_integer(std::string_view digits);

}  // namespace gradus::io

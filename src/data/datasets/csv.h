// Tables in text form: RFC 4180, and what else people save.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::data {

struct CsvTable {
  std::size_t columns = 0;
  char delimiter = ',';
  std::vector<std::string_view> fields;  // row after row, within the text that was parsed
  std::vector<std::int64_t> lines;       // of each row, from 1; a quoted field may reach over several
  std::deque<std::string> unescaped;     // fields that had quotes in them

  std::size_t rows() const { return lines.size(); }
  std::string_view at(std::size_t row, std::size_t column) const { return fields[row * columns + column]; }
};

// Fields may be quoted; a quote within is written twice. Lines end in \n, \r\n or \r; empty ones are passed over, and a
// byte order mark too. A delimiter 0 is found: a tab, semicolon, bar or comma that every line has equally often, or
// what a first line "sep=;" says. Every row must have as many fields as the first, but for one empty field at its end.
// IoError "read_csv: NAME, line 3: what"; it also names what is not text in UTF-8.
CsvTable parse_csv(std::string_view text, char delimiter, const std::string& name);

// The file, gzipped or not. IoError for one whose text is out of proportion.
std::string read_csv_file(const std::string& path);

// Without the blanks around it.
std::string_view trimmed(std::string_view text);

// The whole field as a number, as strtod reads it: what is out of range becomes 0 or an infinity. Nothing for other
// fields, hexadecimal ones among them.
std::optional<double> number_of(std::string_view field, char decimal = '.');
std::optional<std::int64_t> whole_number_of(std::string_view field);

}  // namespace gradus::data

// Tables in text form: RFC 4180.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::data {

struct CsvTable {
  std::size_t columns = 0;
  std::vector<std::string_view> fields;  // row after row, within the text that was parsed
  std::vector<std::int64_t> lines;       // of each row, from 1; a quoted field may reach over several
  std::deque<std::string> unescaped;     // fields that had quotes in them

  std::size_t rows() const { return lines.size(); }
  std::string_view at(std::size_t row, std::size_t column) const { return fields[row * columns + column]; }
};

// Fields may be quoted; a quote within is written twice. Lines end in \n, \r\n or \r; empty ones are passed over, and a
// byte order mark too. Every row must have as many fields as the first. IoError "read_csv: NAME, line 3: what".
CsvTable parse_csv(std::string_view text, char delimiter, const std::string& name);

}  // namespace gradus::data

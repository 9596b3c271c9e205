#include "data/datasets/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gradus/core/error.h"

namespace gradus::data {

namespace {

constexpr std::string_view kMark = "\xef\xbb\xbf";

// What a file is that is not text in UTF-8.
void check_is_text(std::string_view text, const std::string& name) {
  const auto refuse = [&](std::string_view what) { throw IoError(fmt::format("read_csv: {} {}", name, what)); };
  if (text.starts_with("PK\x03\x04")) refuse("is a zip archive, as .xlsx files are; save the table as CSV");
  if (text.starts_with("PAR1")) refuse("is a Parquet file; save the table as CSV");
  const std::size_t zero = text.find('\0');
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || zero < 2)
    refuse("is text in UTF-16; save it in UTF-8");
  if (zero == text.npos) return;
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
  throw IoError(fmt::format("read_csv: {}, line {}: a zero byte, which text does not contain", name, line));
}

// The one that all of the first lines have equally often. Commas come last: they may be decimal.
char found_delimiter(std::string_view text) {
  constexpr std::string_view kAll = "\t;|,";
  constexpr std::size_t kLines = 32;
  std::vector<std::array<std::size_t, kAll.size()>> lines(1);
  bool quoted = false, empty = true;
  for (const char c : text) {
    quoted = quoted != (c == '"');
    if (!quoted && (c == '\n' || c == '\r')) {
      if (empty) continue;
      if (lines.size() == kLines) break;
      lines.emplace_back();
      empty = true;
    } else {
      empty = false;
      if (const std::size_t i = kAll.find(c); i != kAll.npos && !quoted) ++lines.back()[i];
    }
  }
  if (empty && lines.size() > 1) lines.pop_back();
  for (std::size_t i = 0; i < kAll.size(); ++i) {
    const std::size_t count = lines[0][i];
    if (count > 0 && std::all_of(lines.begin(), lines.end(), [&](const auto& line) { return line[i] == count; }))
      return kAll[i];
  }
  const auto most = std::max_element(lines[0].begin(), lines[0].end());
  return *most == 0 ? ',' : kAll[static_cast<std::size_t>(most - lines[0].begin())];
}

class Parser {
 public:
  Parser(std::string_view text, char delimiter, const std::string& name) : left_(text), name_(name) {
    if (left_.starts_with(kMark)) left_.remove_prefix(kMark.size());
    if (left_.size() > 5 && left_.starts_with("sep=") && (left_[5] == '\n' || left_[5] == '\r')) {
      if (delimiter == 0) delimiter = left_[4];
      left_.remove_prefix(5);
      take_line_end();
    }
    table_.delimiter = delimiter_ = delimiter != 0 ? delimiter : found_delimiter(left_);
  }

  CsvTable run() {
    while (!left_.empty()) {
      if (!take_line_end()) row();
    }
    return std::move(table_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw IoError(fmt::format("read_csv: {}, line {}: {}", name_, line_, what));
  }

  bool take_line_end() {
    if (left_.starts_with("\r\n")) {
      left_.remove_prefix(2);
    } else if (left_.starts_with('\n') || left_.starts_with('\r')) {
      left_.remove_prefix(1);
    } else {
      return false;
    }
    ++line_;
    return true;
  }

  bool at_field_end() const { return left_.empty() || left_[0] == delimiter_ || left_[0] == '\n' || left_[0] == '\r'; }

  void row() {
    const std::int64_t first = line_;
    const std::size_t before = table_.fields.size();
    table_.lines.push_back(first);
    while (true) {
      table_.fields.push_back(starts_quoted() ? quoted() : plain());
      if (left_.empty() || take_line_end()) break;
      left_.remove_prefix(1);  // the delimiter
    }
    std::size_t count = table_.fields.size() - before;
    if (table_.rows() == 1) table_.columns = count;
    // Some write a delimiter at the end of a line.
    if (count == table_.columns + 1 && table_.fields.back().empty()) {
      table_.fields.pop_back();
      --count;
    } else if (count + 1 == table_.columns && table_.columns > 1 && table_.fields[table_.columns - 1].empty()) {
      table_.fields.emplace_back();
      ++count;
    }
    if (count != table_.columns) {
      line_ = first;
      fail(fmt::format("need {} fields as in line {}, got {}", table_.columns, table_.lines[0], count));
    }
  }

  std::string_view plain() {
    std::size_t end = 0;
    while (end < left_.size() && left_[end] != delimiter_ && left_[end] != '\n' && left_[end] != '\r') ++end;
    const std::string_view field = left_.substr(0, end);
    left_.remove_prefix(end);
    return field;
  }

  // Blanks may stand before a quote.
  bool starts_quoted() {
    const std::size_t first = left_.find_first_not_of(' ');
    if (first == left_.npos || left_[first] != '"' || delimiter_ == ' ') return left_.starts_with('"');
    left_.remove_prefix(first);
    return true;
  }

  std::string_view quoted() {
    const std::int64_t first = line_;
    left_.remove_prefix(1);
    std::string* joined = nullptr;
    std::string_view part;
    while (true) {
      const std::size_t end = left_.find('"');
      if (end == left_.npos) {
        line_ = first;
        fail("a quoted field has no end");
      }
      part = left_.substr(0, end);
      for (std::size_t i = 0; i < end; ++i) line_ += part[i] == '\n' || (part[i] == '\r' && left_[i + 1] != '\n');
      if (joined) joined->append(part);
      left_.remove_prefix(end + 1);
      if (!left_.starts_with('"')) break;
      if (!joined) joined = &table_.unescaped.emplace_back(part);
      joined->push_back('"');
      left_.remove_prefix(1);
    }
    while (!at_field_end() && left_[0] == ' ') left_.remove_prefix(1);
    if (!at_field_end()) fail("text after a quoted field");
    return joined ? std::string_view(*joined) : part;
  }

  std::string_view left_;
  char delimiter_ = ',';
  const std::string& name_;
  std::int64_t line_ = 1;
  CsvTable table_;
};

}  // namespace

CsvTable parse_csv(std::string_view text, char delimiter, const std::string& name) {
  check_is_text(text, name);
  return Parser(text, delimiter, name).run();
}

}  // namespace gradus::data

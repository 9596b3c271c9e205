#include "data/csv.h"

#include <fmt/format.h>

#include "gradus/error.h"

namespace gradus::data {

namespace {

class Parser {
 public:
  Parser(std::string_view text, char delimiter, const std::string& name)
      : left_(text), delimiter_(delimiter), name_(name) {
    if (left_.starts_with("\xef\xbb\xbf")) left_.remove_prefix(3);
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

  void row() {
    const std::int64_t first = line_;
    const std::size_t before = table_.fields.size();
    table_.lines.push_back(first);
    while (true) {
      table_.fields.push_back(left_.starts_with('"') ? quoted() : plain());
      if (left_.empty() || take_line_end()) break;
      left_.remove_prefix(1);  // the delimiter
    }
    const std::size_t count = table_.fields.size() - before;
    if (table_.rows() == 1) table_.columns = count;
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
      for (const char c : part) line_ += c == '\n';
      if (joined) joined->append(part);
      left_.remove_prefix(end + 1);
      if (!left_.starts_with('"')) break;
      if (!joined) joined = &table_.unescaped.emplace_back(part);
      joined->push_back('"');
      left_.remove_prefix(1);
    }
    if (!left_.empty() && left_[0] != delimiter_ && left_[0] != '\n' && left_[0] != '\r') {
      fail("text behind a quoted field");
    }
    return joined ? std::string_view(*joined) : part;
  }

  std::string_view left_;
  char delimiter_;
  const std::string& name_;
  std::int64_t line_ = 1;
  CsvTable table_;
};

}  // namespace

CsvTable parse_csv(std::string_view text, char delimiter, const std::string& name) {
  return Parser(text, delimiter, name).run();
}

}  // namespace gradus::data

// Tables for a terminal, and names that were meant.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

// Columns as wide as their widest cell, two blanks apart. Numbers are best aligned to the right.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells);  // missing ones are empty
  void rule();                               // a line across
  std::size_t size() const { return rows_.size(); }
  // Each line ends with a newline and has no blanks before it.
  std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty one is a line
};

// Characters that a terminal shows of UTF-8, each one column wide.
std::size_t display_width(std::string_view text);

// "; did you mean 'resnet18'?" where one of the names is near, else "; there are a, b and c".
std::string did_you_mean(const std::string& name, const std::vector<std::string>& names);

}  // namespace gradus

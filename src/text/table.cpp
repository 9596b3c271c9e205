#include "text/table.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

// Characters to insert, delete, replace or swap.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last.back();
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::rule() { rows_.emplace_back(); }

std::string Table::to_string() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));

  std::string text;
  const auto line = [&](const auto& cell_of) {
    std::string out;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string blanks(widths[i] - display_width(cell), ' ');
      if (i > 0) out += "  ";
      out += columns_[i].right ? blanks + cell : cell + blanks;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  };
  std::string across;
  const std::size_t total = std::accumulate(widths.begin(), widths.end(), 2 * (widths.size() - 1));
  for (std::size_t i = 0; i < total; ++i) across += "\u2500";

  line([&](std::size_t i) -> const std::string& { return columns_[i].title; });
  text += across + "\n";
  for (const auto& row : rows_) {
    if (row.empty()) {
      text += across + "\n";
    } else {
      line([&](std::size_t i) -> const std::string& { return row[i]; });
    }
  }
  return text;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
  std::size_t least = std::max<std::size_t>(1, name.size() / 3) + 1;
  const std::string* nearest = nullptr;
  for (const std::string& candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = &candidate;
    }
  }
  if (nearest != nullptr) return "; did you mean '" + *nearest + "'?";
  if (names.empty()) return "";
  std::string list = "; there ";
  list += names.size() == 1 ? "is " : "are ";
  for (std::size_t i = 0; i < names.size(); ++i)
    list += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return list;
}

}  // namespace gradus

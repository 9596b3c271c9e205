#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "data/csv.h"
#include "data/hash.h"
#include "data/rows.h"
#include "gradus/data/datasets.h"
#include "gradus/error.h"
#include "io/posix.h"

namespace gradus::data {

namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The whole field as a T, or nothing.
template <class T>
std::optional<T> number_of(std::string_view field) {
  T value{};
  field = trimmed(field);
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return {};
  return value;
}

struct Table {
  const std::string& path;
  const CsvOptions& options;
  const CsvTable& csv;
  std::vector<std::string> names;  // of all columns
  std::size_t first;               // row that is not the header

  std::size_t find(const std::string& column) const {
    const auto at = std::find(names.begin(), names.end(), column);
    if (at == names.end()) {
      throw IoError(
          fmt::format("CsvDataset: {} has no column \"{}\"; it has {}", path, column, fmt::join(names, ", ")));
    }
    return static_cast<std::size_t>(at - names.begin());
  }

  double number(std::size_t row, std::size_t column) const {
    const std::string_view field = csv.at(row, column);
    if (trimmed(field).empty() && options.missing) return *options.missing;
    if (const auto value = number_of<double>(field)) return *value;
    throw IoError(fmt::format("CsvDataset: {}, line {}, column {}: need a number, got \"{}\"", path, csv.lines[row],
                              names[column], field.substr(0, 40)));
  }

  std::size_t rows() const { return csv.rows() - first; }
};

Tensor number_columns(const Table& table, const std::vector<std::size_t>& columns) {
  const Tensor data = empty({static_cast<std::int64_t>(table.rows()), static_cast<std::int64_t>(columns.size())});
  float* to = data.data_ptr<float>();
  for (std::size_t row = 0; row < table.rows(); ++row)
    for (const std::size_t column : columns) *to++ = static_cast<float>(table.number(table.first + row, column));
  return data;
}

// What the column holds: whole numbers, numbers, or else names, which are put into `classes`.
Tensor target_column(const Table& table, std::size_t column, std::vector<std::string>& classes) {
  std::vector<std::int64_t> whole;
  std::vector<double> real;
  std::set<std::string_view> names;
  for (std::size_t row = table.first; row < table.csv.rows(); ++row) {
    const std::string_view field = table.csv.at(row, column);
    if (const auto value = number_of<std::int64_t>(field)) whole.push_back(*value);
    if (const auto value = number_of<double>(field)) real.push_back(*value);
    if (trimmed(field).empty()) {
      throw IoError(fmt::format("CsvDataset: {}, line {}, column {}: need a target, got an empty field", table.path,
                                table.csv.lines[row], table.names[column]));
    }
    names.insert(field);
  }
  if (whole.size() == table.rows()) return tensor(whole);
  if (real.size() == table.rows()) return tensor(real);
  classes.assign(names.begin(), names.end());
  whole.clear();
  for (std::size_t row = table.first; row < table.csv.rows(); ++row) {
    whole.push_back(std::lower_bound(classes.begin(), classes.end(), table.csv.at(row, column)) - classes.begin());
  }
  return tensor(whole);
}

}  // namespace

CsvDataset::CsvDataset(const std::string& path, const CsvOptions& options) : path_(path), options_(options.transforms) {
  if (options.delimiter == '"' || options.delimiter == '\n' || options.delimiter == '\r') {
    throw ValueError("CsvDataset: quotes and ends of lines cannot be the delimiter");
  }
  const std::string text = io::read_file(path);
  const CsvTable csv = parse_csv(text, options.delimiter, path);
  if (csv.rows() == 0) throw IoError(fmt::format("CsvDataset: {} is empty", path));
  Table table{path, options, csv, {}, options.header ? std::size_t{1} : std::size_t{0}};
  for (std::size_t i = 0; i < csv.columns; ++i) {
    table.names.push_back(options.header ? std::string(trimmed(csv.at(0, i))) : std::to_string(i));
  }
  std::vector<std::size_t> columns;
  std::optional<std::size_t> target;
  if (options.target) target = table.find(*options.target);
  for (const std::string& column : options.columns) columns.push_back(table.find(column));
  for (std::size_t i = 0; options.columns.empty() && i < csv.columns; ++i) {
    if (i != target) columns.push_back(i);
  }
  for (const std::size_t column : columns) columns_.push_back(table.names[column]);
  data_ = number_columns(table, columns);
  if (target) targets_ = target_column(table, *target, classes_);
  lines_.assign(csv.lines.begin() + static_cast<std::ptrdiff_t>(table.first), csv.lines.end());
}

Sample CsvDataset::get(std::int64_t index) const {
  check_index("CsvDataset", index);
  const Tensor target = targets_.defined() ? targets_.select(0, index) : Tensor();
  return {options_.transform(data_.select(0, index)), target.defined() ? options_.target_transform(target) : target};
}

Batch CsvDataset::get_batch(std::span<const std::int64_t> indices) const {
  if (options_.transform || options_.target_transform) return {};
  return rows_of(data_, targets_, indices);
}

std::string CsvDataset::name(std::int64_t index) const {
  check_index("CsvDataset", index);
  return fmt::format("{}, line {}", path_, lines_[static_cast<std::size_t>(index)]);
}

bool CsvDataset::is_random() const { return options_.is_random(); }

std::string CsvDataset::identity() const { return options_.identity("table " + Hash().add(data_).add(targets_).hex()); }

}  // namespace gradus::data

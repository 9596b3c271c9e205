#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/datasets/csv.h"
#include "data/datasets/rows.h"
#include "data/loader/hash.h"
#include "gradus/core/error.h"
#include "gradus/data/datasets.h"
#include "gradus/ops.h"

namespace gradus::data {

namespace {

std::string shown(std::string_view field) { return fmt::format("\"{}\"", field.substr(0, 40)); }

// A parsed table, and what its options say of it.
class Table {
 public:
  Table(const std::string& path, const CsvOptions& options, const CsvTable& csv)
      : path_(path), options_(options), csv_(csv) {
    const bool named = options.header.value_or(!only_numbers(0));
    first_ = named ? 1 : 0;
    if (!options.header && !named)
      note("its first line holds only numbers, so it is data; columns are called 0, 1, ...");
    for (std::size_t i = 0; i < csv.columns; ++i)
      names.push_back(named ? std::string(trimmed(csv.at(0, i))) : std::to_string(i));
    // What a delimiter at the end of each line makes.
    if (named && names.size() > 1 && names.back().empty() && is_empty(names.size() - 1)) names.pop_back();
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i].empty()) note(fmt::format("column {} has no name; it is data unless columns says which are", i));
  }

  std::vector<std::string> names;  // of all columns
  std::vector<std::string> notes;

  std::size_t rows() const { return csv_.rows() - first_; }
  std::string_view field(std::size_t row, std::size_t column) const { return trimmed(csv_.at(first_ + row, column)); }
  std::int64_t line(std::size_t row) const { return csv_.lines[first_ + row]; }
  const CsvOptions& options() const { return options_; }

  std::size_t find(const std::string& column) const {
    const auto at = std::find(names.begin(), names.end(), column);
    if (at == names.end()) {
      throw IoError(
          fmt::format("CsvDataset: {} has no column \"{}\"; it has {}", path_, column, fmt::join(names, ", ")));
    }
    if (std::find(at + 1, names.end(), column) != names.end())
      throw IoError(fmt::format("CsvDataset: {} has several columns \"{}\"", path_, column));
    return static_cast<std::size_t>(at - names.begin());
  }

  [[noreturn]] void refuse(std::size_t row, std::size_t column, const std::string& what) const {
    throw IoError(fmt::format("CsvDataset: {}, line {}, column {}: {}", path_, line(row), names[column], what));
  }

  bool is_missing(std::string_view field) const {
    return options_.missing &&
           std::find(options_.na_values.begin(), options_.na_values.end(), field) != options_.na_values.end();
  }

  float number(std::size_t row, std::size_t column) {
    const std::string_view text = field(row, column);
    if (is_missing(text)) return static_cast<float>(*options_.missing);
    if (const auto value = number_of(text, options_.decimal)) return to_float(*value, row, column);
    std::string hint;
    if (std::find(options_.na_values.begin(), options_.na_values.end(), text) != options_.na_values.end()) {
      hint = "; missing=0 replaces such fields by a value";
    } else if (const auto with_comma = number_of(text, ',')) {
      hint = fmt::format("; decimal=',' reads it as {}", *with_comma);  // "1,000" may be meant as a thousand
    } else if (!number_of(text)) {
      hint = "; one_hot takes columns of names";
    }
    refuse(row, column, fmt::format("need a number, got {}{}", shown(text), hint));
  }

  float to_float(double value, std::size_t row, std::size_t column) {
    const auto result = static_cast<float>(value);
    const std::string_view text = field(row, column);
    const bool says_so = text.find_first_of("iI") != text.npos;  // "inf"
    if (std::isinf(result) && !says_so && !std::exchange(noted_range_, true)) {
      note(fmt::format("line {}, column {}: {} is beyond float32 and counts as {}", line(row), names[column],
                       shown(text), result));
    }
    return result;
  }

 private:
  bool only_numbers(std::size_t row) const {
    for (std::size_t i = 0; i < csv_.columns; ++i)
      if (!number_of(csv_.at(row, i), options_.decimal)) return false;
    return true;
  }
  bool is_empty(std::size_t column) const {
    for (std::size_t row = 0; row < rows(); ++row)
      if (!field(row, column).empty()) return false;
    return true;
  }
  void note(const std::string& text) { notes.push_back(path_ + ": " + text); }

  const std::string& path_;
  const CsvOptions& options_;
  const CsvTable& csv_;
  std::size_t first_ = 0;  // row that is not the header
  bool noted_range_ = false;
};

// Numbers as numbers, "10" after "2", and names as texts.
std::vector<std::string> sorted_values(const std::set<std::string_view>& values) {
  std::vector<std::string> sorted(values.begin(), values.end());
  const bool numbers =
      std::all_of(sorted.begin(), sorted.end(), [](const std::string& value) { return number_of(value).has_value(); });
  if (numbers) {
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const std::string& a, const std::string& b) { return *number_of(a) < *number_of(b); });
  }
  return sorted;
}

std::vector<std::string> values_of(const Table& table, std::size_t column) {
  std::set<std::string_view> values;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view field = table.field(row, column);
    if (table.is_missing(field)) continue;
    if (field.empty()) table.refuse(row, column, "need a value, got an empty field; missing=0 lets it pass");
    values.insert(field);
  }
  return sorted_values(values);
}

// The places of a column's values, by what stands in it.
class Codes {
 public:
  explicit Codes(const std::vector<std::string>& values) {
    for (const std::string& value : values) places_.emplace(value, places_.size());
  }
  std::size_t operator()(const Table& table, std::size_t row, std::size_t column) const {
    const auto at = places_.find(table.field(row, column));
    if (at != places_.end()) return at->second;
    constexpr std::size_t kShown = 8;
    std::string known;
    for (const auto& [value, place] : places_)
      if (place < kShown) known += fmt::format("{}{}", known.empty() ? "" : ", ", value);
    table.refuse(row, column,
                 fmt::format("{} is none of the {} values that are known: {}{}", shown(table.field(row, column)),
                             places_.size(), known, places_.size() > kShown ? ", ..." : ""));
  }

 private:
  std::map<std::string_view, std::size_t> places_;
};

// The columns of the data, some of them as one for each of their values.
Tensor read_data(Table& table, const CsvEncoding& encoding, std::vector<std::string>& names) {
  struct Source {
    std::size_t column, width;
    std::optional<Codes> codes;
  };
  std::vector<Source> sources;
  for (const std::string& name : encoding.columns) {
    const auto values = encoding.one_hot.find(name);
    if (values == encoding.one_hot.end()) {
      sources.push_back({table.find(name), 1, {}});
      names.push_back(name);
      continue;
    }
    sources.push_back({table.find(name), values->second.size(), Codes(values->second)});
    for (const std::string& value : values->second) names.push_back(name + "_" + value);
  }
  const Tensor data = zeros({static_cast<std::int64_t>(table.rows()), std::ssize(names)});
  float* to = data.data_ptr<float>();
  for (std::size_t row = 0; row < table.rows(); ++row) {
    for (const auto& [column, width, codes] : sources) {
      if (!codes) {
        *to = table.number(row, column);
      } else if (!table.is_missing(table.field(row, column))) {
        to[(*codes)(table, row, column)] = 1;
      }
      to += width;
    }
  }
  return data;
}

// Which kind of target a column is, where nobody says.
CsvTarget kind_of(const Table& table, std::size_t column) {
  std::size_t others = 0, first_other = 0, whole = 0;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view field = table.field(row, column);
    if (field.empty()) table.refuse(row, column, "need a target, got an empty field");
    if (whole_number_of(field))
      ++whole;
    else if (!number_of(field, table.options().decimal) && others++ == 0)
      first_other = row;
  }
  if (whole == table.rows()) return CsvTarget::integers;
  if (others == 0) return CsvTarget::numbers;
  if (others * 2 <= table.rows()) {
    table.refuse(first_other, column,
                 fmt::format("need a number as in {} of {} lines, got {}; target_type=class takes all as classes",
                             table.rows() - others, table.rows(), shown(table.field(first_other, column))));
  }
  return CsvTarget::classes;
}

Tensor read_numbers(Table& table, std::size_t column, CsvTarget kind) {
  std::vector<std::int64_t> whole;
  std::vector<float> real;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view field = table.field(row, column);
    const auto value = number_of(field, table.options().decimal);
    if (!value || std::isnan(*value))
      table.refuse(row, column, fmt::format("need a target that is a number, got {}", shown(field)));
    if (kind == CsvTarget::numbers) {
      real.push_back(table.to_float(*value, row, column));
      continue;
    }
    const auto number = whole_number_of(field);
    if (!number && (std::trunc(*value) != *value || std::abs(*value) >= 0x1p53))
      table.refuse(row, column, fmt::format("need a target that is a whole number, got {}", shown(field)));
    whole.push_back(number ? *number : static_cast<std::int64_t>(*value));
  }
  return kind == CsvTarget::numbers ? tensor(real) : tensor(whole);
}

Tensor read_classes(const Table& table, std::size_t column, std::vector<std::string>& classes) {
  if (classes.empty()) {
    std::set<std::string_view> values;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      if (table.field(row, column).empty()) table.refuse(row, column, "need a target, got an empty field");
      values.insert(table.field(row, column));
    }
    classes = sorted_values(values);
  }
  const Codes codes(classes);
  std::vector<std::int64_t> numbers;
  for (std::size_t row = 0; row < table.rows(); ++row)
    numbers.push_back(static_cast<std::int64_t>(codes(table, row, column)));
  return tensor(numbers);
}

// One target as it is, several as float32 side by side.
Tensor read_targets(Table& table, CsvEncoding& encoding) {
  CsvTarget& kind = encoding.target_type;
  if (encoding.target.size() == 1) {
    const std::size_t column = table.find(encoding.target[0]);
    if (kind == CsvTarget::automatic) kind = kind_of(table, column);
    return kind == CsvTarget::classes ? read_classes(table, column, encoding.classes)
                                      : read_numbers(table, column, kind);
  }
  if (kind == CsvTarget::classes) throw ValueError("CsvDataset: classes need one target, got several");
  if (kind == CsvTarget::automatic) kind = CsvTarget::numbers;
  std::vector<Tensor> columns;
  for (const std::string& name : encoding.target) columns.push_back(read_numbers(table, table.find(name), kind));
  return stack(columns, 1);
}

// What the options say of this table.
CsvEncoding encoding_of(const Table& table, const CsvOptions& options) {
  CsvEncoding encoding{options.columns, {}, options.target, {}, options.target_type};
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& name : encoding.target) table.find(name);
  if (encoding.columns.empty()) {
    for (const std::string& name : table.names)
      if (!has(encoding.target, name)) encoding.columns.push_back(name);
  }
  for (const std::string& name : options.one_hot) {
    if (!has(encoding.columns, name)) {
      throw IoError(fmt::format("CsvDataset: one_hot: \"{}\" is not a column of the data, which are {}", name,
                                fmt::join(encoding.columns, ", ")));
    }
    encoding.one_hot[name] = values_of(table, table.find(name));
  }
  return encoding;
}

void check(const CsvOptions& options) {
  const auto is = [](char c, const char* one_of) { return std::string_view(one_of).find(c) != std::string_view::npos; };
  if (is(options.delimiter, "\"\n\r")) throw ValueError("CsvDataset: quotes and line ends cannot be the delimiter");
  if (!is(options.decimal, ".,") || options.decimal == options.delimiter)
    throw ValueError(fmt::format("CsvDataset: decimal must be a point or a comma, and not the delimiter, got '{}'",
                                 options.decimal));
}

}  // namespace

const std::vector<std::string>& CsvOptions::usual_na_values() {
  static const std::vector<std::string> usual{"",     "NA",   "N/A",  "n/a",  "#N/A", "<NA>", "NaN", "nan",
                                              "-NaN", "-nan", "NULL", "null", "None", "?",    "-"};
  return usual;
}

CsvDataset::CsvDataset(const std::string& path, const CsvOptions& options) : path_(path), options_(options.transforms) {
  check(options);
  const std::string text = read_csv_file(path);
  const CsvTable csv = parse_csv(text, options.delimiter, path);
  if (csv.rows() == 0) throw IoError(fmt::format("CsvDataset: {} is empty", path));
  Table table(path, options, csv);
  encoding_ = options.encoding ? *options.encoding : encoding_of(table, options);
  data_ = read_data(table, encoding_, columns_);
  if (!encoding_.target.empty()) targets_ = read_targets(table, encoding_);
  for (std::size_t row = 0; row < table.rows(); ++row) lines_.push_back(table.line(row));
  notes_ = std::move(table.notes);
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

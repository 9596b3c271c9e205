// Fields of tables, and the files they are in.
#include <fmt/format.h>
#include <locale.h>
#include <stdlib.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>

#include "data/datasets/csv.h"
#include "data/datasets/gzip_file.h"
#include "gradus/core/error.h"

namespace gradus::data {

std::string read_csv_file(const std::string& path) {
  // Text shrinks to a tenth or so: what becomes a thousand times as large was made to fill the memory.
  constexpr std::uintmax_t kProportion = 300, kAlways = 1U << 28;
  std::error_code unknown;
  const std::uintmax_t stored = std::filesystem::file_size(path, unknown);
  const std::uintmax_t most = unknown ? kAlways : std::max(kAlways, stored * kProportion);
  GzipFile file("read_csv", path);
  std::string text;
  constexpr std::size_t kFirstStep = std::size_t{1} << 16;
  for (std::size_t filled = 0;;) {
    text.resize(std::max(kFirstStep, 2 * filled));
    const std::size_t wanted = text.size() - filled;
    const std::size_t got = file.read(reinterpret_cast<std::uint8_t*>(text.data()) + filled, wanted);
    filled += got;
    if (filled > most)
      throw IoError(fmt::format("read_csv: {} of {} bytes expands to more than {}", path, stored, most));
    if (got == wanted) continue;
    text.resize(filled);
    return text;
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kNoBreakSpace = "\xc2\xa0", kBlanks = " \t\r\n\v\f";
  while (true) {
    if (!text.empty() && kBlanks.find(text.front()) != kBlanks.npos) {
      text.remove_prefix(1);
    } else if (!text.empty() && kBlanks.find(text.back()) != kBlanks.npos) {
      text.remove_suffix(1);
    } else if (text.starts_with(kNoBreakSpace)) {
      text.remove_prefix(kNoBreakSpace.size());
    } else if (text.ends_with(kNoBreakSpace)) {
      text.remove_suffix(kNoBreakSpace.size());
    } else {
      return text;
    }
  }
}

namespace {

std::string_view without_plus(std::string_view field) {
  field = trimmed(field);
  if (field.starts_with('+') && !field.starts_with("+-")) field.remove_prefix(1);
  return field;
}

double out_of_range(std::string_view field) {
  static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(std::string(field).c_str(), nullptr, plain);
}

}  // namespace

std::optional<double> number_of(std::string_view field, char decimal) {
  field = without_plus(field);
  std::string with_point;
  if (decimal != '.') {
    if (field.find('.') != field.npos) return {};
    with_point = field;
    std::replace(with_point.begin(), with_point.end(), decimal, '.');
    field = with_point;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (end != field.data() + field.size() || error == std::errc::invalid_argument) return {};
  return error == std::errc() ? value : out_of_range(field);
}

std::optional<std::int64_t> whole_number_of(std::string_view field) {
  field = without_plus(field);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return {};
  return value;
}

}  // namespace gradus::data

#include "text/json_file.h"

#include <fmt/format.h>
#include <gradus/core/error.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

namespace gradus::text {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// "integer from 1 to 8", as far as there are bounds.
template <class T>
std::string ranged(const char* what, T least, T most, T no_least, T no_most) {
  if (least != no_least && most != no_most) return fmt::format("{} from {} to {}", what, least, most);
  if (least != no_least) return fmt::format("{} of at least {}", what, least);
  if (most != no_most) return fmt::format("{} of at most {}", what, most);
  return what;
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string out(text.substr(0, kShown));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text.size() > kShown ? out + "..." : out;
}

std::string shown_value(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  return shown(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string read_text(const std::string& path, std::uint64_t limit) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw IoError(fmt::format("{}: there is no such file", path));
  if (!fs::is_regular_file(status)) throw IoError(fmt::format("{}: not an ordinary file", path));
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
  if (size > limit) throw IoError(fmt::format("{}: {} bytes, at most {} are read", path, size, limit));
  std::string text(static_cast<std::size_t>(size), '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in) throw IoError(fmt::format("{}: cannot be opened", path));
  in.read(text.data(), static_cast<std::streamsize>(size));
  if (in.gcount() != static_cast<std::streamsize>(size)) throw IoError(fmt::format("{}: cannot be read", path));
  return text;
}

void write_text(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  std::error_code error;
  if (out) fs::rename(temporary, path, error);
  if (out && !error) return;
  std::error_code ignored;
  fs::remove(temporary, ignored);
  throw IoError(fmt::format("{}: cannot be written{}", path, error ? ": " + error.message() : ""));
}

JsonObject JsonObject::read(const std::string& path, std::uint64_t limit) {
  const std::string text = read_text(path, limit);
  auto value = std::make_shared<json>();
  try {
    *value = parse_json(text);
  } catch (const json::parse_error& error) {
    throw IoError(fmt::format("{}: not valid JSON at byte {}", path, error.byte));
  } catch (const json::out_of_range&) {
    throw IoError(fmt::format("{}: a number in it is out of range", path));
  }
  if (value->is_discarded())
    throw IoError(fmt::format("{}: lists and objects are nested more than {} deep", path, kDeepestJson));
  if (!value->is_object()) throw IoError(fmt::format("{}: need a JSON object, got {}", path, shown_value(*value)));
  return {path, "", std::move(value)};
}

JsonObject JsonObject::inside(const std::string& name, const json& value) const {
  if (!value.is_object())
    throw IoError(fmt::format("{}: {}{} must be an object, got {}", file_, prefix_, name, shown_value(value)));
  return {file_, prefix_ + name + ".", std::shared_ptr<const json>(value_, &value)};
}

const json* JsonObject::find(const std::string& name) const {
  const auto at = value_->find(name);
  return at == value_->end() || at->is_null() ? nullptr : &*at;
}

void JsonObject::refuse(const std::string& name, const std::string& rule) const {
  const json* value = find(name);
  if (value == nullptr) fail(fmt::format("{}{} is missing; it must be {}", prefix_, name, rule));
  fail(fmt::format("{}{} must be {}, got {}", prefix_, name, rule, shown_value(*value)));
}

void JsonObject::fail(const std::string& what) const { throw IoError(fmt::format("{}: {}", file_, what)); }

std::int64_t JsonObject::integer(const std::string& name, std::optional<std::int64_t> otherwise, std::int64_t least,
                                 std::int64_t most) const {
  const json* value = find(name);
  if (value == nullptr && otherwise) return *otherwise;
  const std::string rule = ranged<std::int64_t>("an integer", least, most, std::numeric_limits<std::int64_t>::min(),
                                                std::numeric_limits<std::int64_t>::max());
  if (value == nullptr || !value->is_number_integer()) refuse(name, rule);
  // An unsigned number may be above what int64 holds.
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(most)) refuse(name, rule);
  const auto number = value->get<std::int64_t>();
  if (number < least || number > most) refuse(name, rule);
  return number;
}

double JsonObject::number(const std::string& name, std::optional<double> otherwise, double least, double most) const {
  const json* value = find(name);
  if (value == nullptr && otherwise) return *otherwise;
  const double infinity = std::numeric_limits<double>::infinity();
  const std::string rule = ranged("a number", least, most, -infinity, infinity);
  if (value == nullptr || !value->is_number()) refuse(name, rule);
  const auto number = value->get<double>();
  if (!std::isfinite(number) || number < least || number > most) refuse(name, rule);
  return number;
}

bool JsonObject::flag(const std::string& name, bool otherwise) const {
  const json* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) refuse(name, "true or false");
  return value->get<bool>();
}

std::string JsonObject::string(const std::string& name, std::optional<std::string> otherwise) const {
  const json* value = find(name);
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr || !value->is_string()) refuse(name, "a string");
  return value->get<std::string>();
}

std::optional<JsonObject> JsonObject::object(const std::string& name) const {
  const json* value = find(name);
  if (value == nullptr) return {};
  return inside(name, *value);
}

}  // namespace gradus::text

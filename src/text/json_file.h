// Reading small JSON files that others wrote: what is wrong names the file, the field and the value.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gradus::text {

// The whole file. IoError where it is missing, is not an ordinary file, or has more than `limit` bytes.
std::string read_text(const std::string& path, std::uint64_t limit);
// Replaces the file as a whole. IoError.
void write_text(const std::string& path, const std::string& text);
// Of what a file says, for a message: short, and without bytes that no terminal should get.
std::string shown(std::string_view text);
// The same of a value: "an object", "a list of 3", or the scalar as JSON.
std::string shown_value(const nlohmann::json& value);

// The text as JSON; discarded (is_discarded()) where lists and objects lie in each other more than kDeepestJson deep.
// Copying and printing a value call themselves for what lies in it, and would end the process on a file that is all
// brackets. Json::parse_error.
inline constexpr int kDeepestJson = 1000;
template <class Json = nlohmann::json>
Json parse_json(std::string_view text) {
  bool deep = false;
  Json value = Json::parse(text, [&](int depth, typename Json::parse_event_t, Json&) {
    deep = deep || depth > kDeepestJson;
    return !deep;
  });
  return deep ? Json(Json::value_t::discarded) : value;
}

// An object in a JSON file, whose fields are read by name, type and range. A field that is null counts as absent.
class JsonObject {
 public:
  // The object that the file is. IoError where it is not one.
  static JsonObject read(const std::string& path, std::uint64_t limit = 16 << 20);

  // One that was made of other files, which messages then name.
  static JsonObject made(const std::string& file, nlohmann::json value) {
    return {file, "", std::make_shared<const nlohmann::json>(std::move(value))};
  }

  const std::string& file() const { return file_; }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  const nlohmann::json* find(const std::string& name) const;  // null where it is absent
  std::int64_t integer(const std::string& name, std::optional<std::int64_t> otherwise, std::int64_t least,
                       std::int64_t most) const;
  double number(const std::string& name, std::optional<double> otherwise, double least, double most) const;
  bool flag(const std::string& name, bool otherwise) const;
  std::string string(const std::string& name, std::optional<std::string> otherwise) const;
  std::optional<JsonObject> object(const std::string& name) const;
  const nlohmann::json& value() const { return *value_; }
  // An object that lies in this one, which must outlive it.
  JsonObject inside(const std::string& name, const nlohmann::json& value) const;

  // IoError: "FILE: NAME must be RULE, got VALUE".
  [[noreturn]] void refuse(const std::string& name, const std::string& rule) const;
  [[noreturn]] void fail(const std::string& what) const;  // "FILE: what"

 private:
  JsonObject(std::string file, std::string prefix, std::shared_ptr<const nlohmann::json> value)
      : file_(std::move(file)), prefix_(std::move(prefix)), value_(std::move(value)) {}

  std::string file_, prefix_;
  std::shared_ptr<const nlohmann::json> value_;
};

}  // namespace gradus::text

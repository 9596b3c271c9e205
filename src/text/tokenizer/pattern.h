// A pattern as tokenizer.json has it, {"String": "..."} or {"Regex": "..."}: what it matches.
#pragma once

#include <memory>

#include "text/json_file.h"
#include "text/tokenizer/unicode.h"

namespace gradus::text {

class Pattern {
 public:
  static Pattern read(const JsonObject& part);
  explicit Pattern(std::string string) : string_(std::move(string)) {}
  std::vector<std::pair<std::size_t, std::size_t>> matches(std::string_view text) const;

 private:
  Pattern() = default;
  std::string string_;
  std::shared_ptr<const Regex> regex_;
};

}  // namespace gradus::text

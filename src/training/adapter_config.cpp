#include "training/adapter_config.h"

#include <gradus/core/error.h>

#include <cmath>

#include "text/json_file.h"
#include "text/tokenizer/unicode.h"

namespace gradus::training {

using nlohmann::ordered_json;

namespace {

constexpr std::uintmax_t kLargestConfig = 16 << 20;

std::string text_of(double x) { return ordered_json(x).dump(); }

// The name that a pattern without operators stands for; nothing for other patterns. Most patterns are names, and these
// need no library. Dots stand for themselves.
std::optional<std::string> as_name(const std::string& pattern) {
  std::string name;
  for (std::size_t i = pattern.starts_with('^') ? 1 : 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size() && pattern[i + 1] == '.') ++i;
    if (std::string_view("\\^$*+?()[]{}|").find(pattern[i]) != std::string_view::npos) return {};
    name += pattern[i];
  }
  return name;
}

}  // namespace

bool ends_in(const std::string& name, const std::string& part) {
  return name == part ||
         (name.size() > part.size() && name.ends_with(part) && name[name.size() - part.size() - 1] == '.');
}

AdapterConfig::AdapterConfig(const std::string& file) : file_(file) {
  try {
    json_ = text::parse_json<ordered_json>(text::read_text(file, kLargestConfig));
  } catch (const ordered_json::parse_error&) {
    throw IoError(file + ": is not a JSON object");
  }
  if (!json_.is_object()) throw IoError(file + ": is not a JSON object");
}

const ordered_json* AdapterConfig::find(const char* name) const {
  const auto at = json_.find(name);
  return at == json_.end() || at->is_null() ? nullptr : &*at;
}

void AdapterConfig::refuse(const char* name, const std::string& rule) const {
  const ordered_json* value = find(name);
  std::string got = value == nullptr ? "nothing" : value->dump(-1, ' ', true, ordered_json::error_handler_t::replace);
  if (got.size() > 80) got = got.substr(0, 80) + "...";
  throw IoError(file_ + ": " + name + " must be " + rule + ", got " + got);
}

std::string AdapterConfig::text(const char* name) const {
  const ordered_json* value = find(name);
  if (value == nullptr || !value->is_string()) refuse(name, "a string");
  return value->get<std::string>();
}

bool AdapterConfig::flag(const char* name) const {
  const ordered_json* value = find(name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) refuse(name, "true or false");
  return value->get<bool>();
}

double AdapterConfig::number(const char* name, double otherwise, double least, double most) const {
  const ordered_json* value = find(name);
  if (value == nullptr) return otherwise;
  const double x = value->is_number() ? value->get<double>() : std::nan("");
  if (!(x >= least && x <= most))
    refuse(name, "a number of at least " + text_of(least) + " and at most " + text_of(most));
  return x;
}

bool AdapterConfig::matches(const char* name, const std::string& pattern, const std::string& path, bool ends) const {
  if (const std::optional<std::string> plain = as_name(pattern))
    return ends && !pattern.starts_with('^') ? ends_in(path, *plain) : path == *plain;
  const std::string start = ends ? "^(?:.*\\.)?(?:" : "^(?:";
  try {
    return !text::Regex(file_ + ": " + name, start + pattern + ")$").matches(path).empty();
  } catch (const ValueError&) {
    refuse(name, "made of patterns that match within two seconds");
  }
}

double AdapterConfig::for_layer(const char* name, const std::string& path, double usual) const {
  const ordered_json* all = find(name);
  if (all == nullptr) return usual;
  if (!all->is_object()) refuse(name, "an object");
  for (const auto& [key, value] : all->items()) {
    if (!matches(name, key, path, true)) continue;
    if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(name, "an object of numbers");
    return value.get<double>();
  }
  return usual;
}

bool AdapterConfig::names(const char* name, const std::string& path) const {
  const ordered_json* value = find(name);
  if (value == nullptr) return false;
  if (value->is_string()) return matches(name, value->get<std::string>(), path, false);
  if (!value->is_array()) refuse(name, "a list of names");
  for (const auto& one : *value) {
    if (!one.is_string()) refuse(name, "a list of names");
    if (path.ends_with(one.get<std::string>())) return true;
  }
  return false;
}

bool AdapterConfig::saves_whole(const std::string& path) const {
  const ordered_json* value = find("modules_to_save");
  if (value == nullptr) return false;
  if (!value->is_array()) refuse("modules_to_save", "a list of names");
  for (const auto& one : *value) {
    if (!one.is_string()) refuse("modules_to_save", "a list of names");
    const std::string name = one.get<std::string>();
    for (std::string part = path; !part.empty();) {
      if (ends_in(part, name)) return true;
      const std::size_t dot = part.rfind('.');
      part = dot == std::string::npos ? "" : part.substr(0, dot);
    }
  }
  return false;
}

void AdapterConfig::check_supported() const {
  static_cast<void>(saves_whole("-"));  // is a list of names
  for (const char* name : {"bias", "lora_bias", "layer_replication", "alora_invocation_tokens",
                           "trainable_token_indices", "target_parameters", "use_qalora", "use_bdlora",
                           "megatron_config", "velora_config", "monteclora_config", "arrow_config", "kasa_config"}) {
    const ordered_json* value = find(name);
    if (value == nullptr || *value == false || *value == "none" || (value->is_structured() && value->empty())) continue;
    refuse(name, "absent: what it asks for is not supported");
  }
  const ordered_json* init = find("init_lora_weights");
  if (init == nullptr || !init->is_string()) return;
  for (const char* changes : {"pissa", "corda", "olora", "loftq", "lora_ga"})
    if (init->get<std::string>().starts_with(changes))
      refuse("init_lora_weights", "one that leaves the base's weights as they are");
}

}  // namespace gradus::training

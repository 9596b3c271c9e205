// adapter_config.json as PEFT writes it: its fields, by name, with the rules that they must keep. IoError, which names
// file, field and value, where one does not.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace gradus::training {

// Whether `name` is `part`, or ends in it after a dot.
bool ends_in(const std::string& name, const std::string& part);

class AdapterConfig {
 public:
  explicit AdapterConfig(const std::string& file);
  const nlohmann::ordered_json* find(const char* name) const;  // null where it is absent, or null
  [[noreturn]] void refuse(const char* name, const std::string& rule) const;
  std::string text(const char* name) const;
  bool flag(const char* name) const;
  double number(const char* name, double otherwise, double least, double most) const;
  // The value for a layer in an object that overrides the usual one. Its keys are regular expressions for a path, or
  // for the end of one after a dot.
  double for_layer(const char* name, const std::string& path, double usual) const;
  // Whether a list of ends of paths, or one regular expression for all of a path, names the layer.
  bool names(const char* name, const std::string& path) const;
  // Whether modules_to_save names the layer, or what it is part of.
  bool saves_whole(const std::string& path) const;
  // Refuses fields that ask for what is not supported.
  void check_supported() const;

 private:
  bool matches(const char* name, const std::string& pattern, const std::string& path, bool ends) const;

  std::string file_;
  nlohmann::ordered_json json_;
};

}  // namespace gradus::training

// Models by name: those of the registry, whose options are the arguments.
#include <fmt/format.h>
#include <gradus/models/registry.h>

#include "recipe/callables.h"

namespace gradus::recipe {

namespace {

// The form line of an option.
std::string line_of(const models::OptionInfo& option) {
  constexpr const char* kTypes[] = {"flag", "int", "number", "text"};
  const std::string value = std::visit(
      [](const auto& x) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>, std::string>)
          return x.empty() ? "none" : x;
        else
          return fmt::format("{}", x);
      },
      option.value);
  return fmt::format("{}: {} = {} -- {}", option.name, kTypes[option.value.index()], value, option.about);
}

models::Value value_of(const models::OptionInfo& option, const Fields& fields) {
  switch (option.value.index()) {
    case 0:
      return fields.flag(option.name);
    case 1:
      return fields.integer(option.name);
    case 2:
      return fields.number(option.name);
    default:
      return fields.text(option.name);
  }
}

}  // namespace

const std::vector<Model>& models() {
  static const std::vector<Model> all = [] {
    std::vector<Model> rows;
    for (const models::ModelInfo& info : models::list()) {
      Model row;
      row.form.name = info.name;
      row.form.help = info.about;
      for (const models::OptionInfo& option : info.options) row.form.fields.push_back(parse_field(line_of(option)));
      row.make = [&info](const Fields& fields) {
        models::Options options;
        for (const models::OptionInfo& option : info.options) options[option.name] = value_of(option, fields);
        return models::make(info.name, options);
      };
      rows.push_back(std::move(row));
    }
    return rows;
  }();
  return all;
}

}  // namespace gradus::recipe

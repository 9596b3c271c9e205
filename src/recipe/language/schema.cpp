// What is made of the forms for others to read: the JSON schema, and the reference.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "recipe/language/language.h"

namespace gradus::recipe {

namespace {

using nlohmann::ordered_json;
using Base = Type::Base;
using Many = Type::Many;

ordered_json schema_of_one(const Type& type) {
  ordered_json json;
  switch (type.base) {
    case Base::Flag:
      json["type"] = "boolean";
      break;
    case Base::Int:
    case Base::Number:
      json["type"] = type.base == Base::Int ? "integer" : "number";
      if (type.range.has_low()) json[type.range.low_open ? "exclusiveMinimum" : "minimum"] = type.range.low;
      if (type.range.has_high()) json["maximum"] = type.range.high;
      break;
    case Base::Word:
      json["enum"] = type.words;
      break;
    case Base::Expression:
      json["type"] = {"string", "number"};
      break;
    case Base::Call:
      json["$ref"] = "#/$defs/call-" + type.of;
      break;
    case Base::Form:
      json["$ref"] = "#/$defs/" + type.of;
      break;
    case Base::Options:
      json["type"] = "object";
      break;
    case Base::Text:
      json["type"] = {"string", "number"};
      break;
    default:
      json["type"] = "string";
      break;
  }
  return json;
}

ordered_json schema_of(const Type& type) {
  const ordered_json one = schema_of_one(type);
  switch (type.many) {
    case Many::One:
      return one;
    case Many::List:
      return {{"type", "array"}, {"items", one}};
    case Many::Map:
      return {{"type", "object"}, {"additionalProperties", one}};
    case Many::OneOrList:
      return {{"anyOf", {one, ordered_json{{"type", "array"}, {"items", one}}}}};
  }
  return one;
}

ordered_json default_of(const Node& node) {
  if (node.kind == Node::Kind::List) {
    ordered_json list = ordered_json::array();
    for (const Node& child : node.children) list.push_back(default_of(child));
    return list;
  }
  if (is_flag(node)) return node.text == "true";
  if (is_integer(node)) return static_cast<std::int64_t>(number_of(node));
  if (is_number(node)) return number_of(node);
  return node.text;
}

ordered_json schema_of(const Field& field) {
  ordered_json json;
  if (field.types.size() == 1) {
    json = schema_of(field.types[0]);
  } else {
    for (const Type& type : field.types) json["anyOf"].push_back(schema_of(type));
  }
  if (!field.help.empty()) json["description"] = field.help;
  if (field.fallback.kind != Node::Kind::Null) json["default"] = default_of(field.fallback);
  return json;
}

ordered_json object_of(const Form& form) {
  ordered_json json{{"type", "object"}};
  if (!form.help.empty()) json["description"] = form.help;
  json["properties"] = ordered_json::object();
  for (const Field& field : form.fields) {
    json["properties"][field.name] = schema_of(field);
    if (field.required) json["required"].push_back(field.name);
  }
  json["additionalProperties"] = false;
  return json;
}

// A text, or a map whose `type` says which.
ordered_json schema_of_calls(const std::string& kind) {
  ordered_json any = ordered_json::array();
  ordered_json names = ordered_json::array();
  for (const Form* form : forms_of(kind)) {
    ordered_json object = object_of(*form);
    ordered_json properties{{"type", {{"const", form->name}}}};
    properties.update(object["properties"]);
    object["properties"] = properties;
    object["required"].push_back("type");
    any.push_back(object);
    names.push_back(form->name);
  }
  const ordered_json text{{"type", "string"}, {"examples", names}, {"description", "Name(arguments)"}};
  any.insert(any.begin(), text);
  if (kind == "layer") any.push_back({{"type", "array"}, {"items", {{"$ref", "#/$defs/call-layer"}}}});
  return {{"anyOf", any}};
}

// An optimizer's fields with the options of each type.
ordered_json schema_of_optimizer(const Form& form) {
  ordered_json any = ordered_json::array();
  ordered_json names = ordered_json::array();
  for (const Form* rule : forms_of("optimizer")) {
    ordered_json object = object_of(form);
    object["properties"]["type"] = {{"const", rule->name}};
    for (const Field& option : rule->fields) object["properties"][option.name] = schema_of(option);
    any.push_back(object);
    names.push_back(rule->name);
  }
  any.insert(any.begin(), ordered_json{{"enum", names}});
  return {{"anyOf", any}};
}

std::string default_text(const Field& field) {
  if (field.required) return "required";
  if (field.fallback.kind == Node::Kind::Null) return "";
  return default_of(field.fallback).is_string() ? field.fallback.text : default_of(field.fallback).dump();
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|') result += '\\';
    result += c;
  }
  return result;
}

std::string signature_of(const Form& form) {
  std::string text = form.name + "(";
  for (std::size_t i = 0; i < form.fields.size(); ++i) {
    const Field& field = form.fields[i];
    text += i == 0 ? "" : ", ";
    text += field.name;
    if (!field.required)
      text.append("=").append(field.fallback.kind == Node::Kind::Null ? "none" : default_text(field));
  }
  return text + ")";
}

}  // namespace

std::string json_schema() {
  ordered_json defs;
  for (const Form& form : sections()) {
    if (form.name == "recipe") continue;
    ordered_json json = form.name == "optimizer" ? schema_of_optimizer(form) : object_of(form);
    ordered_json any = ordered_json::array({json});
    if (!form.scalar_field.empty() && form.name != "optimizer")
      any.push_back(schema_of_one(form.find(form.scalar_field)->types[0]));
    if (!form.list_field.empty()) any.push_back(schema_of(form.find(form.list_field)->types[0]));
    defs[form.name] = any.size() == 1 ? json : ordered_json{{"anyOf", any}};
  }
  for (const CallKind& kind : call_kinds())
    if (kind.name != "optimizer" && kind.name != "function") defs["call-" + kind.name] = schema_of_calls(kind.name);
  ordered_json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "A recipe of Gradus"}};
  schema.update(object_of(section("recipe")));
  schema["$defs"] = defs;
  return schema.dump(1) + "\n";
}

std::string reference() {
  std::string text =
      "# Reference of recipes\n\nThis page is printed by `gradus schema --reference`, from the forms with which "
      "recipes are "
      "read. [recipes.md](recipes.md) explains recipes by example.\n\nTypes: `int>=1` is a number with a limit; "
      "`...` means one or a list; `[ ]` is a list; `{ }` is a map whose keys are names of your own; `(a|b)` is one of "
      "these words.\n";
  for (const Form& form : sections()) {
    text += fmt::format("\n## {}\n\n{}\n\n| field | type | default | |\n|---|---|---|---|\n", form.name, form.help);
    for (const Field& field : form.fields) {
      text += fmt::format("| `{}` | `{}` | {} | {} |\n", field.name, escaped(field.type_text), default_text(field),
                          escaped(field.help));
    }
  }
  for (const CallKind& kind : call_kinds()) {
    text += fmt::format("\n## {}{}s\n\n{}\n", static_cast<char>(std::toupper(kind.name[0])), kind.name.substr(1),
                        kind.about);
    if (kind.name == "model") continue;  // they have a list of their own, which grows
    text += "\n";
    for (const Form* form : forms_of(kind.name))
      text += fmt::format("- `{}`{}\n", signature_of(*form), form->help.empty() ? "" : ": " + form->help);
  }
  return text;
}

}  // namespace gradus::recipe

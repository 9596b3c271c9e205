#include "recipe/language/form.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "recipe/language/expression.h"
#include "text/table.h"

namespace gradus::recipe {

namespace {

using Base = Type::Base;
using Many = Type::Many;

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

// At separators that lie outside of brackets.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  int depth = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size()) {
      const char c = text[i];
      depth += (c == '(' || c == '[' || c == '{') ? 1 : (c == ')' || c == ']' || c == '}') ? -1 : 0;
      if (c != separator || depth > 0) continue;
    }
    if (i > first || i < text.size()) parts.push_back(trimmed(text.substr(first, i - first)));
    first = i + 1;
  }
  return parts;
}

[[noreturn]] void bad_line(const std::string& line) { throw std::logic_error("recipe: a bad form line: " + line); }

Type parse_type(std::string text) {
  Type type;
  const auto unwrap = [&](char open, char close) {
    if (text.size() < 2 || text.front() != open || text.back() != close) return false;
    text = trimmed(std::string_view(text).substr(1, text.size() - 2));
    return true;
  };
  if (unwrap('[', ']')) type.many = Many::List;
  if (unwrap('{', '}')) type.many = Many::Map;
  if (text.ends_with("...")) {
    type.many = Many::OneOrList;
    text.resize(text.size() - 3);
  }
  if (unwrap('(', ')')) {
    type.base = Base::Word;
    type.words = split(text, '|');
    return type;
  }
  if (text.starts_with("call ")) {
    type.base = Base::Call;
    type.of = text.substr(5);
    return type;
  }
  if (text.starts_with("form ")) {
    type.base = Base::Form;
    type.of = text.substr(5);
    return type;
  }
  const std::size_t end = text.find_first_of("<>[");
  const std::string limits = end == std::string::npos ? "" : text.substr(end);
  const std::string name = text.substr(0, end);
  if (limits.starts_with(">=")) {
    type.range = at_least(std::stod(limits.substr(2)));
  } else if (limits.starts_with(">")) {
    type.range = above(std::stod(limits.substr(1)));
  } else if (limits.starts_with("[")) {
    type.range = between(std::stod(limits.substr(1)), std::stod(limits.substr(limits.find(',') + 1)));
  }
  constexpr std::pair<const char*, Base> kNames[] = {{"flag", Base::Flag},           {"int", Base::Int},
                                                     {"number", Base::Number},       {"text", Base::Text},
                                                     {"file", Base::File},           {"expression", Base::Expression},
                                                     {"pattern", Base::Pattern},     {"tensor", Base::Tensor},
                                                     {"network", Base::Network},     {"loss", Base::Loss},
                                                     {"optimizer", Base::Optimizer}, {"metric", Base::Metric},
                                                     {"options", Base::Options}};
  for (const auto& [word, base] : kNames) {
    if (name != word) continue;
    type.base = base;
    return type;
  }
  bad_line(text);
}

// A default, as YAML's flow style would have it: 1, none, [0, 1], zeros.
Node parse_default(const std::string& text) {
  Node node;
  if (text == "none") return node;
  if (text.starts_with("[")) {
    node.kind = Node::Kind::List;
    for (const std::string& item : split(std::string_view(text).substr(1, text.size() - 2), ','))
      node.children.push_back(parse_default(item));
    return node;
  }
  node.kind = Node::Kind::Scalar;
  node.text = text;
  return node;
}

std::string limits_of(const Type& type) {
  const Range& range = type.range;
  if (range.has_high()) return fmt::format(" from {} to {}", range.low, range.high);
  if (range.has_low()) return fmt::format("{}{}", range.low_open ? " above " : " of at least ", range.low);
  return "";
}

bool fits_one(const Type& type, const Node& node) {
  const bool scalar = node.kind == Node::Kind::Scalar;
  switch (type.base) {
    case Base::Flag:
      return is_flag(node);
    case Base::Int:
      return is_integer(node) && type.range.contains(number_of(node));
    case Base::Number:
      return is_number(node) && type.range.contains(number_of(node));
    case Base::Word:
      return scalar && std::find(type.words.begin(), type.words.end(), node.text) != type.words.end();
    case Base::Call:
    case Base::Form:
      return true;  // whoever reads it says more
    case Base::Options:
      return node.kind == Node::Kind::Map;
    default:
      return scalar;
  }
}

bool fits(const Type& type, const Node& node) {
  if (type.many == Many::OneOrList && node.kind != Node::Kind::List) return fits_one(type, node);
  if (type.many == Many::One) return fits_one(type, node);
  if (node.kind != (type.many == Many::Map ? Node::Kind::Map : Node::Kind::List)) return false;
  return std::all_of(node.children.begin(), node.children.end(), [&](const Node& n) { return fits_one(type, n); });
}

std::string one_of(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "'" : i + 1 == words.size() ? " or '" : ", '") + words[i] + "'";
  return text;
}

// The innermost value that does not fit, for its place.
const Node& culprit(const Field& field, const Node& node) {
  if (field.types.size() != 1) return node;
  const Type& type = field.types[0];
  const bool nested =
      type.many == Many::Map ? node.kind == Node::Kind::Map : type.many != Many::One && node.kind == Node::Kind::List;
  if (nested)
    for (const Node& child : node.children)
      if (!fits_one(type, child)) return child;
  return node;
}

void check_value(const Field& field, const std::string& owner, const Node& node, Mistakes& mistakes) {
  if (node.kind == Node::Kind::Null && !field.required && field.fallback.kind == Node::Kind::Null) return;
  for (const Type& type : field.types)
    if (fits(type, node)) return;
  const Node& wrong = culprit(field, node);
  std::string wanted;
  std::vector<std::string> words;
  for (const Type& type : field.types) {
    wanted += (wanted.empty() ? "" : ", or ") + type.describe();
    words.insert(words.end(), type.words.begin(), type.words.end());
  }
  std::string hint;
  if (!words.empty() && wrong.kind == Node::Kind::Scalar) {
    hint = did_you_mean(wrong.text, words);
    if (!hint.starts_with("; did you mean")) hint.clear();  // the words are listed already
  }
  mistakes.add(wrong.place,
               fmt::format("{}: {} needs {}, got {}{}", owner, field.name, wanted, wrong.describe(), hint));
}

std::vector<std::string> names_of(const Form& form, const std::vector<std::string>& others) {
  std::vector<std::string> names;
  for (const Field& field : form.fields) names.push_back(field.name);
  names.insert(names.end(), others.begin(), others.end());
  return names;
}

}  // namespace

std::string Type::describe() const {
  const bool plural = many == Many::List || many == Many::Map;
  std::string text;
  switch (base) {
    case Base::Flag:
      text = "true or false";
      break;
    case Base::Int:
      text = (plural ? "whole numbers" : "a whole number") + limits_of(*this);
      break;
    case Base::Number:
      text = (plural ? "numbers" : "a number") + limits_of(*this);
      break;
    case Base::Word:
      text = one_of(words);
      break;
    case Base::Expression:
      text = plural ? "expressions" : "an expression";
      break;
    case Base::Pattern:
      text = plural ? "patterns of names" : "a pattern of names";
      break;
    case Base::File:
      text = plural ? "files" : "a file's name";
      break;
    case Base::Tensor:
      text = plural ? "tensors" : "a tensor";
      break;
    case Base::Network:
      text = plural ? "networks" : "a network";
      break;
    case Base::Loss:
      text = plural ? "losses" : "the name of a loss";
      break;
    case Base::Optimizer:
      text = plural ? "optimizers" : "the name of an optimizer";
      break;
    case Base::Metric:
      text = plural ? "metrics" : "the name of a metric";
      break;
    case Base::Text:
      text = plural ? "texts" : "a text";
      break;
    case Base::Call:
      text = plural ? of + "s" : "a " + of;
      break;
    case Base::Form:
      text = plural ? of + "s" : "a map";
      break;
    case Base::Options:
      text = plural ? "maps of options" : "a map of options";
      break;
  }
  if (many == Many::List) return "a list of " + text;
  if (many == Many::Map) return "a map of names to " + text;
  if (many == Many::OneOrList) return text + ", or a list of them";
  return text;
}

const Field* Form::find(const std::string& field) const {
  for (const Field& candidate : fields)
    if (candidate.name == field) return &candidate;
  return nullptr;
}

Field parse_field(const std::string& line) {
  Field field;
  std::string text = line;
  if (const std::size_t help = text.find(" -- "); help != std::string::npos) {
    field.help = text.substr(help + 4);
    text.resize(help);
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) bad_line(line);
  field.name = trimmed(std::string_view(text).substr(0, colon));
  if (const std::size_t equals = text.find(" = "); equals != std::string::npos) {
    field.required = false;
    field.fallback = parse_default(trimmed(std::string_view(text).substr(equals + 3)));
    text.resize(equals);
  }
  field.type_text = trimmed(std::string_view(text).substr(colon + 1));
  for (const std::string& type : split(field.type_text, '|')) field.types.push_back(parse_type(type));
  return field;
}

Form parse_signature(const std::string& signature, const std::string& help) {
  Form form;
  const std::size_t open = signature.find('(');
  form.name = signature.substr(0, open);
  form.help = help;
  form.called = true;
  if (open == std::string::npos) return form;
  const std::string inside = signature.substr(open + 1, signature.size() - open - 2);
  for (const std::string& field : split(inside, ',')) form.fields.push_back(parse_field(field));
  return form;
}

const Node& Fields::get(const std::string& field) const {
  if (const auto it = given.find(field); it != given.end()) return it->second;
  const Field* known = form->find(field);
  if (known == nullptr) throw std::logic_error("recipe: " + form->name + " has no field " + field);
  return known->fallback;
}

bool Fields::flag(const std::string& field) const { return get(field).text == "true"; }
std::int64_t Fields::integer(const std::string& field) const {
  return static_cast<std::int64_t>(number_of(get(field)));
}
double Fields::number(const std::string& field) const { return number_of(get(field)); }
std::string Fields::text(const std::string& field) const { return get(field).text; }

std::vector<std::int64_t> Fields::integers(const std::string& field) const {
  std::vector<std::int64_t> values;
  for (const Node& node : list(field)) values.push_back(static_cast<std::int64_t>(number_of(node)));
  return values;
}
std::vector<double> Fields::numbers(const std::string& field) const {
  std::vector<double> values;
  for (const Node& node : list(field)) values.push_back(number_of(node));
  return values;
}
std::vector<Node> Fields::list(const std::string& field) const {
  const Node& node = get(field);
  if (node.kind == Node::Kind::List) return node.children;
  if (node.kind == Node::Kind::Null) return {};
  return {node};
}

bool is_flag(const Node& node) {
  return node.kind == Node::Kind::Scalar && !node.quoted && (node.text == "true" || node.text == "false");
}
bool is_number(const Node& node) {
  if (node.kind != Node::Kind::Scalar || node.quoted || node.text.empty()) return false;
  double value = 0;
  const char* first = node.text.data() + (node.text[0] == '+' ? 1 : 0);
  const auto [end, error] = std::from_chars(first, node.text.data() + node.text.size(), value);
  return error == std::errc() && end == node.text.data() + node.text.size() && std::isfinite(value);
}
bool is_integer(const Node& node) {
  // Beyond 2^53 a double would round it.
  return is_number(node) && std::trunc(number_of(node)) == number_of(node) && std::abs(number_of(node)) < 0x1p53;
}
double number_of(const Node& node) {
  double value = 0;
  const char* first = node.text.data() + (node.text.starts_with('+') ? 1 : 0);
  std::from_chars(first, node.text.data() + node.text.size(), value);
  return value;
}

Fields read_fields(const Form& form, const std::string& owner, const Node& map, Mistakes& mistakes) {
  return read_fields(form, owner, map, {}, nullptr, mistakes);
}

Fields read_fields(const Form& form, const std::string& owner, const Node& node, const std::vector<std::string>& others,
                   std::vector<Node>* rest, Mistakes& mistakes) {
  Fields fields;
  fields.form = &form;
  fields.place = node.place;
  Node map = node;
  const std::string& short_field = node.kind == Node::Kind::Scalar ? form.scalar_field : form.list_field;
  if ((node.kind == Node::Kind::Scalar || node.kind == Node::Kind::List) && !short_field.empty()) {
    map = Node{};
    map.kind = Node::Kind::Map;
    map.place = node.place;
    Node only = node;
    // What --set wrote below a text belongs to the form.
    for (Node& child : only.children)
      if (node.kind == Node::Kind::Scalar) map.children.push_back(child);
    if (node.kind == Node::Kind::Scalar) only.children.clear();
    only.key = short_field;
    only.key_place = node.place;
    if (map.find(short_field) == nullptr) map.children.push_back(std::move(only));
  } else if (node.kind == Node::Kind::Null) {
    map.kind = Node::Kind::Map;
  } else if (node.kind != Node::Kind::Map) {
    mistakes.add(node.place, fmt::format("{} needs a map with {}, got {}", owner,
                                         fmt::join(names_of(form, others), ", "), node.describe()));
    return fields;
  }

  std::size_t position = 0;
  std::string meant;  // by unknown names
  for (const Node& child : map.children) {
    std::string name = child.key;
    if (name.empty()) {
      if (position >= form.fields.size()) {
        mistakes.add(child.place, fmt::format("{} takes {} argument{}, got more", owner, form.fields.size(),
                                              form.fields.size() == 1 ? "" : "s"));
        break;
      }
      name = form.fields[position++].name;
    }
    const Field* field = form.find(name);
    if (field == nullptr) {
      if (std::find(others.begin(), others.end(), name) != others.end()) {
        if (rest != nullptr) rest->push_back(child);
      } else {
        std::string hint = did_you_mean(name, names_of(form, others));
        if (name.ends_with(')') && child.kind == Node::Kind::Null)
          hint = "; a comma within { } or [ ] ends an item: put the text in quotes, or numbers in [ ]";
        mistakes.add(child.key_place,
                     fmt::format("{} has no {} '{}'{}", owner, form.called ? "argument" : "field", name, hint));
        if (hint.starts_with("; did you mean")) meant += hint;
      }
      continue;
    }
    const std::size_t before = mistakes.size();
    if (fields.given.count(name) != 0 && child.place.line != 0)
      mistakes.add(child.place, fmt::format("{}: {} is given twice", owner, name));
    check_value(*field, owner, child, mistakes);
    if (mistakes.size() == before)
      fields.given[name] = child;
    else
      fields.given.try_emplace(name, child);
  }
  for (const Field& field : form.fields) {
    const bool misspelt = meant.find(fmt::format("'{}'", field.name)) != std::string::npos;
    if (field.required && fields.given.count(field.name) == 0 && !misspelt)
      mistakes.add(node.place,
                   fmt::format("{}: {} is missing, which is {}", owner, field.name, field.types[0].describe()));
  }
  return fields;
}

std::string without_module(const std::string& name) {
  std::string rest = name;
  for (bool again = true; again;) {
    again = false;
    for (const char* module : {"torch.", "torchvision.", "nn.", "F.", "functional.", "optim.", "lr_scheduler.", "init.",
                               "datasets.", "models.", "transforms.", "v2.", "T."}) {
      if (!rest.starts_with(module)) continue;
      rest.erase(0, std::string_view(module).size());
      again = true;
    }
  }
  return rest;
}

std::optional<Call> read_call(const Node& node, const std::string& kind, Mistakes& mistakes) {
  Call call;
  call.place = node.place;
  Node map = node;
  if (node.kind == Node::Kind::Scalar) {
    Expression expression;
    if (!parse_call(node, expression, mistakes)) return {};
    if (expression.kind == Expression::Kind::Name) expression.kind = Expression::Kind::Call;
    if (expression.kind != Expression::Kind::Call) {
      mistakes.add(node.place,
                   fmt::format("needs a {}, such as Name(argument, name=value), got {}", kind, node.describe()));
      return {};
    }
    Node literal;
    if (!to_literal(expression, literal, mistakes)) return {};
    for (const Node& change : node.children) {  // written by --set
      std::erase_if(literal.children, [&](const Node& child) { return child.key == change.key; });
      literal.children.push_back(change);
    }
    map = std::move(literal);
  }
  const Node* type = map.find("type");
  if (map.kind != Node::Kind::Map || type == nullptr || type->kind != Node::Kind::Scalar) {
    mistakes.add(node.place, fmt::format("needs a {}: Name(arguments), or a map with its name as `type`, got {}", kind,
                                         node.describe()));
    return {};
  }
  call.name = without_module(type->text);
  if (node.kind == Node::Kind::Map) call.place = type->place;
  call.arguments.kind = Node::Kind::Map;
  call.arguments.place = call.place;
  for (const Node& child : map.children)
    if (child.key != "type") call.arguments.children.push_back(child);
  return call;
}

}  // namespace gradus::recipe

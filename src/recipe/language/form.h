// Forms: what may be written where. A form is a row of fields, each with its name, type, range, default and help, as
// one line of text:
//
//   "batch_size: int>=1 = 64 -- samples per step"
//   "padding: int... | (same|valid) = 0"
//
// The reader, its error messages, the JSON schema and the reference all come from these lines.
//
// A type is one of
//   flag int number text file expression pattern   (a pattern of parameter names)
//   tensor network                                  (of functions in expressions)
//   loss optimizer metric                           (names that the recipe chooses)
//   (a|b|c)                                         one of these words
//   call KIND                                       "Name(arguments)", or a map with `type`: see callables.h
//   form NAME, options                              a map of such fields; of an optimizer's options
// Numbers may have limits: int>=1, number>0, number[0,1]. `...` after a type: one, or a list. [type]: a list. {type}: a
// map from names of one's own. `a | b`: either. A default of none stands for nothing; without a default the field must
// be given.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/range.h"
#include "recipe/language/node.h"

namespace gradus::recipe {

struct Type {
  enum class Base {
    Flag,
    Int,
    Number,
    Text,
    File,
    Expression,
    Pattern,
    Tensor,
    Network,
    Loss,
    Optimizer,
    Metric,
    Word,
    Call,
    Form,
    Options
  };
  enum class Many { One, OneOrList, List, Map };
  Base base = Base::Text;
  Many many = Many::One;
  std::string of;                  // of a call its kind, of a form its name
  std::vector<std::string> words;  // that it may be one of
  Range range;                     // of a number

  std::string describe() const;  // "a whole number of at least 1"
};

struct Field {
  std::string name;
  std::vector<Type> types;  // alternatives
  std::string type_text;    // as written
  bool required = true;
  Node fallback;  // Null where nothing stands for it
  std::string help;
};

struct Form {
  std::string name, help;
  std::vector<Field> fields;
  // The fields that a mere text, or a mere list, in place of the map stands for; "" where neither is allowed.
  std::string scalar_field, list_field;
  bool called = false;  // a signature: its fields are arguments

  const Field* find(const std::string& field) const;
};

Field parse_field(const std::string& line);
// "Conv2d(in_channels: int>=1, out_channels: int>=1, kernel_size: int>=1...)"
Form parse_signature(const std::string& signature, const std::string& help);

// What was given, field by field. Getters of fields that are absent give the default; their types were checked.
class Fields {
 public:
  const Form* form = nullptr;
  Place place;
  std::map<std::string, Node> given;

  bool has(const std::string& field) const { return !get(field).children.empty() || !is_none(field); }
  const Node& get(const std::string& field) const;
  bool is_none(const std::string& field) const { return get(field).kind == Node::Kind::Null; }
  bool flag(const std::string& field) const;
  std::int64_t integer(const std::string& field) const;
  double number(const std::string& field) const;
  std::string text(const std::string& field) const;  // "" for none
  std::vector<std::int64_t> integers(const std::string& field) const;
  std::vector<double> numbers(const std::string& field) const;
  std::vector<Node> list(const std::string& field) const;  // of one value too
};

bool is_flag(const Node& node);
bool is_integer(const Node& node);
bool is_number(const Node& node);
double number_of(const Node& node);

// Reads a map by a form. Unknown, missing and repeated fields and wrong types are mistakes. `owner` is what messages
// call it: "data", "Conv2d". Arguments without a key are taken in the form's order, as Python does.
Fields read_fields(const Form& form, const std::string& owner, const Node& map, Mistakes& mistakes);
// The same for a map whose other keys belong to somebody else, who is given them.
Fields read_fields(const Form& form, const std::string& owner, const Node& map, const std::vector<std::string>& others,
                   std::vector<Node>* rest, Mistakes& mistakes);

// A call: "Name", "Name(1, x=2)", or {type: Name, x: 2}.
struct Call {
  std::string name;
  Place place;
  Node arguments;  // a map; those without a key come first
};
// "torch.nn.Linear" and "nn.Linear" are Linear, "F.relu" is relu.
std::string without_module(const std::string& name);
std::optional<Call> read_call(const Node& node, const std::string& kind, Mistakes& mistakes);

}  // namespace gradus::recipe

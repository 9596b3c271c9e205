#include "recipe/language/formula.h"

#include <fmt/format.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>

#include "kernels/math.h"
#include "text/table.h"

namespace gradus::recipe {

namespace {

using Kind = Expression::Kind;

Value literal(const Node& node) {
  switch (node.kind) {
    case Node::Kind::Null:
    case Node::Kind::Map:
      return {};
    case Node::Kind::List: {
      Values values;
      for (const Node& child : node.children) values.push_back(literal(child));
      return values;
    }
    case Node::Kind::Scalar:
      break;
  }
  if (is_flag(node)) return node.text == "true";
  if (is_integer(node)) return static_cast<std::int64_t>(number_of(node));
  if (is_number(node)) return number_of(node);
  return node.text;
}

const double* as_number(const Value& value, double& space) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    space = static_cast<double>(*whole);
    return &space;
  }
  return std::get_if<double>(&value);
}

Value apply_to_numbers(const std::string& op, double a, double b, bool whole) {
  const double result = op == "+" ? a + b : op == "-" ? a - b : op == "*" ? a * b : op == "/" ? a / b : math::pow(a, b);
  if (whole && op != "/" && std::trunc(result) == result && std::abs(result) < 0x1p53)
    return static_cast<std::int64_t>(result);
  return result;
}

Scalar scalar_of(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
  return std::get<double>(value);
}

Value apply(const std::string& op, const Value& a, const Value& b) {
  const auto *x = std::get_if<Tensor>(&a), *y = std::get_if<Tensor>(&b);
  double a_space = 0, b_space = 0;
  const double *m = as_number(a, a_space), *n = as_number(b, b_space);
  if ((x == nullptr && m == nullptr) || (y == nullptr && n == nullptr)) {
    throw ValueError("'" + op + "' needs tensors or numbers, got " + a.describe() + " and " + b.describe());
  }
  if (op == "@") {
    if (x == nullptr || y == nullptr)
      throw ValueError("'@' needs two tensors, got " + a.describe() + " and " + b.describe());
    return matmul(*x, *y);
  }
  if (m != nullptr && n != nullptr) {
    const bool whole = std::holds_alternative<std::int64_t>(a) && std::holds_alternative<std::int64_t>(b);
    return apply_to_numbers(op, *m, *n, whole);
  }
  if (x != nullptr && y != nullptr)
    return op == "+" ? *x + *y : op == "-" ? *x - *y : op == "*" ? *x * *y : op == "/" ? *x / *y : pow(*x, *y);
  if (x != nullptr) {
    const Scalar s = scalar_of(b);
    return op == "+" ? *x + s : op == "-" ? *x - s : op == "*" ? *x * s : op == "/" ? *x / s : pow(*x, s);
  }
  if (op == "**") throw ValueError("'**' needs a tensor or a number before it where the exponent is a tensor");
  const Scalar s = scalar_of(a);
  return op == "+" ? s + *y : op == "-" ? s - *y : op == "*" ? s * *y : s / *y;
}

Value negated(const Value& value) {
  if (const auto* x = std::get_if<Tensor>(&value)) return -*x;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return -*whole;
  if (const auto* number = std::get_if<double>(&value)) return -*number;
  throw ValueError("'-' needs a tensor or a number, got " + value.describe());
}

// The module or parameter of that path, or nothing.
nn::Module* find_module(nn::Module* root, const std::string& path) {
  for (const auto& [name, module] : root->named_modules())
    if (name == path) return module;
  return nullptr;
}
Tensor find_parameter(nn::Module* root, const std::string& path) {
  for (const auto& [name, parameter] : root->named_parameters())
    if (name == path) return parameter;
  return {};
}

}  // namespace

std::string Value::describe() const {
  constexpr const char* kKinds[] = {"nothing", "a flag",   "a number",  "a number",
                                    "a text",  "a tensor", "a network", "a list"};
  if (const auto* x = std::get_if<Tensor>(this)) return "a tensor " + to_string(x->sizes());
  return kKinds[index()];
}

void Arguments::refuse(std::size_t i, const char* wanted) const {
  throw ValueError(form_.name + ": " + form_.fields[i].name + " needs " + wanted + ", got " + values_[i].describe());
}
bool Arguments::is_number(std::size_t i) const {
  double space = 0;
  return as_number(values_[i], space) != nullptr;
}
bool Arguments::flag(std::size_t i) const {
  if (const auto* flag = std::get_if<bool>(&values_[i])) return *flag;
  refuse(i, "true or false");
}
double Arguments::number(std::size_t i) const {
  double space = 0;
  if (const double* number = as_number(values_[i], space)) return *number;
  refuse(i, "a number");
}
std::int64_t Arguments::integer(std::size_t i) const {
  if (const auto* whole = std::get_if<std::int64_t>(&values_[i])) return *whole;
  refuse(i, "a whole number");
}
std::string Arguments::text(std::size_t i) const {
  if (const auto* text = std::get_if<std::string>(&values_[i])) return *text;
  refuse(i, "a text");
}
std::vector<std::int64_t> Arguments::integers(std::size_t i) const {
  if (!has(i)) return {};
  const auto* list = std::get_if<Values>(&values_[i]);
  if (list == nullptr) return {integer(i)};
  std::vector<std::int64_t> integers;
  for (const Value& value : *list) {
    const auto* whole = std::get_if<std::int64_t>(&value);
    if (whole == nullptr) refuse(i, "whole numbers");
    integers.push_back(*whole);
  }
  return integers;
}
std::vector<Tensor> Arguments::tensors(std::size_t i) const {
  const auto* list = std::get_if<Values>(&values_[i]);
  if (list == nullptr || list->empty()) refuse(i, "a list of tensors");
  std::vector<Tensor> tensors;
  for (const Value& value : *list) {
    const auto* x = std::get_if<Tensor>(&value);
    if (x == nullptr) refuse(i, "a list of tensors");
    tensors.push_back(*x);
  }
  return tensors;
}
Tensor Arguments::tensor(std::size_t i) const {
  if (const auto* x = std::get_if<Tensor>(&values_[i])) return *x;
  if (is_number(i)) return gradus::tensor(number(i)).to(kFloat32);
  refuse(i, "a tensor");
}
Tensor Arguments::tensor_like(std::size_t i, const Tensor& x) const {
  if (is_number(i)) return full_like(x.detach(), number(i));
  Tensor y = tensor(i);
  if (!y.is_floating_point()) y = y.to(x.dtype());
  const bool column = x.dim() == 2 && x.size(1) == 1 && y.dim() == 1 && y.size(0) == x.size(0);
  return column ? y.unsqueeze(1) : y;
}
nn::Module& Arguments::network(std::size_t i) const {
  if (auto* const* module = std::get_if<nn::Module*>(&values_[i])) return **module;
  refuse(i, "a network");
}

void Frame::set(std::size_t variable, Value value) {
  values_[variable] = std::move(value);
  known_[variable] = 1;
}
const Value& Frame::get(std::size_t variable) {
  if (known_[variable] == 0) set(variable, formulas_[variable]->compute(*this));
  return values_[variable];
}
void Frame::forget() {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (formulas_[i] == nullptr) continue;
    values_[i] = Value();
    known_[i] = 0;
  }
}

TrainableNumbers::TrainableNumbers(const std::vector<double>& numbers)
    : nn::Module("TrainableNumbers"), value(add("value", nn::Parameter(gradus::tensor(numbers).to(kFloat32)))) {}

struct Formula::Term {
  enum class Kind { Literal, Variable, List, Operator, Function, Module };
  Kind kind = Kind::Literal;
  Place place;
  Value value;  // of a literal; a parameter too
  std::size_t variable = 0;
  std::string op;
  const Function* function = nullptr;
  nn::Module* module = nullptr;
  std::vector<Term> operands;  // of a function one for each field of its form

  Value compute(Frame& frame) const;
};

Value Formula::Term::compute(Frame& frame) const {
  if (kind == Kind::Literal) return value;
  if (kind == Kind::Variable) return frame.get(variable);
  Values values;
  values.reserve(operands.size());
  for (const Term& operand : operands) values.push_back(operand.compute(frame));
  if (kind == Kind::List) return values;
  try {
    if (kind == Kind::Operator) return op == "neg" ? negated(values[0]) : apply(op, values[0], values[1]);
    if (kind == Kind::Function) return function->compute(Arguments(function->form, std::move(values), frame.device()));
    const auto* x = std::get_if<Tensor>(&values[0]);
    if (x == nullptr) throw ValueError("a network needs a tensor, got " + values[0].describe());
    return (*module)(*x);
  } catch (const RecipeError&) {
    throw;
  } catch (const Error& e) {
    throw RecipeError({{place, e.what(), dynamic_cast<const IndexError*>(&e) != nullptr}});
  }
}

namespace {

const Function* find_function(const std::string& name) {
  for (const Function& function : functions())
    if (function.form.name == name) return &function;
  return nullptr;
}

// What a loss that is a module in PyTorch is as a function.
std::string function_of_module(const std::string& name) {
  constexpr std::pair<const char*, const char*> kLosses[] = {{"CrossEntropyLoss", "cross_entropy"},
                                                             {"NLLLoss", "nll_loss"},
                                                             {"BCELoss", "binary_cross_entropy"},
                                                             {"BCEWithLogitsLoss", "binary_cross_entropy_with_logits"},
                                                             {"MSELoss", "mse_loss"},
                                                             {"L1Loss", "l1_loss"},
                                                             {"SmoothL1Loss", "smooth_l1_loss"},
                                                             {"HuberLoss", "huber_loss"},
                                                             {"KLDivLoss", "kl_div"}};
  for (const auto& [module, function] : kLosses)
    if (name == module) return function;
  return {};
}

std::vector<std::string> callable_names(const Names& names) {
  std::vector<std::string> all;
  for (const nn::NamedModule& child : names.networks->named_children()) all.push_back(child.first);
  for (const Function& function : functions()) all.push_back(function.form.name);
  return all;
}

}  // namespace

Formula::Formula() = default;
Formula::~Formula() = default;
Formula::Formula(Formula&&) noexcept = default;
Formula& Formula::operator=(Formula&&) noexcept = default;

// From an expression to what computes it. Each mistake is noted, and the rest is looked at all the same.
struct Formula::Compiler {
  const Names& names;
  Mistakes& mistakes;

  Term term(const Expression& e) {
    Term result;
    result.place = e.place;
    switch (e.kind) {
      case Kind::None:
        break;
      case Kind::Flag:
        result.value = e.flag;
        break;
      case Kind::Text:
        result.value = e.text;
        break;
      case Kind::Number:
        if (e.whole && std::abs(e.number) < 0x1p53)
          result.value = static_cast<std::int64_t>(e.number);
        else
          result.value = e.number;
        break;
      case Kind::List:
        result.kind = Term::Kind::List;
        for (const Expression& item : e.operands) result.operands.push_back(term(item));
        break;
      case Kind::Operator:
        result.kind = Term::Kind::Operator;
        result.op = e.text;
        for (const Expression& operand : e.operands) result.operands.push_back(term(operand));
        break;
      case Kind::Name:
        name(e, result);
        break;
      case Kind::Call:
        call(e, result);
        break;
    }
    return result;
  }

  void name(const Expression& e, Term& result) {
    const auto& variables = names.variables;
    // Later ones come first: nothing else has a name that a variable has.
    if (const auto it = std::find(variables.begin(), variables.end(), e.text); it != variables.end()) {
      result.kind = Term::Kind::Variable;
      result.variable = static_cast<std::size_t>(it - variables.begin());
      return;
    }
    if (nn::Module* module = find_module(names.networks, e.text); module != nullptr && !e.text.empty()) {
      auto* numbers = module->as<TrainableNumbers>();
      result.value = numbers != nullptr ? Value(Tensor(numbers->value)) : Value(module);
      return;
    }
    if (Tensor parameter = find_parameter(names.networks, e.text); parameter.defined()) {
      result.value = parameter;
      return;
    }
    if (is_broken(e.text)) return;
    std::vector<std::string> known = variables;
    const std::string network = e.text.substr(0, e.text.find('.'));
    const bool inside = network != e.text && find_module(names.networks, network) != nullptr;
    if (inside) {
      known.clear();
      for (const auto& [path, module] : names.networks->named_modules())
        if (path.starts_with(network + ".")) known.push_back(path);
      for (const auto& [path, parameter] : names.networks->named_parameters()) known.push_back(path);
    } else {
      for (const nn::NamedModule& child : names.networks->named_children()) known.push_back(child.first);
    }
    mistakes.add(e.place, fmt::format("there is nothing named '{}' here{}", e.text, near(e.text, known, inside)));
  }

  bool find_variable(const std::string& name) const {
    return std::find(names.variables.begin(), names.variables.end(), name) != names.variables.end();
  }

  bool is_broken(const std::string& path) const {
    const std::string first = path.substr(0, path.find('.'));
    return std::find(names.broken.begin(), names.broken.end(), first) != names.broken.end();
  }

  // Of many parts only a near one is worth naming.
  static std::string near(const std::string& name, const std::vector<std::string>& known, bool many) {
    const std::string hint = did_you_mean(name, known);
    return many && !hint.starts_with("; did you mean") ? "" : hint;
  }

  void call(const Expression& e, Term& result) {
    if (nn::Module* module = find_module(names.networks, e.text); module != nullptr && !e.text.empty()) {
      result.kind = Term::Kind::Module;
      result.module = module;
      if (e.operands.size() != 1 || !e.operands[0].key.empty()) {
        mistakes.add(e.place,
                     fmt::format("the network {} takes one tensor, got {} arguments", e.text, e.operands.size()));
      }
      for (const Expression& operand : e.operands) result.operands.push_back(term(operand));
      return;
    }
    std::vector<Expression> arguments = e.operands;
    const bool own = find_variable(e.text.substr(0, e.text.find('.')));
    std::string function_name = own ? e.text : without_module(e.text);
    if (find_function(e.text) == nullptr && is_broken(e.text)) {
      for (const Expression& operand : e.operands) term(operand);
      return;
    }
    if (const std::size_t dot = function_name.rfind('.'); dot != std::string::npos) {
      function_name = e.text.substr(e.text.rfind('.') + 1);
      Expression self;
      self.kind = Kind::Name;
      self.place = e.place;
      self.text = e.text.substr(0, e.text.rfind('.'));
      // "net.encode(x)" means a part of the network, and x.mean() a function.
      if ((find_function(function_name) == nullptr && !find_variable(self.text)) ||
          find_module(names.networks, self.text) != nullptr) {
        name(e, result);
        for (const Expression& operand : e.operands) term(operand);
        return;
      }
      arguments.insert(arguments.begin(), self);
    }
    const Function* function = find_function(function_name);
    if (function == nullptr) {
      const std::vector<std::string> known = callable_names(names);
      const std::string other = function_of_module(function_name);
      const std::string hint =
          other.empty() ? near(function_name, known, true) : "; as a function it is " + other + "(input, target)";
      mistakes.add(e.place, fmt::format("there is no function or network '{}'{}", function_name,
                                        hint.empty() ? "; docs/recipes-reference.md lists the functions" : hint));
      for (const Expression& argument : arguments) term(argument);
      return;
    }
    result.kind = Term::Kind::Function;
    result.function = function;
    bind(*function, arguments, e.place, result);
  }

  // A word such as `batchmean` needs no quotes.
  Term argument(const Function& function, const Field& field, const Expression& e) {
    const std::vector<std::string>& words = field.types[0].words;
    if (words.empty() || (e.kind != Kind::Name && e.kind != Kind::Text)) return term(e);
    if (std::find(words.begin(), words.end(), e.text) == words.end()) {
      mistakes.add(e.place, fmt::format("{}: {} needs {}, got '{}'{}", function.form.name, field.name,
                                        field.types[0].describe(), e.text, near(e.text, words, true)));
    }
    Term result;
    result.place = e.place;
    result.value = e.text;
    return result;
  }

  void bind(const Function& function, std::vector<Expression>& arguments, const Place& place, Term& result) {
    const auto& fields = function.form.fields;
    std::vector<const Expression*> given(fields.size());
    // randn(2, 3) is randn([2, 3]), and reshape(x, -1, 1) is reshape(x, [-1, 1]).
    const std::size_t last = fields.size() - 1;
    if (!fields.empty() && fields[last].types[0].many == Type::Many::OneOrList && arguments.size() > fields.size() &&
        std::all_of(arguments.begin(), arguments.end(), [](const Expression& e) { return e.key.empty(); })) {
      const auto from = arguments.begin() + static_cast<std::ptrdiff_t>(last);
      Expression list;
      list.kind = Kind::List;
      list.place = from->place;
      list.operands.assign(from, arguments.end());
      arguments.erase(from, arguments.end());
      arguments.push_back(std::move(list));
    }
    std::size_t position = 0;
    bool misnamed = false;
    // What cannot be taken may have mistakes within.
    const auto refuse = [&](const Expression& argument, const Place& at, const std::string& what) {
      mistakes.add(at, what);
      term(argument);
    };
    for (const Expression& argument : arguments) {
      std::size_t index = position;
      if (argument.key.empty()) {
        ++position;
      } else if (function.form.find(argument.key) != nullptr) {
        index = static_cast<std::size_t>(function.form.find(argument.key) - fields.data());
      } else {
        std::vector<std::string> known;
        for (const Field& field : fields) known.push_back(field.name);
        refuse(argument, argument.key_place,
               fmt::format("{} has no argument '{}'{}", function.form.name, argument.key,
                           did_you_mean(argument.key, known)));
        misnamed = true;
        continue;
      }
      if (index >= fields.size()) {
        refuse(argument, argument.place,
               fmt::format("{} takes {} argument{}, got {}", function.form.name, fields.size(),
                           fields.size() == 1 ? "" : "s", arguments.size()));
      } else if (given[index] != nullptr) {
        refuse(argument, argument.place, fmt::format("{}: {} is given twice", function.form.name, fields[index].name));
      } else {
        given[index] = &argument;
      }
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
      Term operand;
      if (given[i] != nullptr) {
        operand = argument(function, fields[i], *given[i]);
      } else if (fields[i].required && misnamed) {
        // Perhaps it is the one that has the wrong name.
      } else if (fields[i].required) {
        mistakes.add(place, fmt::format("{}: {} is missing, which is {}", function.form.name, fields[i].name,
                                        fields[i].types[0].describe()));
      } else {
        operand.value = literal(fields[i].fallback);
      }
      result.operands.push_back(std::move(operand));
    }
  }
};

Formula Formula::compile(const Expression& expression, const Names& names, Mistakes& mistakes) {
  Formula formula;
  formula.term_ = std::make_unique<Term>(Compiler{names, mistakes}.term(expression));
  return formula;
}

Value Formula::compute(Frame& frame) const { return term_->compute(frame); }
const Place& Formula::place() const { return term_->place; }

Tensor Formula::tensor(Frame& frame) const {
  const Value value = compute(frame);
  if (const auto* x = std::get_if<Tensor>(&value)) return *x;
  throw RecipeError({{place(), "must be a tensor, is " + value.describe()}});
}

Tensor Formula::scalar(Frame& frame) const {
  const Tensor x = tensor(frame);
  if (x.numel() != 1) {
    throw RecipeError(
        {{place(), "must be one number, is a tensor " + to_string(x.sizes()) + "; take its mean() or sum()"}});
  }
  return x;
}

}  // namespace gradus::recipe

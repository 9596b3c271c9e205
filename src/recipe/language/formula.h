// Expressions, ready to be computed: names are looked up once, and each call knows its function.
#pragma once

#include <gradus/nn/module.h>

#include <memory>
#include <variant>

#include "recipe/language/expression.h"
#include "recipe/language/form.h"

namespace gradus::recipe {

struct Value;
using Values = std::vector<Value>;

struct Value : std::variant<std::monostate, bool, std::int64_t, double, std::string, Tensor, nn::Module*, Values> {
  using variant::variant;
  std::string describe() const;  // "a tensor [2, 3]", "a number"
};

// A function's arguments, in the order of its form. Those that are absent have their defaults. The getters throw
// ValueError for other kinds of values.
class Arguments {
 public:
  Arguments(const Form& form, Values values, Device device)
      : form_(form), values_(std::move(values)), device_(device) {}
  Device device() const { return device_; }  // where a function makes tensors
  const Value& operator[](std::size_t i) const { return values_[i]; }
  bool has(std::size_t i) const { return !std::holds_alternative<std::monostate>(values_[i]); }
  bool is_number(std::size_t i) const;
  bool flag(std::size_t i) const;
  double number(std::size_t i) const;
  std::int64_t integer(std::size_t i) const;
  std::string text(std::size_t i) const;
  std::vector<std::int64_t> integers(std::size_t i) const;
  std::vector<Tensor> tensors(std::size_t i) const;
  Tensor tensor(std::size_t i) const;  // a number becomes a 0-d one
  // A target for x: a number becomes one of x's sizes, whole numbers become x's type, [N] becomes [N, 1] where x is
  // that.
  Tensor tensor_like(std::size_t i, const Tensor& x) const;
  nn::Module& network(std::size_t i) const;

 private:
  [[noreturn]] void refuse(std::size_t i, const char* wanted) const;
  const Form& form_;
  Values values_;
  Device device_;
};

// A function that expressions may call.
struct Function {
  Form form;
  Value (*compute)(const Arguments&);
};
const std::vector<Function>& functions();

// A trainable tensor in the place of a network. Expressions use it as a tensor.
struct TrainableNumbers : nn::Module {
  nn::Parameter value;
  explicit TrainableNumbers(const std::vector<double>& numbers);
};

// What an expression may name: variables, by number, and networks with what they hold.
struct Names {
  std::vector<std::string> variables;
  std::vector<std::string> broken;  // what could not be made, for reasons that are told already
  nn::Module* networks = nullptr;
};

class Formula;

// The variables' values within one update. Those with a formula are computed when they are first asked for.
class Frame {
 public:
  explicit Frame(std::size_t count, Device device = kCPU)
      : values_(count), known_(count), formulas_(count), device_(device) {}
  Device device() const { return device_; }  // where functions make tensors
  void set(std::size_t variable, Value value);
  void set_formula(std::size_t variable, const Formula* formula) { formulas_[variable] = formula; }
  const Value& get(std::size_t variable);
  void forget();  // what formulas gave

 private:
  Values values_;
  std::vector<char> known_;
  std::vector<const Formula*> formulas_;
  Device device_;
};

class Formula {
 public:
  Formula();
  // Names and functions that do not exist, and arguments that a function does not take, are mistakes.
  static Formula compile(const Expression& expression, const Names& names, Mistakes& mistakes);
  ~Formula();
  Formula(Formula&&) noexcept;
  Formula& operator=(Formula&&) noexcept;

  // An error of the library becomes a RecipeError at the place of the call.
  Value compute(Frame& frame) const;
  Tensor tensor(Frame& frame) const;
  Tensor scalar(Frame& frame) const;  // of one element
  const Place& place() const;

 private:
  struct Term;
  struct Compiler;
  std::unique_ptr<Term> term_;
};

}  // namespace gradus::recipe

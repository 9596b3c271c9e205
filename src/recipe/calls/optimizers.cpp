// Optimizers by name. Their options, defaults and ranges are asked of the optimizers themselves.
#include <fmt/format.h>
#include <gradus/ops.h>
#include <gradus/optim.h>

#include <cmath>

#include "recipe/calls/callables.h"

namespace gradus::recipe {

namespace {

using optim::OptionValue;

std::string type_of(const OptionValue& value) {
  if (std::holds_alternative<bool>(value)) return "flag";
  if (std::holds_alternative<std::int64_t>(value)) return "int";
  if (std::holds_alternative<std::string>(value)) return "text";
  if (std::holds_alternative<double>(value) || std::holds_alternative<std::monostate>(value)) return "number";
  return "number...";
}

std::string text_of(const OptionValue& value) {
  const auto number = [](double x) { return fmt::format("{}", x); };
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* x = std::get_if<double>(&value)) return number(*x);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* pair = std::get_if<std::pair<double, double>>(&value))
    return "[" + number(pair->first) + ", " + number(pair->second) + "]";
  if (const auto* tuple = std::get_if<optim::NumberTuple>(&value)) {
    std::string text;
    for (const auto& item : *tuple) text += (text.empty() ? "[" : ", ") + (item ? number(*item) : "none");
    return text + "]";
  }
  return "none";
}

// One that trains nothing of interest, to ask it for its options.
template <class O>
OptimizerCall row(const char* help) {
  OptimizerCall call;
  const O probe(optim::Params(ones({1, 1}, {.requires_grad = true})));
  call.form.name = probe.name();
  call.form.help = help;
  for (const std::string& option : probe.option_names()) {
    const OptionValue value = probe.option(0, option);
    call.defaults[option] = value;
    call.form.fields.push_back(parse_field(option + ": " + type_of(value) + " = " + text_of(value)));
  }
  call.make = [](const std::vector<OptimizerGroup>& groups) -> std::unique_ptr<optim::Optimizer> {
    std::vector<typename O::GroupOptions> params;
    for (const OptimizerGroup& group : groups) {
      typename O::GroupOptions options;
      options.params = group.params;
      options.name = group.name;
      params.push_back(std::move(options));
    }
    auto optimizer = std::make_unique<O>(params);
    // All options at once, since some are checked together.
    optim::OptimizerState state = optimizer->state_dict();
    for (std::size_t i = 0; i < groups.size(); ++i)
      for (const auto& [option, value] : groups[i].options) state.groups[i].options[option] = value;
    optimizer->load_state_dict(state);
    return optimizer;
  };
  return call;
}

}  // namespace

const std::vector<OptimizerCall>& optimizers() {
  static const std::vector<OptimizerCall> all{
      row<optim::SGD>("stochastic gradient descent, with momentum"),
      row<optim::Adam>("Kingma and Ba (2015)"),
      row<optim::AdamW>("Adam with decoupled weight decay"),
      row<optim::NAdam>("Adam with Nesterov's momentum"),
      row<optim::RAdam>("rectified Adam"),
      row<optim::Adamax>("Adam with the infinity norm"),
      row<optim::Adagrad>("Duchi et al. (2011)"),
      row<optim::Adadelta>("Zeiler (2012)"),
      row<optim::RMSprop>("Tieleman and Hinton (2012)"),
      row<optim::Rprop>("uses only the signs of gradients; for full batches"),
      row<optim::ASGD>("averaged SGD"),
      row<optim::Adafactor>("a factored second moment"),
      row<optim::Lion>("the sign of the momentum"),
      row<optim::AdamW8bit>("AdamW with state of 8 bits"),
      row<optim::Lion8bit>("Lion with state of 8 bits"),
      row<optim::Muon>("orthogonalised momentum, for matrices"),
      row<optim::AdEMAMix>("Adam with two momenta"),
      row<optim::AdamWScheduleFree>("AdamW without a schedule; evaluation uses averaged weights"),
      row<optim::SGDScheduleFree>("SGD without a schedule; evaluation uses averaged weights"),
  };
  return all;
}

OptionValue option_value(const Node& node, const OptionValue& like) {
  const std::string given = node.describe();
  if (std::holds_alternative<bool>(like)) {
    if (is_flag(node)) return node.text == "true";
    throw ValueError("needs true or false, got " + given);
  }
  if (std::holds_alternative<std::string>(like)) {
    if (node.kind == Node::Kind::Scalar) return node.text;
    throw ValueError("needs a text, got " + given);
  }
  if (std::holds_alternative<std::int64_t>(like)) {
    if (is_integer(node)) return static_cast<std::int64_t>(number_of(node));
    throw ValueError("needs a whole number, got " + given);
  }
  if (std::holds_alternative<double>(like) || std::holds_alternative<std::monostate>(like)) {
    if (node.kind == Node::Kind::Null && std::holds_alternative<std::monostate>(like)) return {};
    if (is_number(node)) return number_of(node);
    throw ValueError("needs a number, got " + given);
  }
  const auto* tuple = std::get_if<optim::NumberTuple>(&like);
  const std::size_t wanted = tuple != nullptr ? tuple->size() : 2;
  if (node.kind != Node::Kind::List || node.children.size() != wanted)
    throw ValueError(fmt::format("needs a list of {} numbers, got {}", wanted, given));
  optim::NumberTuple numbers;
  for (const Node& child : node.children) {
    const bool none = tuple != nullptr && child.kind == Node::Kind::Null;
    if (!none && !is_number(child)) throw ValueError("needs numbers, got " + child.describe());
    numbers.push_back(none ? std::nullopt : std::optional(number_of(child)));
  }
  if (tuple != nullptr) return numbers;
  return std::pair(*numbers[0], *numbers[1]);
}

}  // namespace gradus::recipe

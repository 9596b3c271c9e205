#include <gradus/optim/pytorch_state.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace gradus::optim {

namespace {

using io::Path;
using io::Value;

// State that is a number here, and a tensor of no dimensions in PyTorch.
constexpr std::string_view kNumbers[] = {"eta", "mu", "mu_product"};

// What PyTorch keeps in a group beside the options of the method.
constexpr std::string_view kLeftOut[] = {"params",         "param_names",  "foreach", "fused",  "capturable",
                                         "differentiable", "initial_lr",   "max_lr",  "min_lr", "base_lr",
                                         "base_momentum",  "max_momentum", "swa_lr"};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

Path joined(Path path, std::initializer_list<io::Key> more) {
  path.insert(path.end(), more);
  return path;
}

[[noreturn]] void refuse(const Path& path, const std::string& what) {
  throw ValueError("from_pytorch: " + io::to_string(path) + ": " + what);
}

Value to_value(const OptionValue& option) {
  struct Convert {
    Value operator()(std::monostate) const { return {}; }
    Value operator()(bool x) const { return x; }
    Value operator()(std::int64_t x) const { return x; }
    Value operator()(double x) const { return x; }
    Value operator()(const std::pair<double, double>& x) const { return Value::tuple({x.first, x.second}); }
    Value operator()(const std::string& x) const { return x; }
    Value operator()(const NumberTuple& x) const {
      std::vector<Value> items;
      for (const auto& number : x) items.push_back(number ? Value(*number) : Value());
      return Value::tuple(std::move(items));
    }
  };
  return std::visit(Convert{}, option);
}

// A number, also as a tensor of one element (a rate that PyTorch keeps on the device).
double number_at(const Value& saved, const Path& path) {
  const Value value = saved.at(path);
  if (!value.is(Value::Kind::Tensor)) return saved.as_double(path);
  const Tensor tensor = value.as_tensor();
  if (tensor.numel() != 1) refuse(path, "need a number, got a tensor of " + gradus::to_string(tensor.sizes()));
  return tensor.item<double>();
}

OptionValue option_at(const Value& saved, const Path& path) {
  const Value value = saved.at(path);
  switch (value.kind()) {
    case Value::Kind::None:
      return std::monostate();
    case Value::Kind::Bool:
      return value.as_bool();
    case Value::Kind::Int:
      return value.as_int();
    case Value::Kind::Double:
    case Value::Kind::Tensor:
      return number_at(saved, path);
    case Value::Kind::String:
      return value.as_string();
    case Value::Kind::List:
    case Value::Kind::Tuple: {
      NumberTuple numbers;
      for (std::size_t i = 0; i < value.size(); ++i) {
        const Path at = joined(path, {i});
        numbers.push_back(saved.at(at).is_none() ? std::nullopt : std::optional(number_at(saved, at)));
      }
      const bool pair = numbers.size() == 2 && numbers[0] && numbers[1];
      if (pair) return std::pair(*numbers[0], *numbers[1]);
      return numbers;
    }
    default:
      refuse(path, "an option cannot be a dict or bytes");
  }
}

// AdamW is Adam with this set in PyTorch, and a method of its own here.
bool is_fixed(const std::string& optimizer, std::string_view option) {
  return optimizer == "AdamW" && option == "decoupled_weight_decay";
}

std::int64_t step_at(const Value& saved, const Path& path) {
  const double step = number_at(saved, path);
  constexpr double kMost = 9007199254740992.0;  // 2^53
  if (!(step >= 0 && step <= kMost) || step != std::floor(step)) refuse(path, "need a number of updates");
  return static_cast<std::int64_t>(step);
}

OptimizerState::Param param_at(const Value& saved, const Path& path) {
  OptimizerState::Param param;
  for (const auto& [key, value] : saved.entries(path)) {
    const std::string name = key.to_string();
    const Path at = joined(path, {key});
    if (value.is_none()) continue;  // a momentum_buffer that was never needed
    if (name == "step") {
      param.step = step_at(saved, at);
    } else if (contains(kNumbers, name)) {
      param.numbers[name] = number_at(saved, at);
    } else {
      param.tensors[name] = saved.as_tensor(at).contiguous();
    }
  }
  // SGD does not count; but what has state has been updated.
  if (param.step == 0 && !param.tensors.empty() && !saved.contains(joined(path, {"step"}))) param.step = 1;
  return param;
}

}  // namespace

Value to_pytorch(const OptimizerState& state) {
  Value params = Value::dict(), groups = Value::list();
  std::int64_t position = 0;
  for (const OptimizerState::Group& group : state.groups) {
    Value positions = Value::list(), saved = Value::dict();
    for (const std::string& name : group.params) {
      const auto found = state.params.find(name);
      if (found != state.params.end()) {
        Value param = Value::dict();
        if (state.optimizer != "SGD") param.set("step", tensor(static_cast<double>(found->second.step)));
        for (const auto& [key, number] : found->second.numbers) param.set(key, tensor(number, {.dtype = kFloat64}));
        for (const auto& [key, tensor] : found->second.tensors) param.set(key, tensor);
        if (param.size() > 0) params.set(position, param);
      }
      positions.push_back(position++);
    }
    for (const auto& [name, option] : group.options) saved.set(name, to_value(option));
    if (is_fixed(state.optimizer, "decoupled_weight_decay")) saved.set("decoupled_weight_decay", true);
    saved.set("params", positions);
    groups.push_back(saved);
  }
  return Value::dict({{"state", params}, {"param_groups", groups}});
}

Value to_pytorch(const Optimizer& optimizer) { return to_pytorch(optimizer.state_dict()); }

LoadStateReport from_pytorch(const Value& saved, Optimizer& optimizer) {
  const OptimizerState own = optimizer.state_dict();
  const std::vector<std::string> options = optimizer.option_names();
  OptimizerState state;
  state.optimizer = own.optimizer;
  const std::size_t count = saved.items({"param_groups"}).size();
  if (count != own.groups.size()) {
    throw ValueError("from_pytorch: the state has " + std::to_string(count) + " groups, the optimizer " +
                     std::to_string(own.groups.size()));
  }
  std::map<std::int64_t, std::string> names;  // by position
  for (std::size_t g = 0; g < count; ++g) {
    const Path path{"param_groups", g};
    OptimizerState::Group group{own.groups[g].name, {}, own.groups[g].params};
    const auto positions = saved.items(joined(path, {"params"}));
    if (positions.size() != group.params.size()) {
      refuse(path, std::to_string(positions.size()) + " parameters, where the optimizer has " +
                       std::to_string(group.params.size()));
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const Path at = joined(path, {"params", i});
      if (!names.emplace(saved.as_int(at), group.params[i]).second) refuse(at, "a parameter that is there twice");
    }
    for (const auto& [key, value] : saved.entries(path)) {
      const std::string name = key.to_string();
      const Path at = joined(path, {key});
      if (contains(options, name)) {
        group.options[name] = option_at(saved, at);
      } else if (is_fixed(own.optimizer, name)) {
        if (!saved.as_bool(at)) refuse(at, "need True for AdamW, got False; load it into Adam");
      } else if (!contains(kLeftOut, name)) {
        refuse(at, own.optimizer + " has no such option");
      }
    }
    state.groups.push_back(std::move(group));
  }
  for (const auto& [key, value] : saved.entries({"state"})) {
    const Path path{"state", key};
    const auto name = key.is_int() ? names.find(key.as_int()) : names.end();
    if (name == names.end()) refuse(path, "state of a parameter that is in no group");
    state.params[name->second] = param_at(saved, path);
  }
  return optimizer.load_state_dict(state);
}

}  // namespace gradus::optim

#include <gradus/optim/state/state_value.h>

#include "optim/engine/option_value.h"

namespace gradus::optim {

using io::Path;
using io::Value;

Value to_value(const OptimizerState& state) {
  Value groups = Value::list(), params = Value::dict();
  for (const OptimizerState::Group& group : state.groups) {
    Value options = Value::dict(), names = Value::list();
    for (const auto& [name, option] : group.options) options.set(name, to_value(option));
    for (const std::string& name : group.params) names.push_back(name);
    groups.push_back(Value::dict({{"name", group.name}, {"options", options}, {"params", names}}));
  }
  for (const auto& [name, param] : state.params) {
    Value tensors = Value::dict(), numbers = Value::dict();
    for (const auto& [key, tensor] : param.tensors) tensors.set(key, tensor);
    for (const auto& [key, number] : param.numbers) numbers.set(key, number);
    params.set(name, Value::dict({{"step", param.step}, {"tensors", tensors}, {"numbers", numbers}}));
  }
  return Value::dict({{"optimizer", state.optimizer}, {"groups", groups}, {"params", params}});
}

OptimizerState to_optimizer_state(const Value& value) {
  constexpr const char* kCall = "to_optimizer_state";
  OptimizerState state;
  state.optimizer = value.as_string({"optimizer"});
  for (std::size_t g = 0; g < value.items({"groups"}).size(); ++g) {
    const Path at{"groups", g};
    OptimizerState::Group group{value.as_string(joined(at, {"name"})), {}, {}};
    for (const auto& [key, option] : value.entries(joined(at, {"options"})))
      group.options[key.to_string()] = option_at(kCall, value, joined(at, {"options", key}));
    for (std::size_t i = 0; i < value.size(joined(at, {"params"})); ++i)
      group.params.push_back(value.as_string(joined(at, {"params", i})));
    state.groups.push_back(std::move(group));
  }
  for (const auto& [key, param] : value.entries({"params"})) {
    const Path at{"params", key};
    OptimizerState::Param& saved = state.params[key.to_string()];
    saved.step = value.as_int(joined(at, {"step"}));
    for (const auto& [name, tensor] : value.entries(joined(at, {"tensors"})))
      saved.tensors[name.to_string()] = value.as_tensor(joined(at, {"tensors", name}));
    for (const auto& [name, number] : value.entries(joined(at, {"numbers"})))
      saved.numbers[name.to_string()] = value.as_double(joined(at, {"numbers", name}));
  }
  return state;
}

}  // namespace gradus::optim

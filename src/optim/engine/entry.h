// A parameter with its state.
#pragma once

#include "optim/engine/rule.h"

namespace gradus::optim {

// A copy of a state tensor on the device that the parameter has now.
inline Tensor copied_as(const Tensor& param, const Tensor& state, Dtype dtype) {
  const Tensor converted = state.to(param.device()).to(dtype);
  return converted.is_same(state) ? state.clone() : converted;
}
// The same, in the parameter's type.
inline Tensor copied_as(const Tensor& param, const Tensor& state) { return copied_as(param, state, param.dtype()); }

struct Entry {
  Tensor param;
  std::string name;  // unique within the optimizer
  std::int64_t step = 0;
  std::vector<std::pair<const char*, Tensor>> tensors;
  Numbers numbers{};
  bool averaged = false;  // which of two points the parameter shows, where the rule keeps two

  Tensor* find(std::string_view state) {
    for (auto& [key, tensor] : tensors)
      if (state == key) return &tensor;
    return nullptr;
  }
  const Tensor* find(std::string_view state) const { return const_cast<Entry*>(this)->find(state); }

  // After the parameter was converted or moved (Module::to).
  void convert_state() {
    for (auto& [key, tensor] : tensors) tensor = tensor.to(param.device()).to(param.dtype());
  }
};

template <class Rule>
constexpr std::span<const Number> numbers_of() {
  if constexpr (requires { Rule::numbers; })
    return Rule::numbers;
  else
    return {};
}
inline Numbers initial_numbers(std::span<const Number> rule) {
  Numbers numbers{};
  for (std::size_t i = 0; i < rule.size(); ++i) numbers[i] = rule[i].initial;
  return numbers;
}

}  // namespace gradus::optim

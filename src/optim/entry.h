// A parameter with its state.
#pragma once

#include "optim/rule.h"

namespace gradus::optim {

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
};

template <class Rule>
Numbers initial_numbers() {
  Numbers numbers{};
  if constexpr (requires { Rule::numbers; })
    for (std::size_t i = 0; i < Rule::numbers.size(); ++i) numbers[i] = Rule::numbers[i].initial;
  return numbers;
}

}  // namespace gradus::optim

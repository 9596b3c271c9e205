// Loading the state of an optimizer, whatever the type of its options.
#pragma once

#include <functional>

#include "optim/engine/entry.h"

namespace gradus::optim {

// The state of a parameter with some rule: the sizes and the type of each tensor, and which sizes a loaded one may
// have.
struct StateOfRule {
  const char* optimizer;
  Shape (*sizes)(const Tensor& p, const char* state);
  Dtype (*dtype)(const Tensor& p, const char* state);
  bool (*fits)(const Tensor& p, const char* state, const Shape& sizes);
  std::span<const Number> numbers;
};

// ValueError where the state is another optimizer's, or where its options are wanted and it has another number of
// groups.
void check_state(const char* optimizer, const OptimizerState& state, std::size_t groups,
                 const LoadStateOptions& options);

// What the entries are to become. It is made aside, so that a refusal changes nothing.
struct NewState {
  LoadStateReport report;
  std::vector<std::pair<Entry*, Entry>> entries;
};
// `known` returns the names of a parameter's state. ValueError where the state does not fit.
NewState new_state(const StateOfRule& rule, const std::function<std::vector<const char*>(const Tensor& p)>& known,
                   std::vector<std::vector<Entry>>& entries, const OptimizerState& state,
                   const LoadStateOptions& options);

}  // namespace gradus::optim

// Every optimizer, in one list: what holds for all of them is tested over it.
#pragma once

#include <gradus/ops.h>
#include <gradus/optim.h>

#include <map>
#include <nlohmann/json.hpp>

namespace gradus::test {

using OptionMap = std::map<std::string, optim::OptionValue>;

struct OptimizerKind {
  std::string name;
  std::unique_ptr<optim::Optimizer> (*make)(const std::vector<optim::Params>& groups);
  OptionMap full;         // options with which it has all the state it can have
  bool separable = true;  // what happens to a parameter does not depend on the others
};
const std::vector<OptimizerKind>& all_optimizers();
const OptimizerKind& optimizer_kind(const std::string& name);

// Sets options of a group together: some are legal only with others.
void set_options(optim::Optimizer& opt, std::size_t group, const OptionMap& options);

// Options as recorded from PyTorch: numbers, booleans, null, words, pairs and longer tuples, "nan" and "inf".
OptionMap options_of(const nlohmann::json& recorded);

}  // namespace gradus::test

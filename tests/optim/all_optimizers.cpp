#include "all_optimizers.h"

#include <limits>

namespace gradus::test {

namespace {

std::unique_ptr<optim::Optimizer> make_lbfgs(const std::vector<optim::Params>& groups) {
  std::vector<optim::NamedTensor> all;  // it takes one group
  for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
  return std::make_unique<optim::LBFGS>(optim::Params(all));
}

template <class Options>
std::unique_ptr<optim::Optimizer> make(const std::vector<optim::Params>& groups) {
  std::vector<Options> given(groups.size());
  // Any parameter will do for all of them.
  if constexpr (requires { given[0].fallback; })
    for (Options& group : given) group.fallback = "auto";
  for (std::size_t i = 0; i < groups.size(); ++i) given[i].params = groups[i];
  return std::make_unique<optim::OptimizerOf<Options>>(given);
}

optim::OptionValue option_of(const nlohmann::json& j) {
  const auto number = [](const nlohmann::json& x) {
    if (x == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (x == "inf") return std::numeric_limits<double>::infinity();
    return x.get<double>();
  };
  if (j.is_null()) return {};
  if (j.is_boolean()) return j.get<bool>();
  if (j.is_number_integer()) return j.get<std::int64_t>();
  if (j.is_string() && j != "nan" && j != "inf") return j.get<std::string>();
  if (!j.is_array()) return number(j);
  if (j.size() == 2 && !j[0].is_null()) return std::pair(number(j[0]), number(j[1]));
  optim::NumberTuple all;
  for (const auto& x : j) all.push_back(x.is_null() ? std::optional<double>() : number(x));
  return all;
}

}  // namespace

const std::vector<OptimizerKind>& all_optimizers() {
  static const std::vector<OptimizerKind> kinds{
      {"SGD", make<optim::SGDOptions>, {{"momentum", 0.9}}},
      {"Adam", make<optim::AdamOptions>, {{"amsgrad", true}}},
      {"AdamW", make<optim::AdamWOptions>, {{"amsgrad", true}}},
      {"NAdam", make<optim::NAdamOptions>, {}},
      {"RAdam", make<optim::RAdamOptions>, {}},
      {"Adamax", make<optim::AdamaxOptions>, {}},
      {"Adagrad", make<optim::AdagradOptions>, {{"initial_accumulator_value", 0.1}}},
      {"Adadelta", make<optim::AdadeltaOptions>, {}},
      {"RMSprop", make<optim::RMSpropOptions>, {{"centered", true}, {"momentum", 0.9}}},
      {"Rprop", make<optim::RpropOptions>, {}},
      {"ASGD", make<optim::ASGDOptions>, {{"t0", 3.0}}},
      {"Adafactor", make<optim::AdafactorOptions>, {}},
      {"Muon", make<optim::MuonOptions>, {}},
      {"LBFGS",
       make_lbfgs,
       {{"line_search_fn", std::string("strong_wolfe")}, {"history_size", std::int64_t{3}}},
       false},
      {"Lion", make<optim::LionOptions>, {}},
      {"AdamW8bit", make<optim::AdamW8bitOptions>, {}},
      {"Lion8bit", make<optim::Lion8bitOptions>, {}},
      {"SGDScheduleFree", make<optim::SGDScheduleFreeOptions>, {{"lr", 0.1}, {"warmup_steps", std::int64_t{20}}}},
      {"AdamWScheduleFree", make<optim::AdamWScheduleFreeOptions>, {}},
      {"AdEMAMix", make<optim::AdEMAMixOptions>, {{"beta3_warmup", std::int64_t{30}}}},
  };
  return kinds;
}

const OptimizerKind& optimizer_kind(const std::string& name) {
  for (const OptimizerKind& kind : all_optimizers())
    if (kind.name == name) return kind;
  throw ValueError("no optimizer is named " + name);
}

void set_options(optim::Optimizer& opt, std::size_t group, const OptionMap& options) {
  optim::OptimizerState state = opt.state_dict();
  state.params.clear();
  for (const auto& [option, value] : options) state.groups[group].options[option] = value;
  opt.load_state_dict(state);
}

OptionMap options_of(const nlohmann::json& recorded) {
  OptionMap options;
  for (const auto& [option, value] : recorded.items()) options[option] = option_of(value);
  return options;
}

}  // namespace gradus::test

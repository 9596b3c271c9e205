#include <gradus/optim/state/pytorch_state.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "optim/engine/option_value.h"
#include "optim/engine/pytorch_lbfgs.h"

namespace gradus::optim {

namespace {

using io::Path;
using io::Value;

constexpr const char *kCall = "from_pytorch", *kLBFGS = "LBFGS";

// State that is a number here, and a tensor of no dimensions in PyTorch.
constexpr std::string_view kNumbers[] = {"eta", "mu", "mu_product"};

// What PyTorch keeps in a group beside the options of the method.
constexpr std::string_view kLeftOut[] = {"params",         "param_names",  "foreach", "fused",  "capturable",
                                         "differentiable", "initial_lr",   "max_lr",  "min_lr", "base_lr",
                                         "base_momentum",  "max_momentum", "swa_lr"};

// Options that tell methods apart: a state with one that the optimizer lacks is another method's. Other keys are a
// program's own (lr_scale, name, layer): PyTorch keeps them, here they are reported.
constexpr std::string_view kOfMethods[] = {"betas",
                                           "eps",
                                           "momentum",
                                           "dampening",
                                           "nesterov",
                                           "alpha",
                                           "centered",
                                           "rho",
                                           "lr_decay",
                                           "lambd",
                                           "t0",
                                           "etas",
                                           "amsgrad",
                                           "step_sizes",
                                           "momentum_decay",
                                           "max_iter",
                                           "max_eval",
                                           "tolerance_grad",
                                           "ns_steps",
                                           "beta2_decay",
                                           "history_size",
                                           "tolerance_change",
                                           "line_search_fn",
                                           "ns_coefficients",
                                           "decoupled_weight_decay",
                                           "initial_accumulator_value"};

// The tensors that methods keep. Others in a state are a program's own (a master copy).
constexpr std::string_view kState[] = {"exp_avg",
                                       "exp_avg_sq",
                                       "max_exp_avg_sq",
                                       "exp_inf",
                                       "momentum_buffer",
                                       "square_avg",
                                       "grad_avg",
                                       "acc_delta",
                                       "sum",
                                       "prev",
                                       "step_size",
                                       "ax",
                                       "row_var",
                                       "col_var",
                                       "variance",
                                       "exp_avg_fast",
                                       "exp_avg_slow",
                                       "x",
                                       "z",
                                       "slow_param"};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

// AdamW is Adam with this set in PyTorch, and a method of its own here.
bool is_fixed(const std::string& optimizer, std::string_view option) {
  return optimizer == "AdamW" && option == "decoupled_weight_decay";
}

std::int64_t step_at(const Value& saved, const Path& path) {
  const double step = number_at(kCall, saved, path);
  constexpr double kMost = 9007199254740992.0;  // 2^53
  if (!(step >= 0 && step <= kMost) || step != std::floor(step)) refuse(kCall, path, "need a number of updates");
  return static_cast<std::int64_t>(step);
}

OptimizerState::Param param_at(const Value& saved, const Path& path, std::vector<std::string>& left_out) {
  OptimizerState::Param param;
  for (const auto& [key, value] : saved.entries(path)) {
    const std::string name = key.to_string();
    const Path at = joined(path, {key});
    if (value.is_none()) continue;  // a momentum_buffer that was never needed
    if (name == "step") {
      param.step = step_at(saved, at);
    } else if (contains(kNumbers, name)) {
      param.numbers[name] = number_at(kCall, saved, at);
    } else if (!contains(kState, name)) {
      left_out.push_back(io::to_string(at));
    } else {
      param.tensors[name] = saved.as_tensor(at).contiguous();
    }
  }
  // SGD does not count; but what has state has been updated.
  if (param.step == 0 && !param.tensors.empty() && !saved.contains(joined(path, {"step"}))) param.step = 1;
  return param;
}

// All parameters with the names that the state has for them.
Params parameters_of(const OptimizerState& state, const Optimizer& optimizer) {
  std::vector<NamedTensor> all;
  const std::vector<Tensor> tensors = optimizer.parameters();
  for (const OptimizerState::Group& group : state.groups)
    for (const std::string& name : group.params) all.emplace_back(name, tensors[all.size()]);
  return all;
}

}  // namespace

Value to_pytorch(const OptimizerState& state) {
  const bool lbfgs = state.optimizer == kLBFGS;
  Value params = lbfgs ? lbfgs_to_pytorch(state) : Value::dict(), groups = Value::list();
  std::int64_t position = 0;
  for (const OptimizerState::Group& group : state.groups) {
    Value positions = Value::list(), saved = Value::dict();
    for (const std::string& name : group.params) {
      const auto found = state.params.find(name);
      if (found != state.params.end() && !lbfgs) {
        Value param = Value::dict();
        if (state.optimizer != "SGD") param.set("step", tensor(static_cast<double>(found->second.step)));
        for (const auto& [key, number] : found->second.numbers) param.set(key, tensor(number, {.dtype = kFloat64}));
        for (const auto& [key, tensor] : found->second.tensors) param.set(key, tensor);
        if (param.size() > 0) params.set(position, param);
      }
      positions.push_back(position++);
    }
    for (const auto& [name, option] : group.options) saved.set(name, to_value(option));
    // PyTorch works this default out once and compares with it at each step.
    if (lbfgs && saved.at({"max_eval"}).is_none()) saved.set("max_eval", saved.as_int({"max_iter"}) * 5 / 4);
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
  std::vector<std::string> left_out;
  for (std::size_t g = 0; g < count; ++g) {
    const Path path{"param_groups", g};
    OptimizerState::Group group{own.groups[g].name, {}, own.groups[g].params};
    const auto positions = saved.items(joined(path, {"params"}));
    if (positions.size() != group.params.size()) {
      refuse(kCall, path,
             std::to_string(positions.size()) + " parameters, where the optimizer has " +
                 std::to_string(group.params.size()));
    }
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const Path at = joined(path, {"params", i});
      if (!names.emplace(saved.as_int(at), group.params[i]).second)
        refuse(kCall, at, "a parameter that is listed twice");
    }
    for (const auto& [key, value] : saved.entries(path)) {
      const std::string name = key.to_string();
      const Path at = joined(path, {key});
      if (contains(options, name)) {
        group.options[name] = option_at(kCall, saved, at);
      } else if (is_fixed(own.optimizer, name)) {
        if (!saved.as_bool(at)) refuse(kCall, at, "need True for AdamW, got False; load it into Adam");
      } else if (contains(kOfMethods, name)) {
        refuse(kCall, at, own.optimizer + " has no such option");
      } else if (!contains(kLeftOut, name)) {
        left_out.push_back(io::to_string(at));
      }
    }
    state.groups.push_back(std::move(group));
  }
  for (const auto& [key, value] : saved.entries({"state"})) {
    const Path path{"state", key};
    const auto name = key.is_int() ? names.find(key.as_int()) : names.end();
    if (name == names.end()) refuse(kCall, path, "state of a parameter that is in no group");
    if (own.optimizer == kLBFGS) {
      lbfgs_from_pytorch(saved, path, parameters_of(own, optimizer), state, left_out);
    } else {
      state.params[name->second] = param_at(saved, path, left_out);
    }
  }
  LoadStateReport report = optimizer.load_state_dict(state);
  report.unexpected.insert(report.unexpected.end(), left_out.begin(), left_out.end());
  return report;
}

OptimizerState::operator io::Value() const { return to_pytorch(*this); }
LoadStateReport Optimizer::load_state_dict(const io::Value& saved) { return from_pytorch(saved, *this); }

}  // namespace gradus::optim

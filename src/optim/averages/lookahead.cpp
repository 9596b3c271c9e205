#include <gradus/autograd.h>
#include <gradus/optim/lookahead.h>

#include <algorithm>
#include <cmath>

#include "core/range.h"
#include "core/recorded_step.h"
#include "optim/engine/entry.h"
#include "optim/engine/gradients.h"

namespace gradus::optim {

namespace {

constexpr const char* kSteps = "lookahead_k";
constexpr const char* kAlpha = "lookahead_alpha";
constexpr const char* kSlow = "slow_param";
constexpr const char* kStep = "lookahead_step";

void check(const std::string& name, const LookaheadOptions& o) {
  check_range(name, "k", o.k, at_least(1));
  check_range(name, "alpha", o.alpha, between(0, 1));
}

}  // namespace

Lookahead::Lookahead(Optimizer& optimizer, const LookaheadOptions& options)
    : optimizer_(&optimizer),
      inner_alive_(optimizer.alive()),
      name_("Lookahead(" + std::string(optimizer.name()) + ")"),
      options_(options) {
  check(name_, options);
}

Optimizer& Lookahead::optimizer() const {
  if (inner_alive_.expired()) throw ValueError(name_ + ": the inner optimizer is gone");
  return *optimizer_;
}

std::vector<std::string> Lookahead::option_names() const {
  auto names = optimizer().option_names();
  names.insert(names.end(), {kSteps, kAlpha});
  return names;
}

OptionValue Lookahead::option(std::size_t group, const std::string& option) const {
  if (option == kSteps) return options_.k;
  if (option == kAlpha) return options_.alpha;
  return optimizer().option(group, option);
}

LookaheadOptions Lookahead::with(LookaheadOptions changed, const std::string& option, const OptionValue& value) const {
  const auto* integer = std::get_if<std::int64_t>(&value);
  const auto* number = std::get_if<double>(&value);
  if (option == kAlpha && (integer || number)) {
    changed.alpha = number ? *number : static_cast<double>(*integer);
  } else if (option == kSteps && (integer || (number && std::trunc(*number) == *number && std::abs(*number) < 1e15))) {
    changed.k = integer ? *integer : static_cast<std::int64_t>(*number);
  } else {
    throw ValueError(name_ + ": option " + option + " cannot be " + optim::to_string(value));
  }
  check(name_, changed);
  return changed;
}

void Lookahead::set_option(std::size_t group, const std::string& option, const OptionValue& value) {
  if (option == kSteps || option == kAlpha) {
    options_ = with(options_, option, value);
  } else {
    optimizer().set_option(group, option, value);
  }
}

void Lookahead::update() {
  core::refuse_recording(name_, core::kDecides);
  Optimizer& inner = optimizer();
  if (inner.clipping()) throw ValueError(name_ + ": clipping must be set on it, not on the inner optimizer");
  NoGrad guard;
  std::unordered_map<const void*, Slow> present;  // without the parameters that left
  for (std::size_t g = 0; g < inner.group_count(); ++g) {
    for (const auto& [name, x] : inner.group_params(g)) {
      if (!gradus::detail::is_frozen(*x.impl())) elements_of(name_, x);  // it may have been converted
      const auto known = slow_.find(x.impl());
      present.emplace(x.impl(), known != slow_.end() ? known->second : Slow{x, x.detach().clone(), 0});
    }
  }
  step_within(inner);
  std::vector<kernel::Elements> slow, fast;
  for (auto& [impl, entry] : present) {
    if (gradus::detail::is_frozen(*entry.parameter.impl()) || ++entry.step < options_.k) continue;
    entry.step = 0;
    entry.weights = entry.weights.to(entry.parameter.device()).to(entry.parameter.dtype());
    slow.push_back(elements_of(name_, entry.weights));
    fast.push_back(elements_of(name_, entry.parameter));
    gradus::detail::bump_version(entry.parameter);
    gradus::detail::bump_version(entry.weights);
  }
  on_each_device(slow, [&](const Kernels& of, std::span<const kernel::Elements> part, std::size_t first) {
    of.multi_meet(part, std::span(fast).subspan(first, part.size()), options_.alpha);
  });
  slow_ = std::move(present);
}

OptimizerState Lookahead::state_dict() const {
  OptimizerState state = optimizer().state_dict();
  state.optimizer = name_;
  for (std::size_t g = 0; g < state.groups.size(); ++g) {
    state.groups[g].options[kSteps] = options_.k;
    state.groups[g].options[kAlpha] = options_.alpha;
    const Params& params = group_params(g);
    for (std::size_t i = 0; i < params.size(); ++i) {
      const auto known = slow_.find(params[i].second.impl());
      if (known == slow_.end()) continue;
      OptimizerState::Param& saved = state.params[state.groups[g].params[i]];
      saved.tensors[kSlow] = copied_as(params[i].second, known->second.weights);
      saved.numbers[kStep] = static_cast<double>(known->second.step);
    }
  }
  return state;
}

LoadStateReport Lookahead::load_state_dict(const OptimizerState& state, const LoadStateOptions& options) {
  const std::string call = name_ + ".load_state_dict";
  if (state.optimizer != name_) throw ValueError(call + ": the state is that of " + state.optimizer);
  // What is the inner optimizer's, without what was added.
  OptimizerState inner = state;
  inner.optimizer = optimizer().name();
  LookaheadOptions changed = options_;
  for (auto& group : inner.groups) {
    for (const char* own : {kSteps, kAlpha}) {
      const auto found = group.options.find(own);
      if (found == group.options.end()) continue;
      if (options.options) changed = with(changed, own, found->second);
      group.options.erase(found);
    }
  }
  for (auto& [name, saved] : inner.params) {
    saved.tensors.erase(kSlow);
    saved.numbers.erase(kStep);
  }
  std::unordered_map<const void*, Slow> slow = slow_;
  const auto names = optimizer().state_dict().groups;
  for (std::size_t g = 0; g < names.size(); ++g) {
    for (std::size_t i = 0; i < names[g].params.size(); ++i) {
      const Tensor& x = group_params(g)[i].second;
      const auto saved = state.params.find(names[g].params[i]);
      if (saved == state.params.end()) {
        const bool listed = std::any_of(state.groups.begin(), state.groups.end(), [&](const auto& group) {
          return std::find(group.params.begin(), group.params.end(), names[g].params[i]) != group.params.end();
        });
        if (listed) slow.erase(x.impl());  // it had not been updated yet
        continue;
      }
      const auto weights = saved->second.tensors.find(kSlow);
      const auto step = saved->second.numbers.find(kStep);
      if (weights == saved->second.tensors.end() || step == saved->second.numbers.end()) {
        slow.erase(x.impl());
        continue;
      }
      const Tensor& w = weights->second;
      const bool fits = w.defined() && w.sizes() == x.sizes() && w.is_floating_point();
      if (!fits || !(step->second >= 0 && step->second < 1e15)) {
        throw ValueError(
            call + ": the state does not fit: mismatched: " + saved->first + "." + kSlow + ": needs " +
            gradus::to_string(x.sizes()) + " " + gradus::to_string(x.dtype()) + " and a step, got " +
            (w.defined() ? gradus::to_string(w.sizes()) + " " + gradus::to_string(w.dtype()) : "an undefined tensor") +
            " and " + optim::to_string(step->second));
      }
      slow[x.impl()] = {x, copied_as(x, w.detach()), static_cast<std::int64_t>(step->second)};
    }
  }
  LoadStateReport report = optimizer().load_state_dict(inner, options);
  if (options.check_only) return report;
  options_ = changed;
  slow_ = std::move(slow);
  return report;
}

std::optional<std::int64_t> Lookahead::state_bytes(const Tensor& parameter) const {
  const auto inner = optimizer().state_bytes(parameter);
  if (!inner) return inner;
  for (const Tensor& owned : parameters())
    if (owned.is_same(parameter)) return *inner + parameter.numel() * parameter.element_size();
  return 0;
}

std::map<std::string, Tensor> Lookahead::state_tensors(const Tensor& parameter) const {
  auto all = optimizer().state_tensors(parameter);
  if (const Tensor slow = state_of(parameter, kSlow); slow.defined()) all[kSlow] = slow;
  return all;
}

Tensor Lookahead::state_of(const Tensor& parameter, const std::string& state) const {
  if (state != kSlow) return optimizer().state_of(parameter, state);
  const auto known = slow_.find(parameter.impl());
  return known == slow_.end() ? Tensor() : known->second.weights;
}

}  // namespace gradus::optim

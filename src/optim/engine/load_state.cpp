#include "optim/engine/load_state.h"

#include <algorithm>

namespace gradus::optim {

namespace {

std::string call_of(const char* optimizer) { return std::string(optimizer) + ".load_state_dict"; }

std::string described(const Tensor& x) {
  return x.defined() ? gradus::to_string(x.sizes()) + " " + gradus::to_string(x.dtype()) : "an undefined tensor";
}

// Why a saved tensor cannot be the state `name` of p; empty where it can. It becomes the type that it has here.
std::string refusal(const StateOfRule& rule, const Tensor& p, const char* name, const Tensor& saved) {
  const Dtype wanted = rule.dtype(p, name);
  const bool floating = is_floating_point(wanted);
  if (saved.defined() && rule.fits(p, name, saved.sizes()) &&
      (floating ? saved.is_floating_point() : saved.dtype() == wanted))
    return "";
  return "needs " + gradus::to_string(rule.sizes(p, name)) + " " + gradus::to_string(wanted) +
         (floating ? " or another floating-point type" : "") + ", got " + described(saved);
}

Entry blank(const StateOfRule& rule, const Entry& entry) {
  Entry fresh;
  fresh.param = entry.param;
  fresh.name = entry.name;
  fresh.numbers = initial_numbers(rule.numbers);
  return fresh;
}

// An entry with the saved state; none where that does not fit, which the report then says.
std::optional<Entry> filled(const StateOfRule& rule, const std::vector<const char*>& known, const Entry& entry,
                            const OptimizerState::Param& saved, LoadStateReport& report) {
  Entry fresh = blank(rule, entry);
  fresh.step = saved.step;
  const std::size_t refused = report.mismatched.size();
  if (saved.step < 0) report.mismatched.push_back(entry.name + ": a step of " + std::to_string(saved.step));
  for (const auto& [name, tensor] : saved.tensors) {
    const auto it = std::find(known.begin(), known.end(), std::string_view(name));
    const std::string why = it == known.end() ? "not part of this optimizer's state with its options"
                                              : refusal(rule, entry.param, *it, tensor);
    if (!why.empty()) {
      report.mismatched.push_back(entry.name + "." + name + ": " + why);
      continue;
    }
    fresh.tensors.emplace_back(*it, copied_as(entry.param, tensor.detach(), rule.dtype(entry.param, *it)));
  }
  for (std::size_t n = 0; n < rule.numbers.size(); ++n)
    if (const auto it = saved.numbers.find(rule.numbers[n].name); it != saved.numbers.end())
      fresh.numbers[n] = it->second;
  if (report.mismatched.size() > refused) return std::nullopt;
  return fresh;
}

bool is_listed(const OptimizerState& state, const std::string& name) {
  return std::any_of(state.groups.begin(), state.groups.end(), [&](const OptimizerState::Group& group) {
    return std::find(group.params.begin(), group.params.end(), name) != group.params.end();
  });
}

}  // namespace

void check_state(const char* optimizer, const OptimizerState& state, std::size_t groups,
                 const LoadStateOptions& options) {
  if (state.optimizer != optimizer) throw ValueError(call_of(optimizer) + ": the state is that of " + state.optimizer);
  if (options.options && state.groups.size() != groups) {
    throw ValueError(call_of(optimizer) + ": the state has " + std::to_string(state.groups.size()) +
                     " groups, the optimizer " + std::to_string(groups) +
                     "; load with options = false to keep this optimizer's own");
  }
}

NewState new_state(const StateOfRule& rule, const std::function<std::vector<const char*>(const Tensor& p)>& known,
                   std::vector<std::vector<Entry>>& entries, const OptimizerState& state,
                   const LoadStateOptions& options) {
  NewState made;
  LoadStateReport& report = made.report;
  std::map<std::string, Entry*> by_name;
  for (auto& group : entries)
    for (Entry& entry : group) by_name.emplace(entry.name, &entry);
  for (const auto& [name, saved] : state.params) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      report.unexpected.push_back(name);
      continue;
    }
    Entry& entry = *found->second;
    if (auto fresh = filled(rule, known(entry.param), entry, saved, report)) {
      report.loaded.push_back(name);
      made.entries.emplace_back(&entry, std::move(*fresh));
    }
  }
  // A parameter that had no update when it was saved has no state: it is missing only if nobody knew it.
  for (auto& group : entries) {
    for (Entry& entry : group) {
      if (state.params.contains(entry.name)) continue;
      if (is_listed(state, entry.name))
        made.entries.emplace_back(&entry, blank(rule, entry));
      else
        report.missing.push_back(entry.name);
    }
  }
  if (!report.mismatched.empty() || (options.strict && !(report.missing.empty() && report.unexpected.empty())))
    throw ValueError(call_of(rule.optimizer) + ": the state does not fit: " + report.to_string());
  return made;
}

}  // namespace gradus::optim

// What an audit sees by comparing steps: who holds the storages, which statistics drift, in which mode it ran.
#include <algorithm>

#include "optim/audit/watch.h"

namespace gradus::optim {

using nn::detail::ModuleState;

namespace {

bool drops(const ModuleState& state) {
  return state.type.rfind("Dropout", 0) == 0 && state.detail.rfind("p=0,", 0) != 0;
}
bool normalises(const ModuleState& state) {
  return state.type.rfind("BatchNorm", 0) == 0 || state.type == "SyncBatchNorm";
}

bool any_parameter(const ModuleState& state, const std::function<bool(const Tensor&)>& test) {
  bool any = false;
  visit_states(state, "", [&](const ModuleState& inner, const std::string&) {
    for (const auto& [name, tensor] : inner.parameters) any = any || (tensor.defined() && test(tensor));
  });
  return any;
}

// Whether the mode counts for what an optimizer trains: what drops out or normalises lies beside it, and not within a
// part that is off, such as a trained backbone.
bool mode_matters(const ModuleState& state, const std::unordered_set<const void*>& owned) {
  const auto trained = [&](const Tensor& p) { return p.requires_grad() && owned.count(p.impl()) != 0; };
  if (normalises(state)) return any_parameter(state, trained);
  bool matters = false;
  visit_states(state, "", [&](const ModuleState& inner, const std::string&) {
    for (const auto& child : inner.children) {
      if (matters) return;
      const ModuleState& part = *child.module->state();
      if (normalises(part)) matters = any_parameter(part.parameters.empty() ? inner : part, trained);
      if (drops(part)) matters = any_parameter(inner, trained);
    }
  });
  return matters;
}

}  // namespace

bool depends_on_mode(const ModuleState& state) {
  bool depends = false;
  visit_states(state, "", [&](const ModuleState& inner, const std::string&) {
    depends = depends || drops(inner) || normalises(inner);
  });
  return depends;
}

bool evaluates(const ModuleState& state) {
  bool all = !state.training;
  visit_states(state, "", [&](const ModuleState& inner, const std::string&) {
    if (drops(inner) || normalises(inner)) all = all && !inner.training;
  });
  return all;
}

// Storage that everybody else has given up is held by the parameter alone; one that somebody keeps is a state dict, or
// another handle of the same memory.
void Audit::Watch::compare_holders() {
  std::map<std::string, std::int64_t> least;
  std::map<std::string, std::size_t> count;
  for (const void* impl : order) {
    const Watched& p = parameters.at(impl);
    if (!p.tensor.requires_grad()) continue;
    const auto holders_now = static_cast<std::int64_t>(p.tensor.impl()->storage->use_count());
    const auto [it, added] = least.try_emplace(p.model, holders_now);
    it->second = std::min(it->second, holders_now);
    ++count[p.model];
  }
  for (const auto& [model, held] : least) {
    const auto [first, added] = holders.try_emplace(model, held);
    first->second = std::min(first->second, held);
    if (held > first->second && count[model] > 1)
      ++shared_copies[model];
    else
      shared_copies[model] = 0;
  }
}

void Audit::Watch::compare_statistics() {
  if (!looking && watching) return;
  for (const auto& model : models) {
    bool whole = false;  // something of it is trained
    visit_states(*model.state, model.name, [&](const ModuleState& state, const std::string&) {
      for (const auto& [name, tensor] : state.parameters) whole = whole || (tensor.defined() && tensor.requires_grad());
    });
    visit_states(*model.state, model.name, [&](const ModuleState& state, const std::string& path) {
      bool any = false, trained = false;
      for (const auto& [name, tensor] : state.parameters) {
        any = any || tensor.defined();
        trained = trained || (tensor.defined() && tensor.requires_grad());
      }
      for (const auto& buffer : state.buffers) {
        if (!buffer.tensor.defined()) continue;
        const std::uint32_t version = buffer.tensor.version();
        const auto [it, added] = buffer_versions.try_emplace(buffer.tensor.impl(), buffer.tensor, version);
        if (!added && it->second.second != version && whole && any && !trained && state.training) drifting.insert(path);
        it->second.second = version;
      }
    });
  }
}

// In which mode what is trained now was run.
void Audit::Watch::compare_modes(Optimizer& optimizer) {
  std::unordered_set<const void*> owned;
  for (const Tensor& p : optimizer.parameters()) owned.insert(p.impl());
  for (const auto& model : models) {
    if (!depends_on_mode(*model.state) || !mode_matters(*model.state, owned)) continue;
    Mode& mode = modes[model.name];
    const bool evaluating = (mode.known ? mode.evaluates : optim::evaluates(*model.state)) && !model.state->frozen;
    mode.run = evaluating ? mode.run + 1 : 0;
    mode.evaluated += evaluating ? 1 : 0;
    ++mode.steps;
  }
}

}  // namespace gradus::optim

#include "nn/parametrize/computed.h"

#include <gradus/autograd.h>
#include <gradus/nn/freeze.h>

#include <algorithm>

#include "core/tensor_access.h"
#include "nn/module/handles.h"
#include "nn/module/paths.h"

namespace gradus::nn {

void Module::compute_parameters() { detail::ComputedParameters::compute(*this); }

namespace detail {

namespace {
constexpr const char* kChild = "parametrizations";
constexpr const char* kPrefix = "Parametrized";

bool needs_gradient(const ParametrizationList& list) {
  if (!is_grad_enabled()) return false;
  const auto all = list.parameters();
  return std::any_of(all.begin(), all.end(), [](const Tensor& p) { return p.requires_grad(); });
}
}  // namespace

std::size_t ComputedParameters::place_of(const char* call, const Module& module, const std::string& name) {
  const auto& parameters = module.state()->parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].first != name) continue;
    if (module.state()->parameter(i).defined()) return i;
    throw ValueError(std::string(call) + ": the parameter '" + name + "' of " + module.type_name() + " is absent");
  }
  std::string known;
  for (const auto& [other, tensor] : parameters) known += (known.empty() ? "" : ", ") + other;
  throw ValueError(std::string(call) + ": " + module.type_name() + " has no parameter '" + name + "'" +
                   (known.empty() ? "" : "; it has " + known));
}

ModuleDict* ComputedParameters::lists(const Module& module) {
  if (!module.state()->computes()) return nullptr;
  for (const auto& [name, child] : module.named_children())
    if (name == kChild) return child->as<ModuleDict>();
  return nullptr;
}

ParametrizationList* ComputedParameters::list(const Module& module, const std::string& name) {
  if (ModuleDict* all = lists(module)) {
    for (const auto& [own, child] : all->named_children())
      if (own == name) return child->as<ParametrizationList>();
  }
  return nullptr;
}

void ComputedParameters::append(ParametrizationList& list, std::shared_ptr<Module> parametrization) {
  list.add_child(std::to_string(list.size()), std::move(parametrization));
}

void ComputedParameters::add_originals(ParametrizationList& list, const std::vector<Tensor>& originals) {
  for (std::size_t i = 0; i < originals.size(); ++i) {
    const std::string name = originals.size() == 1 ? "original" : "original" + std::to_string(i);
    list.check_new_name(name);
    list.state_->parameters.emplace_back(name, originals[i]);
  }
}

void ComputedParameters::begin(Module& module, std::size_t place, ParametrizationList list) {
  ModuleState& state = *module.state_;
  const bool first = !state.computes();
  const Tensor value = list.value();
  if (first) module.add_child(kChild, Module::keep(ModuleDict()));
  state.values.resize(state.parameters.size());
  state.values[place] = value;
  list.state_->training = state.training;
  list.state_->frozen = state.frozen;
  for (const auto& [name, child] : list.named_children()) {
    child->state_->training = state.training;
    child->state_->frozen = state.frozen;
  }
  lists(module)->set(state.parameters[place].first, std::move(list));
  state.parameters[place].second = Tensor();
  if (first) state.type = kPrefix + module.type_name();
  show(module, place, value);
}

void ComputedParameters::end(Module& module, std::size_t place, const Tensor& parameter) {
  ModuleState& state = *module.state_;
  const std::string& name = state.parameters[place].first;
  ModuleState& dict = *lists(module)->state_;
  std::erase_if(dict.children, [&](const auto& child) { return child.name == name; });
  state.values[place] = Tensor();
  state.parameters[place].second = parameter;
  Tensor(parameter).set_name(joined(state.path, name));
  module.show_tensor(MemberKind::Parameter, place, parameter);
  if (!dict.children.empty()) return;
  state.values.clear();
  if (state.type.starts_with(kPrefix)) state.type.erase(0, std::string(kPrefix).size());
  erase_child(module, kChild);
}

void ComputedParameters::erase_child(Module& module, const std::string& name) {
  const std::lock_guard lock(handles_mutex());
  ModuleState& state = *module.state_;
  const auto at =
      std::find_if(state.children.begin(), state.children.end(), [&](const auto& child) { return child.name == name; });
  const auto index = static_cast<std::uint32_t>(at - state.children.begin());
  state.children.erase(at);
  // Members that were registered later move up.
  for (Module* handle = state.handles; handle != nullptr; handle = handle->next_)
    for (ModuleMember* member : handle->members_)
      if (member->kind_ == MemberKind::Module && member->index_ > index) --member->index_;
}

void ComputedParameters::show(Module& module, std::size_t place, const Tensor& value) {
  {
    const std::lock_guard lock(handles_mutex());
    module.state_->values[place] = value;
  }
  module.show_tensor(MemberKind::Parameter, place, value);
}

void ComputedParameters::compute(Module& module) {
  const ModuleState& state = *module.state();
  for (std::size_t i = 0; i < state.values.size(); ++i) {
    if (!state.values[i].defined()) continue;
    ParametrizationList* from = list(module, state.parameters[i].first);
    const Tensor value = from->value();
    if (!value.is_same(state.values[i])) show(module, i, value);
  }
}

void ComputedParameters::assign(Module& module, std::size_t place, const Tensor& value) {
  const std::string& name = module.state()->parameters[place].first;
  ParametrizationList& to = *list(module, name);
  const auto refuse = [&](const std::string& why) {
    throw ValueError(module.type_name() + ": '" + name + "' is computed by a parametrization, " + why);
  };
  if (!value.defined()) refuse("and cannot become undefined; see remove_parametrizations");
  const NoGrad guard;
  std::vector<Tensor> originals{value.detach()};
  const auto steps = to.named_children();
  for (std::size_t i = steps.size(); i-- > 0;) {
    auto* step = steps[i].second->as<Parametrization>();
    if (step == nullptr) {
      refuse("and " + steps[i].second->type_name() + " has no right_inverse (see nn::Parametrization)");
    }
    originals = step->right_inverse(originals.at(0));
  }
  const std::vector<Tensor> own = to.originals();
  bool fits = own.size() == originals.size();
  for (std::size_t i = 0; fits && i < own.size(); ++i) fits = own[i].sizes() == originals[i].sizes();
  if (!fits) refuse("and right_inverse of a tensor " + gradus::to_string(value.sizes()) + " has other sizes");
  for (std::size_t i = 0; i < own.size(); ++i) Tensor(own[i]).copy_(originals[i]);
  show(module, place, to.value());
}

std::vector<std::pair<std::string, std::string>> ComputedParameters::older_names(Module& root) {
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& [path, module] : root.named_modules()) {
    ModuleDict* all = lists(*module);
    if (all == nullptr) continue;
    for (const auto& [parameter, child] : all->named_children()) {
      for (Module* step : child->children()) {
        const auto* known = step->as<Parametrization>();
        if (known == nullptr) continue;
        for (const auto& [now, before] : known->older_names())
          names.emplace_back(joined(path, std::string(kChild) + "." + parameter + "." + now),
                             joined(path, parameter + before));
      }
    }
  }
  return names;
}

Tensor run_parametrization(Module& parametrization, const std::vector<Tensor>& inputs) {
  if (auto* known = parametrization.as<Parametrization>()) return known->compute(inputs);
  return parametrization(inputs.at(0));
}

}  // namespace detail

std::vector<Tensor> ParametrizationList::originals() const {
  std::vector<Tensor> result;
  for (const auto& [name, tensor] : state()->parameters) result.push_back(tensor);
  return result;
}

std::vector<std::pair<Tensor, std::uint32_t>> ParametrizationList::sources() const {
  std::vector<std::pair<Tensor, std::uint32_t>> result;
  for (const Tensor& p : parameters()) result.emplace_back(p, p.version());
  for (const Tensor& b : buffers()) result.emplace_back(b, b.version());
  return result;
}

bool ParametrizationList::is_current() const {
  if (!kept_.defined() || kept_.requires_grad()) return false;
  const auto now = sources();
  return std::equal(now.begin(), now.end(), sources_.begin(), sources_.end(), [](const auto& a, const auto& b) {
    // Somebody may write to memory whose address was given away without the version saying so.
    return a.first.is_same(b.first) && a.second == b.second &&
           !a.first.impl()->storage->exposed.load(std::memory_order_relaxed);
  });
}

Tensor ParametrizationList::value() {
  const bool may_keep = !is_training() && !detail::needs_gradient(*this);
  if (may_keep && is_current()) return kept_;
  kept_ = Tensor();
  std::vector<Tensor> inputs = originals();
  for (Module* step : children()) inputs = {detail::run_parametrization(*step, inputs)};
  if (may_keep) {
    kept_ = inputs[0];
    sources_ = sources();
  }
  return inputs[0];
}

}  // namespace gradus::nn

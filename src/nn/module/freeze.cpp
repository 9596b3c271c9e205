#include <gradus/core/pattern.h>
#include <gradus/nn/freeze.h>

#include <algorithm>
#include <unordered_set>

#include "core/freezing.h"
#include "core/weight_view.h"

namespace gradus {

void freeze(const Tensor& parameter) {
  if (!parameter.defined() || !parameter.is_floating_point() || !parameter.is_leaf()) {
    throw ValueError("freeze: needs a leaf of floating-point type, got " +
                     (parameter.defined() ? "one of type " + std::string(to_string(parameter.dtype())) +
                                                (parameter.is_leaf() ? "" : " that an operation made")
                                          : "an undefined tensor"));
  }
  detail::TensorImpl& impl = *parameter.impl();
  if (detail::is_frozen(impl)) return;
  detail::freezing_used = true;
  detail::TensorExtras& extras = detail::extras(impl);
  extras.frozen = true;
  extras.wants_grad = impl.requires_grad;
  impl.requires_grad = false;
  impl.grad = nullptr;
}

void unfreeze(const Tensor& parameter) {
  if (!is_frozen(parameter)) return;
  detail::TensorImpl& impl = *parameter.impl();
  impl.extras->frozen = false;
  impl.requires_grad = impl.extras->wants_grad;
}

bool is_frozen(const Tensor& parameter) { return parameter.defined() && detail::is_frozen(*parameter.impl()); }

namespace nn {

using detail::ModuleState;

bool detail::settle_frozen(ModuleState& state) {
  bool all = true;
  for (const auto& [name, tensor] : state.parameters) {
    all = all && (!tensor.defined() || gradus::is_frozen(tensor));
    gradus::detail::show_weights(tensor, !state.training || gradus::is_frozen(tensor));
  }
  // Children without parameters are frozen by themselves or not at all: they do not speak for this one.
  for (const auto& child : state.children) all = settle_frozen(*child.module->state()) && all;
  state.frozen = state.frozen && all;
  return all;
}

namespace {

template <class Visit>
void visit(ModuleState& state, const std::string& path, const Visit& fn) {
  fn(state, path);
  for (const auto& child : state.children)
    visit(*child.module->state(), path.empty() ? child.name : path + "." + child.name, fn);
}

void set_all(ModuleState& state, bool frozen) {
  visit(state, "", [&](ModuleState& inner, const std::string&) {
    inner.frozen = frozen;
    for (const auto& [name, tensor] : inner.parameters) {
      if (!tensor.defined()) continue;
      frozen ? gradus::freeze(tensor) : gradus::unfreeze(tensor);
    }
  });
}

// Marks the modules all of whose parameters are frozen, with all that they hold. Returns {holds one, all are}.
std::pair<bool, bool> mark_whole(ModuleState& state) {
  bool any = false, all = true;
  for (const auto& [name, tensor] : state.parameters) {
    if (!tensor.defined()) continue;
    any = true;
    all = all && gradus::is_frozen(tensor);
  }
  for (const auto& child : state.children) {
    const auto [child_any, child_all] = mark_whole(*child.module->state());
    any = any || child_any;
    all = all && child_all;
  }
  if (any && all) set_all(state, true);
  return {any, all};
}

std::vector<std::string> set_matching(const char* call, Module& module, const std::string& pattern, bool frozen) {
  std::vector<std::string> names;
  bool found = false;
  visit(*module.state(), "", [&](ModuleState& state, const std::string& path) {
    if (!path.empty() && matches(pattern, path)) {
      found = true;
      set_all(state, frozen);
    }
    for (const auto& [name, tensor] : state.parameters) {
      const std::string full = path.empty() ? name : path + "." + name;
      if (!tensor.defined() || !matches(pattern, full)) continue;
      found = true;
      names.push_back(full);
      frozen ? gradus::freeze(tensor) : gradus::unfreeze(tensor);
    }
  });
  if (!found) {
    throw ValueError(std::string(call) + ": no parameter and no module of " + module.type_name() + " matches '" +
                     pattern + "'");
  }
  if (frozen) mark_whole(*module.state());
  detail::settle_frozen(*module.state());
  return names;
}

}  // namespace

void freeze(Module& module) {
  set_all(*module.state(), true);
  detail::settle_frozen(*module.state());
}
void unfreeze(Module& module) {
  set_all(*module.state(), false);
  detail::settle_frozen(*module.state());
}
bool is_frozen(const Module& module) { return module.state()->frozen; }

std::vector<std::string> freeze(Module& module, const std::string& pattern) {
  return set_matching("freeze", module, pattern, true);
}

std::vector<std::string> unfreeze(Module& module, const std::string& pattern) {
  return set_matching("unfreeze", module, pattern, false);
}

std::vector<std::string> frozen_names(const Module& module) {
  std::vector<std::string> names;
  visit(*module.state(), "", [&](ModuleState& state, const std::string& path) {
    if (state.frozen) names.push_back(path);
    for (const auto& [name, tensor] : state.parameters)
      if (gradus::is_frozen(tensor)) names.push_back(path.empty() ? name : path + "." + name);
  });
  return names;
}

void set_frozen_names(Module& module, const std::vector<std::string>& names) {
  const std::unordered_set<std::string> frozen(names.begin(), names.end());
  visit(*module.state(), "", [&](ModuleState& state, const std::string& path) {
    state.frozen = frozen.count(path) != 0;
    for (const auto& [name, tensor] : state.parameters) {
      if (!tensor.defined()) continue;
      frozen.count(path.empty() ? name : path + "." + name) != 0 ? gradus::freeze(tensor) : gradus::unfreeze(tensor);
    }
  });
}

}  // namespace nn
}  // namespace gradus

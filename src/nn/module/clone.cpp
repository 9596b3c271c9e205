// nn::clone: what the copy constructors of modules and parameters do meanwhile.
#include <gradus/nn/freeze.h>

#include <unordered_map>

#include "core/weight_view.h"
#include "nn/module/handles.h"

namespace gradus::nn::detail {

namespace {
struct Copies {
  std::unordered_map<const void*, Tensor> tensors;
  std::unordered_map<const ModuleState*, std::shared_ptr<ModuleState>> states;
  int depth = 0;
};
thread_local std::unique_ptr<Copies> copies;
}  // namespace

CloneScope::CloneScope() {
  if (!copies) copies = std::make_unique<Copies>();
  ++copies->depth;
}

CloneScope::~CloneScope() {
  if (--copies->depth == 0) copies.reset();
}

bool CloneScope::active() { return static_cast<bool>(copies); }

Tensor CloneScope::copy_of(const Tensor& x) {
  if (!x.defined()) return x;
  Tensor& y = copies->tensors[x.impl()];
  if (!y.defined()) {
    y = gradus::detail::resulting_weights(x).clone();
    y.requires_grad_(x.requires_grad());
    y.set_name(x.name());
    if (gradus::detail::is_frozen(*x.impl())) {
      y.requires_grad_(x.impl()->extras->wants_grad);
      freeze(y);
    }
    if (x.grad().defined()) y.set_grad(x.grad().detach().clone());
  }
  return y;
}

std::shared_ptr<ModuleState> CloneScope::copy_of(const std::shared_ptr<ModuleState>& state) {
  if (!state) return state;
  if (const auto it = copies->states.find(state.get()); it != copies->states.end()) return it->second;
  std::shared_ptr<ModuleState> copy;
  {
    const std::lock_guard lock(handles_mutex());
    copy = std::make_shared<ModuleState>(*state);
    copy->handles = nullptr;
  }
  copies->states[state.get()] = copy;
  for (auto& [name, tensor] : copy->parameters) tensor = copy_of(tensor);
  for (Tensor& value : copy->values) value = copy_of(value);
  for (auto& buffer : copy->buffers) buffer.tensor = copy_of(buffer.tensor);
  for (auto& child : copy->children) child.module = child.module->copied();
  return copy;
}

ModuleState* CloneScope::existing_copy_of(const ModuleState* state) {
  const auto it = copies->states.find(state);
  return it == copies->states.end() ? nullptr : it->second.get();
}

}  // namespace gradus::nn::detail

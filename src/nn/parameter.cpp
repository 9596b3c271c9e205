#include <gradus/nn/freeze.h>

#include <unordered_map>

#include "core/weight_view.h"

namespace gradus::nn {

namespace detail {

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
  const auto copy = std::make_shared<ModuleState>(*state);
  copies->states[state.get()] = copy;
  for (auto& [name, tensor] : copy->parameters) tensor = copy_of(tensor);
  for (auto& buffer : copy->buffers) buffer.tensor = copy_of(buffer.tensor);
  for (auto& child : copy->children) child.module = child.module->keep_(*child.module);
  return copy;
}

std::unique_ptr<Slot> CloneScope::copy_of(const std::unique_ptr<Slot>& slot) {
  if (!slot) return nullptr;
  return std::make_unique<Slot>(Slot{copy_of(slot->owner.lock()), slot->name});
}

namespace {

// The entry that a registered member stands for, or null when it stands for none (any more).
Tensor* parameter_of(const Slot& slot) {
  const auto owner = slot.owner.lock();
  if (!owner || owner->replaced) return nullptr;
  for (auto& [name, tensor] : owner->parameters)
    if (name == slot.name) return &tensor;
  return nullptr;
}

Tensor* buffer_of(const Slot& slot) {
  const auto owner = slot.owner.lock();
  if (!owner || owner->replaced) return nullptr;
  for (auto& buffer : owner->buffers)
    if (buffer.name == slot.name) return &buffer.tensor;
  return nullptr;
}

// `member = value` for a registered tensor. The member keeps its slot where the module still has it; otherwise the
// whole module was assigned, and the member belongs to where the value does.
void assign_member(Tensor* entry, std::unique_ptr<Slot>& slot, Tensor& member, const Tensor& value,
                   const std::unique_ptr<Slot>& other) {
  if (entry != nullptr) {
    *entry = value;
    if (value.defined() && value.name().empty()) {
      const auto owner = slot->owner.lock();
      Tensor named = value;
      named.set_name(owner->path.empty() ? slot->name : owner->path + "." + slot->name);
    }
  } else if (slot && other) {
    *slot = *other;
  }
  member = value;
}

}  // namespace
}  // namespace detail

Parameter::Parameter(const Tensor& data, bool requires_grad) : Tensor(data) {
  if (!data.is_leaf()) {
    throw AutogradError("Parameter: needs a leaf, got the result of an operation; detach it first");
  }
  requires_grad_(requires_grad);
}

Parameter::Parameter(const Parameter& other)
    : Tensor(detail::CloneScope::active() ? detail::CloneScope::copy_of(static_cast<const Tensor&>(other))
                                          : static_cast<const Tensor&>(other)),
      slot_(detail::CloneScope::active() ? detail::CloneScope::copy_of(other.slot_) : nullptr) {}

Parameter& Parameter::operator=(const Parameter& other) {
  if (this != &other) {
    detail::assign_member(slot_ ? detail::parameter_of(*slot_) : nullptr, slot_, *this, other, other.slot_);
  }
  return *this;
}

// A member that was none yet (`weight = add("weight", ...)` in a constructor) becomes the registered one.
Parameter& Parameter::operator=(Parameter&& other) noexcept(false) {
  *this = static_cast<const Parameter&>(other);
  if (!slot_) slot_ = std::move(other.slot_);
  return *this;
}

Buffer::Buffer(const Buffer& other)
    : Tensor(detail::CloneScope::active() ? detail::CloneScope::copy_of(static_cast<const Tensor&>(other))
                                          : static_cast<const Tensor&>(other)),
      slot_(detail::CloneScope::active() ? detail::CloneScope::copy_of(other.slot_) : nullptr) {}

Buffer& Buffer::operator=(const Buffer& other) {
  if (this != &other) {
    detail::assign_member(slot_ ? detail::buffer_of(*slot_) : nullptr, slot_, *this, other, other.slot_);
  }
  return *this;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept(false) {
  *this = static_cast<const Buffer&>(other);
  if (!slot_) slot_ = std::move(other.slot_);
  return *this;
}

}  // namespace gradus::nn

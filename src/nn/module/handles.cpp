// The C++ objects that are one module: how copies, moves and assignments keep what is registered and what runs the
// same.
#include "nn/module/handles.h"

#include <gradus/nn/module.h>

#include <algorithm>

#include "nn/module/paths.h"
#include "nn/parametrize/computed.h"

namespace gradus::nn {

using detail::CloneScope;
using detail::handles_mutex;
using detail::MemberKind;
using detail::ModuleMember;
using detail::ModuleState;

Module::Module(const Module& other) : ModuleMember(MemberKind::Module), enable_shared_from_this() {
  join_state(CloneScope::active() ? CloneScope::copy_of(other.state_) : other.state_, &other, false);
  follow(other);
}

// The source stays a handle of the same module: a moved-from handle without one would have to be checked everywhere.
Module::Module(Module&& other) noexcept : ModuleMember(MemberKind::Module), enable_shared_from_this() {
  join_state(other.state_, &other, true);
  take_members(other);
  inherit(other);
}

Module& Module::operator=(const Module& other) {
  if (this == &other) return *this;
  end_moves();
  const std::shared_ptr<Module> replaced = register_instead(other);
  join_state(other.state_, &other, false);
  if (owner() == nullptr) follow(other);
  if (replaced) owner()->rename_replaced(index_, *replaced);
  return *this;
}

Module& Module::operator=(Module&& other) noexcept(false) {
  if (this == &other) return *this;
  end_moves();
  const std::shared_ptr<Module> replaced = register_instead(other);
  join_state(other.state_, &other, true);
  take_members(other);
  if (owner() == nullptr) inherit(other);
  if (replaced) owner()->rename_replaced(index_, *replaced);
  return *this;
}

Module::~Module() { leave_state(static_cast<Module*>(heir_)); }

void Module::join_state(std::shared_ptr<ModuleState> state, const Module* from, bool moved) {
  const std::lock_guard lock(handles_mutex());
  from_ = from;
  moved_ = moved;
  thread_ = detail::this_thread();
  if (state_ == state) return;
  if (state_) leave_state(nullptr);
  // The old state goes when the argument does.
  state_.swap(state);
  next_ = state_->handles;
  previous_ = nullptr;
  if (next_ != nullptr) next_->previous_ = this;
  state_->handles = this;
}

void Module::leave_state(Module* heir) noexcept {
  const std::lock_guard lock(handles_mutex());
  for (ModuleMember* member : std::exchange(members_, {})) {
    member->owner_ = nullptr;
    member->end_moves();
  }
  for (Module* handle = state_->handles; handle != nullptr; handle = handle->next_) {
    if (handle->from_ == this) handle->from_ = nullptr;
    if (handle->original_ == this) handle->original_ = heir;
  }
  if (heir != nullptr) heir->stands_in_ = heir->stands_in_ || stands_in_;
  (previous_ != nullptr ? previous_->next_ : state_->handles) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

void Module::take_members(Module& other) noexcept {
  const std::lock_guard lock(handles_mutex());
  for (ModuleMember* member : members_) {
    member->owner_ = nullptr;
    member->end_moves();
  }
  members_ = std::exchange(other.members_, {});
  for (ModuleMember* member : members_) member->owner_ = this;
}

void Module::set_original(Module& variable) {
  const std::lock_guard lock(handles_mutex());
  original_ = &variable;
  variable.stands_in_ = true;
}

void Module::stand_in_for_all(Module& other) noexcept {
  for (Module* handle = state_->handles; handle != nullptr; handle = handle->next_)
    if (handle->original_ == &other) handle->original_ = this;
  stands_in_ = true;
}

ModuleMember* Module::member_at(MemberKind kind, std::size_t index) const {
  for (ModuleMember* member : members_)
    if (member->kind_ == kind && member->index_ == index) return member;
  return nullptr;
}

Module& Module::child_at(std::size_t index) const {
  if (ModuleMember* member = member_at(MemberKind::Module, index)) return static_cast<Module&>(*member);
  Module& kept = *state_->children[index].module;
  return kept.original_ != nullptr ? *kept.original_ : kept;
}

const detail::ModuleType* Module::known_type_of(const Module& module) {
  if (module.type_ != nullptr) return module.type_;
  if (Module* owner = module.owner()) {
    if (const auto* type = owner->state_->children[module.index_].module->type_) return type;
  }
  for (const Module* handle = module.state_->handles; handle != nullptr; handle = handle->next_)
    if (handle->original_ == &module) return handle->type_;
  return nullptr;
}

std::shared_ptr<Module> Module::copied() const {
  if (type_ == nullptr) detail::throw_not_copyable(*this);
  return type_->copy(original_ != nullptr ? *original_ : *this);
}

std::shared_ptr<Module> Module::kept_again(Module& registered) {
  if (auto kept = registered.weak_from_this().lock()) return kept;
  const detail::ModuleType* type = known_type_of(registered);
  if (type == nullptr) {
    throw ValueError(registered.type_name() + ": the C++ type must be known, got a Module& that is not registered");
  }
  auto kept = type->copy(registered);
  kept->set_original(registered);
  return kept;
}

std::shared_ptr<Module> clone(const Module& module) {
  const detail::ModuleType* type = Module::known_type_of(module);
  if (type == nullptr) detail::throw_not_copyable(module);
  const detail::CloneScope scope;
  return type->copy(module.original_ != nullptr ? *module.original_ : module);
}

void detail::throw_other_type(const Module& module, const std::type_info& wanted) {
  throw ValueError("a registered " + type_name_of(wanted) + " cannot become a " + module.type_name() +
                   ": its C++ type stays");
}

void detail::throw_not_copyable(const Module& module) {
  throw ValueError(module.type_name() +
                   ": this module cannot be copied: it has no copy constructor, or its C++ type is not known, since "
                   "std::make_shared made it for a pointer to Module (nn::share keeps the type)");
}

// What `member` stands for becomes `value`, in this object and in all other handles of this module.
void Module::set_tensor(detail::TensorMember& member, const Tensor& value, bool moved) {
  const std::lock_guard lock(handles_mutex());
  const MemberKind kind = member.kind();
  const std::size_t index = member.index_;
  const bool is_parameter = kind == MemberKind::Parameter;
  if (is_parameter && index < state_->values.size() && state_->values[index].defined()) {
    detail::ComputedParameters::assign(*this, index, value);
    return;
  }
  Tensor& entry = is_parameter ? state_->parameters[index].second : state_->buffers[index].tensor;
  Tensor next = value;
  // A tied one keeps its first name.
  if (next.defined() && !next.is_same(entry) && (moved || next.name().empty())) {
    next.set_name(joined(state_->path, is_parameter ? state_->parameters[index].first : state_->buffers[index].name));
  }
  entry = next;
  show_tensor(kind, index, next);
}

// In the members of all handles.
void Module::show_tensor(MemberKind kind, std::size_t index, const Tensor& value) {
  const std::lock_guard lock(handles_mutex());
  for (Module* handle = state_->handles; handle != nullptr; handle = handle->next_)
    if (ModuleMember* same = handle->member_at(kind, index))
      static_cast<detail::TensorMember*>(same)->Tensor::operator=(value);
}

void Module::set_child(std::size_t index, std::shared_ptr<Module> child) {
  const std::shared_ptr<Module> replaced = replace_child(index, std::move(child), nullptr);
  rename_replaced(index, *replaced);
}

// `assigned` is the member whose assignment this is.
std::shared_ptr<Module> Module::replace_child(std::size_t index, std::shared_ptr<Module> kept, const Module* assigned) {
  check_not_inside(*kept);
  auto& child = state_->children[index];
  const Module& value = kept->original_ != nullptr ? *kept->original_ : *kept;
  std::vector<Module*> members;
  for (Module* handle = state_->handles; handle != nullptr; handle = handle->next_) {
    ModuleMember* member = handle->member_at(MemberKind::Module, index);
    if (member == nullptr || member == assigned) continue;
    members.push_back(static_cast<Module*>(member));
    if (typeid(*members.back()) == typeid(*kept) && kept->type_ != nullptr) continue;
    throw ValueError(type_name() + ": '" + child.name + "' is a C++ member of type " + members.back()->type_name() +
                     ", and cannot become a " + kept->type_name());
  }
  std::shared_ptr<Module> replaced = std::exchange(child.module, kept);
  for (Module* member : members) kept->type_->assign(*member, value);
  return replaced;
}

// Before this one, a member, becomes `other`.
std::shared_ptr<Module> Module::register_instead(const Module& other) {
  if (owner() == nullptr) return nullptr;
  const Module& registered = *owner()->state_->children[index_].module;
  if (registered.state_ == other.state_) return nullptr;
  return owner()->replace_child(index_, registered.type_->copy(other), this);
}

// A path is that of the first place. What was replaced may have another place by now, or none.
void Module::rename_replaced(std::size_t index, const Module& replaced) {
  const auto& child = state_->children[index];
  const std::string path = joined(state_->path, child.name);
  ModuleState &before = *replaced.state_, &after = *child.module->state_;
  if (&before != &after) leave_path(before, path);
  if (after.path.empty()) set_path(after, path);
}

void Module::leave_path(ModuleState& state, const std::string& path) {
  if (state.path != path) return;
  std::string next;
  for (const Module* handle = state.handles; handle != nullptr && next.empty(); handle = handle->next_)
    next = handle->path_of_place();
  if (next.empty()) {
    state.path = next;  // its tensors keep the names by which optimizers and audits know them
  } else {
    set_path(state, next);
  }
}

std::string Module::path_of_place() const {
  const Module* owner = ModuleMember::owner();
  return owner == nullptr ? "" : joined(owner->state_->path, owner->state_->children[index_].name);
}

}  // namespace gradus::nn

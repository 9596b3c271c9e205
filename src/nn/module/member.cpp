#include <gradus/nn/module.h>

#include <algorithm>

#include "nn/module/handles.h"

namespace gradus::nn::detail {

namespace {

// Where one object lies relative to another: members move as their module does.
template <class T>
std::ptrdiff_t distance(const T* from, const T* to) {
  return reinterpret_cast<const char*>(to) - reinterpret_cast<const char*>(from);
}

}  // namespace

std::recursive_mutex& handles_mutex() {
  static auto& mutex = *new std::recursive_mutex;
  return mutex;
}

const void* this_thread() {
  thread_local char place;
  return &place;
}

void ModuleMember::take_place(Module& owner, std::size_t index) {
  const std::lock_guard lock(handles_mutex());
  owner.members_.push_back(this);
  owner_ = &owner;
  index_ = static_cast<std::uint32_t>(index);
}

bool ModuleMember::follow_owner(const ModuleMember& other) {
  const std::lock_guard lock(handles_mutex());
  const Module& source = *other.owner_;
  const ModuleState* state = CloneScope::active() ? CloneScope::existing_copy_of(source.state_.get()) : nullptr;
  if (state == nullptr) state = source.state_.get();
  Module* found = nullptr;
  for (Module* copy = state->handles; copy != nullptr; copy = copy->next_) {
    if (copy->from_ != &source || copy->member_at(kind_, other.index_) != nullptr) continue;
    if (distance(&other, static_cast<const ModuleMember*>(this)) ==
        distance(&source, static_cast<const Module*>(copy))) {
      found = copy;
      break;
    }
    // On the heap, as in a std::vector: it belongs to what is being copied just now.
    if (found == nullptr && copy->thread_ == this_thread()) found = copy;
  }
  if (found == nullptr) return false;
  take_place(*found, other.index_);
  return true;
}

void ModuleMember::inherit_place(ModuleMember& other) noexcept {
  const std::lock_guard lock(handles_mutex());
  if (Module* owner = other.owner_) {
    const bool moved_with_owner = owner->moved_ && owner->from_ != nullptr &&
                                  distance(&other, this) == distance(owner->from_, static_cast<const Module*>(owner));
    if (moved_with_owner) {
      std::replace(owner->members_.begin(), owner->members_.end(), &other, this);
      owner_ = owner;
      index_ = other.index_;
      other.owner_ = nullptr;
      other.end_moves();
      if (other.stands_in_) static_cast<Module*>(this)->stand_in_for_all(static_cast<Module&>(other));
      return;
    }
    if (follow_owner(other)) return;
  }
  if (other.owner_ != nullptr || other.stands_in_) {
    if (other.heir_ != nullptr) other.heir_->heir_of_ = nullptr;
    other.heir_ = this;
    heir_of_ = &other;
  } else if (other.heir_of_ != nullptr) {
    heir_of_ = std::exchange(other.heir_of_, nullptr);
    heir_of_->heir_ = this;
  }
}

void ModuleMember::end_moves() noexcept {
  if (heir_ == nullptr && heir_of_ == nullptr) return;
  const std::lock_guard lock(handles_mutex());
  if (heir_ != nullptr) heir_->heir_of_ = nullptr;
  if (heir_of_ != nullptr) heir_of_->heir_ = nullptr;
  heir_ = heir_of_ = nullptr;
}

void ModuleMember::leave_place() noexcept {
  const std::lock_guard lock(handles_mutex());
  ModuleMember* next = heir_;
  end_moves();
  if (owner_ == nullptr) return;
  // A variable that was registered takes the place that what add() returned for it leaves.
  if (next == nullptr && kind_ == MemberKind::Module) next = owner_->state_->children[index_].module->original_;
  auto& members = owner_->members_;
  const auto at = std::find(members.begin(), members.end(), this);
  if (next == nullptr || next->owner_ != nullptr) {
    members.erase(at);
    return;
  }
  *at = next;
  next->owner_ = owner_;
  next->index_ = index_;
}

}  // namespace gradus::nn::detail

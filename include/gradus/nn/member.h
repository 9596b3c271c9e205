// What a module registers: other modules, parameters and buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <gradus/tensor.h>

namespace gradus::nn {

class Module;

namespace detail {

struct ModuleState;
struct ComputedParameters;

enum class MemberKind : std::uint8_t { Parameter, Buffer, Module };

// A C++ object that a module may register. It knows its place: the module object that it is a member of. What is
// registered is what runs, wherever these objects go:
// - When a whole module is copied or moved, the members of the new object take the same places in it.
// - A member that is moved from keeps its place, because assigning to it fills that place again. If it dies before
//   that, as what add() returns does, the object that it was moved to inherits the place.
class ModuleMember {
 public:
  ModuleMember(const ModuleMember&) = delete;
  ModuleMember& operator=(const ModuleMember&) = delete;

 protected:
  explicit ModuleMember(MemberKind kind) : kind_(kind) {}
  ~ModuleMember() {
    if (owner_ != nullptr || heir_ != nullptr || heir_of_ != nullptr) leave_place();
  }
  // This one has been copied or moved from `other`, and has no place yet.
  void follow(const ModuleMember& other) {
    if (other.owner_ != nullptr) follow_owner(other);
  }
  void inherit(ModuleMember& other) noexcept {
    if (other.owner_ != nullptr || other.heir_of_ != nullptr || other.stands_in_) inherit_place(other);
  }
  void end_moves() noexcept;  // it is assigned to: nobody inherits its place, and it inherits none
  Module* owner() const { return owner_; }
  MemberKind kind() const { return kind_; }

 private:
  friend class nn::Module;
  friend struct ComputedParameters;
  bool follow_owner(const ModuleMember& other);
  void inherit_place(ModuleMember& other) noexcept;
  void leave_place() noexcept;
  void take_place(Module& owner, std::size_t index);

  Module* owner_ = nullptr;
  ModuleMember* heir_ = nullptr;     // what this one was moved to
  ModuleMember* heir_of_ = nullptr;  // and the way back
  std::uint32_t index_ = 0;          // in the owner's list of its kind
  MemberKind kind_;
  bool stands_in_ = false;  // for modules that containers keep
};

// While one of these lives, copying modules and parameters on this thread copies what they hold (see nn::clone).
class CloneScope {
 public:
  CloneScope();
  ~CloneScope();
  CloneScope(const CloneScope&) = delete;
  CloneScope& operator=(const CloneScope&) = delete;
  static bool active();
  static Tensor copy_of(const Tensor& x);
  static std::shared_ptr<ModuleState> copy_of(const std::shared_ptr<ModuleState>& state);
  // Null for one that has not been copied in this scope.
  static ModuleState* existing_copy_of(const ModuleState* state);
};

}  // namespace detail
}  // namespace gradus::nn

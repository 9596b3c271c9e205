// Children that come between others, or leave: the places after them move.
#include <gradus/nn/module.h>

#include <algorithm>

#include "nn/module/handles.h"
#include "nn/module/paths.h"

namespace gradus::nn {

using detail::handles_mutex;
using detail::MemberKind;
using detail::ModuleState;

namespace {

// The names of `children` from `begin` on when their places have moved by `shift`: "3" of place 3 becomes "4".
std::vector<std::string> moved_names(const ModuleState& state, std::size_t begin, int shift) {
  std::vector<std::string> names;
  for (std::size_t i = begin; i < state.children.size(); ++i) {
    const std::string& name = state.children[i].name;
    names.push_back(name == std::to_string(i) ? std::to_string(static_cast<std::int64_t>(i) + shift) : name);
  }
  return names;
}

// ValueError in the name of `call`. `names` are of the places from `begin` on, those before keep theirs.
void check_unique(const std::string& call, const ModuleState& state, std::size_t begin,
                  std::vector<std::string> names) {
  for (std::size_t i = 0; i < begin; ++i) names.push_back(state.children[i].name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw ValueError(call + ": the name '" + *twice + "' would be there twice");
}

}  // namespace

void Module::insert_child(std::size_t index, std::shared_ptr<Module> child) {
  const std::lock_guard lock(handles_mutex());
  check_not_inside(*child);
  const std::string name = std::to_string(index);
  std::vector<std::string> names = moved_names(*state_, index, 1);
  names.push_back(name);
  check_unique(type_name() + ".insert", *state_, index, std::move(names));
  if (child->state_->path.empty()) set_path(*child->state_, joined(state_->path, name));
  move_children(index, 1);
  state_->children.insert(state_->children.begin() + static_cast<std::ptrdiff_t>(index), {name, std::move(child)});
}

std::shared_ptr<Module> Module::take_child(std::size_t index) {
  const std::lock_guard lock(handles_mutex());
  const std::string name = state_->children[index].name;
  for (Module* handle = state_->handles; handle != nullptr; handle = handle->next_) {
    if (handle->member_at(MemberKind::Module, index) == nullptr) continue;
    throw ValueError(type_name() + ".pop: '" + name + "' is a C++ member, which can be replaced but not taken out");
  }
  check_unique(type_name() + ".pop", *state_, index, moved_names(*state_, index + 1, -1));
  std::shared_ptr<Module> taken = std::move(state_->children[index].module);
  // The others have their new places before the one that left looks whether it has another.
  move_children(index + 1, -1);
  state_->children.erase(state_->children.begin() + static_cast<std::ptrdiff_t>(index));
  leave_path(*taken->state_, joined(state_->path, name));
  return taken;
}

// The entries stay in the list; what their places are called and who knows them changes.
void Module::move_children(std::size_t begin, int shift) {
  const std::vector<std::string> names = moved_names(*state_, begin, shift);
  for (Module* handle = state_->handles; handle != nullptr; handle = handle->next_) {
    for (detail::ModuleMember* member : handle->members_) {
      if (member->kind_ == MemberKind::Module && member->index_ >= begin)
        member->index_ = static_cast<std::uint32_t>(static_cast<std::int64_t>(member->index_) + shift);
    }
  }
  // From the side to which they move, so that no path is taken for that of a neighbour.
  const std::size_t count = names.size();
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t i = shift > 0 ? count - 1 - k : k;
    ModuleState::Child& child = state_->children[begin + i];
    const std::string before = joined(state_->path, child.name);
    child.name = names[i];
    if (child.module->state_->path == before) set_path(*child.module->state_, joined(state_->path, child.name));
  }
}

}  // namespace gradus::nn

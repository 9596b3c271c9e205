#include <gradus/optim/control/set.h>

#include <algorithm>
#include <unordered_map>

#include "optim/engine/minimize.h"

namespace gradus::optim {

Set::Set(std::initializer_list<Member> members, const nn::Module& model, Ownership ownership) : members_(members) {
  check(&model, ownership);
}

Set::Set(std::initializer_list<Member> members, Ownership ownership) : members_(members) { check(nullptr, ownership); }

void Set::check(const nn::Module* model, Ownership ownership) const {
  if (members_.empty()) throw ValueError("Set: needs at least one optimizer, got none");
  for (auto it = members_.begin(); it != members_.end(); ++it) {
    if (it->first.empty()) throw ValueError("Set: an optimizer's name must not be empty");
    const auto same = [&](const Member& other) {
      return other.first == it->first || &other.second.get() == &it->second.get();
    };
    if (const auto before = std::find_if(members_.begin(), it, same); before != it)
      throw ValueError("Set: '" + it->first + "' and '" + before->first + "' have the same name or optimizer");
  }
  if (ownership == Ownership::any) return;
  std::string wrong;
  std::unordered_map<const void*, std::string> owner;
  for (const auto& [name, optimizer] : members_) {
    for (std::size_t g = 0; g < optimizer.get().group_count(); ++g) {
      for (const auto& [parameter, tensor] : optimizer.get().group_params(g)) {
        const auto [it, added] = owner.emplace(tensor.impl(), name);
        if (!added)
          wrong.append("; '")
              .append(parameter)
              .append("' is in '")
              .append(it->second)
              .append("' and in '")
              .append(name + "'");
      }
    }
  }
  if (model != nullptr) {
    for (const auto& [name, tensor] : model->named_parameters())
      if (tensor.requires_grad() && owner.count(tensor.impl()) == 0)
        wrong.append("; '").append(name).append("' is in none");
  }
  if (!wrong.empty())
    throw ValueError("Set: each trainable parameter must be in exactly one optimizer (or pass Ownership::any)" + wrong);
}

Optimizer& Set::operator[](const std::string& name) const {
  for (const auto& [own, optimizer] : members_)
    if (own == name) return optimizer;
  throw ValueError("Set: there is no optimizer '" + name + "'");
}

std::vector<Tensor> Set::parameters() const {
  std::vector<Tensor> all;
  for (const auto& [name, optimizer] : members_) {
    for (const Tensor& p : optimizer.get().parameters())
      if (std::none_of(all.begin(), all.end(), [&](const Tensor& q) { return q.is_same(p); })) all.push_back(p);
  }
  return all;
}

bool Set::step() {
  bool all = true;
  for (const auto& [name, optimizer] : members_) all = optimizer.get().step() && all;
  return all;
}

Tensor Set::clip_grad_norm_(double max_norm, double norm_type) {
  return nn::utils::clip_grad_norm_(parameters(), max_norm, norm_type);
}

void Set::zero_grad(bool set_to_none) {
  for (const auto& [name, optimizer] : members_) optimizer.get().zero_grad(set_to_none);
}

bool Set::minimize(const Tensor& loss) {
  zero_grad();
  backward_for("Set.minimize", loss, parameters());
  return step();
}

std::map<std::string, OptimizerState> Set::state_dict() const {
  std::map<std::string, OptimizerState> state;
  for (const auto& [name, optimizer] : members_) state[name] = optimizer.get().state_dict();
  return state;
}

void Set::load_state_dict(const std::map<std::string, OptimizerState>& state, const LoadStateOptions& options) {
  for (const auto& [name, saved] : state) {
    if (std::none_of(members_.begin(), members_.end(), [&](const Member& m) { return m.first == name; }))
      throw ValueError("Set.load_state_dict: there is no optimizer '" + name + "'");
  }
  for (const auto& [name, optimizer] : members_)
    if (state.count(name) == 0) throw ValueError("Set.load_state_dict: the state lacks optimizer '" + name + "'");
  // None may refuse once another has loaded.
  LoadStateOptions check = options;
  check.check_only = true;
  for (const auto& [name, optimizer] : members_) optimizer.get().load_state_dict(state.at(name), check);
  if (options.check_only) return;
  for (const auto& [name, optimizer] : members_) optimizer.get().load_state_dict(state.at(name), options);
}

}  // namespace gradus::optim

// An element of a container: `net.classifier[6]`. Used as the module, and assigned to: `net.classifier[6] =
// nn::Linear(4096, 10)` puts another layer there, of whatever type, as in Python.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

class ModuleRef {
 public:
  ModuleRef(Module& container, std::size_t index) : container_(&container), index_(index) {}
  ModuleRef(const ModuleRef&) = default;

  // A variable that is assigned stands for the element while it lives, as one that is appended does.
  template <AnyModule M>
  Module& operator=(M&& module) && {
    container_->set_child(index_, Module::kept_of(std::forward<M>(module)));
    return get();
  }
  Module& operator=(const ModuleRef& other) && {
    container_->set_child(index_, Module::kept_of(other));
    return get();
  }

  Module& get() const { return container_->child_at(index_); }
  operator Module&() const { return get(); }
  Module* operator->() const { return &get(); }
  Module* operator&() const { return &get(); }
  Tensor operator()(const Tensor& x) const { return get()(x); }
  template <class M>
  M* as() const {
    return get().as<M>();
  }
  bool is_same(const Module& other) const { return get().is_same(other); }

  // Module's own.
  Tensor forward(const Tensor& x) const { return get().forward(x); }
  std::vector<Tensor> parameters(bool recurse = true) const { return get().parameters(recurse); }
  std::vector<NamedTensor> named_parameters(bool recurse = true) const { return get().named_parameters(recurse); }
  std::vector<Tensor> buffers(bool recurse = true) const { return get().buffers(recurse); }
  std::vector<NamedTensor> named_buffers(bool recurse = true) const { return get().named_buffers(recurse); }
  std::vector<Module*> children() const { return get().children(); }
  std::vector<NamedModule> named_children() const { return get().named_children(); }
  std::vector<Module*> modules() const { return get().modules(); }
  std::vector<NamedModule> named_modules() const { return get().named_modules(); }
  Module& get_submodule(const std::string& path) const { return get().get_submodule(path); }
  Tensor get_parameter(const std::string& path) const { return get().get_parameter(path); }
  Module& apply(const std::function<void(Module&)>& fn) const { return get().apply(fn); }
  Module& train(bool mode = true) const { return get().train(mode); }
  Module& eval() const { return get().eval(); }
  bool is_training() const { return get().is_training(); }
  Module& requires_grad_(bool requires_grad = true) const { return get().requires_grad_(requires_grad); }
  void zero_grad(bool set_to_none = true) const { get().zero_grad(set_to_none); }
  template <class To>
  Module& to(To to) const {
    return get().to(to);
  }
  StateDict state_dict() const { return get().state_dict(); }
  LoadReport load_state_dict(const StateDict& dict, const LoadOptions& options = {}) const {
    return get().load_state_dict(dict, options);
  }
  template <class Hook>
  std::size_t register_forward_pre_hook(Hook&& hook) const {
    return get().register_forward_pre_hook(std::forward<Hook>(hook));
  }
  template <class Hook>
  std::size_t register_forward_hook(Hook&& hook) const {
    return get().register_forward_hook(std::forward<Hook>(hook));
  }
  void remove_hook(std::size_t handle) const { get().remove_hook(handle); }
  std::string type_name() const { return get().type_name(); }
  std::string to_string() const { return get().to_string(); }
  const std::shared_ptr<detail::ModuleState>& state() const { return get().state(); }

 private:
  Module* container_;
  std::size_t index_;
};

template <AnyModule M>
std::shared_ptr<Module> Module::kept_of(M&& module) {
  using Type = std::remove_cvref_t<M>;
  if constexpr (std::same_as<Type, ModuleRef> || std::same_as<Type, Module>) {
    return kept_again(module);
  } else {
    std::shared_ptr<Module> kept = keep(std::forward<M>(module));
    if constexpr (is_variable<M>) kept->set_original(module);
    return kept;
  }
}

template <AnyModule M>
void Module::set_submodule(const std::string& path, M&& module) {
  set_submodule_to(path, kept_of(std::forward<M>(module)));
}

}  // namespace gradus::nn

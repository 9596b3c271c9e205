// Modules that hold modules.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

namespace detail {
// What Container(modules...) takes: modules of types of their own, by value so that a module that is made in the call
// is told from one that is moved.
template <class Container, class... M>
concept Layers = sizeof...(M) > 0 && (std::derived_from<M, Module> && ...) && (!std::same_as<M, Module> && ...) &&
                 !(sizeof...(M) == 1 && (std::same_as<M, Container> && ...));
template <class... M>
concept Registered = (std::derived_from<std::remove_cvref_t<M>, Module> && ...) &&
                     (std::same_as<std::remove_cvref_t<M>, Module> || ...);
}  // namespace detail

// Modules run one after the other: each takes the result of the one before. Named "0", "1", ... In whatever order the
// compiler makes the arguments of a call, the modules that stand in `Sequential net(a, b, c)` have the initial values
// that they have when made from left to right. ValueError where that cannot be done for one that draws its values by
// itself, not by nn::init: braces, `Sequential net{a, b, c}`, make the arguments in order.
class Sequential : public Module {
 public:
  Sequential() : Module("Sequential") {}
  template <class... M>
  requires detail::Layers<Sequential, M...>
  explicit Sequential(M... modules) : Sequential() {
    detail::draw_in_order("Sequential", {&modules...}, false);
    (append(std::move(modules)), ...);
  }
  // With elements of containers and other registered ones: `net[0]`.
  template <class... M>
  requires detail::Registered<M...>
  explicit Sequential(M&&... modules) : Sequential() {
    detail::draw_in_order("Sequential", {(std::is_lvalue_reference_v<M> ? nullptr : &modules)...}, true);
    (append(std::forward<M>(modules)), ...);
  }

  // Adds one at the end, as "n" or under a name of its own.
  template <class M>
  Sequential& append(M&& module) {
    return append(std::to_string(size()), std::forward<M>(module));
  }
  template <class M>
  Sequential& append(const std::string& name, M&& module) {
    static_cast<void>(Module::add(name, std::forward<M>(module)));
    return *this;
  }

  Tensor forward(const Tensor& x) override;

  std::size_t size() const { return state()->children.size(); }
  bool is_empty() const { return size() == 0; }
  Module& operator[](std::int64_t index);                        // from the end when negative; IndexError
  Module& operator[](const std::string& name);                   // ValueError
  Sequential slice(std::int64_t start, std::int64_t end) const;  // the same modules, as Python's [start:end]
};

// Modules in a list, registered as "0", "1", ...; used by index. Iterates as Module&.
class ModuleList : public Module {
 public:
  ModuleList() : Module("ModuleList") {}
  // Handles of modules that may be registered elsewhere too: `nn::ModuleList special(net.classifier[0], net.fc)`.
  template <class... M>
  requires detail::Layers<ModuleList, M...>
  explicit ModuleList(M... modules) : ModuleList() {
    detail::draw_in_order("ModuleList", {&modules...}, false);
    (append(std::move(modules)), ...);
  }
  // With elements of containers and other registered ones: `net[0]`.
  template <class... M>
  requires detail::Registered<M...>
  explicit ModuleList(M&&... modules) : ModuleList() {
    detail::draw_in_order("ModuleList", {(std::is_lvalue_reference_v<M> ? nullptr : &modules)...}, true);
    (append(std::forward<M>(modules)), ...);
  }
  template <class M>
  ModuleList& append(M&& module) {
    static_cast<void>(Module::add(std::to_string(size()), std::forward<M>(module)));
    return *this;
  }
  std::size_t size() const { return state()->children.size(); }
  Module& operator[](std::int64_t index);
};

// Modules by name, in order of insertion.
class ModuleDict : public Module {
 public:
  ModuleDict() : Module("ModuleDict") {}
  template <class M>
  ModuleDict& set(const std::string& name, M&& module) {
    static_cast<void>(Module::add(name, std::forward<M>(module)));
    return *this;
  }
  std::size_t size() const { return state()->children.size(); }
  bool contains(const std::string& name) const;
  Module& operator[](const std::string& name);
};

// Parameters in a list, registered as "0", "1", ...
class ParameterList : public Module {
 public:
  ParameterList() : Module("ParameterList") {}
  explicit ParameterList(const std::vector<Tensor>& tensors);
  ParameterList& append(const Tensor& x);
  std::size_t size() const { return state()->parameters.size(); }
  Tensor operator[](std::int64_t index) const;
};

}  // namespace gradus::nn

// Modules that hold modules.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

// Modules run one after the other: each takes the result of the one before. Named "0", "1", ...
class Sequential : public Module {
 public:
  Sequential() : Module("Sequential") {}
  template <class... M>
  requires(sizeof...(M) > 0 && (std::derived_from<std::remove_cvref_t<M>, Module> && ...) &&
           !(sizeof...(M) == 1 &&
             (std::same_as<std::remove_cvref_t<M>, Sequential> && ...))) explicit Sequential(M&&... modules)
      : Sequential() {
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
  requires(sizeof...(M) > 0 && (std::derived_from<std::remove_cvref_t<M>, Module> && ...) &&
           !(sizeof...(M) == 1 &&
             (std::same_as<std::remove_cvref_t<M>, ModuleList> && ...))) explicit ModuleList(M&&... modules)
      : ModuleList() {
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

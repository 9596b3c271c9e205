// Modules that hold modules. A layer passed as a temporary is kept. A layer passed as a variable runs as that variable
// does while the variable lives, as in Python, and afterwards as it was when it was passed; parameters, buffers and
// mode are shared in both cases.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

namespace detail {

// What Container(modules...) takes by value (Made) and by reference (Given: at least one is a variable), so that a
// module that is made in the call can be told from one that was made before.
template <class Container, class... M>
concept Made = sizeof...(M) > 0 && (AnyModule<M> && ...) && (!std::same_as<M, Module> && ...) &&
               !(sizeof...(M) == 1 && (std::same_as<M, Container> && ...));
template <class Container, class... M>
concept Given = (AnyModule<M> && ...) && (std::is_lvalue_reference_v<M> || ...) &&
                !(sizeof...(M) == 1 && (std::same_as<std::remove_cvref_t<M>, Container> && ...));

// What Sequential and ModuleList share.
class IndexedModules : public Module {
 public:
  class Iterator {
   public:
    Iterator(const IndexedModules& list, std::size_t index) : list_(&list), index_(index) {}
    Module& operator*() const { return list_->child_at(index_); }
    Module* operator->() const { return &**this; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const IndexedModules* list_;
    std::size_t index_;
  };

  std::size_t size() const { return state()->children.size(); }
  bool is_empty() const { return size() == 0; }
  ModuleRef operator[](std::int64_t index);  // a negative index counts from the end; IndexError
  // Inserts a module before the one at `index`, which counts from the end when negative; size() appends. IndexError.
  // The modules after it are renamed to the next number, as in PyTorch; names that are not numbers stay.
  template <AnyModule M>
  void insert(std::int64_t index, M&& module) {
    insert_child(place_of_new(index), kept_of(std::forward<M>(module)));
  }
  // Removes a module and returns it; it may be added elsewhere: `seq.append(*seq.pop(0))`. IndexError.
  std::shared_ptr<Module> pop(std::int64_t index);
  Iterator begin() const { return {*this, 0}; }  // as Module&
  Iterator end() const { return {*this, size()}; }

 protected:
  using Module::Module;
  std::size_t place_of_new(std::int64_t index) const;
  template <class M>
  static Module* new_module(std::remove_reference_t<M>& module) {
    if constexpr (std::is_lvalue_reference_v<M> || std::same_as<M, ModuleRef>)
      return nullptr;
    else
      return &module;
  }
};

template <class Modules, class Fn>
void for_each_module(Modules& modules, const Fn& fn) {
  if constexpr (std::derived_from<std::remove_const_t<Modules>, Module>) {
    static_assert(std::derived_from<std::remove_const_t<Modules>, IndexedModules>,
                  "extend takes a Sequential, a ModuleList or a range of modules; append takes one module");
    for (Module* module : modules.children()) fn(*module);  // a list made before, as the two may be one
  } else {
    for (auto& module : modules) fn(module);
  }
}

}  // namespace detail

// Modules that run one after the other: each takes the result of the one before it. They are named "0", "1", ...
// C++ leaves open in which order the arguments of a call are made; the layers of `Sequential net(a, b, c)` nevertheless
// have the initial values of layers made from left to right. ValueError where a layer draws its values by itself, not
// through nn::init, so that they cannot be drawn again: then write `Sequential net{a, b, c}`, which keeps the order.
class Sequential : public detail::IndexedModules {
 public:
  Sequential() : IndexedModules("Sequential") {}
  template <class... M>
  requires detail::Made<Sequential, M...>
  explicit Sequential(M... modules) : Sequential() {
    detail::draw_in_order("Sequential", {new_module<M>(modules)...}, false);
    (append(std::move(modules)), ...);
  }
  template <class First, class... M>
  requires detail::Given<Sequential, First, M...>
  explicit Sequential(First&& first, M&&... modules) : Sequential() {
    detail::draw_in_order("Sequential", {new_module<First>(first), new_module<M>(modules)...}, true);
    append(std::forward<First>(first));
    (append(std::forward<M>(modules)), ...);
  }

  // Adds a module at the end, under the next number or under a name of its own.
  template <AnyModule M>
  Sequential& append(M&& module) {
    return append(std::to_string(size()), std::forward<M>(module));
  }
  template <AnyModule M>
  Sequential& append(const std::string& name, M&& module) {
    add_child(name, kept_of(std::forward<M>(module)));
    return *this;
  }

  // Appends the modules of another container, or of a range such as std::vector<nn::Linear>.
  template <class Modules>
  Sequential& extend(Modules&& modules) {
    detail::for_each_module(modules, [&](auto& module) { append(module); });
    return *this;
  }

  Tensor forward(const Tensor& x) override;

  using IndexedModules::operator[];
  ModuleRef operator[](const std::string& name);                 // ValueError
  Sequential slice(std::int64_t start, std::int64_t end) const;  // the same modules, as Python's [start:end]
};

// A list of modules, registered as "0", "1", ... and used by index. Iterators yield Module&.
//
// A network may also keep registered layers in a std::vector: assigning to an element changes the network. But a
// std::vector does not tell the network which elements swap, resize or erase remove or add; a ModuleList does.
class ModuleList : public detail::IndexedModules {
 public:
  ModuleList() : IndexedModules("ModuleList") {}
  // Handles of modules that may be registered elsewhere too: `nn::ModuleList special(net.classifier[0], net.fc)`.
  template <class... M>
  requires detail::Made<ModuleList, M...>
  explicit ModuleList(M... modules) : ModuleList() {
    detail::draw_in_order("ModuleList", {new_module<M>(modules)...}, false);
    (append(std::move(modules)), ...);
  }
  template <class First, class... M>
  requires detail::Given<ModuleList, First, M...>
  explicit ModuleList(First&& first, M&&... modules) : ModuleList() {
    detail::draw_in_order("ModuleList", {new_module<First>(first), new_module<M>(modules)...}, true);
    append(std::forward<First>(first));
    (append(std::forward<M>(modules)), ...);
  }
  template <AnyModule M>
  ModuleList& append(M&& module) {
    add_child(std::to_string(size()), kept_of(std::forward<M>(module)));
    return *this;
  }
  template <class Modules>
  ModuleList& extend(Modules&& modules) {
    detail::for_each_module(modules, [&](auto& module) { append(module); });
    return *this;
  }
};

// Modules by name, in order of insertion.
class ModuleDict : public Module {
 public:
  ModuleDict() : Module("ModuleDict") {}
  // Adds a module, or replaces the one of this name.
  template <AnyModule M>
  ModuleDict& set(const std::string& name, M&& module) {
    put_child(name, kept_of(std::forward<M>(module)));
    return *this;
  }
  std::size_t size() const { return state()->children.size(); }
  bool contains(const std::string& name) const;
  std::vector<std::string> keys() const;
  ModuleRef operator[](const std::string& name);
  std::shared_ptr<Module> pop(const std::string& name);  // removes and returns it; ValueError
};

// A list of parameters, registered as "0", "1", ...
class ParameterList : public Module {
 public:
  ParameterList() : Module("ParameterList") {}
  explicit ParameterList(const std::vector<Tensor>& tensors);
  ParameterList& append(const Tensor& x);
  ParameterList& extend(const std::vector<Tensor>& tensors);
  std::size_t size() const { return state()->parameters.size(); }
  bool is_empty() const { return size() == 0; }
  const Tensor operator[](std::int64_t index) const;

  class Iterator {
   public:
    Iterator(const ParameterList& list, std::size_t index) : list_(&list), index_(index) {}
    const Tensor operator*() const { return (*list_)[static_cast<std::int64_t>(index_)]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const ParameterList* list_;
    std::size_t index_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }
};

}  // namespace gradus::nn

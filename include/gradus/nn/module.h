// nn::Module: what networks are made of. A module is a cheap handle, as a tensor is: copies mean the same network.
//
//   struct Net : nn::Module {
//     nn::Linear fc1 = add("fc1", nn::Linear(784, 256));
//     nn::Linear fc2 = add("fc2", nn::Linear(256, 10));
//     Tensor forward(const Tensor& x) override { return fc2(relu(fc1(x))); }
//   };
//
// Members that are assigned anew are registered anew, as in Python: `net.fc2 = nn::Linear(256, 5);`. Copy-constructing
// a module gives another handle to the same parameters; nn::clone(net) copies the parameters.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gradus/detail/observer.h>
#include <gradus/nn/parameter.h>
#include <gradus/nn/state_dict.h>
#include <gradus/ops.h>

namespace gradus::nn {

class Module;

using NamedTensor = std::pair<std::string, Tensor>;
using NamedModule = std::pair<std::string, Module*>;

namespace detail {
// In the order of registration; one of the two functions is set.
struct ForwardHook {
  std::size_t handle;
  std::function<Tensor(Module&, const Tensor& input)> before;
  std::function<Tensor(Module&, const Tensor& input, const Tensor& output)> after;
};

struct ModuleState {
  struct Child {
    std::string name;
    std::shared_ptr<Module> module;
  };
  struct BufferEntry {
    std::string name;
    Tensor tensor;
    bool persistent;
  };
  std::string type;                     // for printing; empty: the C++ type's name
  std::string detail;                   // what stands between the parentheses
  std::string path;                     // from the outermost module: "encoder.0"
  std::vector<NamedTensor> parameters;  // an absent optional one is undefined
  std::vector<BufferEntry> buffers;
  std::vector<Child> children;
  std::vector<ForwardHook> hooks;
  bool training = true;   // what train() last asked for
  bool frozen = false;    // counts as evaluating whatever train() asks (see nn/freeze.h)
  bool replaced = false;  // another module was assigned to the handle whose members lie here
};

// Clears the mark of modules that hold something that is no longer frozen, and lets parameters show the point that
// their mode asks for. Gives whether all that `state` holds is frozen.
bool settle_frozen(ModuleState& state);
}  // namespace detail

class Module : public std::enable_shared_from_this<Module> {
 public:
  Module();
  explicit Module(std::string type, std::string detail = "");
  Module(const Module& other);
  Module(Module&& other) noexcept;
  Module& operator=(const Module& other);
  Module& operator=(Module&& other) noexcept(false);
  virtual ~Module();

  // What the module computes. Networks of one input override this; others name their own functions as they like.
  virtual Tensor forward(const Tensor& x);
  Tensor operator()(const Tensor& x) {
    return call([&] { return state_->hooks.empty() ? forward(x) : forward_with_hooks(x); });
  }

  Module* operator->() { return this; }
  const Module* operator->() const { return this; }

  // Each tensor once, under its first name; own ones first, then the children's in order of registration.
  std::vector<Tensor> parameters(bool recurse = true) const;
  std::vector<NamedTensor> named_parameters(bool recurse = true) const;
  std::vector<Tensor> buffers(bool recurse = true) const;
  std::vector<NamedTensor> named_buffers(bool recurse = true) const;
  std::vector<Module*> children() const;
  std::vector<NamedModule> named_children() const;
  std::vector<Module*> modules();  // this one first
  std::vector<NamedModule> named_modules();
  Module& get_submodule(const std::string& path);  // "encoder.0"; ValueError naming the part that is not there
  Tensor get_parameter(const std::string& path) const;

  // Calls fn on every descendant, children first, and last on this module. As torch.nn.Module.apply.
  Module& apply(const std::function<void(Module&)>& fn);
  // Those that are frozen stay in evaluation. In evaluation the parameters of a Schedule-Free optimizer show averages.
  Module& train(bool mode = true);
  Module& eval() { return train(false); }
  bool is_training() const { return state_->training && !state_->frozen; }
  Module& requires_grad_(bool requires_grad = true);
  void zero_grad(bool set_to_none = true);
  Module& to(Dtype dtype);  // floating-point parameters and buffers, in place: optimizers keep hold of them
  Module& to(Device device);
  Module& cuda() { return to(kCUDA); }
  Module& cpu() { return to(kCPU); }

  // Called by every operator()(x), before forward with its input, and after it with the result too. A defined tensor
  // that a hook gives takes their place. As in PyTorch; modules of several inputs have none. Remove with the handle.
  std::size_t register_forward_pre_hook(std::function<Tensor(Module& module, const Tensor& input)> hook);
  std::size_t register_forward_hook(
      std::function<Tensor(Module& module, const Tensor& input, const Tensor& output)> hook);
  void remove_hook(std::size_t handle);

  // The tensors share the module's memory. For parameters that a Schedule-Free optimizer trains they are the averages.
  StateDict state_dict() const;
  // Checks everything before it changes anything; throws ValueError with the whole report where options forbid.
  LoadReport load_state_dict(const StateDict& dict, const LoadOptions& options = {});

  std::string type_name() const;
  std::string to_string() const;  // as PyTorch prints it

  // This module as an M, or null: `if (auto* linear = m.as<nn::Linear>()) ...`.
  template <class M>
  M* as() {
    return dynamic_cast<M*>(this);
  }
  // Whether both are handles of one module.
  bool is_same(const Module& other) const { return state_ == other.state_; }

  // Registration. The name must be new and without dots (ValueError); it returns the member to keep.
  template <class M>
  requires(std::derived_from<M, Module> && !std::same_as<M, Module>) M add(const std::string& name, M module) {
    add_child(name, keep<M>(module));
    module.slot_ = make_slot(name);
    return module;
  }
  // One that is registered elsewhere too, such as `net.features[0]`.
  Module& add(const std::string& name, Module& registered);
  Parameter add(const std::string& name, Parameter parameter);
  Buffer add(const std::string& name, Buffer buffer, bool persistent = true);
  template <class M>
  M register_module(const std::string& name, M module) {
    return add(name, std::move(module));
  }
  Parameter register_parameter(const std::string& name, const Tensor& data, bool requires_grad = true) {
    return add(name, Parameter(data, requires_grad));
  }
  Buffer register_buffer(const std::string& name, const Tensor& data, bool persistent = true) {
    return add(name, Buffer(data), persistent);
  }

  const std::shared_ptr<detail::ModuleState>& state() const { return state_; }

 protected:
  // What operator() does around forward: summaries, profiles and messages then know which module runs. For modules that
  // take other inputs than one tensor:
  //   Tensor operator()(const Tensor& a, const Tensor& b) { return call([&] { return forward(a, b); }); }
  template <class Fn>
  auto call(const Fn& forward) -> decltype(forward()) {
    bool watched = gradus::detail::is_watched();
    if (watched) [[unlikely]]
      begin_call();
    try {
      auto y = forward();
      if (watched) [[unlikely]] {
        watched = false;
        if constexpr (std::same_as<decltype(y), Tensor>) {
          gradus::detail::end_layer(&y);
        } else {
          gradus::detail::end_layer(nullptr);
        }
      }
      return y;
    } catch (...) {
      call_failed(watched);
      throw;
    }
  }

  void add_child(const std::string& name, std::shared_ptr<Module> child);
  void set_detail(std::string detail) { state_->detail = std::move(detail); }

 private:
  friend class Parameter;
  friend class Buffer;
  friend class detail::CloneScope;
  template <class M>
  static std::shared_ptr<Module> keep(const Module& module) {
    auto kept = std::make_shared<M>(static_cast<const M&>(module));
    kept->keep_ = &keep<M>;
    return kept;
  }
  std::unique_ptr<detail::Slot> make_slot(const std::string& name) const;
  void check_new_name(const std::string& name) const;
  Tensor forward_with_hooks(const Tensor& x);
  std::size_t add_hook(detail::ForwardHook hook);
  void begin_call() const;
  void call_failed(bool watched) const;
  void assign(const Module& other);

  std::shared_ptr<detail::ModuleState> state_;
  std::unique_ptr<detail::Slot> slot_;
  std::shared_ptr<Module> (*keep_)(const Module&) = nullptr;  // of a registered one: another handle of its C++ type
  bool original_ = true;  // its C++ members are the registered ones; a copied handle's are not
};

// A copy with parameters and buffers of its own, at every level (copy.deepcopy). Tied tensors stay tied.
template <class M>
M clone(const M& module) {
  detail::CloneScope scope;
  return M(module);
}

// Runs a module on several devices. With one device it calls the module, whose parameters are named "module.*".
template <class M>
struct DataParallel : Module {
  M module;
  explicit DataParallel(M m) : Module("DataParallel"), module(add("module", std::move(m))) {}
  Tensor forward(const Tensor& x) override { return module(x); }
};

}  // namespace gradus::nn

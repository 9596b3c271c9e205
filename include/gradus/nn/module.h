// nn::Module: what networks are made of. A module is a cheap handle, as a tensor is: copies mean the same network.
//
//   struct Net : nn::Module {
//     nn::Linear fc1 = add("fc1", nn::Linear(784, 256));
//     nn::Linear fc2 = add("fc2", nn::Linear(256, 10));
//     Tensor forward(const Tensor& x) override { return fc2(relu(fc1(x))); }
//   };
//
// Assigning to a member registers the new one, as in Python: `net.fc2 = nn::Linear(256, 5);`.
//
// A copy, `Net same = net`, is another handle of the same module: it has the same layers, parameters, buffers, hooks
// and mode, and continues to share them. An assignment to a member of one handle applies to that member of all handles.
// C++ fields that are not registered (a `double sigma`) belong to each object alone. nn::clone(net) is the deep copy.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <gradus/detail/observer.h>
#include <gradus/nn/parameter.h>
#include <gradus/nn/state_dict.h>
#include <gradus/ops.h>

namespace gradus::nn {

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
  // The module kept here has the registered state. An object that is a member takes its place while it lives.
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
  std::vector<NamedTensor> parameters;  // an absent optional one is undefined, and so is one that is computed
  std::vector<Tensor> values;           // of those that each call computes (nn/parametrize.h), by place; else empty
  std::vector<BufferEntry> buffers;
  std::vector<Child> children;
  std::vector<ForwardHook> hooks;
  bool training = true;       // what train() last asked for
  bool frozen = false;        // counts as evaluating whatever train() asks (see nn/freeze.h)
  Module* handles = nullptr;  // all C++ objects that are this module, in a list
  std::uint64_t born = 0;     // where the default generator stood when it was made

  bool computes() const { return !values.empty(); }
  // What runs as the parameter at a place: itself, or the value that was computed last.
  const Tensor& parameter(std::size_t place) const {
    return place < values.size() && values[place].defined() ? values[place] : parameters[place].second;
  }
};

struct ComputedParameters;

// What can be done with a module whose C++ type is known only where it is registered.
struct ModuleType {
  std::shared_ptr<Module> (*copy)(const Module& module);
  void (*assign)(Module& to, const Module& from);
};
[[noreturn]] void throw_not_copyable(const Module& module);
[[noreturn]] void throw_other_type(const Module& module, const std::type_info& wanted);

// Clears the mark of modules that hold something that is no longer frozen, and lets parameters show the point that
// their mode asks for. Returns whether all that `state` holds is frozen.
bool settle_frozen(ModuleState& state);

// Of the modules that a call was given, in the order in which they stand: those that were made within the call draw
// their initial values anew where the compiler made them in another order. ValueError, with nothing changed, where a
// value cannot be drawn anew. Null ones stay as they are; so do all, and without an error, where modules that are given
// by reference have values that cannot be: these may be older than the call.
void draw_in_order(const char* call, std::vector<Module*> modules, bool by_reference);
}  // namespace detail

// A module's C++ type, or ModuleRef, which containers return for an element.
class ModuleRef;
template <class M>
concept AnyModule =
    std::derived_from<std::remove_cvref_t<M>, Module> || std::same_as<std::remove_cvref_t<M>, ModuleRef>;

class Module : public detail::ModuleMember, public std::enable_shared_from_this<Module> {
 public:
  Module();
  explicit Module(std::string type, std::string detail = "");
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
  // Replaces it, or adds one of a new name. ValueError where a C++ member of another type has that name.
  template <AnyModule M>
  void set_submodule(const std::string& path, M&& module);
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
  // that a hook returns takes their place. As in PyTorch; modules of several inputs have none. Remove with the handle.
  std::size_t register_forward_pre_hook(std::function<Tensor(Module& module, const Tensor& input)> hook);
  std::size_t register_forward_hook(
      std::function<Tensor(Module& module, const Tensor& input, const Tensor& output)> hook);
  // A hook that only looks returns nothing.
  template <class Hook>
  requires std::is_void_v<std::invoke_result_t<Hook&, Module&, const Tensor&>> std::size_t register_forward_pre_hook(
      Hook hook) {
    return register_forward_pre_hook([hook = std::move(hook)](Module& module, const Tensor& input) mutable {
      hook(module, input);
      return Tensor();
    });
  }
  template <class Hook>
  requires std::is_void_v<std::invoke_result_t<Hook&, Module&, const Tensor&, const Tensor&>> std::size_t
  register_forward_hook(Hook hook) {
    return register_forward_hook(
        [hook = std::move(hook)](Module& module, const Tensor& input, const Tensor& output) mutable {
          hook(module, input, output);
          return Tensor();
        });
  }
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

  // Registration. The name must be new and without dots (ValueError). What is returned is the member: keep it. Only a
  // member that was made before may be registered as it is: `nn::Linear fc{3, 4}; ... add("fc", fc);`.
  template <class M, class Type = std::remove_cvref_t<M>>
  requires(std::derived_from<Type, Module> && !std::same_as<Type, Module>) Type
      add(const std::string& name, M&& module) {
    Type member(std::forward<M>(module));
    std::shared_ptr<Module> kept = keep(member);
    if constexpr (is_variable<M>) kept->set_original(module);
    add_child(name, std::move(kept));
    place_child(member);
    return member;
  }
  // One that is registered elsewhere too, such as `net.features[0]`.
  Module& add(const std::string& name, Module& registered);
  [[nodiscard]] Parameter add(const std::string& name, Parameter parameter);
  [[nodiscard]] Buffer add(const std::string& name, Buffer buffer, bool persistent = true);
  template <class M>
  auto register_module(const std::string& name, M&& module) {
    return add(name, std::forward<M>(module));
  }
  [[nodiscard]] Parameter register_parameter(const std::string& name, const Tensor& data, bool requires_grad = true) {
    return add(name, Parameter(data, requires_grad));
  }
  [[nodiscard]] Buffer register_buffer(const std::string& name, const Tensor& data, bool persistent = true) {
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
      if (state_->computes()) [[unlikely]]
        compute_parameters();
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

  // Copies and assignments are those of C++ types: through a Module& they would cut off the rest of the object.
  Module(const Module& other);
  Module(Module&& other) noexcept;
  Module& operator=(const Module& other);
  Module& operator=(Module&& other) noexcept(false);

  // For containers, whose modules are not C++ members. One that is given as a variable stands for the kept one while it
  // lives: `nn::Sequential seq(mine)` runs what `mine` says.
  template <AnyModule M>
  static std::shared_ptr<Module> kept_of(M&& module);
  void add_child(const std::string& name, std::shared_ptr<Module> child);
  void set_child(std::size_t index, std::shared_ptr<Module> child);
  void put_child(const std::string& name, std::shared_ptr<Module> child);  // adds it, or replaces
  // Those after the place move; where a name is the number of the place, it becomes the new number. ValueError, with
  // nothing changed, for names that would be there twice, and where a C++ member stands at a place to be taken out.
  void insert_child(std::size_t index, std::shared_ptr<Module> child);
  std::shared_ptr<Module> take_child(std::size_t index);
  Module& child_at(std::size_t index) const;

  void set_detail(std::string detail) { state_->detail = std::move(detail); }

 private:
  friend class detail::ModuleMember;
  friend class detail::TensorMember;
  friend class detail::CloneScope;
  friend struct detail::ComputedParameters;
  friend class ModuleRef;
  friend void detail::draw_in_order(const char* call, std::vector<Module*> modules, bool by_reference);
  template <std::derived_from<Module> M>
  requires(!std::same_as<M, Module>) friend std::shared_ptr<Module> share(M module);
  friend std::shared_ptr<Module> clone(const Module& module);

  template <class M>
  static constexpr bool is_variable = std::is_lvalue_reference_v<M> && !std::is_const_v<std::remove_reference_t<M>>;
  template <class M>
  static const M& as_type(const Module& module) {
    if (const M* same = dynamic_cast<const M*>(&module)) return *same;
    detail::throw_other_type(module, typeid(M));
  }
  template <class M>
  static std::shared_ptr<Module> keep(M&& module) {
    auto kept = std::make_shared<std::remove_cvref_t<M>>(std::forward<M>(module));
    kept->type_ = &type_of<std::remove_cvref_t<M>>;
    return kept;
  }
  template <class M>
  static std::shared_ptr<Module> copy_as(const Module& module) {
    const M& same = as_type<M>(module);
    if constexpr (std::is_copy_constructible_v<M>) return keep(same);
    detail::throw_not_copyable(module);
  }
  template <class M>
  static void assign_as(Module& to, const Module& from) {
    const M& value = as_type<M>(from);
    if constexpr (std::is_copy_assignable_v<M>) const_cast<M&>(as_type<M>(to)) = value;
  }
  template <class M>
  static constexpr detail::ModuleType type_of{&copy_as<M>, &assign_as<M>};

  // Null where nothing says it.
  static const detail::ModuleType* known_type_of(const Module& module);
  static std::shared_ptr<Module> kept_again(Module& registered);
  void set_submodule_to(const std::string& path, std::shared_ptr<Module> module);
  void place_child(Module& member) { member.take_place(*this, state_->children.size() - 1); }
  detail::ModuleMember* member_at(detail::MemberKind kind, std::size_t index) const;
  void set_tensor(detail::TensorMember& member, const Tensor& value, bool moved);
  // Returns what was there; rename_replaced() then corrects the paths, when all objects have changed.
  std::shared_ptr<Module> replace_child(std::size_t index, std::shared_ptr<Module> kept, const Module* assigned);
  std::shared_ptr<Module> register_instead(const Module& other);
  void rename_replaced(std::size_t index, const Module& replaced);
  static void leave_path(detail::ModuleState& state, const std::string& path);
  void move_children(std::size_t begin, int shift);
  std::string path_of_place() const;
  void join_state(std::shared_ptr<detail::ModuleState> state, const Module* from, bool moved);
  void leave_state(Module* heir) noexcept;
  void set_original(Module& variable);
  void stand_in_for_all(Module& other) noexcept;  // for all that `other` stands for
  std::shared_ptr<Module> copied() const;
  void take_members(Module& other) noexcept;
  void check_new_name(const std::string& name) const;
  void check_not_inside(const Module& child) const;
  Tensor forward_with_hooks(const Tensor& x);
  std::size_t add_hook(detail::ForwardHook hook);
  void begin_call() const;
  void call_failed(bool watched) const;
  void compute_parameters();
  void show_tensor(detail::MemberKind kind, std::size_t index, const Tensor& value);

  std::shared_ptr<detail::ModuleState> state_;
  std::vector<detail::ModuleMember*> members_;    // those that live
  const detail::ModuleType* type_ = nullptr;      // of a kept one
  Module* original_ = nullptr;                    // of a kept one: the variable that stands for it
  const Module* from_ = nullptr;                  // what this one was copied or moved from, while that lives
  const void* thread_ = nullptr;                  // on which that happened
  bool moved_ = false;                            // and how
  Module *previous_ = nullptr, *next_ = nullptr;  // of the state's handles
};

std::ostream& operator<<(std::ostream& out, const Module& module);  // as PyTorch prints it

// A copy with parameters and buffers of its own, at every level (copy.deepcopy). Tied tensors stay tied.
template <std::derived_from<Module> M>
requires(!std::same_as<M, Module> && !std::is_abstract_v<M>) M clone(const M& module) {
  detail::CloneScope scope;
  return M(module);
}
// The same for a Module& that is registered in another, or that share() or models::make returned. ValueError for
// others.
std::shared_ptr<Module> clone(const Module& module);

// A module behind a pointer that does not name its type; clone() knows it all the same.
template <std::derived_from<Module> M>
requires(!std::same_as<M, Module>) std::shared_ptr<Module> share(M module) { return Module::keep(std::move(module)); }

// Runs a module on several devices. With one device it calls the module, whose parameters are named "module.*".
template <class M>
struct DataParallel : Module {
  M module;
  explicit DataParallel(M m) : Module("DataParallel"), module(add("module", std::move(m))) {}
  Tensor forward(const Tensor& x) override { return module(x); }
};

}  // namespace gradus::nn

#include <gradus/nn/module_ref.h>

// Optimizers: groups of parameters, each with its options; one pass over memory per step.
//
//   optim::SGD opt({{.params = net.features.parameters()},
//                   {.params = net.classifier.parameters(), .lr = 1e-2}}, {.lr = 1e-5, .momentum = 0.9});
//   for (auto& group : opt.param_groups()) group.lr = *group.lr * 0.1;
//
// An option that a group leaves unset takes the optimizer's default; one that it sets always wins. Options may be
// written at any time; every step checks them.
//
// As in PyTorch, a parameter whose gradient is undefined is skipped: it is not decayed, and its state does not move.
// One whose gradient is zero is not skipped.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <variant>

#include <gradus/nn/state_dict.h>
#include <gradus/optim/control/clip.h>
#include <gradus/optim/state/params.h>

namespace gradus::io {
class Value;
}

namespace gradus::optim {

// Numbers that belong together, of which some may be missing: (None, 0.001).
using NumberTuple = std::vector<std::optional<double>>;
// An option of any optimizer as a value. A missing one (monostate) stands for PyTorch's None.
using OptionValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::pair<double, double>, std::string, NumberTuple>;
std::string to_string(const OptionValue& value);

// An optimizer's state as values, keyed by parameter name.
struct OptimizerState {
  struct Group {
    std::string name;
    std::map<std::string, OptionValue> options;
    std::vector<std::string> params;
  };
  struct Param {
    std::int64_t step = 0;  // updates so far
    std::map<std::string, Tensor> tensors;
    std::map<std::string, double> numbers;
  };
  std::string optimizer;  // "Adam"
  std::vector<Group> groups;
  std::map<std::string, Param> params;  // those that have been updated
  operator io::Value() const;           // as PyTorch saves it: optim::to_pytorch
};

struct LoadStateOptions {
  bool strict = true;       // names that are only here or only there are an error
  bool options = true;      // take the groups' options too, group by group
  bool check_only = false;  // report or throw as loading would, and change nothing
};
using LoadStateReport = nn::LoadReport;

class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  virtual const char* name() const = 0;

  // Updates every parameter that has a gradient. False where clipping said to skip it: then nothing has changed, and
  // nothing should advance: `if (opt.step()) scheduler.step();`.
  bool step();
  // Calls closure, which computes gradients and returns the loss, then steps. Returns the loss.
  virtual Tensor step(const std::function<Tensor()>& closure);
  void zero_grad(bool set_to_none = true);
  // zero_grad, backward for this optimizer's parameters only, step: nothing else is computed or stored.
  bool minimize(const Tensor& loss);

  // Limits that every step puts on the gradients, after the hooks before it; frozen parameters do not count. ValueError
  // for a limit that is negative or not finite.
  void set_clipping(const ClippingOptions& options);
  void remove_clipping() { clipping_.reset(); }
  const std::optional<ClippingOptions>& clipping() const { return clipping_; }
  // The norms at the last step, before clipping: one, or one per group. Empty without max_norm.
  const std::vector<double>& grad_norms() const { return grad_norms_; }
  std::int64_t skipped_steps() const { return skipped_steps_; }

  // All parameters, group by group; what `loss.backward({.inputs = opt.parameters()})` takes.
  std::vector<Tensor> parameters() const;

  // The groups without their C++ type: what schedules, audits and checkpoints use.
  virtual std::size_t group_count() const = 0;
  virtual const Params& group_params(std::size_t group) const = 0;
  virtual std::string group_name(std::size_t group) const = 0;
  virtual std::size_t group_id(std::size_t group) const = 0;  // stays with the group while others come and go
  virtual std::vector<std::string> option_names() const = 0;
  virtual OptionValue option(std::size_t group, const std::string& name) const = 0;  // ValueError: no such option
  virtual void set_option(std::size_t group, const std::string& name, const OptionValue& value) = 0;

  // Copies of the state. load_state_dict checks everything before it changes anything; tensors keep the saved type.
  virtual OptimizerState state_dict() const = 0;
  virtual LoadStateReport load_state_dict(const OptimizerState& state, const LoadStateOptions& options = {}) = 0;
  LoadStateReport load_state_dict(const io::Value& saved);  // from a file, as PyTorch saves it: optim::from_pytorch
  // One tensor of a parameter's state ("exp_avg"), sharing memory; undefined where it has none.
  virtual Tensor state_of(const Tensor& parameter, const std::string& name) const = 0;
  // All of them by name. Here they are copies, from state_dict(); optimizers that can return the tensors themselves.
  virtual std::map<std::string, Tensor> state_tensors(const Tensor& parameter) const;
  virtual std::int64_t steps_of(const Tensor& parameter) const = 0;
  // The bytes of a parameter's state, now or once the parameter has been updated. Unset where the rule cannot say
  // (LBFGS).
  virtual std::optional<std::int64_t> state_bytes(const Tensor& parameter) const;

  // Called before and after every step; the post hooks are not called for a step that is skipped. Returns a handle for
  // remove_hook.
  using Hook = std::function<void(Optimizer&)>;
  std::size_t register_step_pre_hook(Hook hook);
  std::size_t register_step_post_hook(Hook hook);
  void remove_hook(std::size_t handle);

  std::string to_string() const;  // as PyTorch prints it

  // Expires with the optimizer, for objects that keep a pointer to it.
  std::weak_ptr<const void> alive() const { return alive_; }

 protected:
  Optimizer() = default;
  virtual void update() = 0;
  // During step(closure): the closure, and the loss that it returned.
  const std::function<Tensor()>* closure_ = nullptr;
  double closure_loss_ = 0;
  // For one optimizer around another: the inner one's hooks and update, as part of this one's step.
  void step_within(Optimizer& inner) const;

 private:
  bool clip();  // false: skip the step

  std::optional<ClippingOptions> clipping_;
  std::vector<double> grad_norms_;
  std::int64_t skipped_steps_ = 0;
  std::shared_ptr<const void> alive_ = std::make_shared<char>();
  std::size_t next_hook_ = 1;
  std::map<std::size_t, Hook> pre_hooks_, post_hooks_;
};

// An option of several numbers: `.betas = {0.9, 0.95}`.
template <class T>
class Several : public std::optional<T> {
  // Integers may stand for numbers: {1e-6, 50}.
  template <class Number>
  static auto number(const Number& x) {
    if constexpr (std::is_integral_v<Number>) {
      return static_cast<double>(x);
    } else {
      return x;
    }
  }

 public:
  using std::optional<T>::optional;
  template <class... Numbers>
  requires(sizeof...(Numbers) > 1 && requires { T{number(std::declval<Numbers>())...}; })
      Several(const Numbers&... numbers)
      : std::optional<T>(T{number(numbers)...}) {}
  // A template, so that `= {}` is the copy of an empty one.
  template <class U>
  requires(!std::derived_from<std::remove_cvref_t<U>, Several> && std::is_assignable_v<std::optional<T>&, U>) Several&
  operator=(U&& value) {
    std::optional<T>::operator=(std::forward<U>(value));
    return *this;
  }
};

namespace detail {
// Stands in options under a name that is not ours, so that the compiler says which one is.
struct LearningRateIsLr {
  LearningRateIsLr() = default;
  template <class T>
  LearningRateIsLr(const T&) {
    static_assert(sizeof(T) == 0, "there is no option .learning_rate; it is .lr, as in PyTorch");
  }
};
}  // namespace detail

// The optimizer whose options are of type Options, which has `params`, `name` and optional fields. Its rule is RuleOf
// <Options>, in one file of src/optim.
template <class Options>
class OptimizerOf : public Optimizer {
 public:
  using GroupOptions = Options;

  OptimizerOf(const Params& params, const Options& defaults = {});
  OptimizerOf(const std::vector<Options>& groups, const Options& defaults = {});
  OptimizerOf(std::initializer_list<Options> groups, const Options& defaults = {})
      : OptimizerOf(std::vector<Options>(groups), defaults) {}
  template <class Number, class... Rest>
  requires(std::is_arithmetic_v<Number>) OptimizerOf(const Params& params, Number, Rest...) : OptimizerOf(params) {
    static_assert(sizeof(Number) == 0, "options are named: optim::Adam(net.parameters(), {.lr = 1e-3})");
  }
  template <class Number>
  OptimizerOf(const Params& params, std::initializer_list<Number>) : OptimizerOf(params) {
    static_assert(sizeof(Number) == 0, "options are named: optim::Adam(net.parameters(), {.lr = 1e-3})");
  }
  // Not of a const one: `optim::SGD({p})` would be that as well as a list of parameters.
  OptimizerOf(OptimizerOf&) = delete;
  ~OptimizerOf() override;

  const char* name() const override;
  // Every option of every group, set. Writing through it takes effect at the next step.
  std::span<Options> param_groups() { return groups_; }
  std::span<const Options> param_groups() const { return groups_; }
  const Options& defaults() const { return defaults_; }

  // At any time; parameters that are already here are refused and nothing changes.
  void add_param_group(const Options& group);
  // Its parameters leave with their state; the others keep theirs.
  void remove_param_group(std::size_t group);

  std::size_t group_count() const override { return groups_.size(); }
  const Params& group_params(std::size_t group) const override { return groups_.at(group).params; }
  std::string group_name(std::size_t group) const override;
  std::size_t group_id(std::size_t group) const override;
  std::vector<std::string> option_names() const override;
  OptionValue option(std::size_t group, const std::string& name) const override;
  void set_option(std::size_t group, const std::string& name, const OptionValue& value) override;
  OptimizerState state_dict() const override;
  using Optimizer::load_state_dict;
  LoadStateReport load_state_dict(const OptimizerState& state, const LoadStateOptions& options = {}) override;
  Tensor state_of(const Tensor& parameter, const std::string& name) const override;
  std::map<std::string, Tensor> state_tensors(const Tensor& parameter) const override;
  std::int64_t steps_of(const Tensor& parameter) const override;
  std::optional<std::int64_t> state_bytes(const Tensor& parameter) const override;

 protected:
  void update() override;

 private:
  struct Engine;
  Options defaults_;
  std::vector<Options> groups_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace gradus::optim

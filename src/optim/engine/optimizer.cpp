#include <gradus/detail/observer.h>
#include <gradus/optim/optimizer.h>

#include <unordered_set>

#include "core/recorded_step.h"
#include "core/recording_text.h"
#include "core/threads/parallel.h"
#include "optim/engine/engine.h"
#include "optim/engine/minimize.h"
#include "optim/engine/step_log.h"
#include "optim/engine/watch.h"

namespace gradus::optim {

Params::Params(const std::vector<Tensor>& tensors) {
  for (const Tensor& x : tensors) named_.emplace_back(x.defined() ? x.name() : std::string(), x);
}

std::string to_string(const OptionValue& value) {
  struct Show {
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool x) const { return x ? "True" : "False"; }
    std::string operator()(std::int64_t x) const { return std::to_string(x); }
    std::string operator()(double x) const { return gradus::to_string(x); }
    std::string operator()(const std::pair<double, double>& x) const {
      std::string text = "(";
      return text.append(gradus::to_string(x.first)).append(", ").append(gradus::to_string(x.second)).append(")");
    }
    std::string operator()(const std::string& x) const { return x; }
    std::string operator()(const NumberTuple& numbers) const {
      std::string text;
      for (const auto& x : numbers) text.append(text.empty() ? "(" : ", ").append(x ? gradus::to_string(*x) : "None");
      return text + ")";
    }
  };
  return std::visit(Show{}, value);
}

void refuse_option(const char* optimizer, const std::string& place, const char* option, const std::string& rule,
                   const std::string& value) {
  throw ValueError(std::string(optimizer) + ": " + place + ": " + option + " must be " + rule + ", got " + value);
}

void check_number(const char* optimizer, const std::string& place, const char* option, const Range& range, double x) {
  refuse_option(optimizer, place, option, rule_of(range), gradus::to_string(x));
}

std::string group_place(std::size_t index, const std::string& name) {
  std::string place = "group " + std::to_string(index);
  if (!name.empty()) place.append(" ('").append(name).append("')");
  return place;
}

void check_params(const char* optimizer, const std::string& place, const Params& group,
                  const std::vector<std::vector<Entry>>& before, std::span<const std::string> places) {
  const auto refuse = [&](const std::string& why) {
    throw ValueError(std::string(optimizer) + ": " + place + ": " + why);
  };
  if (group.empty()) refuse("needs at least one parameter, got none");
  std::unordered_map<const void*, std::string> seen;
  for (std::size_t g = 0; g < before.size(); ++g)
    for (std::size_t i = 0; i < before[g].size(); ++i)
      seen.emplace(before[g][i].param.impl(),
                   places[g] + ", parameter " + std::to_string(i) + " ('" + before[g][i].name + "')");
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto& [name, x] = group[i];
    std::string what = "parameter " + std::to_string(i);
    if (!name.empty()) what.append(" ('").append(name).append("')");
    if (!x.defined()) refuse(what + " is an undefined tensor");
    if (!x.is_leaf()) refuse(what + " is the result of an operation (" + x.grad_fn()->name() + "); only leaves train");
    if (x.dtype() != kFloat32 && x.dtype() != kFloat64) {
      refuse(what + " must be float32 or float64, got " + gradus::to_string(x.dtype()));
    }
    if (!x.is_contiguous()) refuse(what + " must be contiguous, got strides " + gradus::to_string(x.strides()));
    const auto [it, added] = seen.emplace(x.impl(), place + ", " + what);
    if (!added) refuse(what + " is already at " + it->second);
  }
}

std::string unique_name(const NamedTensor& given, const std::vector<std::vector<Entry>>& entries,
                        const std::vector<Entry>& group) {
  std::size_t count = group.size();
  for (const auto& list : entries) count += list.size();
  std::string name = !given.first.empty() ? given.first : given.second.name();
  if (name.empty()) name = "param." + std::to_string(count);
  const auto taken = [&](const std::string& candidate) {
    const auto has = [&](const std::vector<Entry>& list) {
      return std::any_of(list.begin(), list.end(), [&](const Entry& e) { return e.name == candidate; });
    };
    return has(group) || std::any_of(entries.begin(), entries.end(), has);
  };
  if (!taken(name)) return name;
  for (int i = 2;; ++i) {
    std::string candidate = name + "#" + std::to_string(i);
    if (!taken(candidate)) return candidate;
  }
}

void check_gradient(const char* optimizer, const Entry& entry, const Tensor& grad) {
  const Dtype dtype = entry.param.dtype();
  if (dtype != kFloat32 && dtype != kFloat64) {
    throw ValueError(std::string(optimizer) + ": parameter '" + entry.name + "' must be float32 or float64, got " +
                     gradus::to_string(dtype));
  }
  const bool like = !grad.defined() || (grad.dtype() == dtype && grad.sizes() == entry.param.sizes());
  if (like && entry.param.is_contiguous()) return;
  throw ValueError(std::string(optimizer) + ": parameter '" + entry.name + "' of " +
                   gradus::to_string(entry.param.sizes()) + " " + gradus::to_string(entry.param.dtype()) +
                   " must be contiguous and have a gradient like itself, got " +
                   (grad.defined() ? gradus::to_string(grad.sizes()) + " " + gradus::to_string(grad.dtype())
                                   : "strides " + gradus::to_string(entry.param.strides())));
}

void* detail::elements(const Tensor& x, Dtype dtype, std::int64_t n) {
  if (x.dtype() == dtype && x.numel() == n && x.is_contiguous()) return x.impl()->data;
  throw ValueError("optimizer: needs " + std::to_string(n) + " contiguous elements of " + gradus::to_string(dtype) +
                   ", got " + gradus::to_string(x.sizes()) + " " + gradus::to_string(x.dtype()));
}

Optimizer::~Optimizer() {
  tell_watchers([&](Watcher& watcher) { watcher.gone(*this); });
}

bool Optimizer::step() {
  StepLog* const log = StepLog::current();
  if (log != nullptr && log->keeps() && !(pre_hooks_.empty() && post_hooks_.empty()))
    throw Error(core::recording_text(std::string(name()) + ".step with hooks", "they are called by the host"));
  if (log != nullptr && log->is_repeating()) {
    update();
    return true;
  }
  const gradus::detail::Span span(name());
  for (const auto& [handle, hook] : std::map(pre_hooks_)) hook(*this);
  if (!clip()) {
    ++skipped_steps_;
    return false;
  }
  tell_watchers([&](Watcher& watcher) { watcher.before_step(*this); });
  if (log != nullptr) log->add(*this);
  update();
  tell_watchers([&](Watcher& watcher) { watcher.after_step(*this); });
  for (const auto& [handle, hook] : std::map(post_hooks_)) hook(*this);
  return true;
}

namespace {

// Points to a closure while it lives.
struct ClosureScope {
  const std::function<Tensor()>*& current;
  ClosureScope(const std::function<Tensor()>*& place, const std::function<Tensor()>* closure) : current(place) {
    current = closure;
  }
  ~ClosureScope() { current = nullptr; }
};

}  // namespace

void Optimizer::step_within(Optimizer& inner) const {
  const ClosureScope scope(inner.closure_, closure_);
  inner.closure_loss_ = closure_loss_;
  for (const auto& [handle, hook] : std::map(inner.pre_hooks_)) hook(inner);
  inner.update();
  for (const auto& [handle, hook] : std::map(inner.post_hooks_)) hook(inner);
}

Tensor Optimizer::step(const std::function<Tensor()>& closure) {
  core::refuse_recording(std::string(name()) + ".step with a closure", "it reads the loss on the host");
  Tensor loss;
  {
    EnableGrad guard;
    loss = closure();
  }
  const ClosureScope scope(closure_, &closure);
  closure_loss_ = loss.defined() ? loss.item() : 0;
  step();
  return loss;
}

std::vector<Tensor> Optimizer::parameters() const {
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < group_count(); ++i)
    for (const auto& [name, tensor] : group_params(i)) all.push_back(tensor);
  return all;
}

void Optimizer::zero_grad(bool set_to_none) {
  for (std::size_t i = 0; i < group_count(); ++i) {
    for (const auto& [name, tensor] : group_params(i)) {
      Tensor x = tensor;
      x.zero_grad(set_to_none);
    }
  }
}

void backward_for(const std::string& call, const Tensor& loss, const std::vector<Tensor>& parameters) {
  BackwardOptions options;
  for (const Tensor& p : parameters)
    if (p.requires_grad()) options.inputs.push_back(p);
  if (options.inputs.empty()) throw ValueError(call + ": none of its parameters requires a gradient");
  loss.backward(options);
}

bool Optimizer::minimize(const Tensor& loss) {
  zero_grad();
  backward_for(std::string(name()) + ".minimize", loss, parameters());
  return step();
}

std::optional<std::int64_t> Optimizer::state_bytes(const Tensor& parameter) const {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : state_tensors(parameter)) bytes += tensor.numel() * tensor.element_size();
  return bytes;
}

std::map<std::string, Tensor> Optimizer::state_tensors(const Tensor& parameter) const {
  const OptimizerState state = state_dict();
  for (std::size_t g = 0; g < group_count(); ++g) {
    for (std::size_t i = 0; i < group_params(g).size(); ++i) {
      if (!group_params(g)[i].second.is_same(parameter)) continue;
      const auto found = state.params.find(state.groups[g].params[i]);
      if (found != state.params.end()) return found->second.tensors;
    }
  }
  return {};
}

std::size_t Optimizer::register_step_pre_hook(Hook hook) {
  pre_hooks_.emplace(next_hook_, std::move(hook));
  return next_hook_++;
}

std::size_t Optimizer::register_step_post_hook(Hook hook) {
  post_hooks_.emplace(next_hook_, std::move(hook));
  return next_hook_++;
}

void Optimizer::remove_hook(std::size_t handle) {
  pre_hooks_.erase(handle);
  post_hooks_.erase(handle);
}

std::string Optimizer::to_string() const {
  std::string text = std::string(name()) + " (\n";
  for (std::size_t i = 0; i < group_count(); ++i) {
    text += "Parameter Group " + std::to_string(i) + "\n";
    if (!group_name(i).empty()) text += "    name: " + group_name(i) + "\n";
    auto names = option_names();
    std::sort(names.begin(), names.end());
    for (const auto& option : names) text += "    " + option + ": " + optim::to_string(this->option(i, option)) + "\n";
  }
  return text + ")";
}

}  // namespace gradus::optim

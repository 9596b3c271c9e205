#include <gradus/core/memory.h>
#include <gradus/nn/module.h>
#include <gradus/random.h>

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <typeinfo>
#include <unordered_set>

#include "core/tensor_access.h"
#include "nn/module/paths.h"
#include "nn/module/recomputed.h"
#include "text/units.h"

namespace gradus::nn {

using detail::MemberKind;
using detail::ModuleState;

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

namespace {

// Parameters carry their path from the outermost module, for messages and optimizer state. Registration goes from the
// inside out, so each one renames what lies below. A tied tensor keeps its first name.
void set_path(ModuleState& state, const std::string& path, std::unordered_set<const void*>& seen) {
  state.path = path;
  for (auto& [name, tensor] : state.parameters)
    if (tensor.defined() && seen.insert(tensor.impl()).second) tensor.set_name(joined(path, name));
  for (auto& buffer : state.buffers)
    if (buffer.tensor.defined() && seen.insert(buffer.tensor.impl()).second)
      buffer.tensor.set_name(joined(path, buffer.name));
  for (auto& child : state.children) set_path(*child.module->state(), joined(path, child.name), seen);
}

template <class Visit>
void visit(const ModuleState& state, const std::string& prefix, bool recurse, const Visit& fn) {
  fn(prefix, state);
  if (!recurse) return;
  for (const auto& child : state.children) visit(*child.module->state(), joined(prefix, child.name), true, fn);
}

bool holds(const ModuleState& state, const ModuleState& wanted) {
  return &state == &wanted || std::any_of(state.children.begin(), state.children.end(),
                                          [&](const auto& child) { return holds(*child.module->state(), wanted); });
}

}  // namespace

void set_path(ModuleState& state, const std::string& path) {
  std::unordered_set<const void*> seen;
  set_path(state, path, seen);
}

std::string detail::type_name_of(const std::type_info& type) {
  int status = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? text : type.name();
  std::free(text);
  if (const auto bracket = name.find('<'); bracket != std::string::npos) name.erase(bracket);
  if (const auto colon = name.rfind("::"); colon != std::string::npos) name.erase(0, colon + 2);
  return name;
}

Module::Module() : ModuleMember(MemberKind::Module) {
  join_state(std::make_shared<ModuleState>(), nullptr, false);
  state_->born = default_generator().offset();
}

Module::Module(std::string type, std::string detail) : Module() {
  state_->type = std::move(type);
  state_->detail = std::move(detail);
}

Tensor Module::forward(const Tensor&) { throw ValueError(type_name() + ": forward of one tensor is not defined"); }

void Module::begin_call() const {
  gradus::detail::begin_layer(
      std::make_shared<gradus::detail::Layer>(gradus::detail::Layer{state_->path, type_name(), state_.get()}));
}

// In a handler.
void Module::call_failed(bool watched) const {
  if (watched) gradus::detail::end_layer(nullptr);
  try {
    throw;
  } catch (OutOfMemory& error) {
    error.add_layer(state_->path.empty() ? type_name() : state_->path + " (" + type_name() + ")");
    if (!state_->path.empty()) return;
    double weights = 0, gradients = 0;
    for (const Tensor& p : parameters()) {
      weights += static_cast<double>(p.numel() * p.element_size());
      if (p.grad().defined()) gradients += static_cast<double>(p.numel() * p.element_size());
    }
    error.add_held("the parameters of " + type_name() + " take " + byte_count(weights) + ", their gradients " +
                   byte_count(gradients));
  } catch (...) {
  }
}

std::size_t Module::add_hook(detail::ForwardHook hook) {
  if (!hook.before && !hook.after)
    throw ValueError(type_name() + ": a forward hook must be a function, got an empty one");
  hook.handle = state_->hooks.empty() ? 1 : state_->hooks.back().handle + 1;
  state_->hooks.push_back(std::move(hook));
  return state_->hooks.back().handle;
}

std::size_t Module::register_forward_pre_hook(std::function<Tensor(Module&, const Tensor&)> hook) {
  return add_hook({0, std::move(hook), nullptr});
}

std::size_t Module::register_forward_hook(std::function<Tensor(Module&, const Tensor&, const Tensor&)> hook) {
  return add_hook({0, nullptr, std::move(hook)});
}

void Module::remove_hook(std::size_t handle) {
  std::erase_if(state_->hooks, [&](const detail::ForwardHook& hook) { return hook.handle == handle; });
}

Tensor Module::forward_with_hooks(const Tensor& input) {
  const std::vector<detail::ForwardHook> hooks = state_->hooks;  // a hook may remove itself
  Tensor x = input;
  for (const auto& hook : hooks) {
    if (!hook.before) continue;
    if (Tensor changed = hook.before(*this, x); changed.defined()) x = std::move(changed);
  }
  Tensor y = detail::is_recomputed(*state_) ? detail::recomputed(*this, x) : forward(x);
  for (const auto& hook : hooks) {
    if (!hook.after) continue;
    if (Tensor changed = hook.after(*this, x, y); changed.defined()) y = std::move(changed);
  }
  return y;
}

void Module::check_new_name(const std::string& name) const {
  const auto refuse = [&](const char* rule) {
    throw ValueError(type_name() + ".add: " + rule + ", got '" + name + "'");
  };
  if (name.empty()) refuse("a member's name must not be empty");
  if (name.find('.') != std::string::npos) refuse("a member's name must not contain dots");
  for (const auto& entry : state_->parameters)
    if (entry.first == name) refuse("the name is taken by a parameter");
  for (const auto& buffer : state_->buffers)
    if (buffer.name == name) refuse("the name is taken by a buffer");
  for (const auto& child : state_->children)
    if (child.name == name) refuse("the name is taken by a module");
}

void Module::add_child(const std::string& name, std::shared_ptr<Module> child) {
  check_new_name(name);
  check_not_inside(*child);
  // One that is registered elsewhere already keeps the path it has there.
  if (child->state_->path.empty()) set_path(*child->state_, joined(state_->path, name));
  state_->children.push_back({name, std::move(child)});
}

void Module::check_not_inside(const Module& child) const {
  if (holds(*child.state_, *state_)) throw ValueError(type_name() + ".add: a module cannot be its own child");
}

Module& Module::add(const std::string& name, Module& registered) {
  add_child(name, kept_again(registered));
  return child_at(state_->children.size() - 1);
}

Parameter Module::add(const std::string& name, Parameter parameter) {
  check_new_name(name);
  if (parameter.defined()) parameter.set_name(joined(state_->path, name));
  state_->parameters.emplace_back(name, parameter);
  parameter.take_place(*this, state_->parameters.size() - 1);
  return parameter;
}

Buffer Module::add(const std::string& name, Buffer buffer, bool persistent) {
  check_new_name(name);
  if (buffer.defined()) buffer.set_name(joined(state_->path, name));
  state_->buffers.push_back({name, buffer, persistent});
  buffer.take_place(*this, state_->buffers.size() - 1);
  return buffer;
}

std::vector<NamedTensor> Module::named_parameters(bool recurse) const {
  std::vector<NamedTensor> result;
  std::unordered_set<const void*> seen;
  visit(*state_, "", recurse, [&](const std::string& prefix, const ModuleState& state) {
    for (const auto& [name, tensor] : state.parameters)
      if (tensor.defined() && seen.insert(tensor.impl()).second) result.emplace_back(joined(prefix, name), tensor);
  });
  return result;
}

std::vector<NamedTensor> Module::named_buffers(bool recurse) const {
  std::vector<NamedTensor> result;
  std::unordered_set<const void*> seen;
  visit(*state_, "", recurse, [&](const std::string& prefix, const ModuleState& state) {
    for (const auto& buffer : state.buffers)
      if (buffer.tensor.defined() && seen.insert(buffer.tensor.impl()).second)
        result.emplace_back(joined(prefix, buffer.name), buffer.tensor);
  });
  return result;
}

namespace {
std::vector<Tensor> without_names(std::vector<NamedTensor> named) {
  std::vector<Tensor> tensors;
  for (auto& [name, tensor] : named) tensors.push_back(std::move(tensor));
  return tensors;
}
}  // namespace

std::vector<Tensor> Module::parameters(bool recurse) const { return without_names(named_parameters(recurse)); }
std::vector<Tensor> Module::buffers(bool recurse) const { return without_names(named_buffers(recurse)); }

std::vector<NamedModule> Module::named_children() const {
  std::vector<NamedModule> result;
  for (std::size_t i = 0; i < state_->children.size(); ++i) result.emplace_back(state_->children[i].name, &child_at(i));
  return result;
}

std::vector<Module*> Module::children() const {
  std::vector<Module*> result;
  for (std::size_t i = 0; i < state_->children.size(); ++i) result.push_back(&child_at(i));
  return result;
}

namespace {
void visit_modules(Module& module, const std::string& prefix, std::unordered_set<const void*>& seen,
                   std::vector<NamedModule>& out) {
  if (!seen.insert(module.state().get()).second) return;
  out.emplace_back(prefix, &module);
  for (const auto& [name, child] : module.named_children()) visit_modules(*child, joined(prefix, name), seen, out);
}
}  // namespace

std::vector<NamedModule> Module::named_modules() {
  std::vector<NamedModule> result;
  std::unordered_set<const void*> seen;
  visit_modules(*this, "", seen, result);
  return result;
}

std::vector<Module*> Module::modules() {
  std::vector<Module*> result;
  for (const auto& [name, module] : named_modules()) result.push_back(module);
  return result;
}

Module& Module::get_submodule(const std::string& path) {
  Module* module = this;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    Module* next = nullptr;
    for (const auto& [name, child] : module->named_children())
      if (name == part) next = child;
    if (next == nullptr) {
      throw ValueError("get_submodule: " + module->type_name() + " has no module '" + part + "' (looking for '" + path +
                       "')");
    }
    module = next;
    begin = end + 1;
  }
  return *module;
}

void Module::put_child(const std::string& name, std::shared_ptr<Module> child) {
  const auto& children = state_->children;
  const auto at = std::find_if(children.begin(), children.end(), [&](const auto& other) { return other.name == name; });
  if (at == children.end()) {
    add_child(name, std::move(child));
  } else {
    set_child(static_cast<std::size_t>(at - children.begin()), std::move(child));
  }
}

void Module::set_submodule_to(const std::string& path, std::shared_ptr<Module> module) {
  const std::size_t dot = path.rfind('.');
  Module& parent = dot == std::string::npos ? *this : get_submodule(path.substr(0, dot));
  parent.put_child(dot == std::string::npos ? path : path.substr(dot + 1), std::move(module));
}

Tensor Module::get_parameter(const std::string& path) const {
  for (const auto& [name, tensor] : named_parameters())
    if (name == path) return tensor;
  throw ValueError("get_parameter: " + type_name() + " has no parameter '" + path + "'");
}

Module& Module::apply(const std::function<void(Module&)>& fn) {
  for (Module* child : children()) child->apply(fn);
  fn(*this);
  return *this;
}

Module& Module::train(bool mode) {
  for (Module* module : modules()) module->state_->training = mode;
  detail::settle_frozen(*state_);
  return *this;
}

Module& Module::requires_grad_(bool requires_grad) {
  for (Tensor& p : parameters()) p.requires_grad_(requires_grad);
  return *this;
}

void Module::zero_grad(bool set_to_none) {
  for (Tensor& p : parameters()) p.zero_grad(set_to_none);
}

namespace {

// Gives x other memory. The tensor keeps its identity: whoever holds it sees the new elements.
void take_memory_of(const Tensor& x, const Tensor& y) {
  auto& impl = *x.impl();
  // What was saved of it for a backward must notice.
  y.impl()->storage->version.store(x.version() + 1, std::memory_order_relaxed);
  impl.storage = y.impl()->storage;
  impl.data = y.impl()->data;
  impl.strides = y.impl()->strides;
  impl.contiguous = y.impl()->contiguous;
  impl.dtype = y.dtype();
}

}  // namespace

Module& Module::to(Dtype dtype) {
  if (!is_floating_point(dtype)) {
    throw DtypeError(std::string("Module.to: needs a floating-point type, got ") + gradus::to_string(dtype));
  }
  const auto convert = [dtype](const Tensor& x) {
    if (!x.is_floating_point() || x.dtype() == dtype) return;
    take_memory_of(x, x.detach().to(dtype));
    if (x.impl()->grad) x.impl()->grad = Tensor(x.impl()->grad).detach().to(dtype).ref();
  };
  for (const Tensor& p : parameters()) convert(p);
  for (const Tensor& b : buffers()) convert(b);
  return *this;
}

Module& Module::to(Device device) {
  require_available("Module.to", device);
  std::vector<Tensor> all = parameters();
  for (const Tensor& b : buffers()) all.push_back(b);
  // All copies are made before the first tensor changes: the device may have too little memory.
  std::vector<std::pair<Tensor, Tensor>> made;
  for (const Tensor& x : all) {
    const Tensor grad = x.impl()->grad ? Tensor(x.impl()->grad).detach().to(device) : Tensor();
    made.emplace_back(x.device() == device ? Tensor() : x.detach().to(device), grad);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (made[i].first.defined()) take_memory_of(all[i], made[i].first);
    if (made[i].second.defined()) all[i].impl()->grad = made[i].second.ref();
  }
  return *this;
}

std::string Module::type_name() const {
  return state_->type.empty() ? detail::type_name_of(typeid(*this)) : state_->type;
}

std::ostream& operator<<(std::ostream& out, const Module& module) { return out << module.to_string(); }

namespace {

// torch.typename: how Python names the type of a tensor in a ParameterDict.
std::string tensor_type(const Tensor& x) {
  const char* names[] = {"Float", "Double", "Long", "Int", "Byte", "Bool", "BFloat16", "Half", "Char", "Short"};
  const Dtype types[] = {kFloat32, kFloat64, kInt64, kInt32, kUInt8, kBool, kBFloat16, kFloat16, kInt8, kInt16};
  std::size_t i = 0;
  while (types[i] != x.dtype()) ++i;
  return std::string("torch.") + (x.device() == kCPU ? "" : "cuda.") + names[i] + "Tensor";
}

// What Python writes between the parentheses of a list or a dictionary of parameters.
std::string parameters_text(const ModuleState& state) {
  const std::size_t count = state.parameters.size();
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor& x = state.parameter(i);
    text += count > 1 ? "\n    (" : "  (";
    text += state.parameters[i].first;
    text += "): Parameter containing: [";
    text += state.type == "ParameterDict" ? tensor_type(x) : std::string("torch.") + gradus::to_string(x.dtype());
    text += " of size ";
    for (int d = 0; d < x.sizes().rank(); ++d) {
      if (d > 0) text += 'x';
      text += std::to_string(x.sizes()[d]);
    }
    if (x.device() != kCPU) text += " (" + gradus::to_string(x.device()) + ")";
    text += "]";
  }
  return count > 1 ? text + "\n" : text;
}

}  // namespace

std::string Module::to_string() const {
  if (state_->type == "ParameterList" || state_->type == "ParameterDict")
    return state_->type + "(" + parameters_text(*state_) + ")";
  std::string text = type_name() + "(" + state_->detail;
  const auto& children = state_->children;
  if (children.empty()) return text + ")";
  if (!state_->detail.empty()) text = type_name() + "(\n  " + state_->detail;
  std::vector<std::string> inner;
  for (std::size_t i = 0; i < children.size(); ++i) inner.push_back(child_at(i).to_string());
  // Equal neighbours in a list are printed once.
  const bool counted = state_->type == "ModuleList";
  for (std::size_t first = 0, end = 0; first < children.size(); first = end) {
    end = first + 1;
    while (counted && end < children.size() && inner[end] == inner[first]) ++end;
    std::string one = inner[first];
    for (std::size_t at = 0; (at = one.find('\n', at)) != std::string::npos; at += 3) one.insert(at + 1, "  ");
    text += "\n  (" + children[first].name;
    text += end - first > 1 ? "-" + children[end - 1].name + "): " + std::to_string(end - first) + " x " : "): ";
    text += one;
  }
  return text + "\n)";
}

}  // namespace gradus::nn

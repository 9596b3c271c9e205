// Putting adapters on layers, choosing among them, taking them off.
#include <gradus/core/pattern.h>
#include <gradus/nn/freeze.h>

#include <algorithm>

#include "nn/adapters/adapter.h"
#include "nn/module/paths.h"
#include "nn/parametrize/computed.h"

namespace gradus::nn {

using detail::adapted_modules;
using detail::Adapter;
using detail::Adapters;
using detail::adapters_of;

namespace {

thread_local const BatchAdapters* batch = nullptr;

bool is_of_adapter(const std::string& path) {
  return path.starts_with("adapters.") || path.find(".adapters.") != std::string::npos;
}

// Parameters, and what has statistics that would move; not dropout, which goes on.
void freeze_base(Module& net) {
  for (const auto& [name, p] : net.named_parameters())
    if (!is_of_adapter(name) && p.is_floating_point() && p.is_leaf()) gradus::freeze(p);
  for (const auto& [path, module] : net.named_modules()) {
    if (is_of_adapter(path + ".") || module->state()->buffers.empty() || adapters_of(*module) != nullptr) continue;
    if (module->state()->children.empty()) freeze(*module);
  }
}

void check_name(const char* call, const std::string& name) {
  if (!name.empty() && name.find('.') == std::string::npos) return;
  throw ValueError(std::string(call) + ": an adapter's name must not be empty or have dots, got '" + name + "'");
}

void check_unmerged(const char* call, const Module& net) {
  for (const auto& [path, module] : adapted_modules(net)) {
    if (const std::string& merged = adapters_of(*module)->merged; !merged.empty())
      throw ValueError(std::string(call) + ": '" + merged + "' is merged into the weights of " + path +
                       "; unmerge it first");
  }
}

// Where the layer computes; where the network does for one without parameters.
Device device_of(const Module& layer, const Module& net) {
  for (const Module* module : {&layer, &net})
    for (const Tensor& p : module->parameters()) return p.device();
  return kCPU;
}

Adapters& ensure(Module& layer) {
  if (Adapters* there = adapters_of(layer)) return *there;
  static_cast<void>(layer.add("adapters", Adapters()));
  Adapters& made = *adapters_of(layer);
  made.before_hook = layer.register_forward_pre_hook(
      [](Module& module, const Tensor& x) { return adapters_of(module)->before(module, x); });
  made.after_hook = layer.register_forward_hook(
      [](Module& module, const Tensor& x, const Tensor& y) { return adapters_of(module)->after(module, x, y); });
  return made;
}

}  // namespace

void detail::check_adapter(const char* call, const Module& net, const std::string& name) {
  const auto all = adapter_names(net);
  if (std::find(all.begin(), all.end(), name) != all.end()) return;
  std::string known;
  for (const std::string& other : all) known += (known.empty() ? "; there are " : ", ") + other;
  throw ValueError(std::string(call) + ": no layer of " + net.type_name() + " has an adapter '" + name + "'" + known);
}

std::vector<std::string> detail::attach(const char* call, Module& net, const std::string& pattern,
                                        const std::string& name, const FitsAdapter& fits, const MakeAdapter& make) {
  check_name(call, name);
  check_unmerged(call, net);
  std::vector<std::string> paths;
  std::vector<std::pair<Module*, std::shared_ptr<Module>>> made;
  bool matched = false;
  for (const auto& [path, module] : net.named_modules()) {
    if (is_of_adapter(path + ".") || !matches(pattern, path)) continue;
    matched = true;
    if (!fits(path, *module)) continue;
    const Adapters* there = adapters_of(*module);
    if (there != nullptr && there->find(name) != nullptr) {
      throw ValueError(std::string(call) + ": " + path + " has an adapter '" + name + "' already");
    }
    made.emplace_back(module, make(path, *module));
    made.back().second->to(device_of(*module, net));
    paths.push_back(path);
  }
  if (made.empty()) {
    throw ValueError(std::string(call) + ": no module " + (matched ? "that it can adapt in " : "of ") +
                     net.type_name() + " matches '" + pattern + "'");
  }
  const std::vector<std::string> before = adapter_names(net), active = active_adapters(net);
  for (const auto& [layer, adapter] : made) {
    Adapters& all = ensure(*layer);
    adapter->train(layer->state()->training);
    all.put(name, adapter);
    all.active = active;
  }
  freeze_base(net);
  // The first one runs at once; a further layer of one that runs does, too.
  if (before.empty()) set_adapter(net, name);
  return paths;
}

std::vector<std::string> adapter_names(const Module& net) {
  std::vector<std::string> all;
  for (const auto& [path, module] : adapted_modules(net))
    for (const std::string& name : adapters_of(*module)->names())
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  return all;
}

std::vector<std::string> active_adapters(const Module& net) {
  for (const auto& [path, module] : adapted_modules(net)) return adapters_of(*module)->active;
  return {};
}

void set_adapter(Module& net, const std::string& name) {
  set_adapters(net, name.empty() ? std::vector<std::string>() : std::vector<std::string>{name});
}

void set_adapters(Module& net, const std::vector<std::string>& names) {
  for (const std::string& name : names) detail::check_adapter("set_adapter", net, name);
  check_unmerged("set_adapter", net);
  for (const auto& [path, module] : adapted_modules(net)) adapters_of(*module)->active = names;
}

void delete_adapter(Module& net, const std::string& name) {
  detail::check_adapter("delete_adapter", net, name);
  check_unmerged("delete_adapter", net);
  for (const auto& [path, module] : adapted_modules(net)) adapters_of(*module)->drop(name);
}

std::vector<NamedTensor> named_adapter_parameters(const Module& net, const std::string& name) {
  detail::check_adapter("adapter_parameters", net, name);
  std::vector<NamedTensor> all;
  for (const auto& [path, module] : adapted_modules(net)) {
    const Adapter* adapter = adapters_of(*module)->find(name);
    if (adapter == nullptr) continue;
    for (const auto& [own, p] : adapter->named_parameters())
      all.emplace_back(joined(path, "adapters." + name + "." + own), p);
  }
  return all;
}

std::vector<Tensor> adapter_parameters(const Module& net, const std::string& name) {
  std::vector<Tensor> all;
  for (const auto& [own, p] : named_adapter_parameters(net, name)) all.push_back(p);
  return all;
}

std::vector<std::string> bitfit(Module& net, const std::string& pattern) {
  std::vector<std::string> names;
  for (const auto& [name, p] : net.named_parameters())
    if ((name == "bias" || name.ends_with("bias")) && matches(pattern, name)) names.push_back(name);
  if (names.empty()) {
    throw ValueError("bitfit: no bias of " + net.type_name() + " matches '" + pattern + "'");
  }
  freeze_base(net);
  for (const std::string& name : names) unfreeze(net, name);
  return names;
}

void unload_adapters(Module& net) {
  for (const auto& [path, module] : adapted_modules(net)) {
    const Adapters& all = *adapters_of(*module);
    module->remove_hook(all.before_hook);
    module->remove_hook(all.after_hook);
    detail::ComputedParameters::erase_child(*module, "adapters");
  }
}

BatchAdapters::BatchAdapters(const Module& net, std::vector<std::string> names)
    : names_(std::move(names)), before_(batch) {
  for (const std::string& name : names_)
    if (!name.empty()) detail::check_adapter("BatchAdapters", net, name);
  batch = this;
}

BatchAdapters::~BatchAdapters() { batch = before_; }

const std::vector<std::string>* BatchAdapters::current() { return batch == nullptr ? nullptr : &batch->names_; }

}  // namespace gradus::nn

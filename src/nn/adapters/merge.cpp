// Adapters into weights, and out of them.
#include <gradus/autograd.h>

#include <algorithm>
#include <unordered_map>

#include "core/tensor_access.h"
#include "nn/adapters/adapter.h"
#include "nn/module/paths.h"

namespace gradus::nn {

using detail::adapted_modules;
using detail::Adapter;
using detail::Adapters;
using detail::adapters_of;

namespace {

double largest(const Tensor& x) { return x.numel() == 0 ? 0 : amax(abs(x.detach().to(kFloat64))).item(); }

Tensor own_parameter(const Module& layer, const std::string& name) {
  for (const auto& [own, p] : layer.state()->parameters)
    if (own == name) return p;
  throw ValueError("merge_adapter: " + layer.type_name() + " has no parameter '" + name + "' of its own");
}

// While one lives, the network evaluates.
class Evaluating {
 public:
  explicit Evaluating(Module& net) : net_(net) {
    for (Module* module : net.modules()) before_.emplace_back(module, module->state()->training);
    net.eval();
  }
  ~Evaluating() {
    for (const auto& [module, training] : before_) module->state()->training = training;
    detail::settle_frozen(*net_.state());
  }
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;

 private:
  Module& net_;
  std::vector<std::pair<Module*, bool>> before_;
};

struct Change {
  Adapters* adapters;
  std::string path, name;
  Tensor tensor, value;  // and what it becomes
};

void check_whole(const Change& change, const std::unordered_map<const void*, int>& uses) {
  const std::string name = joined(change.path, change.name);
  const auto refuse = [&](const std::string& why) { throw ValueError("merge_adapter: '" + name + "' " + why); };
  if (!change.tensor.is_floating_point()) {
    refuse(std::string("is ") + to_string(change.tensor.dtype()) + "; only floating-point weights can be merged into");
  }
  if (uses.at(change.tensor.impl()) > 1) refuse("is shared with another module, which would change, too");
  if (!gradus::isfinite(change.value).all().item<bool>()) refuse("would hold numbers that are not finite");
}

}  // namespace

MergeReport merge_adapter(Module& net, const std::string& name, const std::function<Tensor()>& sample) {
  const NoGrad guard;
  detail::check_adapter("merge_adapter", net, name);
  std::unordered_map<const void*, int> uses;
  for (Module* module : net.modules())
    for (const auto& [own, p] : module->state()->parameters)
      if (p.defined()) ++uses[p.impl()];
  MergeReport report;
  std::vector<Change> changes;
  for (const auto& [path, module] : adapted_modules(net)) {
    Adapters& all = *adapters_of(*module);
    if (!all.merged.empty()) {
      throw ValueError("merge_adapter: '" + all.merged + "' is merged into the weights of " + path +
                       "; unmerge it first");
    }
    const Adapter* adapter = all.find(name);
    if (adapter == nullptr) continue;
    report.layers.push_back(path);
    for (const auto& [own, value] : adapter->merged(*module)) {
      const Tensor now = own_parameter(*module, own);
      changes.push_back({&all, path, own, now, Tensor()});
      changes.back().value = now.is_floating_point() ? value.to(now.dtype()) : value;
      check_whole(changes.back(), uses);
      report.largest_weight_change =
          std::max(report.largest_weight_change, largest(changes.back().value.to(kFloat64) - now.to(kFloat64)));
    }
  }
  const Evaluating evaluating(net);
  const std::vector<std::string> active = active_adapters(net);
  Tensor before;
  if (sample) {
    set_adapter(net, name);
    try {
      before = sample().detach().clone();
    } catch (...) {
      set_adapters(net, active);
      throw;
    }
  }
  for (const auto& [path, module] : adapted_modules(net)) adapters_of(*module)->active = {name};
  for (Change& change : changes) {
    change.adapters->merged = name;
    change.adapters->originals.emplace_back(change.name, change.tensor.detach().clone());
    change.tensor.detach().copy_(change.value);
  }
  if (sample) {
    try {
      const Tensor after = sample();
      report.largest_output = largest(before);
      report.largest_output_change = largest(after.to(kFloat64) - before.to(kFloat64));
    } catch (...) {
      unmerge_adapter(net);
      set_adapters(net, active);
      throw;
    }
  }
  return report;
}

void unmerge_adapter(Module& net) {
  const NoGrad guard;
  bool any = false;
  for (const auto& [path, module] : adapted_modules(net)) {
    Adapters& all = *adapters_of(*module);
    any = any || !all.merged.empty();
    for (const auto& [name, original] : all.originals) own_parameter(*module, name).detach().copy_(original);
    all.originals.clear();
    all.merged.clear();
  }
  if (!any) throw ValueError("unmerge_adapter: no adapter of " + net.type_name() + " is merged");
}

}  // namespace gradus::nn

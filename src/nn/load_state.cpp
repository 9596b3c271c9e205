// state_dict and load_state_dict.
#include <gradus/autograd.h>
#include <gradus/nn/freeze.h>

#include <unordered_map>

#include "core/weight_view.h"

namespace gradus::nn {

namespace {

// Every name, also the second names of tied tensors, as PyTorch lists them.
template <class Value>
void collect(const detail::ModuleState& state, const std::string& prefix, StateDict& dict, Value&& value) {
  for (const auto& [name, tensor] : state.parameters)
    if (tensor.defined()) dict.set(prefix + name, value(tensor));
  for (const auto& buffer : state.buffers)
    if (buffer.persistent && buffer.tensor.defined()) dict.set(prefix + buffer.name, buffer.tensor.detach());
  for (const auto& child : state.children) collect(*child.module->state(), prefix + child.name + ".", dict, value);
}

// Files from before PyTorch 0.4.1 lack these counters, and so do torchvision's. As there, they keep their values.
bool counts_batches(const std::string& name) {
  return name == "num_batches_tracked" || name.ends_with(".num_batches_tracked");
}

}  // namespace

StateDict Module::state_dict() const {
  StateDict dict;
  collect(*state_, "", dict, gradus::detail::resulting_weights);
  dict.frozen = frozen_names(*this);
  return dict;
}

LoadReport Module::load_state_dict(const StateDict& dict, const LoadOptions& options) {
  StateDict own;
  collect(*state_, "", own, [](const Tensor& p) { return p; });
  LoadReport report;
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, tensor] : own) {
    const Tensor* source = dict.find(name);
    if (source == nullptr && counts_batches(name)) {
      continue;
    } else if (source == nullptr) {
      report.missing.push_back(name);
    } else if (!source->defined() || !(source->sizes() == tensor.sizes())) {
      report.mismatched.push_back(name + ": " + gradus::to_string(tensor.sizes()) + " in the module, " +
                                  (source->defined() ? gradus::to_string(source->sizes()) : "undefined") +
                                  " in the dict");
    } else {
      report.loaded.push_back(name);
      copies.emplace_back(tensor, *source);
    }
  }
  for (const auto& [name, tensor] : dict)
    if (!own.contains(name)) report.unexpected.push_back(name);

  const bool refused = (options.strict && (!report.missing.empty() || !report.unexpected.empty())) ||
                       (!options.skip_mismatched && !report.mismatched.empty());
  if (refused)
    throw ValueError(type_name() + ".load_state_dict: the names or sizes do not agree: " + report.to_string());

  if (options.check_only) return report;
  NoGrad guard;
  for (auto& [to, from] : copies) {
    if (const auto view = gradus::detail::weight_view(to)) {
      view->load(to, from.detach());
    } else {
      to.detach().copy_(from.detach());
    }
  }
  if (options.freezing && dict.frozen) set_frozen_names(*this, *dict.frozen);
  return report;
}

}  // namespace gradus::nn

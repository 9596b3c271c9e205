// state_dict and load_state_dict.
#include <gradus/autograd.h>
#include <gradus/nn/freeze.h>

#include <algorithm>

#include "core/own_loads.h"
#include "core/weight_view.h"
#include "nn/parametrize/computed.h"

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

// What a module of Python's adds to its state dict, for which there is no place here, and what io::load_state_dict puts
// for entries that are not tensors.
bool can_be_left_out(const std::string& name, const Tensor& tensor) {
  return name == "_extra_state" || name.ends_with("._extra_state") || !tensor.defined() || tensor.numel() == 0;
}

// PyTorch before 0.4 had no tensors without dimensions: its files have one element instead.
bool fits(const Tensor& own, const Tensor& source) {
  return own.sizes() == source.sizes() ||
         (own.numel() == 1 && source.numel() == 1 && own.dim() <= 1 && source.dim() <= 1);
}

// safetensors files have tied tensors under one of their names.
const Tensor* find_tied(const StateDict& dict, const StateDict& own, const Tensor& tensor) {
  for (const auto& [name, other] : own) {
    if (!other.is_same(tensor)) continue;
    if (const Tensor* found = dict.find(name)) return found;
  }
  return nullptr;
}

// Where names of the dict have something before those of the network: what to do.
std::string advice(const LoadReport& report) {
  for (const std::string& name : report.missing) {
    for (const std::string& other : report.unexpected) {
      if (!other.ends_with("." + name)) continue;
      return ". '" + other.substr(0, other.size() - name.size()) + "' stands before '" + name +
             "'; io::load_state_dict drops it with {.fit = net.state_dict()}";
    }
  }
  return "";
}

}  // namespace

StateDict Module::state_dict() const {
  StateDict dict;
  collect(*state_, "", dict, gradus::detail::resulting_weights);
  dict.frozen = frozen_names(*this);
  return dict;
}

LoadReport Module::load_state_dict(const StateDict& given, const LoadOptions& options) {
  std::optional<StateDict> renamed;
  for (const auto& [name, older] : detail::ComputedParameters::older_names(*this)) {
    if (given.contains(name) || !given.contains(older)) continue;
    if (!renamed) renamed = given;
    renamed->set(name, given.at(older));
    renamed->erase(older);
  }
  const StateDict& dict = renamed ? *renamed : given;
  StateDict own;
  collect(*state_, "", own, [](const Tensor& p) { return p; });
  LoadReport report;
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, tensor] : own) {
    const Tensor* source = dict.find(name);
    if (source == nullptr) source = find_tied(dict, own, tensor);
    if (source == nullptr && counts_batches(name)) {
      continue;
    } else if (source == nullptr) {
      report.missing.push_back(name);
    } else if (!source->defined() || !fits(tensor, *source)) {
      report.mismatched.push_back(name + ": " + gradus::to_string(tensor.sizes()) + " in the module, " +
                                  (source->defined() ? gradus::to_string(source->sizes()) : "undefined") +
                                  " in the dict");
    } else {
      report.loaded.push_back(name);
      copies.emplace_back(tensor, *source);
    }
  }
  bool unknown = false;
  for (const auto& [name, tensor] : dict) {
    if (own.contains(name)) continue;
    report.unexpected.push_back(name);
    unknown = unknown || !can_be_left_out(name, tensor);
  }

  const bool refused = (options.strict && (!report.missing.empty() || unknown)) ||
                       (!options.skip_mismatched && !report.mismatched.empty());
  if (refused)
    throw ValueError(type_name() + ".load_state_dict: the names or sizes do not agree: " + report.to_string() +
                     advice(report));

  if (options.check_only) return report;
  const bool own_memory = !copies.empty() && std::all_of(copies.begin(), copies.end(), [](const auto& copy) {
    return copy.first.numel() == copy.second.numel() && copy.first.const_data_ptr() == copy.second.const_data_ptr();
  });
  if (own_memory) core::note_own_load(state_.get());
  NoGrad guard;
  for (auto& [to, from] : copies) {
    if (!(from.sizes() == to.sizes())) from = from.reshape(to.sizes());
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

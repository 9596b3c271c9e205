// state_dict and load_state_dict.
#include <gradus/autograd.h>
#include <gradus/nn/freeze.h>
#include <gradus/ops.h>

#include <algorithm>

#include "core/own_loads.h"
#include "core/weight_view.h"
#include "nn/adapters/int8.h"
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

// Weights of int8 have a scale beside them: floating-point ones of a dict become numbers with a scale where the module
// has those, and numbers with a scale floating-point ones where it does not.
void translate_int8(const StateDict& own, const StateDict& given, std::optional<StateDict>& translated) {
  const NoGrad guard;
  for (const auto& [name, tensor] : own) {
    const Tensor* source = given.find(name);
    if (source == nullptr || !source->defined() || !(source->sizes() == tensor.sizes()) || tensor.dim() != 2) continue;
    const std::string scale = detail::int8_scale_of(name);
    const Tensor* given_scale = given.find(scale);
    if (detail::is_int8(tensor) && own.contains(scale) && source->is_floating_point() && given_scale == nullptr) {
      if (!gradus::isfinite(*source).all().item<bool>())
        throw ValueError("load_state_dict: '" + name + "' has numbers that are not finite, and is int8 in the module");
      if (!translated) translated = given;
      const detail::Int8Weight made = detail::int8_of(source->detach());
      translated->set(name, made.numbers);
      translated->set(scale, made.scale);
    } else if (tensor.is_floating_point() && !own.contains(scale) && detail::is_int8(*source) &&
               given_scale != nullptr && given_scale->defined() && given_scale->is_floating_point() &&
               given_scale->sizes() == Shape{tensor.size(0)}) {
      if (!translated) translated = given;
      translated->set(name, source->to(given_scale->dtype()) * unsqueeze(*given_scale, 1));
      translated->erase(scale);
    }
  }
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
  StateDict own;
  collect(*state_, "", own, [](const Tensor& p) { return p; });
  const std::optional<StateDict> before = renamed;
  translate_int8(own, before ? *before : given, renamed);
  const StateDict& dict = renamed ? *renamed : given;
  LoadReport report;
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [name, tensor] : own) {
    const Tensor* source = dict.find(name);
    if (source == nullptr) source = find_tied(dict, own, tensor);
    if (source == nullptr && counts_batches(name)) {
      continue;
    } else if (source == nullptr) {
      report.missing.push_back(name);
    } else if (source->defined() && detail::is_int8(tensor) != detail::is_int8(*source) &&
               own.contains(detail::int8_scale_of(name))) {
      report.mismatched.push_back(name + ": int8 with a scale in the module, " + gradus::to_string(source->dtype()) +
                                  " in the dict");
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

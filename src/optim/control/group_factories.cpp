#include <gradus/core/pattern.h>
#include <gradus/nn/layers/embedding.h>
#include <gradus/optim/control/group_factories.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_set>

#include "core/range.h"
#include "kernels/math.h"

namespace gradus::optim {

namespace {

bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return matches(p, name); });
}

bool decays(const NamedTensor& named, const std::vector<std::string>& no_decay) {
  return named.second.dim() > 1 && !named.first.ends_with("bias") && !matches_any(no_decay, named.first);
}

// ValueError for a pattern that no name matches: it is misspelt.
void check_patterns(const char* call, const Params& params, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (std::none_of(params.begin(), params.end(), [&](const NamedTensor& p) { return matches(pattern, p.first); }))
      throw ValueError(std::string(call) + ": no parameter matches '" + pattern + "'");
  }
}

Params trainable(const char* call, const Params& params) {
  Params kept = filter(params, [](const Tensor& p) { return p.requires_grad(); });
  if (kept.empty()) throw ValueError(std::string(call) + ": no parameter requires a gradient");
  return kept;
}

}  // namespace

void detail::check_decay(const char* call, double weight_decay) {
  check_range(call, "weight_decay", weight_decay, at_least(0));
}

std::vector<detail::DecayPart> detail::split_by_decay(const char* call, const Params& params,
                                                      const std::vector<std::string>& no_decay) {
  check_patterns(call, params, no_decay);
  std::vector<NamedTensor> with, without;
  for (const NamedTensor& p : trainable(call, params)) (decays(p, no_decay) ? with : without).push_back(p);
  std::vector<DecayPart> parts;
  if (!without.empty()) parts.push_back({"no decay", 1, false, without});
  if (!with.empty()) parts.push_back({"decay", 1, true, with});
  return parts;
}

std::vector<detail::DecayPart> detail::split_by_layer(const Params& params, const LayerDecayOptions& o) {
  const char* call = "layer_decay_groups";
  check_decay(call, o.weight_decay);
  if (!(o.lr >= 0) || std::isinf(o.lr)) {
    throw ValueError(std::string(call) + ": lr must be finite and at least 0, got " + gradus::to_string(o.lr));
  }
  if (!(o.layer_decay > 0 && o.layer_decay <= 1)) {
    throw ValueError(std::string(call) + ": layer_decay must be in (0, 1], got " + gradus::to_string(o.layer_decay));
  }
  check_patterns(call, params, o.no_decay);
  const std::string prefix = o.layers + ".";
  // All count as layers, also those that do not train.
  std::map<std::string, int> layers;
  for (const auto& [name, p] : params) {
    if (!name.starts_with(prefix)) continue;
    const std::string layer = name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size());
    layers.emplace(layer, static_cast<int>(layers.size()) + 1);
  }
  if (layers.empty()) throw ValueError(std::string(call) + ": no parameter is in layers '" + o.layers + "'");
  const int last = static_cast<int>(layers.size()) + 1;
  std::map<std::pair<int, bool>, std::vector<NamedTensor>> found;
  const Params train = trainable(call, params);
  std::unordered_set<const void*> trains;
  for (const auto& [name, p] : train) trains.insert(p.impl());
  bool after = false;
  for (const NamedTensor& named : params) {
    const std::string& name = named.first;
    int layer = after ? last : 0;
    if (name.starts_with(prefix)) {
      after = true;
      layer = layers.at(name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size()));
    }
    if (trains.contains(named.second.impl())) found[{layer, decays(named, o.no_decay)}].push_back(named);
  }
  std::vector<DecayPart> parts;
  for (const auto& [key, tensors] : found) {
    const auto& [layer, decaying] = key;
    parts.push_back({"layer " + std::to_string(layer) + (decaying ? ", decay" : ", no decay"),
                     math::pow(o.layer_decay, last - layer), decaying, tensors});
  }
  return parts;
}

std::vector<MuonOptions> muon_groups(const nn::Module& net, const std::vector<std::string>& adamw) {
  const Params params(net);
  check_patterns("muon_groups", params, adamw);
  std::unordered_set<const void*> tables;
  for (nn::Module* module : const_cast<nn::Module&>(net).modules())
    if (const auto* table = module->as<nn::Embedding>()) tables.insert(table->weight.impl());
  std::vector<NamedTensor> matrices, rest;
  for (const NamedTensor& p : trainable("muon_groups", params)) {
    const bool matrix = p.second.dim() == 2 && !tables.contains(p.second.impl()) && !matches_any(adamw, p.first);
    (matrix ? matrices : rest).push_back(p);
  }
  std::vector<MuonOptions> groups;
  if (!matrices.empty()) groups.push_back({.params = matrices, .name = "matrices"});
  if (!rest.empty()) groups.push_back({.params = rest, .fallback = "all", .name = "rest"});
  return groups;
}

}  // namespace gradus::optim

// Groups that fine-tuning usually wants: no decay for norms and biases, rates that fall layer by layer, Muon for
// matrices. Parameters that need no gradient are in none of them.
//
//   optim::AdamW opt(optim::decay_groups<optim::AdamW>(net, 0.05), {.lr = 1e-3});
//   optim::AdamW opt(optim::layer_decay_groups<optim::AdamW>(
//       net, {.layers = "encoder.layers", .lr = 1e-3, .layer_decay = 0.75, .weight_decay = 0.05}));
//   optim::Muon opt(optim::muon_groups(net, {"head"}), {.lr = 0.02});
#pragma once

#include <gradus/nn/module.h>
#include <gradus/optim/muon.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

struct LayerDecayOptions {
  std::string layers;         // the module whose children are the layers: "encoder.layers"
  double lr = 1e-3;           // of what comes after them
  double layer_decay = 0.75;  // each layer has the rate of the next one times this
  double weight_decay = 0.05;
  std::vector<std::string> no_decay = {};  // patterns of further parameters without decay
};

namespace detail {
struct DecayPart {
  std::string name;
  double scale;  // of the rate
  bool decays;
  Params params;
};
std::vector<DecayPart> split_by_decay(const char* call, const Params& params, const std::vector<std::string>& no_decay);
std::vector<DecayPart> split_by_layer(const Params& params, const LayerDecayOptions& options);
void check_decay(const char* call, double weight_decay);
}  // namespace detail

// Two groups, "no decay" and "decay": without decay are tensors of at most one dimension (norms, biases), names that
// end in "bias", and what matches one of the patterns. As timm's param_groups_weight_decay.
template <class O>
std::vector<typename O::GroupOptions> decay_groups(const Params& params, double weight_decay,
                                                   const std::vector<std::string>& no_decay = {}) {
  detail::check_decay("decay_groups", weight_decay);
  std::vector<typename O::GroupOptions> groups;
  for (const auto& part : detail::split_by_decay("decay_groups", params, no_decay)) {
    typename O::GroupOptions group;
    group.params = part.params;
    group.name = part.name;
    group.weight_decay = part.decays ? weight_decay : 0;
    groups.push_back(group);
  }
  return groups;
}

// Up to two groups for each layer, "layer 3, decay" and "layer 3, no decay": the rate falls by `layer_decay` from each
// layer to the one before it. What is registered before the layers is layer 0 (embeddings), what comes after them (a
// head) has the whole rate. As timm's param_groups_layer_decay. ValueError where no parameter is in `layers`.
template <class O>
std::vector<typename O::GroupOptions> layer_decay_groups(const Params& params, const LayerDecayOptions& options) {
  std::vector<typename O::GroupOptions> groups;
  for (const auto& part : detail::split_by_layer(params, options)) {
    typename O::GroupOptions group;
    group.params = part.params;
    group.name = part.name;
    group.lr = options.lr * part.scale;
    group.weight_decay = part.decays ? options.weight_decay : 0;
    groups.push_back(group);
  }
  return groups;
}

// Two groups for optim::Muon: "matrices", and "rest", which AdamW updates: all that are no matrices, the tables of
// embeddings, and what matches one of the patterns (the last layer, as its authors advise).
std::vector<MuonOptions> muon_groups(const nn::Module& net, const std::vector<std::string>& adamw = {});

}  // namespace gradus::optim

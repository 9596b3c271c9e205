// Parameter groups for fine-tuning: no weight decay for norms and biases, learning rates that decrease layer by layer,
// Muon for matrices. Parameters that do not require a gradient are in none of the groups.
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
  double lr = 1e-3;           // the rate of what comes after the layers
  double layer_decay = 0.75;  // in (0, 1]: each layer has the rate of the next one times this
  double weight_decay = 0.05;
  std::vector<std::string> no_decay = {};  // patterns of more parameters without weight decay
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

// Two groups, "no decay" and "decay". Without decay are tensors of at most one dimension (norms, biases), parameters
// whose names end in "bias", and those that match one of the patterns. As timm's param_groups_weight_decay. ValueError
// for a negative weight_decay.
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

// Up to two groups for each layer, "layer 3, decay" and "layer 3, no decay": the rate decreases by the factor
// `layer_decay` from each layer to the one before it. What is registered before the layers (embeddings) is layer 0;
// what is registered after them (a head) has the full rate. As timm's param_groups_layer_decay. ValueError where no
// parameter is in `layers`, and for options out of range.
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

// Two groups for optim::Muon: "matrices", and "rest", which AdamW updates. The rest are the parameters that are not
// matrices, the tables of embeddings, and what matches one of the patterns (the last layer, as Muon's authors advise).
std::vector<MuonOptions> muon_groups(const nn::Module& net, const std::vector<std::string>& adamw = {});

}  // namespace gradus::optim

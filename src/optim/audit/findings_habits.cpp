// What often costs quality and is never an error.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Watch = Audit::Watch;
using Names = std::vector<std::string>;

double number_of(const Optimizer& optimizer, std::size_t group, const std::string& option) {
  for (const std::string& name : optimizer.option_names()) {
    if (name != option) continue;
    const OptionValue value = optimizer.option(group, name);
    if (const double* number = std::get_if<double>(&value)) return *number;
  }
  return std::nan("");
}

void bias_before_norm(const nn::detail::ModuleState& state, const std::string& path, Names& names) {
  for (std::size_t i = 0; i + 1 < state.children.size(); ++i) {
    const auto& layer = *state.children[i].module->state();
    const std::string& next = state.children[i + 1].module->state()->type;
    const bool sums = layer.type == "Linear" || layer.type.rfind("Conv", 0) == 0;
    if (state.type != "Sequential" || !sums || (next.rfind("BatchNorm", 0) != 0 && next != "SyncBatchNorm")) continue;
    for (const auto& [name, tensor] : layer.parameters)
      if (name == "bias" && tensor.defined())
        names.push_back((path.empty() ? "" : path + ".") + state.children[i].name + ".bias");
  }
}

// Where the decay is added to the gradient, which is then divided by its own size.
bool divides_decay(const std::string& type) {
  for (const char* one : {"Adam", "Adadelta", "Adagrad", "Adamax", "RMSprop"})
    if (type == one) return true;
  return false;
}

}  // namespace

// Options that no task asks for.
void conclude_options(const Conclusions& c) {
  for (const Watch::Known& k : c.watch.optimizers) {
    if (k.optimizer == nullptr) continue;
    const auto options = k.optimizer->option_names();
    for (std::size_t g = 0; g < k.optimizer->group_count(); ++g) {
      const std::string place = fmt::format("{}[{}]", k.name, g);
      for (const std::string& name : options) {
        const OptionValue value = k.optimizer->option(g, name);
        if (const auto* betas = std::get_if<std::pair<double, double>>(&value);
            betas != nullptr && name == "betas" && betas->first > betas->second && k.type != "Lion" &&
            k.type != "Lion8bit")
          c.add("swapped-betas", {place}, fmt::format("betas are {{{}, {}}}", betas->first, betas->second));
      }
      const double shrinks = number_of(*k.optimizer, g, "weight_decay") * number_of(*k.optimizer, g, "lr");
      if (shrinks >= 0.1 && shrinks < 10 && !divides_decay(k.type) && !c.watch.options.habits)
        c.add("huge-decay", {place},
              fmt::format("weight_decay times lr is {:.2g}: each step takes so much off every weight", shrinks));
    }
  }
}

void conclude_habits(const Conclusions& c) {
  Names decayed, coupled;
  for (const Watch::Known& k : c.watch.optimizers) {
    if (k.optimizer == nullptr) continue;
    for (std::size_t g = 0; g < k.optimizer->group_count(); ++g) {
      const double decay = number_of(*k.optimizer, g, "weight_decay");
      const std::string place = fmt::format("{}[{}]", k.name, g);
      if (decay > 0.3) c.add("huge-decay", {place}, fmt::format("weight_decay is {}", decay));
      if (decay > 0 && k.type == "Adam") coupled.push_back(place);
      if (!(decay > 0)) continue;
      for (const auto& [name, tensor] : k.optimizer->group_params(g)) {
        const auto found = c.watch.parameters.find(tensor.impl());
        if (found != c.watch.parameters.end() && tensor.dim() < 2) decayed.push_back(found->second.name);
      }
    }
  }
  c.add("decayed-norms", decayed);
  c.add("coupled-decay", coupled);
  Names biases;
  for (const auto& model : c.watch.models)
    visit_states(*model.state, model.name, [&](const nn::detail::ModuleState& state, const std::string& path) {
      bias_before_norm(state, path, biases);
    });
  for (const std::string& name : c.watch.biases_before_norm)
    if (std::find(biases.begin(), biases.end(), name) == biases.end()) biases.push_back(name);
  c.add("bias-before-norm", biases);
  if (!c.watch.input_scales.empty())
    c.add("input-scale", {"the input"},
          fmt::format("the standard deviations of its columns go from {:.3g} to {:.3g}", c.watch.input_scales.front(),
                      c.watch.input_scales.back()));
}

}  // namespace gradus::optim

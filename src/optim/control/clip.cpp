#include <gradus/ops.h>
#include <gradus/optim/control/clip.h>
#include <gradus/optim/optimizer.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "core/recorded_step.h"
#include "optim/engine/gradients.h"
#include "optim/engine/watch.h"

namespace gradus {

namespace {

using optim::Gradients;

Gradients gradients_of(const std::string& call, const optim::Params& parameters) {
  Gradients all;
  for (const optim::NamedTensor& parameter : parameters) all.add_gradient_of(call, parameter);
  return all;
}

std::string number(double x) { return optim::to_string(optim::OptionValue(x)); }

void tell(const optim::Params& parameters) {
  optim::tell_watchers([&](optim::Watcher& watcher) {
    std::vector<Tensor> tensors;
    for (const auto& [name, tensor] : parameters) tensors.push_back(tensor);
    watcher.clipped(tensors);
  });
}

void check_limit(const std::string& call, const char* argument, double limit) {
  if (!(limit >= 0)) throw ValueError(call + ": " + argument + " must be at least 0, got " + number(limit));
}

// Norms of order 0 and below, which PyTorch takes, too: the norm of the tensors' norms.
std::pair<std::vector<double>, double> low_norm(const Gradients& all, double norm_type) {
  std::vector<double> norms;
  for (const Tensor& x : all.tensors) norms.push_back(gradus::norm(x.detach().to(kFloat64), norm_type).item());
  if (norms.empty()) return {norms, 0};
  return {norms, gradus::norm(tensor(norms, {.dtype = kFloat64}), norm_type).item()};
}

double total_norm(const std::string& call, const Gradients& all, double norm_type, bool error_if_nonfinite) {
  core::refuse_recording(call, core::kWaits);
  std::vector<double> powers;
  double norm = 0;
  const bool local = std::all_of(all.ranks.begin(), all.ranks.end(), [](int rank) { return rank < 0; });
  if (norm_type <= 0 && local) {
    std::tie(powers, norm) = low_norm(all, norm_type);
  } else {
    optim::check_norm_type(call, norm_type);
    powers = all.powers(norm_type);
    norm = optim::norm_of(powers, norm_type);
  }
  if (error_if_nonfinite && !std::isfinite(norm)) {
    const std::size_t bad = optim::first_nonfinite(powers);
    throw ValueError(call + ": the norm must be finite, got " + number(norm) +
                     (bad < powers.size() ? ", from '" + all.names[bad] + "'" : std::string()));
  }
  return norm;
}

Tensor as_tensor(double norm, const Gradients& all) {
  for (const kernel::Elements& x : all.elements)
    if (x.dtype == kFloat64) return Tensor::scalar(norm, kFloat64);
  return Tensor::scalar(norm, kFloat32);
}

}  // namespace

namespace nn::utils {

Tensor get_total_norm(const optim::Params& tensors, double norm_type, bool error_if_nonfinite) {
  const std::string call = "get_total_norm";
  Gradients all;
  for (const optim::NamedTensor& tensor : tensors) all.add(call, tensor);
  return as_tensor(total_norm(call, all, norm_type, error_if_nonfinite), all);
}

void clip_grads_with_norm_(const optim::Params& parameters, double max_norm, const Tensor& total_norm) {
  check_limit("clip_grads_with_norm_", "max_norm", max_norm);
  gradients_of("clip_grads_with_norm_", parameters).scale(optim::clip_factor(max_norm, total_norm.item()));
  tell(parameters);
}

Tensor clip_grad_norm_(const optim::Params& parameters, double max_norm, double norm_type, bool error_if_nonfinite) {
  const std::string call = "clip_grad_norm_";
  check_limit(call, "max_norm", max_norm);
  const Gradients all = gradients_of(call, parameters);
  const double norm = total_norm(call, all, norm_type, error_if_nonfinite);
  all.scale(optim::clip_factor(max_norm, norm));
  if (std::isfinite(max_norm)) tell(parameters);
  return as_tensor(norm, all);
}

void clip_grad_value_(const optim::Params& parameters, double clip_value) {
  check_limit("clip_grad_value_", "clip_value", clip_value);
  gradients_of("clip_grad_value_", parameters).clamp(clip_value);
  tell(parameters);
}

}  // namespace nn::utils

namespace optim {

void Optimizer::set_clipping(const ClippingOptions& options) {
  const std::string call = std::string(name()) + ".set_clipping";
  check_norm_type(call, options.norm_type);
  for (const auto& [argument, limit] : {std::pair("max_norm", options.max_norm), {"max_value", options.max_value}}) {
    if (limit && !(std::isfinite(*limit) && *limit >= 0))
      throw ValueError(call + ": " + argument + " must be finite and at least 0, got " + number(*limit));
  }
  clipping_ = options;
}

bool Optimizer::clip() {
  grad_norms_.clear();
  if (!clipping_) return true;
  const ClippingOptions& o = *clipping_;
  std::vector<Gradients> sets(1);
  for (std::size_t g = 0; g < group_count(); ++g) {
    if (g > 0 && o.per_group) sets.emplace_back();
    for (const NamedTensor& parameter : group_params(g)) {
      if (!gradus::detail::is_frozen(*parameter.second.impl())) sets.back().add_gradient_of(name(), parameter);
    }
  }
  // All are looked at before one is changed.
  const bool watch = o.nonfinite != NonFinite::propagate;
  std::vector<std::vector<double>> powers(sets.size());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (!watch && !o.max_norm) continue;
    core::refuse_recording(std::string(name()) + ".step with a limit on the norm or a check for NaN", core::kWaits);
    powers[i] = sets[i].powers(o.norm_type);
    if (!watch || first_nonfinite(powers[i]) == powers[i].size()) continue;
    // The powers of finite elements may overflow: the largest element decides.
    const auto largest = sets[i].powers(std::numeric_limits<double>::infinity());
    const std::size_t bad = first_nonfinite(largest);
    if (bad == largest.size()) continue;
    if (o.nonfinite == NonFinite::skip) return false;
    throw ValueError(std::string(name()) + ": the gradient of parameter '" + sets[i].names[bad] +
                     "' must be finite, its step " + std::to_string(steps_of(sets[i].owners[bad]) + 1) + " got " +
                     number(largest[bad]));
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (o.max_value) {
      sets[i].clamp(*o.max_value);
      if (o.max_norm) powers[i] = sets[i].powers(o.norm_type);
    }
    if (!o.max_norm) continue;
    grad_norms_.push_back(norm_of(powers[i], o.norm_type));
    sets[i].scale(clip_factor(*o.max_norm, grad_norms_.back()));
  }
  return true;
}

}  // namespace optim

}  // namespace gradus

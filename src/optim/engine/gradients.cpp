#include "optim/engine/gradients.h"
#include "autograd/gradient_owner.h"
#include "kernels/math.h"

#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>

namespace gradus::optim {

namespace {
void bump_versions(const std::vector<Tensor>& tensors) {
  for (const Tensor& x : tensors)
    if (x.defined()) gradus::detail::bump_version(x);
}
}  // namespace

kernel::Elements elements_of(const std::string& call, const Tensor& x) {
  if (!x.is_contiguous() || (x.dtype() != kFloat32 && x.dtype() != kFloat64)) {
    throw ValueError(call + ": needs a contiguous tensor of float32 or float64" +
                     (x.name().empty() ? "" : " for '" + x.name() + "'") + ", got " + gradus::to_string(x.sizes()) +
                     " " + gradus::to_string(x.dtype()) + " with strides " + gradus::to_string(x.strides()));
  }
  return {x.impl()->data, x.numel(), x.dtype(), x.device()};
}

void Gradients::add(const std::string& call, const NamedTensor& tensor, const Tensor& owner) {
  const auto& [name, x] = tensor;
  if (x.dtype() != kFloat32 && x.dtype() != kFloat64) {
    throw DtypeError(call + ": '" + name + "' must be float32 or float64, got " + gradus::to_string(x.dtype()));
  }
  names.push_back(name);
  tensors.push_back(x.contiguous());
  elements.push_back(elements_of(call, tensors.back()));
  owners.push_back(owner);
  ranks.push_back(-1);
}

void Gradients::add_gradient_of(const std::string& call, const NamedTensor& parameter) {
  Tensor x = parameter.second;
  Tensor grad = x.grad();
  const std::string& name = parameter.first.empty() ? x.name() : parameter.first;
  const std::optional<int> rank = gradus::detail::gradient_owner(x.impl());
  if (!grad.defined()) {
    if (!rank) return;
    // It has a place all the same, so that places are the same in all processes.
    names.push_back(name);
    tensors.emplace_back();
    elements.push_back({nullptr, 0, x.dtype(), x.device()});
    owners.push_back(x);
    ranks.push_back(*rank);
    return;
  }
  if (!grad.is_contiguous()) {
    NoGrad guard;
    grad = grad.contiguous();
    x.set_grad(grad);
  }
  add(call, {name, grad}, x);
  ranks.back() = rank.value_or(-1);
}

std::vector<double> Gradients::powers(double p) const {
  std::vector<double> all(elements.size());
  on_each_device(elements, [&](const Kernels& of, std::span<const kernel::Elements> part, std::size_t first) {
    const std::vector<double> powers = of.norm_powers(part, p);
    std::copy(powers.begin(), powers.end(), all.begin() + static_cast<std::ptrdiff_t>(first));
  });
  if (std::any_of(ranks.begin(), ranks.end(), [](int rank) { return rank >= 0; }))
    gradus::detail::numbers_of_owners.load()(all, ranks);
  return all;
}

void Gradients::scale(double factor) const {
  if (factor == 1) return;
  on_each_device(elements, [&](const Kernels& of, std::span<const kernel::Elements> part, std::size_t) {
    of.multi_scale(part, factor);
  });
  bump_versions(tensors);
}

void Gradients::clamp(double limit) const {
  on_each_device(elements, [&](const Kernels& of, std::span<const kernel::Elements> part, std::size_t) {
    of.multi_clamp(part, limit);
  });
  bump_versions(tensors);
}

void check_norm_type(const std::string& call, double p) {
  if (!(p > 0)) throw ValueError(call + ": norm_type must be above 0, got " + gradus::to_string(p));
}

double norm_of(std::span<const double> powers, double p) {
  double all = 0;
  for (double power : powers) {
    if (!std::isinf(p)) {
      all += power;
    } else if (!(power <= all) && !std::isnan(all)) {  // larger, or a NaN, which then stays
      all = power;
    }
  }
  if (p == 2) return std::sqrt(all);
  return p == 1 || std::isinf(p) ? all : math::pow(all, 1 / p);
}

double clip_factor(double max_norm, double norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor > 1 ? 1 : factor;
}

std::size_t first_nonfinite(std::span<const double> powers) {
  const auto bad = std::find_if(powers.begin(), powers.end(), [](double x) { return !std::isfinite(x); });
  return static_cast<std::size_t>(bad - powers.begin());
}

}  // namespace gradus::optim

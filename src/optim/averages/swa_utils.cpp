#include <gradus/autograd.h>
#include <gradus/optim/swa_utils.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

#include "core/recorded_step.h"
#include "kernels/math.h"
#include "optim/engine/gradients.h"
#include "optim/schedule/check.h"

namespace gradus::optim::swa_utils {

namespace {

bool has_loop(const Tensor& x, const Tensor& other) {
  return (x.dtype() == kFloat32 || x.dtype() == kFloat64) && x.is_contiguous() && other.dtype() == x.dtype() &&
         other.device() == x.device() && other.sizes() == x.sizes();
}

// averaged += weight (current - averaged); the rest by ops: in floating point, and cut off for integers.
void mix(std::span<Tensor> averaged, std::span<const Tensor> current, double weight) {
  NoGrad guard;
  std::vector<kernel::Elements> a, b;
  std::vector<Tensor> held;
  for (std::size_t i = 0; i < averaged.size(); ++i) {
    if (!has_loop(averaged[i], current[i])) {
      const Tensor before = averaged[i].to(kFloat64);
      averaged[i].copy_(before + (current[i].to(before.device()).to(kFloat64) - before) * weight);
      continue;
    }
    held.push_back(current[i].contiguous());
    a.push_back(elements_of("swa_utils", averaged[i]));
    b.push_back(elements_of("swa_utils", held.back()));
    gradus::detail::bump_version(averaged[i]);
  }
  on_each_device(a, [&](const Kernels& of, std::span<const kernel::Elements> part, std::size_t first) {
    of.multi_lerp(part, std::span(b).subspan(first, part.size()), weight);
  });
}

std::vector<nn::NamedTensor> tensors_of(const nn::Module& module, bool parameters, bool buffers) {
  std::vector<nn::NamedTensor> all;
  if (parameters) all = module.named_parameters();
  if (buffers) {
    for (auto& buffer : module.named_buffers()) all.push_back(std::move(buffer));
  }
  return all;
}

// Pairs by order, which must agree in number, names and sizes.
void pair_up(const nn::Module& average, const nn::Module& model, bool parameters, bool buffers,
             std::vector<Tensor>& averaged, std::vector<Tensor>& current) {
  const auto own = tensors_of(average, parameters, buffers), shown = tensors_of(model, parameters, buffers);
  const std::string call = "AveragedModel.update_parameters: ";
  if (own.size() != shown.size()) {
    throw ValueError(call + "the model must have as many tensors as the average, got " + std::to_string(shown.size()) +
                     " and " + std::to_string(own.size()));
  }
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i].second.sizes() != shown[i].second.sizes() || own[i].second.dtype() != shown[i].second.dtype()) {
      const auto text = [](const nn::NamedTensor& x) {
        return x.first + " of " + to_string(x.second.sizes()) + " " + to_string(x.second.dtype());
      };
      throw ValueError(call + "the model must have tensors like the average's, got " + text(shown[i]) + " for " +
                       text(own[i]));
    }
    averaged.push_back(own[i].second.detach());
    current.push_back(shown[i].second.detach());
  }
}

}  // namespace

MultiAvgFn get_ema_multi_avg_fn(double decay) {
  if (!(decay >= 0 && decay <= 1)) {
    throw ValueError("get_ema_multi_avg_fn: decay must be finite and in [0, 1], got " + to_string(OptionValue(decay)));
  }
  return [decay](std::span<Tensor> averaged, std::span<const Tensor> current, std::int64_t) {
    mix(averaged, current, 1 - decay);
  };
}

MultiAvgFn get_swa_multi_avg_fn() {
  return [](std::span<Tensor> averaged, std::span<const Tensor> current, std::int64_t n_averaged) {
    mix(averaged, current, 1 / static_cast<double>(n_averaged + 1));
  };
}

namespace detail {

void update(const nn::Module& average, const nn::Module& model, const AveragedModelOptions& options,
            std::int64_t n_averaged) {
  core::refuse_recording("AveragedModel.update_parameters", core::kDecides);
  std::vector<Tensor> averaged, current, copied, source;
  pair_up(average, model, true, options.use_buffers, averaged, current);
  pair_up(average, model, false, !options.use_buffers, copied, source);
  for (std::size_t i = 0; i < averaged.size(); ++i)
    if (averaged[i].numel() > 0 && averaged[i].const_data_ptr() == current[i].const_data_ptr())
      throw ValueError("AveragedModel.update_parameters: was given its own average; give it the network that trains");
  NoGrad guard;
  if (n_averaged == 0) {
    std::move(averaged.begin(), averaged.end(), std::back_inserter(copied));
    std::move(current.begin(), current.end(), std::back_inserter(source));
  } else {
    (options.multi_avg_fn ? options.multi_avg_fn : get_swa_multi_avg_fn())(averaged, current, n_averaged);
  }
  for (std::size_t i = 0; i < copied.size(); ++i) copied[i].copy_(source[i]);
}

}  // namespace detail

lr_scheduler::Schedule SWALROptions::schedule() const {
  lr_scheduler::need_finite("SWALR", "swa_lr", swa_lr);
  lr_scheduler::need_at_least(0, "SWALR", "anneal_epochs", anneal_epochs);
  const bool cosine = anneal_strategy == "cos";
  lr_scheduler::need(cosine || anneal_strategy == "linear", "SWALR", "anneal_strategy", "cos or linear",
                     anneal_strategy);
  return {"SWALR", [low = swa_lr, n = anneal_epochs, cosine](std::int64_t t) {
            const double part = t < n ? static_cast<double>(t) / static_cast<double>(n) : 1;
            const double there = cosine ? (1 - math::cos(std::numbers::pi * part)) / 2 : part;
            return lr_scheduler::Scaling{1 - there, low * there};
          }};
}

}  // namespace gradus::optim::swa_utils

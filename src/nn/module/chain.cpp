#include <gradus/autograd.h>
#include <gradus/nn/chain.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/nn/layers/pooling.h>

#include <typeinfo>

#include "nn/adapters/int8.h"
#include "ops/image/folded.h"
#include "ops/product/linear.h"

namespace gradus::nn {

namespace {

// A class that derives from M may compute something else.
template <class M>
M* exactly(Module* module) {
  return typeid(*module) == typeid(M) ? static_cast<M*>(module) : nullptr;
}

// Whether a module may run as a part of another: hooks want to see each result, and what a call computes its parameters
// from is only looked at by a call.
bool is_plain(const Module& module) { return module.state()->hooks.empty() && !module.state()->computes(); }

BatchNorm* batch_norm_of(Module* module) {
  if (auto* norm = exactly<BatchNorm2d>(module)) return norm;
  if (auto* norm = exactly<BatchNorm1d>(module)) return norm;
  return exactly<BatchNorm3d>(module);
}

// The modules from `at` on that run as one: [convolution,] normalisation [, addition] [, relu].
struct Run {
  Conv2d* conv = nullptr;
  BatchNorm* norm = nullptr;
  bool adds = false, relu = false;
  std::size_t length = 0;

  Run(std::span<Module* const> modules, std::size_t at, bool residual) {
    for (std::size_t k = at; k < modules.size() && k < at + 3; ++k)
      if (!is_plain(*modules[k])) return;
    std::size_t i = at;
    conv = exactly<Conv2d>(modules[i]);
    if (conv != nullptr && ++i == modules.size()) return;
    norm = conv != nullptr ? exactly<BatchNorm2d>(modules[i]) : batch_norm_of(modules[i]);
    if (norm == nullptr) return;
    ++i;
    const bool last = i + 1 == modules.size();
    if (i < modules.size() && exactly<ReLU>(modules[i]) != nullptr) {
      relu = true;
      adds = residual && last;
      ++i;
    }
    // What the last module takes is wanted, if that is not a relu.
    if (!residual || adds || i < modules.size()) length = i - at;
  }
};

bool needs_gradient(std::initializer_list<const Tensor*> xs) {
  if (!is_grad_enabled()) return false;
  for (const Tensor* x : xs)
    if (x->defined() && x->requires_grad()) return true;
  return false;
}

// Undefined where the two cannot be one.
Tensor folded(const Tensor& x, Conv2d& conv, BatchNorm& norm, const ops::After& after) {
  const bool evaluates = !norm.is_training() && norm.running_mean.defined();
  if (!evaluates || conv.options().padding_mode != "zeros" ||
      needs_gradient({&x, &after.residual, &conv.weight, &conv.bias, &norm.weight, &norm.bias})) {
    return Tensor();
  }
  const auto& o = conv.options();
  return ops::folded_conv2d(
      x, conv.weight, conv.bias, o.stride, o.padding, o.dilation, o.groups,
      {.mean = norm.running_mean, .var = norm.running_var, .weight = norm.weight, .bias = norm.bias, .eps = norm.eps()},
      after);
}

Tensor run(const Tensor& x, const Run& all, const Tensor& shortcut) {
  const ops::After after{.residual = all.adds ? shortcut : Tensor(), .relu = all.relu};
  if (all.conv != nullptr) {
    const Tensor y = folded(x, *all.conv, *all.norm, after);
    if (y.defined()) return y;
  }
  return all.norm->forward(all.conv != nullptr ? (*all.conv)(x) : x, after.residual, after.relu);
}

// A linear layer and the rectifier after it. Undefined where that is not what stands there. A LeakyReLU's result may
// be changed in place, a ReLU's may not, as in PyTorch: so there must be another linear layer that takes it.
Tensor rectified(const Tensor& x, Module* first, Module* second, Module* third) {
  auto* layer = exactly<Linear>(first);
  if (layer == nullptr || detail::is_int8(layer->weight)) return Tensor();
  if (exactly<ReLU>(second) != nullptr) return ops::linear_relu(x, layer->weight, layer->bias);
  const bool taken = third != nullptr && exactly<Linear>(third) != nullptr && is_plain(*third);
  if (auto* leaky = exactly<LeakyReLU>(second); leaky != nullptr && taken) {
    return ops::linear_leaky_relu(x, layer->weight, layer->bias, leaky->negative_slope());
  }
  return Tensor();
}

// A ReLU, after `before` or first, and the max pooling after it; or undefined.
Tensor pooled(const Tensor& x, Module* before, Module* first, Module* second) {
  const auto* relu = exactly<ReLU>(first);
  if (relu == nullptr) return Tensor();
  // What is changed in place may be seen, except where it has just been made.
  const bool made = before != nullptr && exactly<Conv2d>(before) != nullptr && is_plain(*before);
  if (relu->inplace() && !made) return Tensor();
  if (auto* pool = exactly<MaxPool2d>(second)) return pool->forward_of_relu(x);
  if (auto* pool = exactly<MaxPool1d>(second)) return pool->forward_of_relu(x);
  if (auto* pool = exactly<MaxPool3d>(second)) return pool->forward_of_relu(x);
  return Tensor();
}

// The modules at `at` and `at` + 1 as one; or undefined.
Tensor pair(const Tensor& x, std::span<Module* const> modules, std::size_t at) {
  Module *first = modules[at], *second = modules[at + 1];
  if (!is_plain(*first) || !is_plain(*second)) return Tensor();
  Module* third = at + 2 < modules.size() ? modules[at + 2] : nullptr;
  if (const Tensor y = rectified(x, first, second, third); y.defined()) return y;
  return pooled(x, at > 0 ? modules[at - 1] : nullptr, first, second);
}

Tensor run_all(const Tensor& x, const Tensor& shortcut, std::span<Module* const> modules) {
  const bool watched = gradus::detail::is_watched();
  Tensor y = x;
  for (std::size_t i = 0; i < modules.size();) {
    if (const Run fused(modules, i, shortcut.defined()); fused.length > 0 && !watched) {
      y = run(y, fused, shortcut);
      i += fused.length;
      continue;
    }
    // What the last module takes is wanted for the shortcut.
    if (i + (shortcut.defined() ? 2 : 1) < modules.size() && !watched) {
      if (Tensor both = pair(y, modules, i); both.defined()) {
        y = std::move(both);
        i += 2;
        continue;
      }
    }
    if (i + 1 == modules.size() && shortcut.defined()) y = y + shortcut;
    y = (*modules[i++])(y);
  }
  return y;
}

}  // namespace

Tensor chain(const Tensor& x, std::span<Module* const> modules) { return run_all(x, Tensor(), modules); }

Tensor residual_chain(const Tensor& x, const Tensor& shortcut, std::span<Module* const> modules) {
  return run_all(x, shortcut, modules);
}

}  // namespace gradus::nn

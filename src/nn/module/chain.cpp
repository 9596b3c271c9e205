#include <gradus/autograd.h>
#include <gradus/nn/chain.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/nn/layers/pooling.h>

#include <typeinfo>

#include "autograd/watching.h"
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

// A place in a chain: the modules from there on, the one before, and what is added to what the last one takes.
struct Place {
  std::span<Module* const> modules;
  Module* before;
  const Tensor& shortcut;  // undefined: nothing

  // The module that stands k further on, if it is an M that may run as a part of another.
  template <class M>
  M* at(std::size_t k) const {
    return k < modules.size() && is_plain(*modules[k]) ? exactly<M>(modules[k]) : nullptr;
  }
  // Whether n modules can run as one here: what the last one takes is wanted where something is added to it.
  bool may_take(std::size_t n) const { return n + (shortcut.defined() ? 1 : 0) <= modules.size(); }
};

// Neighbours that run as one operation.
struct Pattern {
  std::size_t (*length)(const Place&);  // how many modules it takes there; 0: others stand there
  Tensor (*run)(const Tensor& x, const Place&);
};

// --- [convolution,] normalisation [, addition] [, relu] ---

struct Normalized {
  Conv2d* conv = nullptr;
  BatchNorm* norm = nullptr;
  bool adds = false, relu = false;
  std::size_t length = 0;

  explicit Normalized(const Place& place) {
    std::size_t i = 0;
    conv = place.at<Conv2d>(i);
    if (conv != nullptr) ++i;
    norm = place.at<BatchNorm2d>(i);
    if (norm == nullptr && conv == nullptr) norm = place.at<BatchNorm1d>(i);
    if (norm == nullptr && conv == nullptr) norm = place.at<BatchNorm3d>(i);
    if (norm == nullptr) return;
    ++i;
    if (place.at<ReLU>(i) != nullptr) {
      relu = true;
      adds = place.shortcut.defined() && i + 1 == place.modules.size();
      ++i;
    }
    if (adds || place.may_take(i)) length = i;
  }
};

bool needs_gradient(std::initializer_list<const Tensor*> xs) {
  if (!is_grad_enabled()) return false;
  for (const Tensor* x : xs)
    if (x->defined() && x->requires_grad()) return true;
  return false;
}

// Undefined where the two cannot be one.
Tensor folded(const Tensor& x, Conv2d& conv, BatchNorm& norm, const ops::Epilogue& then) {
  const bool evaluates = !norm.is_training() && norm.running_mean.defined();
  if (!evaluates || conv.options().padding_mode != "zeros" ||
      needs_gradient({&x, &then.residual, &conv.weight, &conv.bias, &norm.weight, &norm.bias})) {
    return Tensor();
  }
  const auto& o = conv.options();
  return ops::folded_conv2d(
      x, conv.weight, conv.bias, o.stride, o.padding, o.dilation, o.groups,
      {.mean = norm.running_mean, .var = norm.running_var, .weight = norm.weight, .bias = norm.bias, .eps = norm.eps()},
      then);
}

constexpr Pattern kNormalized{
    [](const Place& place) { return Normalized(place).length; },
    [](const Tensor& x, const Place& place) {
      const Normalized all(place);
      const ops::Epilogue then{.residual = all.adds ? place.shortcut : Tensor(), .relu = all.relu};
      if (all.conv != nullptr) {
        const Tensor y = folded(x, *all.conv, *all.norm, then);
        if (y.defined()) return y;
      }
      return all.norm->forward(all.conv != nullptr ? (*all.conv)(x) : x, then.residual, then.relu);
    }};

// --- a linear layer and the rectifier after it ---

// A LeakyReLU's result may be changed in place, a ReLU's may not, as in PyTorch: so there must be another linear layer
// that takes it.
constexpr Pattern kRectified{[](const Place& place) -> std::size_t {
                               const auto* layer = place.at<Linear>(0);
                               if (layer == nullptr || !place.may_take(2) || detail::is_int8(layer->weight)) return 0;
                               if (place.at<ReLU>(1) != nullptr) return 2;
                               return place.at<LeakyReLU>(1) != nullptr && place.at<Linear>(2) != nullptr ? 2 : 0;
                             },
                             [](const Tensor& x, const Place& place) {
                               const auto& layer = *place.at<Linear>(0);
                               const auto* leaky = place.at<LeakyReLU>(1);
                               return leaky != nullptr
                                          ? ops::linear_leaky_relu(x, layer.weight, layer.bias, leaky->negative_slope())
                                          : ops::linear_relu(x, layer.weight, layer.bias);
                             }};

// --- a ReLU and the max pooling after it ---

template <class Pool>
Tensor pooled(const Tensor& x, const Place& place) {
  return place.at<Pool>(1)->forward_of_relu(x);
}

constexpr Pattern kPooled{
    [](const Place& place) -> std::size_t {
      const auto* relu = place.at<ReLU>(0);
      if (relu == nullptr || !place.may_take(2)) return 0;
      if (place.at<MaxPool2d>(1) == nullptr && place.at<MaxPool1d>(1) == nullptr && place.at<MaxPool3d>(1) == nullptr)
        return 0;
      // What is changed in place may be seen, except where it has just been made.
      Module* before = place.before;
      const bool made = before != nullptr && exactly<Conv2d>(before) != nullptr && is_plain(*before);
      return relu->inplace() && !made ? 0 : 2;
    },
    [](const Tensor& x, const Place& place) {
      if (place.at<MaxPool2d>(1) != nullptr) return pooled<MaxPool2d>(x, place);
      return place.at<MaxPool1d>(1) != nullptr ? pooled<MaxPool1d>(x, place) : pooled<MaxPool3d>(x, place);
    }};

// The first that fits is taken.
constexpr Pattern kPatterns[] = {kNormalized, kRectified, kPooled};

// Modules that run as one are one layer for a profiler: "0: Conv2d + BatchNorm2d + ReLU".
class OneLayer {
 public:
  explicit OneLayer(std::span<Module* const> modules) : watched_(gradus::detail::is_watched()) {
    if (!watched_) return;
    std::string types;
    for (Module* module : modules) types += (types.empty() ? "" : " + ") + module->type_name();
    const detail::ModuleState& first = *modules[0]->state();
    gradus::detail::begin_layer(
        std::make_shared<gradus::detail::Layer>(gradus::detail::Layer{first.path, std::move(types), &first}));
  }
  ~OneLayer() {
    if (watched_) gradus::detail::end_layer(nullptr);
  }
  OneLayer(const OneLayer&) = delete;
  OneLayer& operator=(const OneLayer&) = delete;

 private:
  bool watched_;
};

Tensor run_all(const Tensor& x, const Tensor& shortcut, std::span<Module* const> modules) {
  const bool one_by_one = gradus::detail::watches_modules();
  Tensor y = x;
  for (std::size_t i = 0; i < modules.size();) {
    const Place here{modules.subspan(i), i > 0 ? modules[i - 1] : nullptr, shortcut};
    std::size_t length = 0;
    for (const Pattern& pattern : kPatterns) {
      if (one_by_one || (length = pattern.length(here)) == 0) continue;
      const OneLayer layer(here.modules.first(length));
      y = pattern.run(y, here);
      break;
    }
    i += length;
    if (length > 0) continue;
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

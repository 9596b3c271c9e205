// What a network consists of and what it costs, layer by layer.
//
//   std::puts(nn::summary(net, {1, 3, 224, 224}).to_string().c_str());
//   nn::summary(net, [&] { return net(x, sigma); });   // any other inputs
//
// The network runs once, forward and backward, on random numbers, and its operations report what they cost. Frozen
// parts therefore cost nothing backward, nor do layers before which nothing is trained. Nothing is changed: no
// gradient, no running statistics, no state of a random generator. The loss and the optimizer are not counted.
#pragma once

#include <functional>
#include <optional>

#include <gradus/flops.h>
#include <gradus/nn/module.h>

namespace gradus::nn {

struct SummaryOptions {
  bool train = false;               // in training mode; batch normalisation then needs more than one sample
  bool backward = true;             // count the backward pass too
  std::optional<Dtype> dtype = {};  // of the input; unset: that of the first floating-point parameter, or float32
};

// A module, together with all that it holds.
struct LayerSummary {
  std::string path, type, detail;  // "layer1.0.conv1", "Conv2d", what is printed between its parentheses
  int depth = 0;                   // 0: the network
  std::optional<Shape> output;  // of its last call; not set where it was not called, or does not return a single tensor
  std::int64_t calls = 0;
  std::int64_t parameters = 0;  // elements, each once
  std::int64_t trainable = 0;   // of those
  FlopCounter::Count forward, backward;
  std::int64_t saved_bytes = 0;  // kept from forward for backward, besides parameters and buffers
};

struct Summary {
  std::vector<LayerSummary> layers;  // the network first, then what it holds, in order of registration
  std::int64_t parameter_bytes = 0, gradient_bytes = 0, buffers = 0, buffer_bytes = 0;

  const LayerSummary& total() const { return layers.front(); }
  const LayerSummary& layer(const std::string& path) const;  // ValueError
  // A table of the layers, down to a depth where one is given, and the totals below it.
  std::string to_string(std::optional<int> depth = {}) const;
};

// `input`: sizes of the input, the batch first.
Summary summary(Module& net, const Shape& input, const SummaryOptions& options = {});
Summary summary(Module& net, const std::function<Tensor()>& forward, const SummaryOptions& options = {});

std::ostream& operator<<(std::ostream& out, const Summary& summary);  // all of it

}  // namespace gradus::nn

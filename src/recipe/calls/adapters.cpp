// Adapters by name: what nn/adapters.h has, and PEFT's folders.
#include <fmt/format.h>
#include <gradus/nn/adapters.h>
#include <gradus/training/adapter_files.h>

#include "recipe/calls/callables.h"

namespace gradus::recipe {

namespace {

using Put = std::vector<std::string> (*)(nn::Module&, const std::string& name, const Fields&);

// `put` returns the layers that have one.
AdapterCall adapter(const std::string& signature, const char* help, Put put) {
  AdapterCall call{parse_signature(signature, help), {}};
  call.make = [put, kind = call.form.name](nn::Module& net, const std::string& name, const Fields& f) {
    if (name.empty() || name.find('.') != name.npos)
      throw ValueError("an adapter's name must have no points, got '" + name + "'");
    if (name == "none") throw ValueError("an adapter cannot be called none, which means the network without adapters");
    if (put(net, name, f).empty())
      throw ValueError(
          fmt::format("{}: '{}' matches no layer that can have an adapter of this kind", kind, f.text("layers")));
  };
  return call;
}

}  // namespace

const std::vector<AdapterCall>& adapters() {
  static const std::vector<AdapterCall> all{
      adapter("lora(layers: text = *, rank: int>=1 = 8, alpha: number>0 = none, dropout: number[0,1] = 0, "
              "rslora: flag = false, dora: flag = false, init: (kaiming|gaussian|orthogonal|random) = kaiming)",
              "two matrices of low rank beside the weight; by default alpha is the rank",
              [](nn::Module& net, const std::string& name, const Fields& f) {
                const std::int64_t rank = f.integer("rank");
                return nn::lora(net, f.text("layers"),
                                {.rank = rank,
                                 .alpha = f.has("alpha") ? f.number("alpha") : static_cast<double>(rank),
                                 .dropout = f.number("dropout"),
                                 .rslora = f.flag("rslora"),
                                 .dora = f.flag("dora"),
                                 .init = f.text("init"),
                                 .name = name});
              }),
      adapter("ia3(layers: text = *, feedforward: text = none)",
              "a factor for each feature of the output, or of the input for layers that match `feedforward`",
              [](nn::Module& net, const std::string& name, const Fields& f) {
                return nn::ia3(net, f.text("layers"), {.feedforward = f.text("feedforward"), .name = name});
              }),
      adapter("bottleneck(layers: text, size: int>=1 = 64, activation: (relu|gelu|tanh) = relu, scale: number = 1, "
              "features: int>=1 = none)",
              "a small network after the layer, whose output is added",
              [](nn::Module& net, const std::string& name, const Fields& f) {
                nn::BottleneckOptions options{.size = f.integer("size"),
                                              .activation = f.text("activation"),
                                              .scale = f.number("scale"),
                                              .name = name};
                if (f.has("features")) options.features = f.integer("features");
                return nn::bottleneck(net, f.text("layers"), options);
              }),
      adapter("prefix(layers: text = *, tokens: int>=1 = 16)",
              "keys and values in front of those of MultiheadAttention",
              [](nn::Module& net, const std::string& name, const Fields& f) {
                return nn::prefix(net, f.text("layers"), {.tokens = f.integer("tokens"), .name = name});
              }),
      {parse_signature("load_adapter(folder: file)", "an adapter that PEFT or Gradus saved"),
       [](nn::Module& net, const std::string& name, const Fields& f) {
         training::load_adapter(net, f.text("folder"), {.name = name});
       }},
  };
  return all;
}

}  // namespace gradus::recipe

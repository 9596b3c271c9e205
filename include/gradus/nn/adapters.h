// Adapters: small parts that train beside a frozen network. The layers stay what they are; an adapter changes what they
// compute.
//
//   nn::lora(net, "*.self_attn", {.rank = 8, .alpha = 16});
//   optim::AdamW optimizer(nn::adapter_parameters(net), {.lr = 1e-3});
//   ...
//   nn::merge_adapter(net);
//
// A network may have several, by name, of which none, one or more are active. An adapter's parameters are those of the
// layer's child `adapters.NAME`, so `*.adapters.NAME.*` is the pattern of all of them. Putting one on freezes
// everything that is not an adapter: parameters, and the modules whose statistics would move. Patterns are those of
// gradus/pattern.h; layers of other kinds that match are left alone.
//
// Adapters of layers in float16, bfloat16 and int8 are float32, and compute in it.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn {

// y + scaling B(A(dropout(x))): Hu et al., "LoRA" (2021), on Linear, Conv1d to 3d, Embedding, MultiheadAttention (its
// projections; out_proj is a Linear of its own) and models::Conv1D. scaling is alpha / rank, or with rslora alpha /
// sqrt(rank).
struct LoraOptions {
  std::int64_t rank = 8;
  double alpha = 8;
  double dropout = 0;
  bool rslora = false;
  // Also trains the norms of the weight's rows: Liu et al., "DoRA" (2024). Linear, Conv and models::Conv1D.
  bool dora = false;
  // How A starts: "kaiming" (uniform), "gaussian" (normal, of deviation 1 / rank) or "orthogonal"; B is zero then, so
  // that nothing changes at first. "random": neither is zero.
  std::string init = "kaiming";
  std::string name = "default";
};
std::vector<std::string> lora(Module& net, const std::string& pattern, const LoraOptions& options = {});

// Scales what Linear and Conv layers give, or what those that match `feedforward` take: Liu et al., "(IA)^3" (2022).
struct Ia3Options {
  std::string feedforward = {};
  std::string name = "default";
};
std::vector<std::string> ia3(Module& net, const std::string& pattern, const Ia3Options& options = {});

// y + scale up(activation(down(y))) after a layer: Houlsby et al. (2019). After Linear and LayerNorm layers, and, with
// `features` given, any module of one input.
struct BottleneckOptions {
  std::int64_t size = 64;
  std::string activation = "relu";  // or "gelu", "tanh"
  double scale = 1;
  std::optional<std::int64_t> features = {};
  std::string name = "default";
};
std::vector<std::string> bottleneck(Module& net, const std::string& pattern, const BottleneckOptions& options = {});

// Keys and values that stand before those of a MultiheadAttention: Li and Liang, "Prefix-Tuning" (2021).
struct PrefixOptions {
  std::int64_t tokens = 16;
  std::string name = "default";
};
std::vector<std::string> prefix(Module& net, const std::string& pattern, const PrefixOptions& options = {});

// Only biases train: those that match. Everything else is frozen. Returns their names.
std::vector<std::string> bitfit(Module& net, const std::string& pattern = "*");

// The names of the network's adapters, in order of their first layers.
std::vector<std::string> adapter_names(const Module& net);
std::vector<std::string> active_adapters(const Module& net);
// The one that runs from now on; "" is the base alone. Several add up. ValueError for a name that no layer has.
void set_adapter(Module& net, const std::string& name);
void set_adapters(Module& net, const std::vector<std::string>& names);
void delete_adapter(Module& net, const std::string& name);

std::vector<NamedTensor> named_adapter_parameters(const Module& net, const std::string& name = "default");
std::vector<Tensor> adapter_parameters(const Module& net, const std::string& name = "default");

// While one lives, each sample of a batch (dimension 0 of what layers get) uses the adapter of its own name; "" is the
// base alone. One for each sample; ValueError for a name that the network lacks. For the thread that made it.
class BatchAdapters {
 public:
  BatchAdapters(const Module& net, std::vector<std::string> names);
  ~BatchAdapters();
  BatchAdapters(const BatchAdapters&) = delete;
  BatchAdapters& operator=(const BatchAdapters&) = delete;
  static const std::vector<std::string>* current();  // null outside of any

 private:
  std::vector<std::string> names_;
  const BatchAdapters* before_;
};

struct MergeReport {
  std::vector<std::string> layers;
  double largest_weight_change = 0;  // of any element
  double largest_output = 0;         // of the sample: the largest absolute value
  double largest_output_change = 0;  // between the adapter beside the weights and in them
};
// Puts the adapter into the weights: computed in double, rounded once. What they were is kept for unmerge_adapter,
// which brings back every bit. `sample` runs the network, which then evaluates, before and after. ValueError where an
// adapter cannot be merged (bottleneck, prefix; int8 weights; weights that modules share), and nothing has changed.
MergeReport merge_adapter(Module& net, const std::string& name = "default", const std::function<Tensor()>& sample = {});
void unmerge_adapter(Module& net);
// Takes all adapters off. What is merged stays in the weights.
void unload_adapters(Module& net);

// The weights of the Linear layers that match as int8, with one scale for each row (the largest absolute value over
// 127): a quarter of the memory. They have no gradient; `weight_scale` is a buffer. Returns the layers' names.
std::vector<std::string> quantize_int8(Module& net, const std::string& pattern = "*");

}  // namespace gradus::nn

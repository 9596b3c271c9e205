// Adapters: small trainable parts added to the layers of a frozen network. The layers and their weights stay as they
// are; an adapter changes what they compute.
//
//   nn::lora(net, "*.self_attn", {.rank = 8, .alpha = 16});
//   optim::AdamW optimizer(nn::adapter_parameters(net), {.lr = 1e-3});
//   ...
//   nn::merge_adapter(net);
//
// A network may have several adapters, by name, of which none, one or more are active. An adapter's parameters are
// those of the layer's child `adapters.NAME`, so `*.adapters.NAME.*` is the pattern of all of them. Adding an adapter
// freezes everything that is not one: parameters, and modules whose statistics would change. Patterns are those of
// gradus/core/pattern.h; matching layers of kinds that an adapter does not support are left alone. The functions return
// the names of the layers, and throw ValueError where no layer matches or an option is out of range.
//
// Adapters of layers in float16, bfloat16 and int8 are float32, and compute in float32.
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
  // Also trains the norms of the weight's rows: Liu et al., "DoRA" (2024). All but MultiheadAttention.
  bool dora = false;
  // The initial A: "kaiming" (uniform), "gaussian" (normal, with standard deviation 1 / rank) or "orthogonal"; B starts
  // at zero, so that nothing changes at first. "random": neither is zero.
  std::string init = "kaiming";
  std::string name = "default";
};
std::vector<std::string> lora(Module& net, const std::string& pattern, const LoraOptions& options = {});

// Scales the outputs of Linear and Conv layers, or the inputs of those that match `feedforward`: Liu et al., "(IA)^3"
// (2022).
struct Ia3Options {
  std::string feedforward = {};
  std::string name = "default";
};
std::vector<std::string> ia3(Module& net, const std::string& pattern, const Ia3Options& options = {});

// y + scale up(activation(down(y))), where y is the output of a layer and down projects it to `size` features: Houlsby
// et al. (2019). After Linear and LayerNorm layers, and, with `features` set, after any module of one input.
struct BottleneckOptions {
  std::int64_t size = 64;
  std::string activation = "relu";  // or "gelu", "tanh"
  double scale = 1;
  std::optional<std::int64_t> features = {};
  std::string name = "default";
};
std::vector<std::string> bottleneck(Module& net, const std::string& pattern, const BottleneckOptions& options = {});

// Trainable keys and values before those of attention: Li and Liang, "Prefix-Tuning" (2021). On MultiheadAttention, and
// on the attention of language models; a decoder must have one on all layers, and its positions count on from those of
// the prefix.
struct PrefixOptions {
  std::int64_t tokens = 16;
  std::string name = "default";
};
std::vector<std::string> prefix(Module& net, const std::string& pattern, const PrefixOptions& options = {});

// Attention of a network's own that a prefix fits: it puts the prefix before its keys and values.
class TakesPrefix {
 public:
  struct Heads {
    std::int64_t count, size;
  };
  virtual ~TakesPrefix() = default;
  virtual Heads prefix_heads() const = 0;  // of its keys
};

// Trains a copy of each layer that matches, and computes with it instead: for new heads, whose initial values an
// adapter could not leave. PEFT's modules_to_save. On Linear, Embedding and models::Conv1D.
struct ModulesToSaveOptions {
  std::string name = "default";
};
std::vector<std::string> modules_to_save(Module& net, const std::string& pattern,
                                         const ModulesToSaveOptions& options = {});

// Trains only the biases that match, and freezes everything else. Returns their names.
std::vector<std::string> bitfit(Module& net, const std::string& pattern = "*");

// The names of the network's adapters, in the order of their first layers.
std::vector<std::string> adapter_names(const Module& net);
std::vector<std::string> active_adapters(const Module& net);
// Chooses the adapters that are active from now on: one, several (their changes add up), or with "" none. ValueError
// for a name that no layer has.
void set_adapter(Module& net, const std::string& name);
void set_adapters(Module& net, const std::vector<std::string>& names);
void delete_adapter(Module& net, const std::string& name);

std::vector<NamedTensor> named_adapter_parameters(const Module& net, const std::string& name = "default");
std::vector<Tensor> adapter_parameters(const Module& net, const std::string& name = "default");

// A scope in which each sample of a batch (dimension 0 of a layer's input) uses its own adapter: `names` has one name
// per sample, "" for none. ValueError for a name that the network does not have. It holds for the thread that made it.
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
  double largest_weight_change = 0;  // the largest absolute change of an element
  double largest_output = 0;         // the largest absolute value that `sample` returned
  double largest_output_change = 0;  // the largest absolute difference after merging
};
// Adds the adapter to the weights: computed in double, rounded once. The previous weights are kept for unmerge_adapter,
// which restores every bit. `sample`, if set, runs the network, in evaluation mode, before and after. ValueError where
// an adapter cannot be merged (bottleneck, prefix, int8 weights, weights that modules share); nothing has changed then.
MergeReport merge_adapter(Module& net, const std::string& name = "default", const std::function<Tensor()>& sample = {});
void unmerge_adapter(Module& net);
// Removes all adapters. What is merged stays in the weights.
void unload_adapters(Module& net);

// Stores the weights of the Linear layers that match as int8, with one scale per row (its largest absolute value
// divided by 127), in a quarter of the memory. They then have no gradient; the scales are the buffer `weight_scale`.
// Returns the layers' names.
std::vector<std::string> quantize_int8(Module& net, const std::string& pattern = "*");

}  // namespace gradus::nn

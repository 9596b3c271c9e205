// What an adapted layer holds: the child "adapters", whose children are the adapters by name.
#pragma once

#include <gradus/nn/adapters.h>
#include <gradus/nn/layers/attention.h>

namespace gradus::nn::detail {

// What a layer is to an adapter. Weights are [out, in] but for Transposed, [in, out], and Embedding, [rows, features].
struct LayerKind {
  enum Type { None, Linear, Transposed, Embedding, Conv, Attention };
  Type type = None;
  int spatial = 0;  // of a Conv
  Tensor weight;
  std::string weight_name = "weight";
  std::int64_t in = 0, out = 0;

  // The type that adapters of this layer compute in: wide enough to train in.
  Dtype dtype() const { return weight.dtype() == kFloat64 ? kFloat64 : kFloat32; }
};
LayerKind kind_of(const Module& layer);

class Adapter : public Module {
 public:
  virtual const char* method() const = 0;  // as PEFT's peft_type
  // Of the layer's input, and of what it made of it.
  virtual Tensor before(const Module& layer, const Tensor& x);
  virtual Tensor after(const Module& layer, const Tensor& x, const Tensor& y);
  // Of a projection of attention: 0, 1, 2 for query, key and value, -1 for all three side by side. Batch first.
  virtual Tensor after_projection(const MultiheadAttention& layer, const Tensor& x, const Tensor& y, int part);
  // The layer's tensors that hold the adapter once it is merged, by name, in double. ValueError where none can.
  virtual std::vector<std::pair<std::string, Tensor>> merged(const Module& layer) const;

 protected:
  using Module::Module;
};

class PrefixAdapter;

class Adapters final : public Module {
 public:
  Adapters() : Module("Adapters") {}
  Adapter* find(const std::string& name) const;  // null where this layer has none of that name
  std::vector<std::string> names() const;
  void put(const std::string& name, std::shared_ptr<Module> adapter) { put_child(name, std::move(adapter)); }
  void drop(const std::string& name);

  Tensor before(const Module& layer, const Tensor& x) const;
  Tensor after(const Module& layer, const Tensor& x, const Tensor& y) const;
  Tensor after_projection(const MultiheadAttention& layer, const Tensor& x, const Tensor& y, int part) const;
  // Those that run, the foremost first.
  std::vector<const PrefixAdapter*> prefixes() const;

  std::vector<std::string> active;
  std::string merged;                                     // the adapter that the layer's tensors hold; empty: none
  std::vector<std::pair<std::string, Tensor>> originals;  // these tensors as they were
  std::size_t before_hook = 0, after_hook = 0;

 private:
  template <class Apply>
  Tensor each(const Tensor& x, const Tensor& y, const Apply& apply) const;
};

// Null where the layer is not adapted.
Adapters* adapters_of(const Module& layer);

// The modules of `net` with adapters, by path.
std::vector<std::pair<std::string, Module*>> adapted_modules(const Module& net);

// ValueError, in the name of `call`, where no layer of the network has an adapter of this name.
void check_adapter(const char* call, const Module& net, const std::string& name);

// Puts what `make` returns on each layer whose name matches and that `fits`; freezes the rest. Returns the layers'
// names.
using FitsAdapter = std::function<bool(const std::string& path, const Module& layer)>;
using MakeAdapter = std::function<std::shared_ptr<Module>(const std::string& path, Module& layer)>;
std::vector<std::string> attach(const char* call, Module& net, const std::string& pattern, const std::string& name,
                                const FitsAdapter& fits, const MakeAdapter& make);

class LoraAdapter final : public Adapter {
 public:
  Parameter a, b, magnitude;
  LoraAdapter(const Module& layer, const LoraOptions& options);
  const LoraOptions& options() const { return options_; }
  double scaling() const;
  const char* method() const override { return "LORA"; }
  Tensor after(const Module& layer, const Tensor& x, const Tensor& y) override;
  Tensor after_projection(const MultiheadAttention& layer, const Tensor& x, const Tensor& y, int part) override;
  std::vector<std::pair<std::string, Tensor>> merged(const Module& layer) const override;

 private:
  void initialize(const LayerKind& kind);
  Tensor low(const Module& layer, const LayerKind& kind, const Tensor& x) const;
  Tensor high(const LayerKind& kind, const Tensor& h, const Tensor& b) const;
  Tensor decomposed(const Module& layer, const LayerKind& kind, const Tensor& x, const Tensor& y);

  LoraOptions options_;
};

class Ia3Adapter final : public Adapter {
 public:
  Parameter scale;
  Ia3Adapter(const Module& layer, bool feedforward);
  bool feedforward() const { return feedforward_; }
  const char* method() const override { return "IA3"; }
  Tensor before(const Module& layer, const Tensor& x) override;
  Tensor after(const Module& layer, const Tensor& x, const Tensor& y) override;
  std::vector<std::pair<std::string, Tensor>> merged(const Module& layer) const override;

 private:
  Tensor scaled(const Module& layer, const Tensor& x) const;
  bool feedforward_;
};

class BottleneckAdapter final : public Adapter {
 public:
  Parameter down_weight, down_bias, up_weight, up_bias;
  BottleneckAdapter(std::int64_t features, Dtype dtype, const BottleneckOptions& options);
  const BottleneckOptions& options() const { return options_; }
  const char* method() const override { return "BOTTLENECK"; }
  Tensor after(const Module& layer, const Tensor& x, const Tensor& y) override;

 private:
  BottleneckOptions options_;
};

class PrefixAdapter final : public Adapter {
 public:
  Parameter key, value;  // [tokens, E]
  PrefixAdapter(const Module& layer, const PrefixOptions& options);
  const char* method() const override { return "PREFIX"; }
};
bool takes_prefix(const Module& layer);

// A copy of the layer's parameters, by their names.
class CopyAdapter final : public Adapter {
 public:
  explicit CopyAdapter(const Module& layer);
  static bool fits(const Module& layer);
  const char* method() const override { return "COPY"; }
  Tensor after(const Module& layer, const Tensor& x, const Tensor& y) override;
  std::vector<std::pair<std::string, Tensor>> merged(const Module& layer) const override;

 private:
  Tensor own(const char* name) const;  // undefined where the layer has none
};

}  // namespace gradus::nn::detail

// What adapters have in common: how they lie in a layer, and which of them run.
#include "nn/adapters/adapter.h"

#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/embedding.h>

#include <algorithm>

namespace gradus::nn::detail {

namespace {

constexpr const char* kChild = "adapters";

template <int N>
bool is_conv(const Module& layer, LayerKind& kind) {
  const auto* conv = dynamic_cast<const Conv<N>*>(&layer);
  if (conv == nullptr) return false;
  kind = {.type = LayerKind::Conv, .spatial = N, .weight = conv->weight};
  kind.in = conv->weight.size(1) * conv->options().groups;
  kind.out = conv->weight.size(0);
  return true;
}

}  // namespace

LayerKind kind_of(const Module& layer) {
  LayerKind kind;
  if (const auto* linear = dynamic_cast<const Linear*>(&layer)) {
    kind = {.type = LayerKind::Linear, .weight = linear->weight};
    kind.in = kind.weight.size(1);
    kind.out = kind.weight.size(0);
  } else if (const auto* table = dynamic_cast<const Embedding*>(&layer)) {
    kind = {.type = LayerKind::Embedding, .weight = table->weight};
    kind.in = kind.weight.size(0);
    kind.out = kind.weight.size(1);
  } else if (const auto* attention = dynamic_cast<const MultiheadAttention*>(&layer)) {
    if (!attention->in_proj_weight.defined()) return kind;
    kind = {.type = LayerKind::Attention, .weight = attention->in_proj_weight, .weight_name = "in_proj_weight"};
    kind.in = kind.weight.size(1);
    kind.out = kind.weight.size(0);
  } else if (is_conv<1>(layer, kind) || is_conv<2>(layer, kind) || is_conv<3>(layer, kind)) {
    return kind;
  } else if (layer.type_name() == "Conv1D") {  // GPT-2's linear layer
    for (const auto& [name, p] : layer.state()->parameters)
      if (name == "weight" && p.defined() && p.dim() == 2) kind = {.type = LayerKind::Transposed, .weight = p};
    if (kind.type != LayerKind::None) {
      kind.in = kind.weight.size(0);
      kind.out = kind.weight.size(1);
    }
  }
  return kind;
}

Tensor Adapter::before(const Module&, const Tensor& x) { return x; }
Tensor Adapter::after(const Module&, const Tensor&, const Tensor& y) { return y; }
Tensor Adapter::after_projection(const MultiheadAttention&, const Tensor&, const Tensor& y, int) { return y; }
std::vector<std::pair<std::string, Tensor>> Adapter::merged(const Module&) const {
  throw ValueError("merge_adapter: " + type_name() + " cannot be merged into weights");
}

Adapters* adapters_of(const Module& layer) {
  const auto& children = layer.state()->children;
  // Usually the last one.
  for (auto it = children.rbegin(); it != children.rend(); ++it)
    if (it->name == kChild) return dynamic_cast<Adapters*>(it->module.get());
  return nullptr;
}

std::vector<std::pair<std::string, Module*>> adapted_modules(const Module& net) {
  std::vector<std::pair<std::string, Module*>> found;
  for (const auto& [path, module] : const_cast<Module&>(net).named_modules())
    if (adapters_of(*module) != nullptr) found.emplace_back(path, module);
  return found;
}

Adapter* Adapters::find(const std::string& name) const {
  for (const auto& child : state()->children)
    if (child.name == name) return static_cast<Adapter*>(child.module.get());
  return nullptr;
}

std::vector<std::string> Adapters::names() const {
  std::vector<std::string> all;
  for (const auto& child : state()->children) all.push_back(child.name);
  return all;
}

void Adapters::drop(const std::string& name) {
  std::erase_if(state()->children, [&](const auto& child) { return child.name == name; });
  std::erase(active, name);
}

// apply(adapter, x, y) of the active adapters one after the other; or, in a batch of several, of each sample's own.
template <class Apply>
Tensor Adapters::each(const Tensor& x, const Tensor& y, const Apply& apply) const {
  const auto* batch = BatchAdapters::current();
  if (batch == nullptr) {
    Tensor result = y;
    for (const std::string& name : active)
      if (Adapter* adapter = name == merged ? nullptr : find(name)) result = apply(*adapter, x, result);
    return result;
  }
  if (!merged.empty()) throw ValueError("BatchAdapters: '" + merged + "' is merged into the weights; unmerge it first");
  const auto count = static_cast<std::int64_t>(batch->size());
  if (y.dim() == 0 || y.size(0) != count || x.dim() == 0 || x.size(0) != count) {
    throw ShapeError("BatchAdapters: needs one name for each sample, got " + std::to_string(count) + " for a batch " +
                     gradus::to_string(y.sizes()));
  }
  std::vector<std::string> distinct;
  for (const std::string& name : *batch)
    if (std::find(distinct.begin(), distinct.end(), name) == distinct.end()) distinct.push_back(name);
  if (distinct.size() == 1) {
    Adapter* adapter = find(distinct[0]);
    return adapter == nullptr ? y : apply(*adapter, x, y);
  }
  std::vector<Tensor> pieces;
  std::vector<std::int64_t> back(batch->size());
  std::int64_t at = 0;
  for (const std::string& name : distinct) {
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < batch->size(); ++i) {
      if ((*batch)[i] != name) continue;
      rows.push_back(static_cast<std::int64_t>(i));
      back[i] = at++;
    }
    const Tensor index = tensor(rows, {.device = y.device()}), own = index_select(y, 0, index);
    Adapter* adapter = find(name);
    pieces.push_back(adapter == nullptr ? own : apply(*adapter, index_select(x, 0, index), own));
  }
  return index_select(cat(pieces, 0), 0, tensor(back, {.device = y.device()}));
}

Tensor Adapters::before(const Module& layer, const Tensor& x) const {
  return each(x, x, [&](Adapter& adapter, const Tensor&, const Tensor& y) { return adapter.before(layer, y); });
}

Tensor Adapters::after(const Module& layer, const Tensor& x, const Tensor& y) const {
  return each(x, y,
              [&](Adapter& adapter, const Tensor& in, const Tensor& out) { return adapter.after(layer, in, out); });
}

Tensor Adapters::after_projection(const MultiheadAttention& layer, const Tensor& x, const Tensor& y, int part) const {
  return each(x, y, [&](Adapter& adapter, const Tensor& in, const Tensor& out) {
    return adapter.after_projection(layer, in, out, part);
  });
}

std::vector<const PrefixAdapter*> Adapters::prefixes() const {
  std::vector<std::string> names = active;
  if (const auto* batch = BatchAdapters::current(); batch != nullptr) {
    names = {batch->begin(), batch->begin() + (batch->empty() ? 0 : 1)};
    const bool prefixes = std::any_of(batch->begin(), batch->end(), [&](const std::string& name) {
      return dynamic_cast<PrefixAdapter*>(find(name)) != nullptr;
    });
    if (prefixes && std::any_of(batch->begin(), batch->end(), [&](const auto& name) { return name != names[0]; })) {
      throw ValueError("BatchAdapters: samples with different prefixes need batches of their own");
    }
  }
  std::vector<const PrefixAdapter*> found;
  for (auto name = names.rbegin(); name != names.rend(); ++name)
    if (const auto* prefix = dynamic_cast<const PrefixAdapter*>(find(*name))) found.push_back(prefix);
  return found;
}

}  // namespace gradus::nn::detail

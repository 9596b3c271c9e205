#include "nn/adapters/prefix.h"

#include <gradus/nn/init.h>
#include <gradus/nn/parametrize.h>

#include "core/range.h"
#include "nn/adapters/adapter.h"

namespace gradus::nn {

namespace detail {

namespace {

// The features of the layer's keys, and of its values.
std::int64_t width_of(const Module& layer) {
  if (const auto* attention = dynamic_cast<const MultiheadAttention*>(&layer))
    return attention->out_proj.weight.size(0);
  const TakesPrefix::Heads heads = dynamic_cast<const TakesPrefix&>(layer).prefix_heads();
  return heads.count * heads.size;
}

Parameter drawn(const Shape& sizes, Dtype dtype) {
  Tensor x = zeros(sizes, {.dtype = dtype});
  return Parameter(init::normal_(x, 0, 0.02));
}

}  // namespace

bool takes_prefix(const Module& layer) {
  return dynamic_cast<const MultiheadAttention*>(&layer) != nullptr ||
         dynamic_cast<const TakesPrefix*>(&layer) != nullptr;
}

PrefixAdapter::PrefixAdapter(const Module& layer, const PrefixOptions& o)
    : Adapter("Prefix", std::to_string(o.tokens)) {
  const auto all = layer.parameters();
  const Dtype dtype = !all.empty() && all.back().dtype() == kFloat64 ? kFloat64 : kFloat32;
  const Shape sizes{o.tokens, width_of(layer)};
  key = add("prefix_key", drawn(sizes, dtype));
  value = add("prefix_value", drawn(sizes, dtype));
}

std::int64_t prefix_length(const Module& attention) {
  const Adapters* adapters = adapters_of(attention);
  std::int64_t length = 0;
  if (adapters != nullptr)
    for (const PrefixAdapter* prefix : adapters->prefixes()) length += prefix->key.size(0);
  return length;
}

void put_prefix(const Module& attention, Tensor& k, Tensor& v) {
  const Adapters* adapters = adapters_of(attention);
  if (adapters == nullptr) return;
  const auto prefixes = adapters->prefixes();
  if (prefixes.empty()) return;
  const auto put = [&](Parameter PrefixAdapter::*own, Tensor& x) {
    std::vector<Tensor> pieces;
    for (const PrefixAdapter* prefix : prefixes) {
      const Tensor& p = prefix->*own;
      const Tensor heads = transpose(reshape(p.to(x.dtype()), {1, p.size(0), x.size(1), x.size(3)}), 1, 2);
      pieces.push_back(expand(heads, {x.size(0), x.size(1), p.size(0), x.size(3)}));
    }
    pieces.push_back(x);
    x = cat(pieces, 2);
  };
  put(&PrefixAdapter::key, k);
  put(&PrefixAdapter::value, v);
}

}  // namespace detail

std::vector<std::string> prefix(Module& net, const std::string& pattern, const PrefixOptions& options) {
  check_range("prefix", "tokens", options.tokens, at_least(1));
  return detail::attach(
      "prefix", net, pattern, options.name,
      [](const std::string&, const Module& layer) { return detail::takes_prefix(layer); },
      [&](const std::string&, Module& layer) { return detail::KeptModule::of(detail::PrefixAdapter(layer, options)); });
}

}  // namespace gradus::nn

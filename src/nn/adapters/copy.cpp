// Layers that are trained whole, as copies.
#include <gradus/nn/layers/embedding.h>
#include <gradus/nn/parametrize.h>

#include "nn/adapters/adapter.h"

namespace gradus::nn {

namespace detail {

bool CopyAdapter::fits(const Module& layer) {
  const auto type = kind_of(layer).type;
  return type == LayerKind::Linear || type == LayerKind::Transposed || type == LayerKind::Embedding;
}

CopyAdapter::CopyAdapter(const Module& layer) : Adapter("Copy") {
  for (const auto& [name, p] : layer.state()->parameters) {
    if (!p.defined()) continue;
    if (!p.is_floating_point())
      throw ValueError("modules_to_save: needs floating-point parameters, got " + name + " of " +
                       gradus::to_string(p.dtype()));
    static_cast<void>(add(name, Parameter(p.detach().clone().to(p.dtype() == kFloat64 ? kFloat64 : kFloat32))));
  }
}

Tensor CopyAdapter::own(const char* name) const {
  for (const auto& [given, p] : state()->parameters)
    if (given == name) return p;
  return Tensor();
}

Tensor CopyAdapter::after(const Module& layer, const Tensor& x, const Tensor& y) {
  const Tensor weight = own("weight"), bias = own("bias");
  if (const auto* table = dynamic_cast<const Embedding*>(&layer))
    return embedding(x, weight, table->padding_idx()).to(y.dtype());
  return linear(x.to(weight.dtype()), kind_of(layer).type == LayerKind::Transposed ? t(weight) : weight, bias)
      .to(y.dtype());
}

std::vector<std::pair<std::string, Tensor>> CopyAdapter::merged(const Module&) const {
  std::vector<std::pair<std::string, Tensor>> all;
  for (const auto& [name, p] : state()->parameters) all.emplace_back(name, p.detach().to(kFloat64));
  return all;
}

}  // namespace detail

std::vector<std::string> modules_to_save(Module& net, const std::string& pattern, const ModulesToSaveOptions& options) {
  return detail::attach(
      "modules_to_save", net, pattern, options.name,
      [](const std::string&, const Module& layer) { return detail::CopyAdapter::fits(layer); },
      [](const std::string&, Module& layer) { return detail::KeptModule::of(detail::CopyAdapter(layer)); });
}

}  // namespace gradus::nn

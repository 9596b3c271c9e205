// What an optimizer is given to train.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <gradus/tensor.h>

namespace gradus::optim {

using NamedTensor = std::pair<std::string, Tensor>;

// A list of parameters with their names: from `net.parameters()`, `net.named_parameters()`, a module, or tensors.
// Unnamed ones take the tensor's own name, which modules set.
class Params {
 public:
  Params() = default;
  Params(const Tensor& tensor) : Params(std::vector<Tensor>{tensor}) {}
  Params(std::initializer_list<Tensor> tensors) : Params(std::vector<Tensor>(tensors)) {}
  Params(const std::vector<Tensor>& tensors);
  Params(std::vector<NamedTensor> named) : named_(std::move(named)) {}
  template <class M>
  requires requires(const M& module) {
    { module.named_parameters() } -> std::convertible_to<std::vector<NamedTensor>>;
  }
  Params(const M& module) : named_(module.named_parameters()) {}

  std::size_t size() const { return named_.size(); }
  bool empty() const { return named_.empty(); }
  const NamedTensor& operator[](std::size_t i) const { return named_[i]; }
  auto begin() const { return named_.begin(); }
  auto end() const { return named_.end(); }

 private:
  std::vector<NamedTensor> named_;
};

// The members for which `keep` is true: `filter(net.parameters(), [](auto& p) { return p.requires_grad(); })`.
template <class Keep>
Params filter(const Params& params, Keep&& keep) {
  std::vector<NamedTensor> kept;
  for (const auto& [name, tensor] : params)
    if (keep(tensor)) kept.emplace_back(name, tensor);
  return kept;
}

}  // namespace gradus::optim

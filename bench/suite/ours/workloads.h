// The workloads of bench/compare in Gradus: one file each, which adds its cases here. Beside it, under rivals/, stands
// the same in other libraries.
#pragma once

#include <gradus/gradus.h>

#include "serve.h"

namespace suite {

Makers& cases_of(const std::string& workload);

// `static const bool added = add("w1", {{"joint/64", make}, ...});`
inline bool add(const std::string& workload, Makers makers) {
  for (auto& maker : makers) cases_of(workload).push_back(std::move(maker));
  return true;
}

inline gradus::Tensor numbers_like(const gradus::Shape& sizes, std::uint32_t seed, double scale) {
  return gradus::tensor(numbers(sizes.numel(), seed, scale), sizes);
}

// Parameters that all sides share: uniform in +-1 / sqrt(fan_in), as nn::Linear's own, from the hash.
inline void set_parameters(const gradus::nn::Module& module, std::uint32_t seed) {
  const gradus::NoGrad guard;
  double bound = 0;
  for (gradus::Tensor p : module.parameters()) {
    if (p.dim() > 1) bound = 1 / std::sqrt(static_cast<double>(p.numel() / p.size(0)));
    p.copy_(numbers_like(p.sizes(), seed++, bound));
  }
}

// Weights from the hash, biases zero; normalisation stays as it starts. For deep networks.
inline void set_weights(const gradus::nn::Module& module, std::uint32_t seed = 1) {
  const gradus::NoGrad guard;
  for (auto [name, p] : module.named_parameters()) {
    if (p.dim() > 1) {
      const double bound = std::sqrt(static_cast<double>(p.size(0)) / static_cast<double>(p.numel()));
      p.copy_(numbers_like(p.sizes(), seed++, bound));
    } else if (name.ends_with("bias")) {
      p.zero_();
    }
  }
}

// Losses of the first `count` steps.
template <class Step>
std::vector<double> losses_of(int count, Step&& step) {
  std::vector<double> losses;
  for (int i = 0; i < count; ++i) losses.push_back(step().item());
  return losses;
}

}  // namespace suite

// How a loss reduces the losses of elements or samples to one number.
#pragma once

#include <string_view>

namespace gradus::nn {

// By name, as in Python, or by constant: `{.reduction = "sum"}`, `{.reduction = nn::Reduction::Sum}`.
class Reduction {
 public:
  enum Kind {
    None,       // one loss per element, or per sample
    Mean,       // their mean; weighted by class weights where a loss has them
    Sum,        // their sum
    BatchMean,  // kl_div only: the sum divided by the first size, which is the mathematical mean over a batch
  };
  constexpr Reduction(Kind kind) : kind_(kind) {}
  Reduction(std::string_view name);  // "none", "mean", "sum" or "batchmean"; ValueError for another
  Reduction(const char* name) : Reduction(std::string_view(name)) {}
  constexpr operator Kind() const { return kind_; }

 private:
  Kind kind_;
};

}  // namespace gradus::nn

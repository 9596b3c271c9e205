#include <gradus/core/error.h>
#include <gradus/nn/loss/reduction.h>

#include <string>

namespace gradus::nn {

namespace {

Reduction::Kind kind_of(std::string_view name) {
  if (name == "none") return Reduction::None;
  if (name == "mean") return Reduction::Mean;
  if (name == "sum") return Reduction::Sum;
  if (name == "batchmean") return Reduction::BatchMean;
  throw ValueError("reduction must be 'mean', 'sum', 'none' or 'batchmean', got '" + std::string(name) + "'");
}

}  // namespace

Reduction::Reduction(std::string_view name) : kind_(kind_of(name)) {}

}  // namespace gradus::nn

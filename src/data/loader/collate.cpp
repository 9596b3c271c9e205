#include <fmt/format.h>

#include "gradus/core/error.h"
#include "gradus/data/data_loader.h"
#include "gradus/ops.h"

namespace gradus::data {

namespace {

std::string describe(const Tensor& x) {
  return x.defined() ? fmt::format("{} {}", to_string(x.dtype()), to_string(x.sizes())) : "nothing";
}

void check_alike(const char* part, const Tensor& first, const Tensor& other, std::size_t i) {
  if (first.defined() == other.defined() &&
      (!first.defined() || (first.dtype() == other.dtype() && first.sizes() == other.sizes()))) {
    return;
  }
  const std::string message =
      fmt::format("collate: need samples of one type and size, got {} {} in the first and {} in sample {} of the batch",
                  part, describe(first), describe(other), i);
  if (first.defined() && other.defined() && first.sizes() == other.sizes()) throw DtypeError(message);
  throw ShapeError(message);
}

}  // namespace

Batch default_collate(std::vector<Sample> samples) {
  if (samples.empty()) throw ValueError("collate: need at least one sample, got none");
  std::vector<Tensor> data, targets;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    check_alike("data", samples[0].data, samples[i].data, i);
    check_alike("target", samples[0].target, samples[i].target, i);
    data.push_back(std::move(samples[i].data));
    if (samples[i].target.defined()) targets.push_back(std::move(samples[i].target));
    if (i == 0) samples[0] = Sample(data[0], targets.empty() ? Tensor() : targets[0]);
  }
  if (!data[0].defined()) throw ValueError("collate: need samples with data, got undefined tensors");
  return {stack(data), targets.empty() ? Tensor() : stack(targets), {}};
}

}  // namespace gradus::data

#include "gradus/data/dataset.h"

#include <fmt/format.h>

#include "data/datasets/rows.h"
#include "data/loader/hash.h"
#include "gradus/core/error.h"
#include "gradus/ops.h"

namespace gradus::data {

Batch Dataset::get_batch(std::span<const std::int64_t>) const { return {}; }

std::string Dataset::name(std::int64_t index) const { return fmt::format("sample {}", index); }

void Dataset::check_index(const char* call, std::int64_t index) const {
  if (index < 0 || index >= size()) {
    throw IndexError(fmt::format("{}: need an index from 0 to {}, got {}", call, size() - 1, index));
  }
}

void AnyDataset::check() const {
  if (!dataset_) throw ValueError("AnyDataset: need a dataset, got a null pointer");
}

FunctionDataset::FunctionDataset(std::int64_t size, std::function<Sample(std::int64_t)> function)
    : FunctionDataset(size, std::move(function), Options{}) {}

FunctionDataset::FunctionDataset(std::int64_t size, std::function<Sample(std::int64_t)> function, Options options)
    : size_(size), function_(std::move(function)), options_(std::move(options)) {
  if (size < 0) throw ValueError(fmt::format("FunctionDataset: the size must not be negative, got {}", size));
  if (!function_) throw ValueError("FunctionDataset: need a function, got an empty one");
}

Sample FunctionDataset::get(std::int64_t index) const {
  check_index("FunctionDataset", index);
  return function_(index);
}

std::string FunctionDataset::name(std::int64_t index) const {
  return options_.name ? options_.name(index) : Dataset::name(index);
}

TensorDataset::TensorDataset(Tensor data, Tensor target) : data_(std::move(data)), target_(std::move(target)) {
  if (data_.dim() < 1 || (target_.defined() && (target_.dim() < 1 || target_.size(0) != data_.size(0)))) {
    throw ShapeError(fmt::format("TensorDataset: need tensors of equal first size, got {} and {}",
                                 to_string(data_.sizes()), target_.defined() ? to_string(target_.sizes()) : "none"));
  }
}

Sample TensorDataset::get(std::int64_t index) const {
  check_index("TensorDataset", index);
  return {data_.select(0, index), target_.defined() ? target_.select(0, index) : Tensor()};
}

Batch TensorDataset::get_batch(std::span<const std::int64_t> indices) const { return rows_of(data_, target_, indices); }

Batch rows_of(const Tensor& data, const Tensor& target, std::span<const std::int64_t> indices) {
  const Tensor rows = tensor(indices, {static_cast<std::int64_t>(indices.size())});
  return {data.index_select(0, rows), target.defined() ? target.index_select(0, rows) : Tensor(), {}};
}

std::string TensorDataset::identity() const { return "tensors " + Hash().add(data_).add(target_).hex(); }

}  // namespace gradus::data

// Datasets made from others: Subset, random_split, ConcatDataset.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/loader/hash.h"
#include "gradus/core/error.h"
#include "gradus/data/dataset.h"
#include "gradus/random.h"

namespace gradus::data {

SampleIndices::SampleIndices(const Tensor& indices) {
  if (indices.is_floating_point() || indices.dtype() == kBool) {
    throw DtypeError(fmt::format("SampleIndices: need integers, got {}", to_string(indices.dtype())));
  }
  if (indices.dim() != 1) {
    throw ShapeError(fmt::format("SampleIndices: need one dimension, got {}", to_string(indices.sizes())));
  }
  vector::operator=(indices.to_vector<std::int64_t>());
}

Subset::Subset(AnyDataset dataset, SampleIndices indices) : dataset_(std::move(dataset)) {
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= dataset_->size()) {
      throw IndexError(fmt::format("Subset: need indices from 0 to {}, got {}", dataset_->size() - 1, index));
    }
  }
  indices_ = std::make_shared<const std::vector<std::int64_t>>(std::move(indices));
}

Sample Subset::get(std::int64_t index) const {
  check_index("Subset", index);
  return dataset_->get((*indices_)[static_cast<std::size_t>(index)]);
}

Batch Subset::get_batch(std::span<const std::int64_t> indices) const {
  std::vector<std::int64_t> inner;
  for (const std::int64_t index : indices) {
    check_index("Subset", index);
    inner.push_back((*indices_)[static_cast<std::size_t>(index)]);
  }
  return dataset_->get_batch(inner);
}

std::string Subset::name(std::int64_t index) const {
  check_index("Subset", index);
  return dataset_->name((*indices_)[static_cast<std::size_t>(index)]);
}

std::string Subset::identity() const {
  const std::string whole = dataset_->identity();
  if (whole.empty()) return {};
  Hash hash;
  for (const std::int64_t index : *indices_) hash.add(index);
  return fmt::format("subset {} of {}", hash.hex(), whole);
}

std::vector<Subset> random_split(const AnyDataset& dataset, const std::vector<std::int64_t>& lengths,
                                 Generator* generator) {
  const std::int64_t size = dataset->size();
  std::int64_t left = size;
  for (const std::int64_t length : lengths) {
    if (length < 0 || length > left) {
      left = -1;
      break;
    }
    left -= length;
  }
  if (left != 0) {
    throw ValueError(
        fmt::format("random_split: need lengths that add up to the {} samples, got {}", size,
                    to_string(Shape(std::vector<std::int64_t>(
                        lengths.begin(), lengths.begin() + std::min<std::ptrdiff_t>(std::ssize(lengths), kMaxRank))))));
  }
  const auto order = randperm(size, {}, generator).to_vector<std::int64_t>();
  std::vector<Subset> parts;
  auto from = order.begin();
  for (const std::int64_t length : lengths) {
    parts.emplace_back(dataset, std::vector<std::int64_t>(from, from + length));
    from += length;
  }
  return parts;
}

std::vector<Subset> random_split(const AnyDataset& dataset, const std::vector<double>& fractions,
                                 Generator* generator) {
  double sum = 0;
  bool valid = true;
  for (const double fraction : fractions) {
    valid = valid && fraction >= 0 && fraction <= 1;
    sum += fraction;
  }
  if (!valid || !(std::abs(sum - 1) <= 1e-9)) {
    throw ValueError(fmt::format("random_split: need fractions from 0 to 1 that add up to 1, got a sum of {}", sum));
  }
  std::vector<std::int64_t> lengths;
  std::int64_t left = dataset->size();
  for (const double fraction : fractions) {
    lengths.push_back(
        std::min(left, static_cast<std::int64_t>(std::floor(static_cast<double>(dataset->size()) * fraction))));
    left -= lengths.back();
  }
  for (std::size_t i = 0; left > 0; ++i, --left) ++lengths[i % lengths.size()];
  return random_split(dataset, lengths, generator);
}

ConcatDataset::ConcatDataset(std::vector<AnyDataset> datasets) : datasets_(std::move(datasets)) {
  if (datasets_.empty()) throw ValueError("ConcatDataset: need at least one dataset, got none");
  std::int64_t end = 0;
  for (const AnyDataset& dataset : datasets_) ends_.push_back(end += dataset->size());
}

std::pair<const Dataset*, std::int64_t> ConcatDataset::find(std::int64_t index) const {
  check_index("ConcatDataset", index);
  const auto i = std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin();
  return {&*datasets_[static_cast<std::size_t>(i)], i == 0 ? index : index - ends_[static_cast<std::size_t>(i - 1)]};
}

Sample ConcatDataset::get(std::int64_t index) const {
  const auto [dataset, inner] = find(index);
  return dataset->get(inner);
}

std::string ConcatDataset::name(std::int64_t index) const {
  const auto [dataset, inner] = find(index);
  return dataset->name(inner);
}

bool ConcatDataset::is_random() const {
  return std::any_of(datasets_.begin(), datasets_.end(), [](const AnyDataset& d) { return d->is_random(); });
}

std::string ConcatDataset::identity() const {
  Hash hash;
  for (const AnyDataset& dataset : datasets_) {
    const std::string part = dataset->identity();
    if (part.empty()) return {};
    hash.add(part);
  }
  return "concatenation " + hash.hex();
}

}  // namespace gradus::data

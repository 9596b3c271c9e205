#include <gradus/ops.h>
#include <gradus/ops/embedding_bag.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace gradus {

namespace {

// Where each bag begins, and the end of the last.
std::vector<std::int64_t> bounds_of(const Tensor& offsets, std::int64_t n, bool include_last) {
  std::vector<std::int64_t> bounds = offsets.to(kInt64).to_vector<std::int64_t>();
  if (include_last && bounds.empty())
    throw ValueError("embedding_bag: include_last_offset needs at least one offset, got none");
  if (!bounds.empty() && bounds[0] != 0)
    throw ValueError("embedding_bag: offsets must begin with 0, got " + std::to_string(bounds[0]));
  for (std::size_t i = 1; i < bounds.size(); ++i) {
    if (bounds[i] < bounds[i - 1])
      throw ValueError("embedding_bag: offsets must not fall, got " + std::to_string(bounds[i - 1]) + " before " +
                       std::to_string(bounds[i]));
  }
  if (!bounds.empty() && bounds.back() > n)
    throw ValueError("embedding_bag: offsets must be at most " + std::to_string(n) + ", the input's length, got " +
                     std::to_string(bounds.back()));
  if (!include_last) bounds.push_back(n);
  return bounds;
}

}  // namespace

Tensor embedding_bag(const Tensor& input, const Tensor& weight, const Tensor& offsets, const EmbeddingBagArguments& o) {
  if (o.mode != "sum" && o.mode != "mean" && o.mode != "max")
    throw ValueError("embedding_bag: mode must be 'sum', 'mean' or 'max', got '" + o.mode + "'");
  if (weight.dim() != 2)
    throw ShapeError("embedding_bag: weight must have 2 dimensions, got " + to_string(weight.sizes()));
  if (!is_integral(input.dtype()) || input.dtype() == kBool)
    throw DtypeError(std::string("embedding_bag: the input must be of integers, got ") + to_string(input.dtype()));
  if (input.dim() != 1 && input.dim() != 2)
    throw ShapeError("embedding_bag: the input must have 1 or 2 dimensions, got " + to_string(input.sizes()));
  if (offsets.defined() == (input.dim() == 2))
    throw ValueError(input.dim() == 2 ? "embedding_bag: an input of 2 dimensions takes no offsets, its rows are bags"
                                      : "embedding_bag: an input of 1 dimension needs offsets");
  if (offsets.defined() && (offsets.dim() != 1 || !is_integral(offsets.dtype())))
    throw ShapeError("embedding_bag: offsets must be integers of 1 dimension, got " + to_string(offsets.sizes()) + " " +
                     to_string(offsets.dtype()));
  const bool weighed = o.per_sample_weights.defined();
  if (weighed && o.mode != "sum")
    throw ValueError("embedding_bag: per_sample_weights need the mode 'sum', got '" + o.mode + "'");
  if (weighed && !(o.per_sample_weights.sizes() == input.sizes()))
    throw ShapeError("embedding_bag: per_sample_weights must have the input's sizes, " + to_string(input.sizes()) +
                     ", got " + to_string(o.per_sample_weights.sizes()));
  if (weighed && o.per_sample_weights.dtype() != weight.dtype())
    throw DtypeError(std::string("embedding_bag: per_sample_weights must be of weight's type, ") +
                     to_string(weight.dtype()) + ", got " + to_string(o.per_sample_weights.dtype()));
  const std::int64_t rows = weight.size(0), features = weight.size(1), n = input.numel();
  std::int64_t padding = -1;
  if (o.padding_idx) {
    if (*o.padding_idx < -rows || *o.padding_idx >= rows)
      throw IndexError("embedding_bag: padding_idx must be in [" + std::to_string(-rows) + ", " +
                       std::to_string(rows - 1) + "], got " + std::to_string(*o.padding_idx));
    padding = *o.padding_idx < 0 ? *o.padding_idx + rows : *o.padding_idx;
  }
  EmbeddingArguments rows_as{.max_norm = o.max_norm, .norm_type = o.norm_type};
  rows_as.scale_grad_by_freq = o.scale_grad_by_freq;
  if (padding >= 0) rows_as.padding_idx = padding;
  const bool matrix = input.dim() == 2;
  std::vector<std::int64_t> bounds;
  if (!matrix) bounds = bounds_of(offsets, n, o.include_last_offset);
  const std::int64_t bags = matrix ? input.size(0) : std::ssize(bounds) - 1;
  const Device device = weight.device();
  const Tensor index = reshape(input.to(kInt64), {n});
  const auto other = [&] { return index != padding; };

  if (o.mode == "max") {
    // Bags side by side, as long as the longest: the rest of each is of no row.
    std::int64_t longest = matrix ? input.size(1) : 0;
    for (std::size_t i = 1; i < bounds.size(); ++i) longest = std::max(longest, bounds[i] - bounds[i - 1]);
    if (longest == 0 || bags == 0 || features == 0)
      return matmul(zeros({bags, 0}, {.dtype = weight.dtype(), .device = device}), narrow(weight, 0, 0, 0));
    Tensor place = index, used = padding >= 0 ? other() : ones({n}, {.dtype = kBool, .device = device});
    if (!matrix) {
      std::vector<std::int64_t> from(static_cast<std::size_t>(bags * longest), n);
      for (std::int64_t b = 0; b < bags; ++b)
        for (std::int64_t i = bounds[static_cast<std::size_t>(b)]; i < bounds[static_cast<std::size_t>(b) + 1]; ++i)
          from[static_cast<std::size_t>(b * longest + i - bounds[static_cast<std::size_t>(b)])] = i;
      const Tensor at = tensor(from, {.device = device});
      place = index_select(cat({index, zeros({1}, {.dtype = kInt64, .device = device})}, 0), 0, at);
      used = index_select(cat({used, zeros({1}, {.dtype = kBool, .device = device})}, 0), 0, at);
    }
    const Tensor found = reshape(embedding(place, weight, rows_as), {bags, longest, features});
    const Tensor hidden = reshape(logical_not(used), {bags, longest, 1});
    const Tensor best = max(masked_fill(found, hidden, -std::numeric_limits<double>::infinity()), 1).first;
    return masked_fill(best, all(hidden, 1), 0);
  }
  Tensor taken = embedding(index, weight, rows_as);
  if (padding >= 0) taken = masked_fill(taken, unsqueeze(logical_not(other()), 1), 0);
  if (weighed) taken = taken * reshape(o.per_sample_weights, {n, 1});
  Tensor bag;
  if (!matrix) {
    std::vector<std::int64_t> of(static_cast<std::size_t>(n));
    for (std::int64_t b = 0; b < bags; ++b)
      std::fill(of.begin() + bounds[static_cast<std::size_t>(b)], of.begin() + bounds[static_cast<std::size_t>(b) + 1],
                b);
    const std::int64_t end = bounds.back();  // what comes after the last bag is in none
    bag = tensor(std::span<const std::int64_t>(of.data(), static_cast<std::size_t>(end)), {end}, {.device = device});
    taken = narrow(taken, 0, 0, end);
  }
  const auto sums = [&](const Tensor& x, std::int64_t width) {
    if (matrix) return sum(reshape(x, {bags, input.size(1), width}), 1);
    return index_add(zeros({bags, width}, {.dtype = x.dtype(), .device = device}), 0, bag, x);
  };
  const Tensor total = sums(taken, features);
  if (o.mode == "sum") return total;
  Tensor counted = padding >= 0 ? other().to(weight.dtype()) : ones({n}, {.dtype = weight.dtype(), .device = device});
  counted = reshape(counted, {n, 1});
  if (!matrix) counted = narrow(counted, 0, 0, bounds.back());
  return total / clamp(sums(counted, 1), 1);
}

}  // namespace gradus

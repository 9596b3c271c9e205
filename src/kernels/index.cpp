#include "kernels/index.h"

#include <gradus/core/error.h>

#include <algorithm>
#include <string>

namespace gradus::kernel {

std::vector<std::int64_t> Rows::offsets(const Shape& sizes, const Shape& strides) {
  std::vector<std::int64_t> all{0};
  for (int d = 0; d < sizes.rank(); ++d) {
    std::vector<std::int64_t> next;
    next.reserve(all.size() * static_cast<std::size_t>(sizes[d]));
    for (const std::int64_t offset : all)
      for (std::int64_t i = 0; i < sizes[d]; ++i) next.push_back(offset + i * strides[d]);
    all.swap(next);
  }
  return all;
}

void Rows::set_inner(const Shape& sizes, const Shape& strides) {
  int rest = sizes.rank();
  length = 1;
  stride = 1;
  // As many of the last dimensions as follow each other in memory make one run.
  while (rest > 0) {
    const int d = rest - 1;
    if (sizes[d] != 1) {
      if (length != 1 && strides[d] != stride * length) break;
      if (length == 1) stride = strides[d];
      length *= sizes[d];
    }
    --rest;
  }
  Shape outer_sizes = sizes, outer_strides = strides;
  outer_sizes.resize(rest);
  outer_strides.resize(rest);
  inner = offsets(outer_sizes, outer_strides);
}

void refuse_index(const Shape& sizes, const IndexRange& range, std::int64_t position, std::int64_t value) {
  Shape at = sizes;
  std::int64_t rest = position;
  for (int d = sizes.rank() - 1; d >= 0; --d) {
    at[d] = rest % sizes[d];
    rest /= sizes[d];
  }
  std::string text(range.call);
  text.append(range.ignored ? ": class indices must be in [" : ": index must be in [")
      .append(std::to_string(range.low))
      .append(", ")
      .append(std::to_string(range.high))
      .append(")");
  if (range.ignored) text.append(" or ignore_index ").append(std::to_string(*range.ignored));
  text.append(", got ").append(std::to_string(value)).append(" at position ");
  throw IndexError(text.append(range.ignored ? std::to_string(position) : to_string(at)));
}

void check_index(const std::int64_t* index, const Shape& sizes, const IndexRange& range) {
  const auto fits = [&](std::int64_t value) {
    return (value >= range.low && value < range.high) || value == range.ignored;
  };
  const std::int64_t n = sizes.numel();
  for (std::int64_t i = 0; i < n; ++i)
    if (!fits(index[i])) refuse_index(sizes, range, i, index[i]);
}

}  // namespace gradus::kernel

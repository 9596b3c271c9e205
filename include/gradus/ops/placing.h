// Copies of a tensor with other values at some of its places, and reading such places: torch's names, argument order
// and defaults. Differentiable to any order. Where an index names a place twice, one of the values is kept.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <gradus/tensor.h>

namespace gradus {

// --- along a dimension, at the positions of a vector `index`
Tensor index_copy(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src);
Tensor index_fill(const Tensor& x, std::int64_t dim, const Tensor& index, const Scalar& value);
Tensor index_fill(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& value);  // 0-d
// reduce: "prod", "mean", "amax" or "amin" of the values for a place, and of the one there if include_self.
Tensor index_reduce(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                    bool include_self = true);

// --- at the places that scatter writes to
// reduce: "sum", "prod", "mean", "amax" or "amin" of the values for a place, and of the one there if include_self.
// Equal extremes share the gradient; what include_self leaves out has no share, where PyTorch counts it.
Tensor scatter_reduce(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src,
                      std::string_view reduce, bool include_self = true);
// gather, after broadcasting all dimensions but `dim`; unset dim: from the flattened elements.
Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<std::int64_t> dim = {});

// --- anywhere
Tensor index_put(const Tensor& x, const std::vector<Index>& indices, const Tensor& values, bool accumulate = false);
// x where mask is false; where it is true the elements of src, one after the other.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& src);
// Positions in the flattened x, from the end where negative.
Tensor take(const Tensor& x, const Tensor& index);
Tensor put(const Tensor& x, const Tensor& index, const Tensor& src, bool accumulate = false);

// --- at the places that slice, select and diagonal (gradus/ops/diagonals.h) show
Tensor slice_scatter(const Tensor& x, const Tensor& src, std::int64_t dim = 0, std::optional<std::int64_t> start = {},
                     std::optional<std::int64_t> end = {}, std::int64_t step = 1);
Tensor select_scatter(const Tensor& x, const Tensor& src, std::int64_t dim, std::int64_t index);

}  // namespace gradus

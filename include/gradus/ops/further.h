// More operations of PyTorch, with its names, argument order and defaults; gradus/ops.h has the most common ones.
#pragma once

#include <optional>
#include <string_view>

#include <gradus/tensor.h>

namespace gradus {

// x where x > 0, and weight x elsewhere. weight is [1], or [C] for the channels, which are dimension 1 of x.
Tensor prelu(const Tensor& x, const Tensor& weight);
Tensor atan2(const Tensor& y, const Tensor& x);  // the angle of (x, y), in [-pi, pi]
Tensor cumprod(const Tensor& x, std::int64_t dim);
// The median; of an even number of elements the lower of the two middle ones. NaN if any element is NaN.
Tensor median(const Tensor& x);
std::pair<Tensor, Tensor> median(const Tensor& x, std::int64_t dim, bool keepdim = false);  // values, int64 indices

// |x1 - x2 + eps|_p over the last dimension.
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2, double eps = 1e-6, bool keepdim = false);
// The p-norm distances of all pairs of rows: [..., P, M] and [..., R, M] -> [..., P, R].
Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2);

// Repeats each element, or each slice along `dim`, `repeats` times in a row. Unset dim: the flattened elements.
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<std::int64_t> dim = {});
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<std::int64_t> dim = {});

// Grids of coordinates: for vectors of n_0, n_1, ... elements, one tensor [n_0, n_1, ...] for each. With "xy" the first
// two dimensions are exchanged.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& xs, std::string_view indexing = "ij");

// values: the different elements in ascending order. inverse: the position of each element of x in values, with the
// sizes of x. counts: how often each value occurs in x.
struct Unique {
  Tensor values, inverse, counts;
};
Unique unique(const Tensor& x);

// Draws int64 indices with probabilities in proportion to weights, which need not sum to 1: [n] or [rows, n] ->
// [num_samples] or [rows, num_samples]. ValueError for weights that are negative or not finite, or of which too few are
// positive. The default generator is used where none is given.
Tensor multinomial(const Tensor& weights, std::int64_t num_samples, bool replacement = false,
                   Generator* generator = nullptr);

}  // namespace gradus

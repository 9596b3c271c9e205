// Operations that fewer programs need; gradus/ops.h has the rest. Names, argument order and defaults are PyTorch's.
#pragma once

#include <optional>
#include <string_view>

#include <gradus/tensor.h>

namespace gradus {

// x where it is positive, else weight times x. weight [1], or one number for each channel, which dimension 1 of x is.
Tensor prelu(const Tensor& x, const Tensor& weight);
Tensor atan2(const Tensor& y, const Tensor& x);  // the angle of (x, y), in [-pi, pi]
Tensor cumprod(const Tensor& x, std::int64_t dim);
// The lower of the two in the middle where there are two; NaN where there is one.
Tensor median(const Tensor& x);
std::pair<Tensor, Tensor> median(const Tensor& x, std::int64_t dim, bool keepdim = false);  // values, int64 indices

// |x1 - x2 + eps|_p over the last dimension.
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2, double eps = 1e-6, bool keepdim = false);
// All distances between rows: [..., P, M] and [..., R, M] -> [..., P, R].
Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2);

// Each element, or each slice along `dim`, several times in a row.
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<std::int64_t> dim = {});
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<std::int64_t> dim = {});

// Coordinates: of vectors of n_0, n_1, ... elements as many tensors [n_0, n_1, ...]; with "xy" the first two dimensions
// change places.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& xs, std::string_view indexing = "ij");

// The different elements in rising order; where each element of the input is among them, in its sizes; how often each
// comes.
struct Unique {
  Tensor values, inverse, counts;
};
Unique unique(const Tensor& x);

// Indices drawn by weights, which need not sum to 1: [n] or [rows, n] -> [num_samples] or [rows, num_samples].
Tensor multinomial(const Tensor& weights, std::int64_t num_samples, bool replacement = false,
                   Generator* generator = nullptr);

}  // namespace gradus

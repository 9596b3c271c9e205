// Where elements are, and whether they occur at all: torch's names, argument order and defaults.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <gradus/ops.h>
#include <gradus/ops/further.h>

namespace gradus {

inline Tensor argwhere(const Tensor& x) { return nonzero(x); }
// nonzero(as_tuple=True), by ATen's name: the positions in each dimension, as x[...] takes them. A 0-d tensor counts as
// a vector of one element.
std::vector<Tensor> nonzero_numpy(const Tensor& x);
// Sorted along the first dimension.
Tensor msort(const Tensor& x);

// Whether each of the elements is among the others (or, if invert, is not): bool. NaN equals nothing.
Tensor isin(const Tensor& elements, const Tensor& test_elements, bool assume_unique = false, bool invert = false);
Tensor isin(const Tensor& elements, const Scalar& test_element, bool assume_unique = false, bool invert = false);
Tensor isin(const Scalar& element, const Tensor& test_elements, bool assume_unique = false, bool invert = false);

// How many elements of an ascending sequence come before each value (with `right`, or the side "right", those equal to
// it too): int64, or int32 if out_int32. The sequence is a vector, or has one row for each row of values. `sorter`: the
// argsort of a sequence that is not sorted.
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool out_int32 = false, bool right = false,
                    std::optional<std::string_view> side = {}, const Tensor& sorter = Tensor());
Tensor searchsorted(const Tensor& sorted_sequence, const Scalar& value, bool out_int32 = false, bool right = false,
                    std::optional<std::string_view> side = {}, const Tensor& sorter = Tensor());
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool out_int32 = false, bool right = false);
Tensor bucketize(const Scalar& x, const Tensor& boundaries, bool out_int32 = false, bool right = false);

// Drops elements that equal the one before them; with dim, slices along it. As unique, inverse has a position for each
// element (or slice) of x, and counts says how many became one.
Unique unique_consecutive(const Tensor& x, std::optional<std::int64_t> dim = {});
// The different slices along dim, in ascending order of their elements; inverse and counts are of slices.
Unique unique(const Tensor& x, std::int64_t dim);

}  // namespace gradus

// More operations on shapes: they move, join and split dimensions. Names, argument order and defaults are PyTorch's;
// what is a view in PyTorch is a view here. Differentiable to any order.
#pragma once

#include <initializer_list>
#include <vector>

#include <gradus/ops.h>

namespace gradus {

// --- moving and turning
// Moves the dimensions `source` to the positions `destination`; the others keep their order. A view.
Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination);
inline Tensor moveaxis(const Tensor& x, const Dims& source, const Dims& destination) {
  return movedim(x, source, destination);
}
inline Tensor swapaxes(const Tensor& x, std::int64_t axis0, std::int64_t axis1) { return transpose(x, axis0, axis1); }
inline Tensor swapdims(const Tensor& x, std::int64_t dim0, std::int64_t dim1) { return transpose(x, dim0, dim1); }
Tensor ravel(const Tensor& x);                      // contiguous and 1-d; a view where x is contiguous
Tensor tile(const Tensor& x, const Shape& dims);    // as repeat, with counts of 1 in front where some are missing
Tensor squeeze(const Tensor& x, const Dims& dims);  // removes those of the dimensions whose size is 1; a view
// Rotates by 90 degrees k times, from the first of the two dimensions towards the second.
Tensor rot90(const Tensor& x, std::int64_t k = 1, const Dims& dims = {0, 1});
Tensor fliplr(const Tensor& x);  // reverses dimension 1
Tensor flipud(const Tensor& x);  // reverses dimension 0

// At least 1, 2 or 3 dimensions: [n] becomes [1, n] and [1, n, 1], and [m, n] becomes [m, n, 1]. Views.
Tensor atleast_1d(const Tensor& x);
Tensor atleast_2d(const Tensor& x);
Tensor atleast_3d(const Tensor& x);
std::vector<Tensor> atleast_1d(const std::vector<Tensor>& xs);
std::vector<Tensor> atleast_2d(const std::vector<Tensor>& xs);
std::vector<Tensor> atleast_3d(const std::vector<Tensor>& xs);

// --- broadcasting
inline Tensor broadcast_to(const Tensor& x, const Shape& sizes) { return expand(x, sizes); }
std::vector<Tensor> broadcast_tensors(const std::vector<Tensor>& xs);
Shape broadcast_shapes(const std::vector<Shape>& shapes);

// --- joining: copies
inline Tensor concat(const std::vector<Tensor>& xs, std::int64_t dim = 0) { return cat(xs, dim); }
inline Tensor concatenate(const std::vector<Tensor>& xs, std::int64_t dim = 0) { return cat(xs, dim); }
Tensor hstack(const std::vector<Tensor>& xs);  // along dimension 1, or vectors along their only one
Tensor vstack(const std::vector<Tensor>& xs);  // along dimension 0, after atleast_2d
Tensor dstack(const std::vector<Tensor>& xs);  // along dimension 2, after atleast_3d
inline Tensor row_stack(const std::vector<Tensor>& xs) { return vstack(xs); }
Tensor column_stack(const std::vector<Tensor>& xs);  // as hstack, with vectors as columns
// Every combination of one element from each vector, one per row. A single vector is returned as it is.
Tensor cartesian_prod(const std::vector<Tensor>& xs);
// Every selection of r elements of a vector, in their order, one per row.
Tensor combinations(const Tensor& x, std::int64_t r = 2, bool with_replacement = false);

// --- splitting: views
// Into `sections` parts, the first of which may be one element longer, or before each of the indices. Negative indices
// count from the end; indices may lie outside. An int64 tensor holds either: 0-d the number, 1-d the indices.
std::vector<Tensor> tensor_split(const Tensor& x, std::int64_t sections, std::int64_t dim = 0);
std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<std::int64_t>& indices, std::int64_t dim = 0);
std::vector<Tensor> tensor_split(const Tensor& x, const Tensor& indices_or_sections, std::int64_t dim = 0);
// tensor_split along dimension 1 (0 for a vector), 0 and 2; `sections` must divide the size.
std::vector<Tensor> hsplit(const Tensor& x, std::int64_t sections);
std::vector<Tensor> hsplit(const Tensor& x, const std::vector<std::int64_t>& indices);
std::vector<Tensor> vsplit(const Tensor& x, std::int64_t sections);
std::vector<Tensor> vsplit(const Tensor& x, const std::vector<std::int64_t>& indices);
std::vector<Tensor> dsplit(const Tensor& x, std::int64_t sections);
std::vector<Tensor> dsplit(const Tensor& x, const std::vector<std::int64_t>& indices);
inline std::vector<Tensor> split_with_sizes(const Tensor& x, const std::vector<std::int64_t>& sizes,
                                            std::int64_t dim = 0) {
  return split(x, sizes, dim);
}

// So that `{2}` is taken for one index and not for a number of sections.
inline std::vector<Tensor> tensor_split(const Tensor& x, std::initializer_list<std::int64_t> indices,
                                        std::int64_t dim = 0) {
  return tensor_split(x, std::vector<std::int64_t>(indices), dim);
}
inline std::vector<Tensor> hsplit(const Tensor& x, std::initializer_list<std::int64_t> indices) {
  return hsplit(x, std::vector<std::int64_t>(indices));
}
inline std::vector<Tensor> vsplit(const Tensor& x, std::initializer_list<std::int64_t> indices) {
  return vsplit(x, std::vector<std::int64_t>(indices));
}
inline std::vector<Tensor> dsplit(const Tensor& x, std::initializer_list<std::int64_t> indices) {
  return dsplit(x, std::vector<std::int64_t>(indices));
}

}  // namespace gradus

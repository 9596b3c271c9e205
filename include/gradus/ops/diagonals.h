// Diagonals and triangles of matrices: torch's names, argument order and defaults. Differentiable to any order.
#pragma once

#include <gradus/tensor.h>

namespace gradus {

// The diagonal of each matrix in dimensions dim1 and dim2, as the last dimension: `offset` above the main one, or below
// it where negative. A view.
Tensor diagonal(const Tensor& x, std::int64_t offset = 0, std::int64_t dim1 = 0, std::int64_t dim2 = 1);
// Matrices, in dimensions dim1 and dim2 of the result, with the last dimension of x as their diagonals.
Tensor diag_embed(const Tensor& x, std::int64_t offset = 0, std::int64_t dim1 = -2, std::int64_t dim2 = -1);
Tensor diag(const Tensor& x, std::int64_t diagonal = 0);    // a vector's matrix, or a matrix's diagonal; a copy
Tensor diagflat(const Tensor& x, std::int64_t offset = 0);  // the matrix with all elements of x as its diagonal
Tensor trace(const Tensor& x);                              // the sum of the diagonal of a matrix
Tensor block_diag(const std::vector<Tensor>& xs);           // one matrix with the others along its diagonal
// A copy of x with src as its diagonal.
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, std::int64_t offset = 0, std::int64_t dim1 = 0,
                        std::int64_t dim2 = 1);

// The rows and the columns, int64 [2, n], of the elements of a matrix that tril and triu keep.
Tensor tril_indices(std::int64_t row, std::int64_t col, std::int64_t offset = 0, const TensorOptions& options = {});
Tensor triu_indices(std::int64_t row, std::int64_t col, std::int64_t offset = 0, const TensorOptions& options = {});

}  // namespace gradus

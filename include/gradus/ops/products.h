// More products of vectors, matrices and tensors, and sums along a line, with PyTorch's names, argument order and
// defaults. They consist of other operations, and are differentiable like these.
#pragma once

#include <optional>
#include <vector>

#include <gradus/ops.h>

namespace gradus {

Tensor mv(const Tensor& matrix, const Tensor& vector);
Tensor vdot(const Tensor& a, const Tensor& b);
Tensor inner(const Tensor& a, const Tensor& b);  // the products of the rows of a with those of b
// beta * input + alpha * (a product). With beta 0 the input is not read, so a NaN in it has no effect.
Tensor addmv(const Tensor& input, const Tensor& matrix, const Tensor& vector, double beta = 1, double alpha = 1);
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1);  // of outer
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1);
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1);  // of the sum

// Sums over the last `dims` dimensions of a and the first of b, or over those that are listed.
Tensor tensordot(const Tensor& a, const Tensor& b, std::int64_t dims = 2);
Tensor tensordot(const Tensor& a, const Tensor& b, const Shape& dims_a, const Shape& dims_b);
Tensor kron(const Tensor& a, const Tensor& b);
Tensor dist(const Tensor& a, const Tensor& b, double p = 2);  // the p-norm of a - b
// The p-norm distances of all pairs of rows of x [n, m]: of row 0 to the others, of row 1 to those after it, and so on:
// [n (n - 1) / 2].
Tensor pdist(const Tensor& x, double p = 2);
// The products of vectors in space, which lie along `dim`, whose size is 3 in both (ShapeError); the others broadcast.
// Unset dim: the first of this size.
Tensor cross(const Tensor& a, const Tensor& b, std::optional<std::int64_t> dim = {});

// The covariance of variables, which are the rows, from observations, which are the columns. The weights, [columns],
// say how often each observation was made (integers) and how much it counts.
Tensor cov(const Tensor& x, std::int64_t correction = 1, const Tensor& fweights = Tensor(),
           const Tensor& aweights = Tensor());
Tensor corrcoef(const Tensor& x);

// --- along a dimension
Tensor diff(const Tensor& x, std::int64_t n = 1, std::int64_t dim = -1, const Tensor& prepend = Tensor(),
            const Tensor& append = Tensor());
// The trapezoidal rule, for points dx apart or at x.
Tensor trapezoid(const Tensor& y, double dx = 1, std::int64_t dim = -1);
Tensor trapezoid(const Tensor& y, const Tensor& x, std::int64_t dim = -1);
Tensor cumulative_trapezoid(const Tensor& y, double dx = 1, std::int64_t dim = -1);
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, std::int64_t dim = -1);
inline Tensor trapz(const Tensor& y, double dx = 1, std::int64_t dim = -1) { return trapezoid(y, dx, dim); }
inline Tensor trapz(const Tensor& y, const Tensor& x, std::int64_t dim = -1) { return trapezoid(y, x, dim); }

// --- several matrices
Tensor matrix_power(const Tensor& x, std::int64_t n);  // n >= 0 (ValueError): there is no inverse
namespace linalg {
// The product of at least two matrices in the order that takes the fewest multiplications. The first and the last may
// be vectors.
Tensor multi_dot(const std::vector<Tensor>& matrices);
inline Tensor matrix_power(const Tensor& x, std::int64_t n) { return gradus::matrix_power(x, n); }
inline Tensor cross(const Tensor& a, const Tensor& b, std::int64_t dim = -1) { return gradus::cross(a, b, dim); }
}  // namespace linalg
inline Tensor chain_matmul(const std::vector<Tensor>& matrices) {
  return matrices.size() == 1 ? matrices[0] : linalg::multi_dot(matrices);
}

}  // namespace gradus

namespace gradus::nn::functional {
using gradus::pdist;
}  // namespace gradus::nn::functional

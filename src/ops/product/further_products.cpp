// More products, made of matmul, bmm and mul.
#include <gradus/autocast.h>
#include <gradus/ops/products.h>

#include <algorithm>
#include <cmath>

#include "core/range.h"

namespace gradus {

namespace {

void check(bool fits, const char* call, const char* rule, const Tensor& a, const Tensor& b) {
  if (fits) return;
  throw ShapeError(std::string(call) + ": need " + rule + ", got " + to_string(a.sizes()) + " and " +
                   to_string(b.sizes()));
}

// x times a factor; that of an integer tensor must be whole.
Tensor times(const char* call, const Tensor& x, double factor) {
  if (factor == 1) return x;
  if (x.is_floating_point()) return x * factor;
  if (factor != std::trunc(factor)) {
    throw ValueError(std::string(call) + ": integer tensors need integers for beta and alpha, got " +
                     std::to_string(factor));
  }
  return x * static_cast<std::int64_t>(factor);
}

// beta * input + alpha * product, with the sizes of the product.
Tensor blend(const char* call, const Tensor& input, const Tensor& product, double beta, double alpha) {
  if (!(broadcast_shapes(call, input.sizes(), product.sizes()) == product.sizes())) {
    throw ShapeError(std::string(call) + ": input of sizes " + to_string(input.sizes()) +
                     " does not broadcast to the product's " + to_string(product.sizes()));
  }
  if (input.dtype() != product.dtype()) {
    throw DtypeError(std::string(call) + ": input must have the type of the product, got " + to_string(input.dtype()) +
                     " and " + to_string(product.dtype()));
  }
  const Tensor scaled = times(call, product, alpha);
  return beta == 0 ? scaled : times(call, input, beta) + scaled;
}

std::int64_t size_of(const Shape& sizes, const Shape& dims) {
  std::int64_t n = 1;
  for (std::int64_t d : dims) n *= sizes[static_cast<int>(d)];
  return n;
}

// Wrapped, none twice.
Shape contracted(const Shape& dims, int rank) {
  Shape wrapped;
  for (std::int64_t d : dims) {
    const int at = wrap_dim("tensordot", d, rank);
    if (std::find(wrapped.begin(), wrapped.end(), at) != wrapped.end()) {
      throw ShapeError("tensordot: dimension " + std::to_string(d) + " is named twice");
    }
    wrapped.push_back(at);
  }
  return wrapped;
}

Shape others(const Shape& dims, int rank) {
  Shape rest;
  for (int d = 0; d < rank; ++d)
    if (std::find(dims.begin(), dims.end(), d) == dims.end()) rest.push_back(d);
  return rest;
}

Shape joined(Shape a, const Shape& b) {
  for (std::int64_t n : b) a.push_back(n);
  return a;
}

Shape picked(const Shape& sizes, const Shape& dims) {
  Shape some;
  for (std::int64_t d : dims) some.push_back(sizes[static_cast<int>(d)]);
  return some;
}

}  // namespace

Tensor mv(const Tensor& matrix, const Tensor& vector) {
  const Autocast off(kBFloat16, false);  // as in PyTorch
  check(matrix.dim() == 2 && vector.dim() == 1 && matrix.size(1) == vector.size(0), "mv", "[m, k] and [k]", matrix,
        vector);
  return matmul(matrix, vector);
}

Tensor vdot(const Tensor& a, const Tensor& b) {
  const Autocast off(kBFloat16, false);  // as in PyTorch
  check(a.dim() == 1 && a.sizes() == b.sizes(), "vdot", "two vectors of one size", a, b);
  return dot(a, b);
}

Tensor inner(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) return a * b;
  check(a.size(-1) == b.size(-1), "inner", "the same last size", a, b);
  return tensordot(a, b, {-1}, {-1});
}

Tensor addmv(const Tensor& input, const Tensor& matrix, const Tensor& vector, double beta, double alpha) {
  const Autocast off(kBFloat16, false);  // as in PyTorch
  check(matrix.dim() == 2 && vector.dim() == 1 && matrix.size(1) == vector.size(0), "addmv", "[m, k] and [k]", matrix,
        vector);
  return blend("addmv", input, matmul(matrix, vector), beta, alpha);
}

Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  check(a.dim() == 1 && b.dim() == 1, "addr", "two vectors", a, b);
  return blend("addr", input, outer(a, b), beta, alpha);
}

Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  if (autocasts(input, a, b)) return baddbmm(autocast(input), autocast(a), autocast(b), beta, alpha);
  return blend("baddbmm", input, bmm(a, b), beta, alpha);
}

Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  if (autocasts(input, a, b)) return addbmm(autocast(input), autocast(a), autocast(b), beta, alpha);
  return blend("addbmm", input, sum(bmm(a, b), 0).to(a.dtype()), beta, alpha);
}

Tensor tensordot(const Tensor& a, const Tensor& b, std::int64_t dims) {
  if (dims < 0 || dims > std::min(a.dim(), b.dim())) {
    throw ValueError("tensordot: dims must be in [0, " + std::to_string(std::min(a.dim(), b.dim())) + "] for sizes " +
                     to_string(a.sizes()) + " and " + to_string(b.sizes()) + ", got " + std::to_string(dims));
  }
  Shape last, first;
  for (std::int64_t d = 0; d < dims; ++d) {
    last.push_back(a.dim() - dims + d);
    first.push_back(d);
  }
  return tensordot(a, b, last, first);
}

Tensor tensordot(const Tensor& a_given, const Tensor& b_given, const Shape& dims_a, const Shape& dims_b) {
  Tensor a = a_given, b = b_given;
  if (dims_a.rank() != dims_b.rank()) {
    throw ValueError("tensordot: needs as many dimensions of both, got " + to_string(dims_a) + " and " +
                     to_string(dims_b));
  }
  const Shape from_a = contracted(dims_a, a.sizes().rank()), from_b = contracted(dims_b, b.sizes().rank());
  for (int i = 0; i < from_a.rank(); ++i) {
    const std::int64_t n = a.size(from_a[i]), m = b.size(from_b[i]);
    check(n == m || n == 1 || m == 1, "tensordot", "equal sizes along the listed dimensions", a_given, b_given);
    // A single element stands for all, as in broadcasting.
    if (n == 1 && m != 1) b = sum(b, from_b[i], true).to(b.dtype());
    if (m == 1 && n != 1) a = sum(a, from_a[i], true).to(a.dtype());
  }
  const Shape rest_a = others(from_a, a.sizes().rank()), rest_b = others(from_b, b.sizes().rank());
  const std::int64_t shared = size_of(a.sizes(), from_a);
  const Tensor left = reshape(permute(a, joined(rest_a, from_a)), {size_of(a.sizes(), rest_a), shared});
  const Tensor right = reshape(permute(b, joined(from_b, rest_b)), {shared, size_of(b.sizes(), rest_b)});
  return reshape(mm(left, right), joined(picked(a.sizes(), rest_a), picked(b.sizes(), rest_b)));
}

Tensor kron(const Tensor& a, const Tensor& b) {
  const int rank = std::max(a.sizes().rank(), b.sizes().rank());
  if (2 * rank > kMaxRank) {
    throw ShapeError("kron: at most " + std::to_string(kMaxRank / 2) + " dimensions, got " + to_string(a.sizes()) +
                     " and " + to_string(b.sizes()));
  }
  Shape wide_a, wide_b, result;
  for (int d = 0; d < rank; ++d) {
    const int at_a = d - rank + a.sizes().rank(), at_b = d - rank + b.sizes().rank();
    const std::int64_t n = at_a < 0 ? 1 : a.sizes()[at_a], m = at_b < 0 ? 1 : b.sizes()[at_b];
    wide_a = joined(wide_a, {n, 1});
    wide_b = joined(wide_b, {1, m});
    result.push_back(n * m);
  }
  return reshape(reshape(a, wide_a) * reshape(b, wide_b), result);
}

Tensor dist(const Tensor& a, const Tensor& b, double p) { return norm(a - b, p); }

Tensor matrix_power(const Tensor& x, std::int64_t n) {
  if (x.dim() < 2 || x.size(-1) != x.size(-2)) {
    throw ShapeError("matrix_power: needs square matrices, got " + to_string(x.sizes()));
  }
  check_range("matrix_power", "n", n, at_least(0));
  if (n == 0) return expand(eye(x.size(-1), {}, {.dtype = x.dtype(), .device = x.device()}), x.sizes()).clone();
  Tensor result, square = x;
  while (true) {
    if (n % 2 == 1) result = result.defined() ? matmul(result, square) : square;
    n /= 2;
    if (n == 0) return result.is_same(x) ? x.clone() : result;
    square = matmul(square, square);
  }
}

namespace {

// Multiplies matrices [first, last] with the splits that were found to be cheapest.
Tensor in_order(const std::vector<Tensor>& xs, const std::vector<std::vector<std::size_t>>& split, std::size_t first,
                std::size_t last) {
  if (first == last) return xs[first];
  const std::size_t at = split[first][last];
  return mm(in_order(xs, split, first, at), in_order(xs, split, at + 1, last));
}

}  // namespace

namespace linalg {

Tensor multi_dot(const std::vector<Tensor>& matrices) {
  const std::size_t n = matrices.size();
  if (n < 2) throw ValueError("multi_dot: needs at least two tensors, got " + std::to_string(n));
  std::vector<Tensor> xs = matrices;
  const bool row = xs.front().dim() == 1, column = xs.back().dim() == 1;
  if (row) xs.front() = unsqueeze(xs.front(), 0);
  if (column) xs.back() = unsqueeze(xs.back(), 1);
  for (std::size_t i = 0; i < n; ++i) {
    if (xs[i].dim() != 2) {
      throw ShapeError("multi_dot: needs matrices, and vectors at the ends only, got " +
                       to_string(matrices[i].sizes()) + " at position " + std::to_string(i));
    }
    if (i > 0)
      check(xs[i - 1].size(1) == xs[i].size(0), "multi_dot", "[m, k] and [k, n]", matrices[i - 1], matrices[i]);
  }
  std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
  std::vector<std::vector<std::size_t>> split(n, std::vector<std::size_t>(n, 0));
  const auto size = [&](std::size_t i, int dim) { return static_cast<double>(xs[i].size(dim)); };
  for (std::size_t length = 1; length < n; ++length) {
    for (std::size_t first = 0; first + length < n; ++first) {
      const std::size_t last = first + length;
      for (std::size_t at = first; at < last; ++at) {
        const double c = cost[first][at] + cost[at + 1][last] + size(first, 0) * size(at, 1) * size(last, 1);
        if (at > first && c >= cost[first][last]) continue;
        cost[first][last] = c;
        split[first][last] = at;
      }
    }
  }
  Tensor y = in_order(xs, split, 0, n - 1);
  if (column) y = squeeze(y, 1);
  return row ? squeeze(y, 0) : y;
}

}  // namespace linalg

}  // namespace gradus

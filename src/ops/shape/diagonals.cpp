// diagonal, diag_embed, diag, diagflat, block_diag, diagonal_scatter, tril_indices, triu_indices.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/diagonals.h>

#include <algorithm>
#include <cmath>

#include "core/tensor_access.h"

namespace gradus {

namespace {

// Which elements of a tensor: in dimensions a and b, `offset` above the main diagonal.
struct Place {
  int a, b;
  std::int64_t offset;

  std::int64_t length(const Shape& sizes) const {
    // Compared before subtracting, so that no offset is too far.
    if (offset >= 0) return offset >= sizes[b] ? 0 : std::min(sizes[a], sizes[b] - offset);
    return offset <= -sizes[a] ? 0 : std::min(sizes[a] + offset, sizes[b]);
  }
};

Place place(const char* call, int rank, std::int64_t offset, std::int64_t dim1, std::int64_t dim2) {
  const int a = wrap_dim(call, dim1, rank), b = wrap_dim(call, dim2, rank);
  if (rank < 2 || a == b) {
    throw ShapeError(std::string(call) + ": needs two different dimensions, got " + std::to_string(dim1) + " and " +
                     std::to_string(dim2) + " of " + std::to_string(rank));
  }
  return {a, b, offset};
}

Tensor view_of(const Tensor& x, const Place& p) {
  const std::int64_t length = p.length(x.sizes());
  Shape sizes, strides;
  for (int d = 0; d < x.sizes().rank(); ++d) {
    if (d == p.a || d == p.b) continue;
    sizes.push_back(x.sizes()[d]);
    strides.push_back(x.strides()[d]);
  }
  sizes.push_back(length);
  strides.push_back(x.strides()[p.a] + x.strides()[p.b]);
  std::int64_t start = 0;
  if (length > 0) start = p.offset >= 0 ? p.offset * x.strides()[p.b] : -p.offset * x.strides()[p.a];
  return detail::make_view(x, sizes, strides, start);
}

// Zeros of the given sizes with x as their diagonals: diag_embed, and the gradient of diagonal.
struct Embed final : Op {
  Shape sizes;
  Place where;
  Embed(Shape s, Place p) : sizes(std::move(s)), where(p) {}
  const char* name() const override { return "diag_embed"; }
  Tensor forward(const Tensor& x) {
    Tensor y = zeros(sizes, {.dtype = x.dtype(), .device = x.device()});
    view_of(y, where).copy_(x);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = diagonal(g, where.offset, where.a, where.b); }
};

struct Diagonal final : Op {
  Shape from;
  Place where;
  explicit Diagonal(Place p) : where(p) {}
  const char* name() const override { return "diagonal"; }
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    return view_of(x, where);
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(Embed(from, where), g); }
};

Tensor triangle_indices(const char* call, bool lower, std::int64_t row, std::int64_t col, std::int64_t offset,
                        const TensorOptions& options) {
  if (row < 0 || col < 0) {
    throw ValueError(std::string(call) + ": row and col must not be negative, got " + std::to_string(row) + " and " +
                     std::to_string(col));
  }
  check_sizes(call, {row, col});
  std::vector<std::int64_t> rows, columns;
  for (std::int64_t i = 0; i < row; ++i) {
    // The first column above the diagonal in the upper case, the first after it in the lower one.
    const std::int64_t shift = std::clamp(offset, -row, col) + (lower ? 1 : 0);
    const std::int64_t edge = std::clamp<std::int64_t>(i + shift, 0, col);
    for (std::int64_t j = lower ? 0 : edge; j < (lower ? edge : col); ++j) {
      rows.push_back(i);
      columns.push_back(j);
    }
  }
  const auto n = static_cast<std::int64_t>(rows.size());
  rows.insert(rows.end(), columns.begin(), columns.end());
  return tensor(rows, {2, n}, {.dtype = options.dtype.value_or(kInt64), .device = options.device});
}

}  // namespace

Tensor diagonal(const Tensor& x, std::int64_t offset, std::int64_t dim1, std::int64_t dim2) {
  return apply(Diagonal(place("diagonal", x.sizes().rank(), offset, dim1, dim2)), x);
}

Tensor diag_embed(const Tensor& x, std::int64_t offset, std::int64_t dim1, std::int64_t dim2) {
  if (x.dim() == 0) throw ShapeError("diag_embed: needs at least 1 dimension, got a 0-d tensor");
  const Place where = place("diag_embed", x.sizes().rank() + 1, offset, dim1, dim2);
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (offset > kMost || offset < -kMost) {
    throw ValueError("diag_embed: the offset is too far, got " + std::to_string(offset));
  }
  const std::int64_t size = x.sizes().back() + std::abs(offset);
  Shape sizes;
  int next = 0;
  for (int d = 0; d < x.sizes().rank() + 1; ++d)
    sizes.push_back(d == where.a || d == where.b ? size : x.sizes()[next++]);
  check_sizes("diag_embed", sizes);
  return apply(Embed(sizes, where), x);
}

Tensor diag(const Tensor& x, std::int64_t offset) {
  if (x.dim() == 1) return diag_embed(x, offset);
  if (x.dim() != 2) throw ShapeError("diag: needs a vector or a matrix, got sizes " + to_string(x.sizes()));
  return diagonal(x, offset).clone();
}

Tensor diagflat(const Tensor& x, std::int64_t offset) { return diag_embed(reshape(x, {x.numel()}), offset); }

Tensor trace(const Tensor& x) {
  if (x.dim() != 2) throw ShapeError("trace: needs a matrix, got sizes " + to_string(x.sizes()));
  return sum(diagonal(x));
}

Tensor block_diag(const std::vector<Tensor>& xs) {
  if (xs.empty()) return zeros({1, 0});
  std::int64_t columns = 0;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (xs[i].dim() > 2) {
      throw ShapeError("block_diag: needs at most 2 dimensions, got sizes " + to_string(xs[i].sizes()) +
                       " at position " + std::to_string(i));
    }
    columns += xs[i].dim() == 0 ? 1 : xs[i].sizes().back();
  }
  std::vector<Tensor> rows;
  std::int64_t before = 0;
  for (const Tensor& x : xs) {
    const Tensor block = x.dim() == 2 ? x : reshape(x, {1, x.numel()});
    const TensorOptions like{.dtype = x.dtype(), .device = x.device()};
    const std::int64_t height = block.size(0), width = block.size(1);
    rows.push_back(cat({zeros({height, before}, like), block, zeros({height, columns - before - width}, like)}, 1));
    before += width;
  }
  return cat(rows, 0);
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& src, std::int64_t offset, std::int64_t dim1, std::int64_t dim2) {
  const Tensor y = x.clone(), part = diagonal(y, offset, dim1, dim2);
  if (!(part.sizes() == src.sizes())) {
    throw ShapeError("diagonal_scatter: the source must have the sizes of the diagonal, " + to_string(part.sizes()) +
                     ", got " + to_string(src.sizes()));
  }
  part.copy_(src);
  return y;
}

Tensor tril_indices(std::int64_t row, std::int64_t col, std::int64_t offset, const TensorOptions& options) {
  return triangle_indices("tril_indices", true, row, col, offset, options);
}

Tensor triu_indices(std::int64_t row, std::int64_t col, std::int64_t offset, const TensorOptions& options) {
  return triangle_indices("triu_indices", false, row, col, offset, options);
}

}  // namespace gradus

// sort, argsort, topk: positions by a kernel, values by gather, which has the gradient.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <limits>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"

namespace gradus {

namespace {

// The positions, along the last dimension of `rows`, of the first k in order.
Tensor sorted_positions(const char* call, const Tensor& rows, std::int64_t k, bool descending) {
  const std::int64_t n = rows.sizes().back();
  if (n > std::numeric_limits<std::int32_t>::max()) {
    throw ShapeError(std::string(call) + ": at most 2147483647 elements along the dimension, got sizes " +
                     to_string(rows.sizes()));
  }
  NoGrad guard;
  const Tensor from = rows.to(ops::compute_type(rows.dtype())).contiguous();
  Shape sizes = rows.sizes();
  sizes[sizes.rank() - 1] = k;
  Tensor positions = detail::make_empty(sizes, kInt64, rows.device());
  if (positions.numel() > 0) {
    kernels(rows.device())
        .sort_rows(from.dtype(), from.const_data_ptr(), positions.numel() / k, n, k, descending,
                   positions.data_ptr<std::int64_t>());
  }
  return positions;
}

Tensor positions_along(const char* call, const Tensor& x, std::int64_t dim, std::int64_t k, bool descending) {
  if (x.dim() == 0) return zeros({}, {.dtype = kInt64, .device = x.device()});
  if (dim == x.dim() - 1) return sorted_positions(call, x, k, descending);
  return transpose(sorted_positions(call, transpose(x, dim, -1), k, descending), dim, -1).contiguous();
}

std::pair<Tensor, Tensor> with_values(const Tensor& x, std::int64_t dim, const Tensor& positions) {
  return {x.dim() == 0 ? x.clone() : gather(x, dim, positions), positions};
}

}  // namespace

std::pair<Tensor, Tensor> sort(const Tensor& x, std::int64_t dim, bool descending) {
  const int d = wrap_dim("sort", dim, x.sizes().rank());
  return with_values(x, d, positions_along("sort", x, d, x.dim() == 0 ? 1 : x.sizes()[d], descending));
}

Tensor argsort(const Tensor& x, std::int64_t dim, bool descending) {
  const int d = wrap_dim("argsort", dim, x.sizes().rank());
  return positions_along("argsort", x, d, x.dim() == 0 ? 1 : x.sizes()[d], descending);
}

std::pair<Tensor, Tensor> topk(const Tensor& x, std::int64_t k, std::int64_t dim, bool largest, bool) {
  const int d = wrap_dim("topk", dim, x.sizes().rank());
  const std::int64_t n = x.dim() == 0 ? 1 : x.sizes()[d];
  if (k < 0 || k > n) {
    throw ValueError("topk: k must be in [0, " + std::to_string(n) + "], got " + std::to_string(k));
  }
  return with_values(x, d, positions_along("topk", x, d, k, largest));
}

}  // namespace gradus

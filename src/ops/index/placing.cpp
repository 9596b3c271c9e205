// index_fill, index_put, masked_scatter, take, put, take_along_dim, slice_scatter, select_scatter.
#include <gradus/ops.h>
#include <gradus/ops/placing.h>

#include "ops/index/positions.h"

namespace gradus {

namespace {

void check_types(const char* call, const Tensor& x, const Tensor& src) {
  if (x.dtype() == src.dtype()) return;
  throw DtypeError(std::string(call) + ": both tensors must have the same type, got " + to_string(x.dtype()) + " and " +
                   to_string(src.dtype()));
}

// y, a copy, whose view `part` shows src afterwards.
Tensor written(const char* call, const Tensor& y, const Tensor& part, const Tensor& src) {
  if (!(part.sizes() == src.sizes())) {
    throw ShapeError(std::string(call) + ": the source must have the sizes of its place, " + to_string(part.sizes()) +
                     ", got " + to_string(src.sizes()));
  }
  part.copy_(src);
  return y;
}

}  // namespace

Tensor index_fill(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& value) {
  if (value.dim() != 0) {
    throw ShapeError("index_fill: the value must be a number or a 0-d tensor, got sizes " + to_string(value.sizes()));
  }
  if (x.dim() == 0) return view(index_fill(unsqueeze(x, 0), dim, index, value), {});
  if (index.dim() > 1) {
    throw ShapeError("index_fill: the index must have at most 1 dimension, got sizes " + to_string(index.sizes()));
  }
  const int d = wrap_dim("index_fill", dim, x.sizes().rank());
  const Tensor positions = ops::checked_index("index_fill", index, x.sizes()[d], true);
  Shape sizes = x.sizes();
  sizes[d] = positions.numel();
  return ops::put("index_fill", x, {.dims = {d}}, reshape(positions, {positions.numel()}),
                  expand(value.to(x.dtype()), sizes), false);
}

Tensor index_fill(const Tensor& x, std::int64_t dim, const Tensor& index, const Scalar& value) {
  check_fits("index_fill", value, x.dtype());
  return index_fill(x, dim, index, Tensor::scalar(value, x.dtype()).to(x.device()));
}

Tensor index_put(const Tensor& x, const std::vector<Index>& indices, const Tensor& values, bool accumulate) {
  const Tensor y = x.clone();
  return y.index_put_(indices, values, accumulate);
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& src) {
  check_types("masked_scatter", x, src);
  if (mask.dtype() != kBool) {
    throw DtypeError(std::string("masked_scatter: a mask must be bool, got ") + to_string(mask.dtype()));
  }
  const Shape sizes = broadcast_shapes("masked_scatter", x.sizes(), mask.sizes());
  const Tensor positions = ops::true_positions(expand(mask, sizes));
  if (positions.numel() > src.numel()) {
    throw ShapeError("masked_scatter: the source must have an element for each of the " +
                     std::to_string(positions.numel()) + " places, got " + std::to_string(src.numel()));
  }
  const Tensor flat = reshape(expand(x, sizes), {sizes.numel()});
  const Tensor values = narrow(reshape(src, {src.numel()}), 0, 0, positions.numel());
  return reshape(ops::put("masked_scatter", flat, {.dims = {0}}, positions, values, false), sizes);
}

Tensor take(const Tensor& x, const Tensor& index) {
  const Tensor positions = ops::checked_index("take", index, x.numel(), true);
  const Tensor flat = reshape(x, {x.numel()});
  return view(ops::pick("take", flat, {.dims = {0}}, reshape(positions, {positions.numel()})), index.sizes());
}

Tensor put(const Tensor& x, const Tensor& index, const Tensor& src, bool accumulate) {
  check_types("put", x, src);
  if (index.numel() != src.numel()) {
    throw ShapeError("put: index and source must have as many elements, got " + std::to_string(index.numel()) +
                     " and " + std::to_string(src.numel()));
  }
  const Tensor positions = ops::checked_index("put", index, x.numel(), true);
  const Tensor flat = reshape(x, {x.numel()});
  return reshape(ops::put("put", flat, {.dims = {0}}, reshape(positions, {positions.numel()}),
                          reshape(src, {src.numel()}), accumulate),
                 x.sizes());
}

Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<std::int64_t> dim) {
  if (!dim) return gather(reshape(x, {x.numel()}), 0, reshape(indices, {indices.numel()}));
  if (x.dim() != indices.dim()) {
    throw ShapeError("take_along_dim: both tensors must have as many dimensions, got " + to_string(x.sizes()) +
                     " and " + to_string(indices.sizes()));
  }
  const int d = wrap_dim("take_along_dim", *dim, x.sizes().rank());
  if (x.dim() == 0) return gather(x, 0, indices);
  Shape own = x.sizes(), wanted = indices.sizes();
  own[d] = wanted[d] = 1;
  Shape from = broadcast_shapes("take_along_dim", own, wanted), to = from;
  from[d] = x.sizes()[d];
  to[d] = indices.sizes()[d];
  return gather(expand(x, from), d, expand(ops::checked_index("take_along_dim", indices, x.sizes()[d], true), to));
}

Tensor slice_scatter(const Tensor& x, const Tensor& src, std::int64_t dim, std::optional<std::int64_t> start,
                     std::optional<std::int64_t> end, std::int64_t step) {
  const Tensor y = x.clone();
  return written("slice_scatter", y, slice(y, dim, start, end, step), src);
}

Tensor select_scatter(const Tensor& x, const Tensor& src, std::int64_t dim, std::int64_t index) {
  const Tensor y = x.clone();
  return written("select_scatter", y, select(y, dim, index), src);
}

}  // namespace gradus

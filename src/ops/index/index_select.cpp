// index_select, index_add, index_copy, embedding, one_hot: an index of positions along one dimension.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/placing.h>

#include <algorithm>

#include "ops/index/positions.h"

namespace gradus {

namespace {

void check_index_rank(const char* call, const Tensor& index) {
  if (index.dim() <= 1) return;
  throw ShapeError(std::string(call) + ": the index must have at most 1 dimension, got sizes " +
                   to_string(index.sizes()));
}

// x with the slices of src along `dim` put or added at the positions.
Tensor with_slices(const char* call, const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src,
                   bool accumulate) {
  check_index_rank(call, index);
  if (x.dtype() != src.dtype()) {
    throw DtypeError(std::string(call) + ": both tensors must have the same type, got " + to_string(x.dtype()) +
                     " and " + to_string(src.dtype()));
  }
  if (x.dim() == 0) {
    return view(with_slices(call, unsqueeze(x, 0), dim, index, src.dim() == 0 ? unsqueeze(src, 0) : src, accumulate),
                {});
  }
  const int d = wrap_dim(call, dim, x.sizes().rank());
  const Tensor positions = ops::checked_index(call, index, x.sizes()[d], false);
  Shape needed = x.sizes();
  needed[d] = positions.numel();
  if (!(src.sizes() == needed)) {
    throw ShapeError(std::string(call) + ": the source must have the tensor's sizes, and in dimension " +
                     std::to_string(d) + " the index's: " + to_string(needed) + ", got " + to_string(src.sizes()));
  }
  return ops::put(call, x, {.dims = {d}}, positions, src, accumulate);
}

}  // namespace

Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index) {
  check_index_rank("index_select", index);
  if (x.dim() == 0) {
    if (index.numel() != 1) {
      throw ShapeError("index_select: a 0-d tensor needs an index of one entry, got sizes " + to_string(index.sizes()));
    }
    return view(index_select(unsqueeze(x, 0), dim, index), {});
  }
  const int d = wrap_dim("index_select", dim, x.sizes().rank());
  const Tensor positions = ops::checked_index("index_select", index, x.sizes()[d], false);
  return ops::pick("index_select", x, {.dims = {d}}, positions);
}

Tensor index_add(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src) {
  return with_slices("index_add", x, dim, index, src, true);
}

Tensor index_copy(const Tensor& x, std::int64_t dim, const Tensor& index, const Tensor& src) {
  return with_slices("index_copy", x, dim, index, src, false);
}

Tensor embedding(const Tensor& index, const Tensor& weight, std::int64_t padding_idx) {
  if (weight.dim() != 2) {
    throw ShapeError("embedding: the weight must be [entries, size], got sizes " + to_string(weight.sizes()));
  }
  const std::int64_t rows = weight.sizes()[0];
  if (padding_idx < -1 || padding_idx >= rows) {
    throw IndexError("embedding: padding_idx must be -1 for none or below " + std::to_string(rows) + ", got " +
                     std::to_string(padding_idx));
  }
  const Tensor entries = ops::checked_index("embedding", index, rows, false);
  Shape sizes = index.sizes();
  sizes.push_back(weight.sizes()[1]);
  return view(ops::pick("embedding", weight, {.dims = {0}}, view(entries, {entries.numel()}), padding_idx), sizes);
}

Tensor one_hot(const Tensor& index, std::int64_t num_classes) {
  if (num_classes < -1) {
    throw ValueError("one_hot: num_classes must be at least 0, or -1 for the largest index plus 1, got " +
                     std::to_string(num_classes));
  }
  if (num_classes == -1 && index.numel() == 0) {
    throw ValueError("one_hot: an empty index does not say how many classes there are; give num_classes");
  }
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  const Tensor classes = ops::checked_index("one_hot", index, num_classes == -1 ? kMost : num_classes, false);
  if (num_classes == -1) num_classes = amax(classes).item<std::int64_t>() + 1;
  Shape sizes = index.sizes();
  sizes.push_back(num_classes);
  check_sizes("one_hot", sizes);
  const Tensor rows = zeros({classes.numel(), num_classes}, {.dtype = kInt64, .device = classes.device()});
  if (rows.numel() == 0) return view(rows, sizes);
  const Tensor places = view(classes, {classes.numel(), 1});
  return view(scatter(rows, 1, places, ones(places.sizes(), {.dtype = kInt64, .device = classes.device()})), sizes);
}

}  // namespace gradus

#include "ops/reduce/reduce.h"

#include <algorithm>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"

namespace gradus::ops {

Reduction reduction(const char* call, const Tensor& x, const Dims& dims, bool keepdim) {
  Reduction r;
  r.from = r.kept = x.sizes();
  const int rank = r.from.rank();
  for (std::int64_t dim : dims) {
    const std::uint32_t bit = 1u << wrap_dim(call, dim, rank);
    if (r.mask & bit) throw ShapeError(std::string(call) + ": a dimension is named twice, got " + to_string(dims));
    r.mask |= bit;
  }
  if (dims.empty()) r.mask = ~0u;
  for (int i = 0; i < rank; ++i) {
    if (!r.reduces(i)) {
      if (!keepdim) r.result.push_back(r.from[i]);
      continue;
    }
    r.count *= r.from[i];
    r.kept[i] = 1;
  }
  if (keepdim) r.result = r.kept;
  return r;
}

void require_elements(const char* call, const Reduction& r) {
  if (r.count > 0 || r.result.numel() == 0) return;
  throw ShapeError(std::string(call) + ": needs at least one element along the reduced dimensions, got sizes " +
                   to_string(r.from));
}

kernel::Extent extent_around(const Shape& sizes, int dim) {
  kernel::Extent e{1, 1, 1};
  for (int i = 0; i < sizes.rank(); ++i) (i < dim ? e.outer : i == dim ? e.reduced : e.inner) *= sizes[i];
  return e;
}

namespace {

// The dimensions of x as they follow each other in memory, outermost first.
struct Layout {
  std::array<int, kMaxRank> order{};
  int rank = 0;
  bool dense = true;  // without gaps or repetition

  explicit Layout(const Tensor& x) {
    for (int i = 0; i < x.sizes().rank(); ++i) {
      if (x.sizes()[i] != 1) order[static_cast<std::size_t>(rank++)] = i;
    }
    const auto end = order.begin() + rank;
    if (x.is_contiguous()) return;
    // An insertion sort: few dimensions, and no memory to be asked for.
    for (auto it = order.begin(); it != end; ++it) {
      const auto place =
          std::upper_bound(order.begin(), it, *it, [&](int a, int b) { return x.strides()[a] > x.strides()[b]; });
      std::rotate(place, it, it + 1);
    }
    std::int64_t expected = 1;
    for (auto it = end; it != order.begin();) {
      --it;
      dense = dense && x.strides()[*it] == expected;
      expected *= x.sizes()[*it];
    }
  }
  bool in_order(const Reduction& r) const {  // of the dimensions that stay
    int last = -1;
    for (int i = 0; i < rank; ++i) {
      const int dim = order[static_cast<std::size_t>(i)];
      if (r.reduces(dim)) continue;
      if (dim < last) return false;
      last = dim;
    }
    return true;
  }
};

// Neighbours that are reduced alike are one dimension.
struct Segments {
  std::array<std::int64_t, kMaxRank> sizes{};
  std::array<bool, kMaxRank> reduced{};
  int count = 0;

  Segments(const Shape& shape, const Layout& layout, const Reduction& r) {
    for (int i = 0; i < layout.rank; ++i) {
      const int dim = layout.order[static_cast<std::size_t>(i)];
      add(shape[dim], r.reduces(dim));
    }
  }
  void add(std::int64_t size, bool is_reduced) {
    const auto last = static_cast<std::size_t>(count - 1);
    if (count > 0 && reduced[last] == is_reduced) {
      sizes[last] *= size;
    } else {
      sizes[last + 1] = size;
      reduced[last + 1] = is_reduced;
      ++count;
    }
  }
  int reductions() const { return static_cast<int>(std::count(reduced.begin(), reduced.begin() + count, true)); }

  // Takes the innermost reduced segment away, and says where it was.
  kernel::Extent pop() {
    int last = count - 1;
    while (!reduced[static_cast<std::size_t>(last)]) --last;
    kernel::Extent e{1, sizes[static_cast<std::size_t>(last)], 1};
    Segments rest = *this;
    rest.count = 0;
    for (int i = 0; i < count; ++i) {
      const auto k = static_cast<std::size_t>(i);
      if (i != last) rest.add(sizes[k], reduced[k]);
      if (i < last) e.outer *= sizes[k];
      if (i > last) e.inner *= sizes[k];
    }
    *this = rest;
    return e;
  }
};

kernel::Reduce joining(kernel::Reduce kind) {
  return kind == kernel::Reduce::sum_abs || kind == kernel::Reduce::sum_square ? kernel::Reduce::sum : kind;
}

// Strides of the result, with reduced dimensions kept as 1, that follow the layout of the input.
Shape following(const Layout& layout, const Reduction& r) {
  Shape strides;
  strides.resize(r.kept.rank());
  std::int64_t stride = 1;
  for (int i = layout.rank - 1; i >= 0; --i) {
    const int dim = layout.order[static_cast<std::size_t>(i)];
    strides[dim] = stride;
    stride *= r.kept[dim];
  }
  return strides;
}

}  // namespace

Tensor run_reduce(kernel::Reduce kind, const Tensor& x, const Reduction& r) {
  if (x.numel() == 0) {
    Tensor y = detail::make_empty(r.result, x.dtype(), x.device());
    kernels(x.device()).reduce(kind, x.dtype(), nullptr, y.impl()->data, {y.numel(), 0, 1});
    return y;
  }
  const Layout layout(x);
  if (!layout.dense) return run_reduce(kind, x.contiguous(), r);
  const bool in_order = layout.in_order(r);
  Tensor y = in_order ? detail::make_empty(r.result, x.dtype(), x.device())
                      : detail::make_strided(r.kept, following(layout, r), x.dtype(), x.device());
  Segments segments(x.sizes(), layout, r);
  Tensor partial;
  const void* in = x.impl()->data;
  while (segments.reductions() > 1) {
    const kernel::Extent e = segments.pop();
    const Tensor next = detail::make_empty({e.outer * e.inner}, x.dtype(), x.device());
    kernels(x.device()).reduce(kind, x.dtype(), in, next.impl()->data, e);
    partial = next;
    in = partial.impl()->data;
    kind = joining(kind);
  }
  const kernel::Extent last = segments.reductions() > 0 ? segments.pop() : kernel::Extent{x.numel(), 1, 1};
  kernels(x.device()).reduce(kind, x.dtype(), in, y.impl()->data, last);
  if (in_order) return y;
  const Tensor sorted = detail::make_empty(r.result, x.dtype(), x.device());
  kernels(x.device())
      .copy(r.kept, {sorted.impl()->data, x.dtype(), contiguous_strides(r.kept)},
            {y.impl()->data, x.dtype(), y.strides()});
  return sorted;
}

}  // namespace gradus::ops

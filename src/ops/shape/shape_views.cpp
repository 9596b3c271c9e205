// view, permute, expand, slice, ...: another look at the same memory.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>

#include "autograd/engine.h"
#include "core/tensor_access.h"

namespace gradus {

namespace {

using detail::make_view;

struct Alias final : Op {
  const char* name() const override { return "alias"; }
  Tensor forward(const Tensor& x) { return make_view(x, x.sizes(), x.strides(), 0); }
  void backward(const Tensor& g, Grads gx) override { gx[0] = g; }
};

// New sizes over the same elements in the same order; `strides` come from view_strides.
struct View final : Op {
  Shape sizes, strides, from;
  View(Shape new_sizes, Shape new_strides) : sizes(std::move(new_sizes)), strides(std::move(new_strides)) {}
  const char* name() const override { return "view"; }
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    return make_view(x, sizes, strides, 0);
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = reshape(g, from); }
};

struct Permute final : Op {
  Shape dims;
  explicit Permute(Shape d) : dims(std::move(d)) {}
  const char* name() const override { return "permute"; }
  Tensor forward(const Tensor& x) {
    Shape sizes = dims, strides = dims;
    for (int i = 0; i < dims.rank(); ++i) {
      sizes[i] = x.sizes()[static_cast<int>(dims[i])];
      strides[i] = x.strides()[static_cast<int>(dims[i])];
    }
    return make_view(x, sizes, strides, 0);
  }
  void backward(const Tensor& g, Grads gx) override {
    Shape inverse = dims;
    for (int i = 0; i < dims.rank(); ++i) inverse[static_cast<int>(dims[i])] = i;
    gx[0] = permute(g, inverse);
  }
};

struct Expand final : Op {
  Shape sizes, from;
  explicit Expand(Shape s) : sizes(std::move(s)) {}
  const char* name() const override { return "expand"; }
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    Shape strides;
    strides.resize(sizes.rank());
    const int extra = sizes.rank() - from.rank();
    for (int i = 0; i < from.rank(); ++i) strides[i + extra] = from[i] == 1 ? 0 : x.strides()[i];
    return make_view(x, sizes, strides, 0);
  }
  void backward(const Tensor& g, Grads gx) override {
    Dims dims;
    const int extra = sizes.rank() - from.rank();
    for (int i = 0; i < sizes.rank(); ++i)
      if (i < extra || (from[i - extra] == 1 && sizes[i] != 1)) dims.push_back(i);
    const Tensor summed = dims.empty() ? g : sum(g, dims, true);
    gx[0] = extra > 0 ? reshape(summed, from) : summed;
  }
};

// The gradient of a slice: zeros with g in the slice's place.
struct SliceBackward final : Op {
  Shape from;
  int dim;
  std::int64_t start, stop, step;
  SliceBackward(Shape f, int d, std::int64_t b, std::int64_t e, std::int64_t s)
      : from(std::move(f)), dim(d), start(b), stop(e), step(s) {}
  const char* name() const override { return "slice_backward"; }
  Tensor forward(const Tensor& g) {
    Tensor x = zeros(from, {.dtype = g.dtype(), .device = g.device()});
    slice(x, dim, start, stop, step).copy_(g);
    return x;
  }
  void backward(const Tensor& gg, Grads gx) override { gx[0] = slice(gg, dim, start, stop, step); }
};

struct SliceOp final : Op {
  Shape from;
  int dim;
  std::int64_t start, stop, step;
  SliceOp(int d, std::int64_t b, std::int64_t e, std::int64_t s) : dim(d), start(b), stop(e), step(s) {}
  const char* name() const override { return "slice"; }
  Tensor forward(const Tensor& x) {
    from = x.sizes();
    Shape sizes = x.sizes(), strides = x.strides();
    sizes[dim] = stop > start ? (stop - start - 1) / step + 1 : 0;
    // A step too far for a stride leaves one element, whose stride is never taken.
    if (std::int64_t stride = 0; !__builtin_mul_overflow(strides[dim], step, &stride)) strides[dim] = stride;
    return make_view(x, sizes, strides, start * x.strides()[dim]);
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(SliceBackward(from, dim, start, stop, step), g); }
};

// The strides that show x's elements as `sizes`; false where that needs a copy. Dimensions of x that follow each other
// in memory are merged, and each merged run is cut anew.
bool view_strides(const Tensor& x, const Shape& sizes, Shape& strides) {
  strides = contiguous_strides(sizes);
  if (x.is_contiguous() || x.numel() == 0) return true;
  int j = sizes.rank() - 1;
  std::int64_t run = 1, base = x.strides()[x.sizes().rank() - 1];
  for (int i = x.sizes().rank() - 1; i >= 0; --i) {
    run *= x.sizes()[i];
    const bool ends = i == 0 || (x.sizes()[i - 1] != 1 && x.strides()[i - 1] != run * base);
    if (!ends) continue;
    std::int64_t covered = 1;
    while (j >= 0 && (covered < run || sizes[j] == 1)) {
      strides[j] = covered * base;
      covered *= sizes[j];
      --j;
    }
    if (covered != run) return false;
    if (i > 0) {
      base = x.strides()[i - 1];
      run = 1;
    }
  }
  return j == -1;
}

Shape inferred(const char* call, const Tensor& x, const Shape& wanted) {
  Shape sizes = wanted;
  int unknown = -1;
  std::int64_t known = 1;
  bool overflow = false;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == -1 && unknown < 0) {
      unknown = i;
      continue;
    }
    if (sizes[i] < 0) {
      throw ShapeError(std::string(call) + ": sizes must not be negative but for one -1, got " + to_string(wanted));
    }
    overflow |= __builtin_mul_overflow(known, sizes[i], &known);
  }
  if (overflow) throw ShapeError(std::string(call) + ": too many elements to address, got " + to_string(wanted));
  if (unknown >= 0 && known > 0 && x.numel() % known == 0) sizes[unknown] = x.numel() / known;
  if (unknown >= 0 ? sizes[unknown] == -1 : known != x.numel()) {
    throw ShapeError(std::string(call) + ": " + std::to_string(x.numel()) + " elements of sizes " +
                     to_string(x.sizes()) + " do not fit sizes " + to_string(wanted));
  }
  return sizes;
}

// Lays x out row-major, in memory of its own, where no other handle sees the present one: the layout was the library's
// choice then. What is kept of it for backward stays as it is.
bool lay_out(const Tensor& x) {
  detail::TensorImpl& impl = *x.impl();
  const bool kept = impl.grad_fn && Engine::keeps_result(*impl.grad_fn, impl.storage.get());
  if (impl.base || impl.storage->use_count() != (kept ? 2u : 1u)) return false;
  const NoGrad guard;
  const Tensor y = x.contiguous();
  y.impl()->storage->version.store(x.version(), std::memory_order_relaxed);
  y.impl()->storage->exposed.store(impl.storage->exposed.load(std::memory_order_relaxed), std::memory_order_relaxed);
  impl.storage = y.impl()->storage;
  impl.data = y.impl()->data;
  impl.strides = y.strides();
  impl.contiguous = true;
  return true;
}

}  // namespace

Tensor alias(const Tensor& x) { return apply(Alias{}, x); }

Tensor view(const Tensor& x, const Shape& sizes) {
  const Shape target = inferred("view", x, sizes);
  Shape strides;
  if (!view_strides(x, target, strides) && !(lay_out(x) && view_strides(x, target, strides))) {
    throw ShapeError("view: sizes " + to_string(x.sizes()) + " with strides " + to_string(x.strides()) +
                     " cannot be seen as " + to_string(sizes) + " without a copy; use reshape");
  }
  return apply(View(target, strides), x);
}

Tensor reshape(const Tensor& x, const Shape& sizes) {
  const Shape target = inferred("reshape", x, sizes);
  if (target == x.sizes()) return x;
  Shape strides;
  if (view_strides(x, target, strides)) return apply(View(target, strides), x);
  return apply(View(target, contiguous_strides(target)), x.contiguous());
}

Tensor permute(const Tensor& x, const Shape& dims) {
  const int rank = x.sizes().rank();
  Shape wrapped = dims;
  std::array<bool, kMaxRank> seen{};
  bool valid = dims.rank() == rank;
  for (int i = 0; valid && i < rank; ++i) {
    wrapped[i] = wrap_dim("permute", dims[i], rank);
    valid = !std::exchange(seen[static_cast<std::size_t>(wrapped[i])], true);
  }
  if (!valid) {
    throw ShapeError("permute: needs each of the " + std::to_string(rank) + " dimensions once, got " + to_string(dims));
  }
  return apply(Permute(wrapped), x);
}

Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1) {
  const int rank = x.sizes().rank();
  const int a = wrap_dim("transpose", dim0, rank), b = wrap_dim("transpose", dim1, rank);
  if (rank == 0) return alias(x);
  Shape dims;
  for (int i = 0; i < rank; ++i) dims.push_back(i);
  std::swap(dims[a], dims[b]);
  return apply(Permute(dims), x);
}

Tensor t(const Tensor& x) {
  if (x.dim() > 2) throw ShapeError("t: needs at most 2 dimensions, got sizes " + to_string(x.sizes()));
  return x.dim() < 2 ? alias(x) : transpose(x, 0, 1);
}

Tensor expand(const Tensor& x, const Shape& sizes) {
  const int extra = sizes.rank() - x.sizes().rank();
  Shape target = sizes;
  bool valid = extra >= 0;
  for (int i = 0; valid && i < sizes.rank(); ++i) {
    const std::int64_t own = i < extra ? 1 : x.sizes()[i - extra];
    if (sizes[i] == -1 && i >= extra) target[i] = own;
    valid = target[i] >= 0 && (own == target[i] || own == 1);
  }
  if (!valid) {
    throw ShapeError("expand: sizes must be equal or 1 from the last dimension on, got " + to_string(x.sizes()) +
                     " and " + to_string(sizes));
  }
  check_sizes("expand", target);
  return apply(Expand(target), x);
}

Tensor slice(const Tensor& x, std::int64_t dim, std::optional<std::int64_t> start, std::optional<std::int64_t> end,
             std::int64_t step) {
  if (x.dim() == 0) throw IndexError("slice: a 0-d tensor cannot be sliced");
  if (step <= 0) throw ValueError("slice: the step must be positive, got " + std::to_string(step));
  const int d = wrap_dim("slice", dim, x.sizes().rank());
  const std::int64_t size = x.sizes()[d];
  // As in Python, positions count from the end when negative and are cut to what is there.
  const auto place = [&](std::int64_t i) { return std::clamp(i < 0 ? i + size : i, std::int64_t{0}, size); };
  const std::int64_t from = place(start.value_or(0));
  const std::int64_t to = std::max(from, place(end.value_or(size)));
  return apply(SliceOp(d, from, to, step), x);
}

Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  if (x.dim() == 0) throw IndexError("narrow: a 0-d tensor cannot be narrowed");
  const int d = wrap_dim("narrow", dim, x.sizes().rank());
  const std::int64_t size = x.sizes()[d];
  const std::int64_t from = start < 0 ? start + size : start;
  if (from < 0 || length < 0 || from > size - length) {
    throw IndexError("narrow: start and length must lie within size " + std::to_string(size) + ", got start " +
                     std::to_string(start) + " and length " + std::to_string(length));
  }
  return apply(SliceOp(d, from, from + length, 1), x);
}

Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index) {
  if (x.dim() == 0) throw IndexError("select: a 0-d tensor has no dimensions to select from");
  const int d = wrap_dim("select", dim, x.sizes().rank());
  const std::int64_t size = x.sizes()[d];
  if (index < -size || index >= size) {
    throw IndexError("select: index must be in [" + std::to_string(-size) + ", " + std::to_string(size - 1) +
                     "] for dimension " + std::to_string(d) + " of sizes " + to_string(x.sizes()) + ", got " +
                     std::to_string(index));
  }
  const std::int64_t i = index < 0 ? index + size : index;
  return squeeze(apply(SliceOp(d, i, i + 1, 1), x), d);
}

Tensor squeeze(const Tensor& x) {
  Shape sizes, strides;
  for (int i = 0; i < x.sizes().rank(); ++i) {
    if (x.sizes()[i] == 1) continue;
    sizes.push_back(x.sizes()[i]);
    strides.push_back(x.strides()[i]);
  }
  return apply(View(sizes, strides), x);
}

Tensor squeeze(const Tensor& x, std::int64_t dim) {
  const int d = wrap_dim("squeeze", dim, x.sizes().rank());
  Shape sizes = x.sizes(), strides = x.strides();
  if (sizes.rank() > 0 && sizes[d] == 1) {
    sizes.erase(d);
    strides.erase(d);
  }
  return apply(View(sizes, strides), x);
}

Tensor unsqueeze(const Tensor& x, std::int64_t dim) {
  const int d = wrap_dim("unsqueeze", dim, x.sizes().rank() + 1);
  Shape sizes = x.sizes(), strides = x.strides();
  strides.insert(d, d < sizes.rank() ? sizes[d] * strides[d] : 1);
  sizes.insert(d, 1);
  return apply(View(sizes, strides), x);
}

Tensor flatten(const Tensor& x, std::int64_t start_dim, std::int64_t end_dim) {
  const int rank = x.sizes().rank();
  const int from = wrap_dim("flatten", start_dim, rank), to = wrap_dim("flatten", end_dim, rank);
  if (from > to) {
    throw ShapeError("flatten: start_dim must not come after end_dim, got " + std::to_string(start_dim) + " and " +
                     std::to_string(end_dim));
  }
  Shape sizes;
  std::int64_t merged = 1;
  for (int i = 0; i < rank; ++i) {
    if (i < from || i > to) {
      sizes.push_back(x.sizes()[i]);
    } else {
      merged *= x.sizes()[i];
      if (i == to) sizes.push_back(merged);
    }
  }
  if (rank == 0) sizes.push_back(1);
  return reshape(x, sizes);
}

Tensor unflatten(const Tensor& x, std::int64_t dim, const Shape& sizes) {
  const int d = wrap_dim("unflatten", dim, x.sizes().rank());
  if (x.dim() == 0) throw IndexError("unflatten: a 0-d tensor has no dimensions");
  std::int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == -1 && unknown < 0) {
      unknown = i;
    } else if (sizes[i] < 0 || __builtin_mul_overflow(known, sizes[i], &known)) {
      known = -1;
      break;
    }
  }
  Shape parts = sizes;
  if (unknown >= 0 && known > 0) parts[unknown] = x.sizes()[d] / known;
  if (known < 0 || parts.empty() || parts.numel() != x.sizes()[d]) {
    throw ShapeError("unflatten: sizes " + to_string(sizes) + " do not multiply to size " +
                     std::to_string(x.sizes()[d]) + " of dimension " + std::to_string(d));
  }
  Shape target;
  for (int i = 0; i < x.sizes().rank(); ++i) {
    if (i != d) {
      target.push_back(x.sizes()[i]);
    } else {
      for (std::int64_t part : parts) target.push_back(part);
    }
  }
  return view(x, target);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, std::int64_t dim) {
  const int d = wrap_dim("split", dim, x.sizes().rank());
  std::int64_t total = 0;
  for (std::int64_t size : sizes) total += size;
  if (x.dim() == 0 || total != x.sizes()[d]) {
    throw ShapeError("split: sizes " + to_string(Shape(sizes)) + " do not add up to size " +
                     (x.dim() ? std::to_string(x.sizes()[d]) : "of a 0-d tensor"));
  }
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (std::int64_t size : sizes) {
    parts.push_back(narrow(x, d, start, size));
    start += size;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, std::int64_t split_size, std::int64_t dim) {
  const int d = wrap_dim("split", dim, x.sizes().rank());
  if (x.dim() == 0) throw IndexError("split: a 0-d tensor cannot be split");
  if (split_size <= 0) throw ValueError("split: split_size must be positive, got " + std::to_string(split_size));
  std::vector<Tensor> parts;
  const std::int64_t size = x.sizes()[d];
  std::int64_t start = 0;
  do {
    parts.push_back(narrow(x, d, start, std::min(split_size, size - start)));
    start += split_size;
  } while (start < size);
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim) {
  const int d = wrap_dim("chunk", dim, x.sizes().rank());
  if (x.dim() == 0) throw IndexError("chunk: a 0-d tensor cannot be split");
  if (chunks <= 0) throw ValueError("chunk: the number of chunks must be positive, got " + std::to_string(chunks));
  return split(x, std::max<std::int64_t>(1, x.sizes()[d] / chunks + (x.sizes()[d] % chunks != 0)), d);
}

std::vector<Tensor> unbind(const Tensor& x, std::int64_t dim) {
  if (x.dim() == 0) throw IndexError("unbind: a 0-d tensor has no dimensions");
  std::vector<Tensor> parts;
  for (std::int64_t i = 0; i < x.size(dim); ++i) parts.push_back(select(x, dim, i));
  return parts;
}

}  // namespace gradus

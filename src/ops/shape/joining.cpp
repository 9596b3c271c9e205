// cat and stack.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>

#include "autograd/inplace.h"
#include "core/tensor_access.h"
#include "ops/shape/layout.h"

namespace gradus {

namespace {

// Whether all parts are images whose channels lie beside each other: their sum is then laid out so, too.
bool are_channels_last(std::span<const Tensor> xs) {
  return std::all_of(xs.begin(), xs.end(), [](const Tensor& x) { return ops::prefers_channels_last(x); });
}

// A 1-d tensor without elements joins anything, as in PyTorch: the start of many loops that collect.
bool is_nothing(const Tensor& x) { return x.dim() == 1 && x.numel() == 0; }

struct Cat final : Op {
  struct Part {
    std::int64_t size;
    Dtype dtype;
    bool nothing;
  };
  int dim;
  Shape sizes;
  Dtype dtype;
  std::vector<Part> parts;
  bool channels_last = false;
  Cat(int d, Shape s, Dtype t) : dim(d), sizes(std::move(s)), dtype(t) {}
  const char* name() const override { return "cat"; }
  Tensor forward(std::span<const Tensor> xs) {
    channels_last = are_channels_last(xs);
    Tensor y = channels_last ? detail::make_channels_last(sizes, dtype, xs[0].device())
                             : detail::make_empty(sizes, dtype, xs[0].device());
    std::int64_t start = 0;
    for (const Tensor& x : xs) {
      const bool nothing = is_nothing(x);
      const std::int64_t size = nothing ? 0 : x.sizes()[dim];
      parts.push_back({size, x.dtype(), nothing});
      if (x.numel() == 0) continue;
      detail::copy_data(detail::make_view(y, x.sizes(), y.strides(), start * y.strides()[dim]), x);
      start += size;
    }
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    std::int64_t start = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Part& part = parts[i];
      if (needs(static_cast<int>(i)) && part.nothing) gx[i] = zeros({0}, {.dtype = part.dtype, .device = g.device()});
      if (needs(static_cast<int>(i)) && !part.nothing) {
        const Tensor own = narrow(g, dim, start, part.size).to(part.dtype);
        gx[i] = channels_last ? ops::to_channels_last(own) : own;  // as the layers before want it, and add it up
      }
      start += part.size;
    }
  }
};

}  // namespace

Tensor cat(std::span<const Tensor> xs, std::int64_t dim) {
  if (xs.empty()) throw ValueError("cat: needs at least one tensor");
  const Tensor* first = nullptr;
  Dtype dtype = xs[0].dtype();
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (xs[i].dim() == 0) {
      throw ShapeError("cat: 0-d tensors cannot be joined (stack them), got one at position " + std::to_string(i));
    }
    dtype = promote_types(dtype, xs[i].dtype());
    if (first == nullptr && !is_nothing(xs[i])) first = &xs[i];
  }
  if (first == nullptr) first = &xs[0];
  const int d = wrap_dim("cat", dim, first->sizes().rank());
  Shape sizes = first->sizes();
  sizes[d] = 0;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (is_nothing(xs[i])) continue;
    const Shape& own = xs[i].sizes();
    bool same = own.rank() == sizes.rank();
    for (int k = 0; same && k < own.rank(); ++k) same = k == d || own[k] == sizes[k];
    if (!same) {
      throw ShapeError("cat: sizes must be the same but for dimension " + std::to_string(d) + ", got " +
                       to_string(first->sizes()) + " and " + to_string(xs[i].sizes()) + " at position " +
                       std::to_string(i));
    }
    sizes[d] += own[d];
    // Expanded views have more elements than memory, so the joined size is not known to be addressable.
    check_sizes("cat", sizes);
  }
  return apply(Cat(d, sizes, dtype), xs);
}

Tensor cat(const std::vector<Tensor>& xs, std::int64_t dim) { return cat(std::span<const Tensor>(xs), dim); }

Tensor stack(const std::vector<Tensor>& xs, std::int64_t dim) {
  if (xs.empty()) throw ValueError("stack: needs at least one tensor");
  const Shape& sizes = xs[0].sizes();
  const int d = wrap_dim("stack", dim, sizes.rank() + 1);
  std::vector<Tensor> rows;
  rows.reserve(xs.size());
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (!(xs[i].sizes() == sizes)) {
      throw ShapeError("stack: sizes must be the same, got " + to_string(sizes) + " and " + to_string(xs[i].sizes()) +
                       " at position " + std::to_string(i));
    }
    rows.push_back(unsqueeze(xs[i], d));
  }
  return cat(rows, d);
}

}  // namespace gradus

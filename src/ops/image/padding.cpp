// pad. Constants are written around a copy of x; the other modes pick from x along one dimension after the other.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>
#include <gradus/ops/resampling.h>

#include <algorithm>

#include "core/tensor_access.h"

namespace gradus {

namespace {

std::string list(const std::vector<std::int64_t>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

// x in the middle of a larger tensor of one value; its gradient is the middle of the result's.
struct Surround final : Op {
  Shape sizes, before, inner;
  Scalar value;
  Surround(const Shape& s, const Shape& b, const Scalar& v) : sizes(s), before(b), value(v) {}
  const char* name() const override { return "pad"; }
  Tensor forward(const Tensor& x) {
    inner = x.sizes();
    const Tensor y = full(sizes, value, {.dtype = x.dtype(), .device = x.device()});
    Tensor middle = part(y);
    middle.copy_(x);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = part(g); }

 private:
  Tensor part(const Tensor& y) const {
    Tensor middle = y;
    for (int d = 0; d < inner.rank(); ++d) {
      if (inner[d] != sizes[d]) middle = narrow(middle, d, before[d], inner[d]);
    }
    return middle;
  }
};

// Which element of [0, size) stands at position i, which may lie outside.
std::int64_t source(std::string_view mode, std::int64_t i, std::int64_t size) {
  if (mode == "replicate") return std::clamp<std::int64_t>(i, 0, size - 1);
  if (mode == "circular") return (i % size + size) % size;
  if (i < 0) return -i;
  return i < size ? i : 2 * (size - 1) - i;
}

Tensor picked(const Tensor& x, int dim, std::int64_t before, std::int64_t after, std::string_view mode,
              const std::vector<std::int64_t>& padding) {
  const std::int64_t size = x.sizes()[dim], most = mode == "reflect" ? size - 1 : mode == "circular" ? size : -1;
  if (size == 0 || (most >= 0 && std::max(before, after) > most)) {
    throw ValueError("pad: mode '" + std::string(mode) + "' needs padding of at most the size" +
                     (mode == "reflect" ? " less 1" : "") + ", and elements to take, got " + list(padding) +
                     " for sizes " + to_string(x.sizes()));
  }
  Tensor index = empty({before + size + after}, {.dtype = kInt64, .device = kCPU});
  auto* to = index.data_ptr<std::int64_t>();
  for (std::int64_t i = -before; i < size + after; ++i) *to++ = source(mode, i, size);
  return index_select(x, dim, index.to(x.device()));
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<std::int64_t>& padding, std::string_view mode, const Scalar& value) {
  const auto rank = static_cast<std::size_t>(x.dim());
  if (padding.size() % 2 != 0 || padding.size() > 2 * rank) {
    throw ValueError("pad: needs two numbers for each of up to " + std::to_string(rank) + " dimensions, got " +
                     list(padding));
  }
  const bool constant = mode == "constant";
  if (!constant && mode != "reflect" && mode != "replicate" && mode != "circular") {
    throw ValueError("pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', got '" + std::string(mode) +
                     "'");
  }
  Shape sizes = x.sizes(), before = x.sizes();
  std::fill(before.begin(), before.end(), 0);
  Tensor y = x;
  for (std::size_t k = 0; k < padding.size() / 2; ++k) {
    const int d = static_cast<int>(rank - 1 - k);
    const std::int64_t low = padding[2 * k], high = padding[2 * k + 1];
    std::int64_t size = 0;
    if (__builtin_add_overflow(sizes[d], low, &size) || __builtin_add_overflow(size, high, &size) || size < 0) {
      throw ShapeError("pad: " + list(padding) + " gives sizes " + to_string(x.sizes()) + " no possible result");
    }
    const std::int64_t kept = sizes[d] + std::min<std::int64_t>(low, 0) + std::min<std::int64_t>(high, 0);
    if (kept < 0) {
      throw ShapeError("pad: " + list(padding) + " takes more than there is of sizes " + to_string(x.sizes()));
    }
    sizes[d] = size;
    before[d] = std::max<std::int64_t>(low, 0);
    if (low < 0 || high < 0) y = narrow(y, d, std::max<std::int64_t>(-low, 0), kept);
  }
  check_sizes("pad", sizes);
  if (constant) return apply(Surround(sizes, before, value), y);
  for (std::size_t k = 0; k < padding.size() / 2; ++k) {
    const std::int64_t low = std::max<std::int64_t>(padding[2 * k], 0),
                       high = std::max<std::int64_t>(padding[2 * k + 1], 0);
    if (low > 0 || high > 0) y = picked(y, static_cast<int>(rank - 1 - k), low, high, mode, padding);
  }
  return y.is_same(x) ? x.clone() : y;
}

}  // namespace gradus

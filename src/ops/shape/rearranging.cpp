// flip, roll, repeat, tril, triu.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <array>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"

namespace gradus {

namespace {

struct Flip final : Op {
  Dims dims;
  explicit Flip(Dims d) : dims(std::move(d)) {}
  const char* name() const override { return "flip"; }
  Tensor forward(const Tensor& x) {
    Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
    if (x.numel() == 0) return y;
    kernel::Operand from{x.impl()->data, x.dtype(), x.strides()};
    std::int64_t last = 0;
    for (const std::int64_t dim : dims) {
      const int d = static_cast<int>(dim);
      last += (x.sizes()[d] - 1) * x.strides()[d];
      from.strides[d] = -x.strides()[d];
    }
    from.data = x.impl()->data + last * x.element_size();
    kernels(x.device()).copy(x.sizes(), {y.impl()->data, y.dtype(), y.strides()}, from);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(Flip(dims), g); }
};

struct Triangle final : Op {
  bool lower;
  std::int64_t diagonal;
  Triangle(bool low, std::int64_t k) : lower(low), diagonal(k) {}
  const char* name() const override { return lower ? "tril" : "triu"; }
  Tensor forward(const Tensor& x) {
    const Tensor from = x.contiguous();
    Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
    if (x.numel() == 0) return y;
    const std::int64_t rows = x.size(-2), columns = x.size(-1);
    kernels(x.device())
        .triangle(from.data_ptr(), y.data_ptr(), x.numel() / (rows * columns), rows, columns, x.element_size(),
                  diagonal, lower);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = apply(Triangle(lower, diagonal), g); }
};

Tensor triangle(const char* call, bool lower, const Tensor& x, std::int64_t diagonal) {
  if (x.dim() < 2) {
    throw ShapeError(std::string(call) + ": needs at least 2 dimensions, got sizes " + to_string(x.sizes()));
  }
  return apply(Triangle(lower, diagonal), x);
}

// Shifts along one dimension: the last `shift` positions come first.
Tensor roll_one(const Tensor& x, std::int64_t shift, int dim) {
  const std::int64_t size = x.sizes()[dim];
  if (size == 0) return x;
  const std::int64_t by = (shift % size + size) % size;
  if (by == 0) return x;
  return cat({narrow(x, dim, size - by, by), narrow(x, dim, 0, size - by)}, dim);
}

}  // namespace

Tensor flip(const Tensor& x, const Dims& dims) {
  Dims wrapped;
  std::array<bool, kMaxRank> seen{};
  for (const std::int64_t dim : dims) {
    const int d = wrap_dim("flip", dim, x.sizes().rank());
    if (std::exchange(seen[static_cast<std::size_t>(d)], true)) {
      throw ValueError("flip: each dimension at most once, got " + to_string(dims));
    }
    if (x.dim() > 0) wrapped.push_back(d);
  }
  return apply(Flip(wrapped), x);
}

Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims) {
  if (dims.empty() && shifts.rank() == 1) {
    const Tensor flat = flatten(x);
    const Tensor rolled = roll_one(flat, shifts[0], 0);
    return rolled.is_same(flat) ? x.clone() : view(rolled, x.sizes());
  }
  if (shifts.rank() != dims.rank() || shifts.empty()) {
    throw ShapeError("roll: needs one shift per dimension, got shifts " + to_string(shifts) + " and dims " +
                     to_string(dims));
  }
  if (x.dim() == 0) throw IndexError("roll: a 0-d tensor has no dimensions, got dims " + to_string(dims));
  Tensor y = x;
  for (int i = 0; i < dims.rank(); ++i) y = roll_one(y, shifts[i], wrap_dim("roll", dims[i], x.sizes().rank()));
  return y.is_same(x) ? x.clone() : y;
}

Tensor repeat(const Tensor& x, const Shape& repeats) {
  const int extra = repeats.rank() - x.sizes().rank();
  bool valid = extra >= 0;
  for (const std::int64_t n : repeats) valid = valid && n >= 0;
  if (!valid) {
    throw ShapeError("repeat: needs a count of at least 0 for each of the dimensions of sizes " + to_string(x.sizes()) +
                     ", got " + to_string(repeats));
  }
  // Each size n becomes [count, n] by expanding, which a copy then merges.
  Shape split, expanded, merged;
  for (int i = 0; i < repeats.rank(); ++i) {
    const std::int64_t size = i < extra ? 1 : x.sizes()[i - extra];
    if (repeats[i] != 1) {
      split.push_back(1);
      expanded.push_back(repeats[i]);
    }
    split.push_back(size);
    expanded.push_back(size);
    merged.push_back(repeats[i]);
  }
  check_sizes("repeat", expanded);
  for (int i = extra; i < merged.rank(); ++i) merged[i] *= x.sizes()[i - extra];
  const Tensor y = reshape(expand(reshape(x, split), expanded), merged);
  // Where nothing is repeated that is still x's memory.
  return y.impl()->storage == x.impl()->storage ? y.clone() : y;
}

Tensor tril(const Tensor& x, std::int64_t diagonal) { return triangle("tril", true, x, diagonal); }
Tensor triu(const Tensor& x, std::int64_t diagonal) { return triangle("triu", false, x, diagonal); }

}  // namespace gradus

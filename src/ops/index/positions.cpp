#include "ops/index/positions.h"

#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include <algorithm>

#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "ops/elementwise/elementwise.h"

namespace gradus::ops {

namespace {

// The rows that positions name in a tensor of these sizes and strides; `own` keeps offsets that had to be computed.
struct Layout {
  kernel::Rows rows;
  Tensor own;

  Layout(const Shape& sizes, const Shape& strides, const Picked& where, const Tensor& positions) {
    Shape before, before_strides, after, after_strides;
    int next = 0;
    for (int d = 0; d < sizes.rank(); ++d) {
      if (next < where.dims.rank() && where.dims[next] == d) {
        ++next;
      } else if (next == 0 && !where.in_front) {
        before.push_back(sizes[d]);
        before_strides.push_back(strides[d]);
      } else {
        after.push_back(sizes[d]);
        after_strides.push_back(strides[d]);
      }
    }
    rows.outer = kernel::Rows::offsets(before, before_strides);
    rows.set_inner(after, after_strides);
    rows.count = positions.numel();
    set_index(sizes, strides, where.dims, positions);
  }

 private:
  void set_index(const Shape& sizes, const Shape& strides, const Shape& dims, const Tensor& positions) {
    bool even = true;  // equal steps in memory from one position to the next
    std::int64_t extent = 1;
    const auto at = [&](const Shape& s, int k) { return s[static_cast<int>(dims[k])]; };
    for (int k = 0; k < dims.rank(); ++k) {
      extent *= at(sizes, k);
      if (k + 1 < dims.rank() && at(sizes, k) != 1)
        even = even && at(strides, k) == at(strides, k + 1) * at(sizes, k + 1);
    }
    rows.index = positions.data_ptr<std::int64_t>();
    rows.extent = extent;
    if (even) {
      rows.index_stride = at(strides, dims.rank() - 1);
      return;
    }
    const Tensor places = positions.cpu();
    Tensor computed = detail::make_empty(positions.sizes(), kInt64, kCPU);
    const auto* index = places.const_data_ptr<std::int64_t>();
    auto* offsets = computed.data_ptr<std::int64_t>();
    std::int64_t highest = 0;
    for (std::int64_t i = 0; i < rows.count; ++i) {
      std::int64_t rest = index[i], offset = 0;
      for (int k = dims.rank() - 1; k >= 0; --k) {
        offset += rest % at(sizes, k) * at(strides, k);
        rest /= at(sizes, k);
      }
      offsets[i] = offset;
      highest = std::max(highest, offset);
    }
    own = computed.to(positions.device());
    rows.index = own.const_data_ptr<std::int64_t>();
    rows.extent = highest + 1;
  }
};

struct PickBackward final : Op {
  const char* call;
  Picked where;
  Shape from;
  std::int64_t skip;
  PickBackward(const char* c, Picked w, Shape f, std::int64_t s)
      : call(c), where(std::move(w)), from(std::move(f)), skip(s) {}
  const char* name() const override { return call; }
  Tensor forward(const Tensor& g, const Tensor& positions) {
    save(1, positions);
    const Dtype sum = compute_type(g.dtype());
    const Tensor values = g.to(sum).contiguous();
    Tensor x = zeros(from, {.dtype = sum, .device = g.device()});
    Layout layout(from, x.strides(), where, positions);
    layout.rows.skip = skip;
    kernels(g.device()).add_rows(sum, x.data_ptr(), layout.rows, values.data_ptr());
    return x.to(g.dtype());
  }
  void backward(const Tensor& gg, Grads gx) override {
    const Tensor positions = saved(1);
    gx[0] = pick(call, gg, where, positions);
    if (skip < 0) return;
    Shape beside = gx[0].sizes();
    for (std::int64_t& size : beside) size = 1;
    beside[where.in_front ? 0 : static_cast<int>(where.dims[0])] = positions.numel();
    gx[0] = masked_fill(gx[0], view(positions == skip, beside), 0);
  }
};

struct Pick final : Op {
  const char* call;
  Picked where;
  Shape from;
  std::int64_t skip;
  Pick(const char* c, Picked w, std::int64_t s) : call(c), where(std::move(w)), skip(s) {}
  const char* name() const override { return call; }
  Tensor forward(const Tensor& x, const Tensor& positions) {
    from = x.sizes();
    save(1, positions);
    Tensor y = detail::make_empty(picked_sizes(from, where, positions.numel()), x.dtype(), x.device());
    const Layout layout(from, x.strides(), where, positions);
    kernels(x.device()).pick_rows(x.dtype(), x.impl()->data, layout.rows, y.data_ptr());
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    gx[0] = apply(PickBackward(call, where, from, skip), g, saved(1));
  }
};

struct Put final : Op {
  const char* call;
  Picked where;
  bool accumulate;
  Put(const char* c, Picked w, bool a) : call(c), where(std::move(w)), accumulate(a) {}
  const char* name() const override { return call; }
  Tensor forward(const Tensor& x, const Tensor& positions, const Tensor& values) {
    save(1, positions);
    Tensor y = x.clone();
    put_into(y, where, positions, values, accumulate);
    return y;
  }
  void backward(const Tensor& g, Grads gx) override {
    const Tensor positions = saved(1);
    if (needs(0)) {
      gx[0] = g;
      if (!accumulate) {
        const Shape sizes = picked_sizes(g.sizes(), where, positions.numel());
        gx[0] = put(call, g, where, positions, zeros(sizes, {.dtype = g.dtype(), .device = g.device()}), false);
      }
    }
    if (needs(2)) gx[2] = pick(call, g, where, positions);
  }
};

}  // namespace

Tensor checked_index(const char* call, const Tensor& index, std::int64_t size, bool from_end) {
  if (index.dtype() != kInt64 && index.dtype() != kInt32) {
    throw DtypeError(std::string(call) + ": an index must be int64 or int32, got " + to_string(index.dtype()));
  }
  Tensor entries = index.to(kInt64).contiguous();
  const std::int64_t low = from_end ? -size : 0;
  if (entries.device() != kCPU) {
    kernels(entries.device())
        .check_index(entries.data_ptr<std::int64_t>(), entries.sizes(), {.call = call, .low = low, .high = size});
    return from_end ? where(entries < 0, entries + size, entries) : entries;
  }
  const auto* p = entries.data_ptr<std::int64_t>();
  std::int64_t least = 0, most = -1;
  for (std::int64_t i = 0; i < entries.numel(); ++i) {
    least = std::min(least, p[i]);
    most = std::max(most, p[i]);
  }
  if (least < low || most >= size) kernel::check_index(p, entries.sizes(), {.call = call, .low = low, .high = size});
  if (least >= 0) return entries;
  Tensor wrapped = detail::make_empty(entries.sizes(), kInt64, kCPU);
  auto* out = wrapped.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < entries.numel(); ++i) out[i] = p[i] < 0 ? p[i] + size : p[i];
  return wrapped;
}

Shape picked_sizes(const Shape& sizes, const Picked& where, std::int64_t count) {
  Shape picked;
  if (where.in_front) picked.push_back(count);
  int next = 0;
  for (int d = 0; d < sizes.rank(); ++d) {
    if (next < where.dims.rank() && where.dims[next] == d) {
      if (next++ == 0 && !where.in_front) picked.push_back(count);
    } else {
      picked.push_back(sizes[d]);
    }
  }
  return picked;
}

Tensor pick(const char* name, const Tensor& x, const Picked& where, const Tensor& positions, std::int64_t skip) {
  check_sizes(name, picked_sizes(x.sizes(), where, positions.numel()));
  return apply(Pick(name, where, skip), x, positions);
}

Tensor put(const char* name, const Tensor& x, const Picked& where, const Tensor& positions, const Tensor& values,
           bool accumulate) {
  return apply(Put(name, where, accumulate), x, positions, values);
}

void put_into(const Tensor& y, const Picked& where, const Tensor& positions, const Tensor& values, bool accumulate) {
  if (const Dtype compute = compute_type(y.dtype()); accumulate && compute != y.dtype()) {
    const Tensor sum = y.to(compute);
    put_into(sum, where, positions, values.to(compute), true);
    return put_into(y, where, positions, pick("put", sum, where, positions).to(y.dtype()), false);
  }
  const Tensor from = values.contiguous();
  const Layout layout(y.sizes(), y.strides(), where, positions);
  if (accumulate) {
    kernels(y.device()).add_rows(y.dtype(), y.impl()->data, layout.rows, from.data_ptr());
  } else {
    kernels(y.device()).put_rows(y.dtype(), y.impl()->data, layout.rows, from.data_ptr());
  }
}

}  // namespace gradus::ops

// Elements picked by an index. An entry out of range has been noted (checks.cpp) and reads and writes nothing here.
#include <algorithm>
#include <memory>

#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/places.h"
#include "kernels/gpu/recording.h"

namespace gradus::gpu {

namespace {

// Offsets, in a table unless there is only one.
class Offsets {
 public:
  explicit Offsets(const std::vector<std::int64_t>& all) : count_(static_cast<std::int64_t>(all.size())) {
    if (count_ == 1) only_ = all[0];
    if (count_ > 1) table_ = std::make_unique<Table<std::int64_t>>(all);
  }
  struct View {
    std::int64_t count, only;
    Global<const std::int64_t> table;
    GRADUS_DEVICE std::int64_t operator[](std::int64_t i) const { return table ? table[i] : only; }
  };
  View view() const { return {count_, only_, table_ != nullptr ? table_->get() : nullptr}; }

 private:
  std::int64_t count_, only_ = 0;
  std::unique_ptr<Table<std::int64_t>> table_;
};

// Rows, as kernels see them.
struct RowsView {
  Offsets::View outer, inner;
  Global<const std::int64_t> index;
  std::int64_t count, extent, index_stride, length, stride, skip;

  RowsView(const Rows& rows, const Offsets& out, const Offsets& in)
      : outer(out.view()),
        inner(in.view()),
        index(rows.index),
        count(rows.count),
        extent(rows.extent),
        index_stride(rows.index_stride),
        length(rows.length),
        stride(rows.stride),
        skip(rows.skip) {}
  std::int64_t numel() const { return outer.count * count * inner.count * length; }
  GRADUS_DEVICE bool valid(std::int64_t place) const { return place >= 0 && place < extent; }
  // Of value i: outer, number of the entry, and where in a row it stands.
  GRADUS_DEVICE void split(std::int64_t i, std::int64_t& o, std::int64_t& entry, std::int64_t& within) const {
    const std::int64_t l = i % length, r = i / length % inner.count;
    entry = i / (length * inner.count) % count;
    o = i / (length * inner.count * count);
    within = inner[r] + l * stride;
  }
};

template <class T>
struct PickRows {
  RowsView rows;
  Global<const T> x;
  Global<T> values;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t o, entry, within;
    rows.split(i, o, entry, within);
    const std::int64_t place = rows.index[entry];
    values[i] = rows.valid(place) ? x[rows.outer[o] + place * rows.index_stride + within] : T(0);
  }
};

enum class Join { put, add, either };

// The entries are given in the order of the places they name, equal ones in the order of the index: the first of each
// place has the others follow it.
template <class T, Join join>
struct WriteRows {
  RowsView rows;
  Global<const std::int64_t> order;
  Global<const T> values;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t o, k, within;
    rows.split(i, o, k, within);
    const std::int64_t place = rows.index[order[k]];
    if (!rows.valid(place) || place == rows.skip) return;
    if (k > 0 && rows.index[order[k - 1]] == place) return;
    const std::int64_t width = rows.inner.count * rows.length, column = i % width;
    T& to = y[rows.outer[o] + place * rows.index_stride + within];
    T all = to;
    for (; k < rows.count && rows.index[order[k]] == place; ++k) {
      const T value = values[(o * rows.count + order[k]) * width + column];
      if constexpr (join == Join::put) all = value;
      if constexpr (join == Join::add) all = static_cast<T>(all + value);
      if constexpr (join == Join::either) all = static_cast<T>(all | value);
    }
    to = all;
  }
};

template <class T, Join join>
void write(void* y, const Rows& rows, const void* values) {
  const Offsets outer(rows.outer), inner(rows.inner);
  const RowsView view(rows, outer, inner);
  if (view.numel() == 0) return;
  const Scratch<std::int64_t> order(rows.count);
  sort_rows(kInt64, rows.index, 1, rows.count, rows.count, false, order.get());
  launch(view.numel(), WriteRows<T, join>{view, order.get(), input<T>(values), output<T>(y)});
}

// Strides of the values, of the tensor without the index's dimension, and of the index.
Places<3> places_of(const Scatter& s, const Shape& sizes) {
  Shape others = s.strides;
  if (s.sizes.rank() > 0) others[s.dim] = 0;
  const Shape own = contiguous_strides(s.sizes);
  return {sizes, {&s.values_strides, &others, &own}};
}
std::int64_t along(const Scatter& s) { return s.sizes.rank() > 0 ? s.strides[s.dim] : 0; }

template <class T>
struct Gather {
  Places<3> places;
  std::int64_t along, extent;
  Global<const std::int64_t> index;
  Global<const T> x;
  Global<T> values;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t at[3];
    places.find(i, at);
    const std::int64_t place = index[at[2]];
    values[at[0]] = place >= 0 && place < extent ? x[at[1] + place * along] : T(0);
  }
};

// Each line along the index's dimension in its order: lines write different elements.
template <class T, Join join>
struct ScatterLines {
  Places<3> places;  // of the lines
  std::int64_t n, along, extent, values_step, index_step;
  Global<const std::int64_t> index;
  Global<const T> values;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    std::int64_t at[3];
    places.find(i, at);
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int64_t place = index[at[2] + j * index_step];
      if (place < 0 || place >= extent) continue;
      T& to = y[at[1] + place * along];
      const T value = values[at[0] + j * values_step];
      if constexpr (join == Join::put) to = value;
      if constexpr (join == Join::add) to = static_cast<T>(to + value);
      if constexpr (join == Join::either) to = static_cast<T>(to | value);
    }
  }
};

template <class T, Join join>
void scatter_lines(void* y, const Scatter& s, const void* values) {
  Shape lines = s.sizes;
  const bool scalar = s.sizes.rank() == 0;
  if (s.sizes.numel() == 0) return;
  if (!scalar) lines[s.dim] = 1;
  launch(lines.numel(),
         ScatterLines<T, join>{places_of(s, lines), scalar ? 1 : s.sizes[s.dim], along(s), s.extent,
                               scalar ? 0 : s.values_strides[s.dim], scalar ? 0 : contiguous_strides(s.sizes)[s.dim],
                               s.index, input<T>(values), output<T>(y)});
}

template <class T>
struct Triangle {
  std::int64_t rows, columns, diagonal;
  bool lower;
  Global<const T> x;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t column = i % columns, edge = i / columns % rows + diagonal;
    y[i] = (lower ? column <= edge : column >= edge) ? x[i] : T(0);
  }
};

}  // namespace

void pick_rows(Dtype dtype, const void* x, const Rows& rows, void* values) {
  const Offsets outer(rows.outer), inner(rows.inner);
  const RowsView view(rows, outer, inner);
  if (view.numel() == 0) return;
  with_bits(dtype, [&]<class T>(T) { launch(view.numel(), PickRows<T>{view, input<T>(x), output<T>(values)}); });
}

void put_rows(Dtype dtype, void* y, const Rows& rows, const void* values) {
  with_bits(dtype, [&]<class T>(T) { write<T, Join::put>(y, rows, values); });
}

void add_rows(Dtype dtype, void* y, const Rows& rows, const void* values) {
  if (dtype == kBool) return write<std::uint8_t, Join::either>(y, rows, values);
  visit<std::uint8_t, std::int32_t, std::int64_t, float, double>(
      "index_add", dtype, [&]<class T>(T) { write<T, Join::add>(y, rows, values); });
}

void gather(Dtype dtype, const void* x, const Scatter& s, void* values) {
  with_bits(dtype, [&]<class T>(T) {
    launch(s.sizes.numel(),
           Gather<T>{places_of(s, s.sizes), along(s), s.extent, s.index, input<T>(x), output<T>(values)});
  });
}

void scatter(Dtype dtype, void* y, const Scatter& places, const void* values) {
  with_bits(dtype, [&]<class T>(T) { scatter_lines<T, Join::put>(y, places, values); });
}

void scatter_add(Dtype dtype, void* y, const Scatter& places, const void* values) {
  if (dtype == kBool) return scatter_lines<std::uint8_t, Join::either>(y, places, values);
  visit<std::uint8_t, std::int32_t, std::int64_t, float, double>(
      "scatter_add", dtype, [&]<class T>(T) { scatter_lines<T, Join::add>(y, places, values); });
}

// How many there are is known when they have been counted, by the host.
std::vector<Int> nonzero(const std::uint8_t* mask, Int n) {
  refuse_recording("nonzero");
  std::vector<std::uint8_t> here(static_cast<std::size_t>(n));
  if (n > 0) copy_to_host(here.data(), mask, here.size());
  std::vector<Int> positions;
  for (Int i = 0; i < n; ++i)
    if (here[static_cast<std::size_t>(i)] != 0) positions.push_back(i);
  return positions;
}

void triangle(const void* x, void* y, Int count, Int rows, Int columns, Int width, Int diagonal, bool lower) {
  // Far diagonals are all alike; cut them, so that adding a row number cannot overflow.
  const Int k = std::clamp(diagonal, -rows, columns);
  const Dtype dtype = width == 1 ? kUInt8 : width == 2 ? kInt16 : width == 4 ? kInt32 : kInt64;
  with_bits(dtype, [&]<class T>(T) {
    launch(count * rows * columns, Triangle<T>{rows, columns, k, lower, input<T>(x), output<T>(y)});
  });
}

}  // namespace gradus::gpu

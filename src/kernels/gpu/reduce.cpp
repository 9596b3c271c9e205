// Sums and the like along one dimension, and running ones.
#include <algorithm>
#include <cmath>
#include <memory>

#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/reducers.h"

namespace gradus::gpu {

namespace {

enum class Load { plain, magnitude, square };

template <class T, Load load>
GRADUS_DEVICE T loaded(T x) {
  if constexpr (load == Load::magnitude) return std::abs(x);
  if constexpr (load == Load::square) return x * x;
  return x;
}

// A reduction is cut into pieces of `length`, each of which gives one number: out[o, piece, i].
struct Pieces {
  std::int64_t reduced, inner, length, count;
};

// Rows that lie side by side: a block for each piece.
template <class R, class T, Load load>
struct ReduceRows {
  Pieces pieces;
  Global<const T> in;
  Global<T> out;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t o = block.index() / pieces.count, from = block.index() % pieces.count * pieces.length;
    const std::int64_t n = pieces.reduced - from < pieces.length ? pieces.reduced - from : pieces.length;
    const std::int64_t at = o * pieces.reduced + from;
    const T all = block.template reduce<R, T>(n, [&](std::int64_t i) { return loaded<T, load>(in[at + i]); });
    block.each(1, [&](std::int64_t) { out[block.index()] = all; });
  }
};

// Columns: each thread has one of a piece.
template <class R, class T, Load load>
struct ReduceColumns {
  Pieces pieces;
  Global<const T> in;
  Global<T> out;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t column = i % pieces.inner, rest = i / pieces.inner;
    const std::int64_t o = rest / pieces.count, from = rest % pieces.count * pieces.length;
    const std::int64_t n = pieces.reduced - from < pieces.length ? pieces.reduced - from : pieces.length;
    const std::int64_t at = (o * pieces.reduced + from) * pieces.inner + column;
    T all = R::identity();
    for (std::int64_t r = 0; r < n; ++r) all = R::combine(all, loaded<T, load>(in[at + r * pieces.inner]));
    out[i] = all;
  }
};

template <class R, class T, Load load>
void reduce_as(const T* in, T* out, const Extent& e) {
  const std::int64_t outputs = e.outer * e.inner;
  if (e.reduced == 0) {  // one empty piece
    launch(outputs, ReduceColumns<R, T, load>{{0, e.inner, 1, 1}, in, out});
    return;
  }
  const bool rows = e.inner == 1;
  // Pieces are of a length that depends on sizes alone, short enough that sums of float32 keep their digits.
  const std::int64_t most = rows ? 1 << 14 : 512;
  Pieces pieces{e.reduced, e.inner, std::min(e.reduced, most), 0};
  pieces.count = (e.reduced + pieces.length - 1) / pieces.length;
  std::unique_ptr<Scratch<T>> partial;
  if (pieces.count > 1) partial = std::make_unique<Scratch<T>>(outputs * pieces.count);
  T* const to = partial != nullptr ? partial->get() : out;
  if (rows) {
    launch_blocks(e.outer * pieces.count, threads_for(pieces.length), ReduceRows<R, T, load>{pieces, in, to});
  } else {
    launch(outputs * pieces.count, ReduceColumns<R, T, load>{pieces, in, to});
  }
  if (partial != nullptr) reduce_as<R, T, Load::plain>(to, out, {e.outer, pieces.count, e.inner});
}

template <class T>
void select(Reduce kind, const T* in, T* out, const Extent& e) {
  switch (kind) {
    case Reduce::sum:
      if constexpr (sizeof(T) > 1) return reduce_as<SumOf<T>, T, Load::plain>(in, out, e);
      break;
    case Reduce::sum_abs:
      if constexpr (std::is_floating_point_v<T>) return reduce_as<SumOf<T>, T, Load::magnitude>(in, out, e);
      break;
    case Reduce::sum_square:
      if constexpr (std::is_floating_point_v<T>) return reduce_as<SumOf<T>, T, Load::square>(in, out, e);
      break;
    case Reduce::prod:
      if constexpr (sizeof(T) > 1) return reduce_as<ProdOf<T>, T, Load::plain>(in, out, e);
      break;
    case Reduce::max:
      return reduce_as<ExtremeOf<T, true>, T, Load::plain>(in, out, e);
    case Reduce::min:
      return reduce_as<ExtremeOf<T, false>, T, Load::plain>(in, out, e);
  }
  refuse_type("reduce", DtypeOf<T>::value);
}

template <class T>
struct FindFirst {
  Extent e;
  Global<const T> in, values;
  Global<std::int64_t> indices;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t o = block.index() / e.inner, i = block.index() % e.inner, at = o * e.reduced * e.inner + i;
    const T v = values[block.index()];
    using First = ExtremeOf<std::int64_t, false>;
    const std::int64_t first = block.template reduce<First, std::int64_t>(e.reduced, [&](std::int64_t r) {
      const T x = in[at + r * e.inner];
      return x == v || (x != x && v != v) ? r : First::identity();
    });
    block.each(1, [&](std::int64_t) { indices[block.index()] = first == First::identity() ? 0 : first; });
  }
};

template <class T, class Acc>
struct RunningSums {
  Extent e;
  bool reverse;
  Global<const T> in;
  Global<T> out;
  GRADUS_DEVICE void operator()(std::int64_t column) const {
    const std::int64_t o = column / e.inner, at = o * e.reduced * e.inner + column % e.inner;
    Acc total = 0;
    for (std::int64_t i = 0; i < e.reduced; ++i) {
      const std::int64_t r = at + (reverse ? e.reduced - 1 - i : i) * e.inner;
      total += static_cast<Acc>(in[r]);
      out[r] = static_cast<T>(total);
    }
  }
};

template <class T>
struct ProductsOfOthers {
  std::int64_t n;
  Global<const T> in;
  Global<T> out;
  GRADUS_DEVICE void operator()(std::int64_t row) const {
    T before = 1, after = 1;
    for (std::int64_t i = row * n; i < (row + 1) * n; ++i) {
      const T x = in[i];
      out[i] = before;
      before *= x;
    }
    for (std::int64_t i = (row + 1) * n - 1; i >= row * n; --i) {
      out[i] *= after;
      after *= in[i];
    }
  }
};

}  // namespace

void reduce(Reduce kind, Dtype dtype, const void* in, void* out, const Extent& extent) {
  if (extent.outer == 0 || extent.inner == 0) return;
  visit<float, double, std::int64_t, std::uint8_t>(
      "reduce", dtype, [&]<class T>(T) { select<T>(kind, static_cast<const T*>(in), static_cast<T*>(out), extent); });
}

void find_first(Dtype dtype, const void* in, const void* values, Int* indices, const Extent& e) {
  visit<float, double, std::int64_t>("argmax", dtype, [&]<class T>(T) {
    launch_blocks(e.outer * e.inner, threads_for(e.reduced), FindFirst<T>{e, input<T>(in), input<T>(values), indices});
  });
}

void cumsum(Dtype dtype, bool reverse, const void* in, void* out, const Extent& e) {
  visit<float, double, std::int64_t>("cumsum", dtype, [&]<class T>(T) {
    // Integers as unsigned, so that overflow wraps.
    using Number = std::conditional_t<std::is_integral_v<T>, std::uint64_t, T>;
    using Acc = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;
    launch(e.outer * e.inner, RunningSums<Number, Acc>{e, reverse, input<Number>(in), output<Number>(out)});
  });
}

void prod_of_others(Dtype dtype, const void* in, void* out, Int rows, Int n) {
  visit<float, double>("prod", dtype, [&]<class T>(T) {
    launch(rows, ProductsOfOthers<T>{n, input<T>(in), output<T>(out)});
  });
}

}  // namespace gradus::gpu

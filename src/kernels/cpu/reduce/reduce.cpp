#include "kernels/cpu/reduce/reduce.h"

#include <algorithm>
#include <memory>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/reduce/reduce_rows.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kGrain = 32768;  // elements below which another thread does not pay
constexpr std::int64_t kPiece = 65536;  // elements that one thread reduces at a stretch
constexpr std::int64_t kPanel = 512;    // columns reduced side by side

template <class T>
struct SumOfAbs : SumOf<T> {
  GRADUS_INLINE static T load(T x) { return x < 0 ? -x : x; }
};
template <class T>
struct SumOfSquares : SumOf<T> {
  GRADUS_INLINE static T load(T x) { return x * x; }
};

template <class R, class T>
struct RowsBody {
  GRADUS_INLINE static void run(const T* in, T* out, std::int64_t rows, std::int64_t n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* x = in + r * n;
      out[r] = reduce_row<R, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return R::load(x[i]); });
    }
  }
};

// Up to kPanel columns of `rows` rows. Every 32 rows the sums so far move up a level, every 32 of those another, so
// that no accumulator takes more than some dozens of additions.
template <class R, class T>
struct PanelBody {
  static constexpr int kLevels = 4, kRadix = 32;

  GRADUS_INLINE static void run(const T* in, std::int64_t stride, std::int64_t rows, std::int64_t width, T* out) {
    T acc[kLevels][kPanel];
    for (int level = 0; level < kLevels; ++level) {
      for (std::int64_t j = 0; j < width; ++j) acc[level][j] = R::identity;
    }
    std::int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      const T *a = in + r * stride, *b = a + stride, *c = b + stride, *d = c + stride;
      for (std::int64_t j = 0; j < width; ++j) {
        const T ab = R::combine(R::load(a[j]), R::load(b[j])), cd = R::combine(R::load(c[j]), R::load(d[j]));
        acc[0][j] = R::combine(acc[0][j], R::combine(ab, cd));
      }
      std::int64_t done = (r + 4) / 4;
      for (int level = 0; level + 1 < kLevels && done % kRadix == 0; ++level, done /= kRadix) {
        for (std::int64_t j = 0; j < width; ++j) {
          acc[level + 1][j] = R::combine(acc[level + 1][j], acc[level][j]);
          acc[level][j] = R::identity;
        }
      }
    }
    for (; r < rows; ++r) {
      const T* a = in + r * stride;
      for (std::int64_t j = 0; j < width; ++j) acc[0][j] = R::combine(acc[0][j], R::load(a[j]));
    }
    for (int level = 1; level < kLevels; ++level) {
      for (std::int64_t j = 0; j < width; ++j) acc[level][j] = R::combine(acc[level][j], acc[level - 1][j]);
    }
    for (std::int64_t j = 0; j < width; ++j) out[j] = acc[kLevels - 1][j];
  }
};

// A few narrow columns: several rows are taken as one wide one, whose parts are joined at the end.
template <class R, class T>
struct NarrowBody {
  GRADUS_INLINE static void run(const T* in, std::int64_t rows, std::int64_t inner, T* out) {
    const std::int64_t together = 2 * kPanel / 4 / inner, wide = together * inner;
    T acc[kPanel];
    PanelBody<R, T>::run(in, wide, rows / together, wide, acc);
    const T* rest = in + rows / together * wide;
    for (std::int64_t j = 0; j < rows % together * inner; ++j) acc[j] = R::combine(acc[j], R::load(rest[j]));
    for (std::int64_t parts = together; parts > 1;) {
      const std::int64_t half = parts / 2, from = (parts - half) * inner;
      for (std::int64_t j = 0; j < half * inner; ++j) acc[j] = R::combine(acc[j], acc[from + j]);
      parts -= half;
    }
    for (std::int64_t j = 0; j < inner; ++j) out[j] = acc[j];
  }
};

template <class R, class T>
void columns(const T* in, std::int64_t rows, std::int64_t inner, std::int64_t first, std::int64_t width, T* out) {
  if (inner <= kPanel / 8 && rows * inner >= kPanel) {
    simd_call<NarrowBody<R, T>>(in, rows, inner, out);
  } else {
    simd_call<PanelBody<R, T>>(in + first, inner, rows, width, out + first);
  }
}

template <class R, class T>
void whole(const T* in, T* out, const Extent& e) {
  if (e.inner == 1) {
    core::parallel_for(e.outer, std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, e.reduced)),
                       [&](std::int64_t begin, std::int64_t end) {
                         simd_call<RowsBody<R, T>>(in + begin * e.reduced, out + begin, end - begin, e.reduced);
                       });
    return;
  }
  const std::int64_t panels = (e.inner + kPanel - 1) / kPanel;
  const std::int64_t work = std::max<std::int64_t>(1, e.reduced * std::min(kPanel, e.inner));
  core::parallel_for(e.outer * panels, std::max<std::int64_t>(1, kGrain / work),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t t = begin; t < end; ++t) {
                         const std::int64_t o = t / panels, first = t % panels * kPanel;
                         columns<R, T>(in + o * e.reduced * e.inner, e.reduced, e.inner, first,
                                       std::min(kPanel, e.inner - first), out + o * e.inner);
                       }
                     });
}

// Long reductions are cut into pieces of a fixed size, which are reduced side by side and then joined by Join.
template <class R, class Join, class T>
void run(const void* in_data, void* out_data, const Extent& e) {
  const T* in = static_cast<const T*>(in_data);
  T* out = static_cast<T*>(out_data);
  const std::int64_t length = std::max<std::int64_t>(1, kPiece / std::min(kPanel, e.inner));
  if (e.reduced < 2 * length) return whole<R, T>(in, out, e);
  const std::int64_t pieces = e.reduced / length;  // the last one takes the rest
  const std::unique_ptr<T[]> partial(new T[static_cast<std::size_t>(e.outer * pieces * e.inner)]);
  core::parallel_for(e.outer * pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int64_t o = t / pieces, p = t % pieces, from = p * length;
      const std::int64_t rows = p + 1 == pieces ? e.reduced - from : length;
      const T* x = in + (o * e.reduced + from) * e.inner;
      T* y = partial.get() + t * e.inner;
      if (e.inner == 1) {
        simd_call<RowsBody<R, T>>(x, y, std::int64_t{1}, rows);
        continue;
      }
      for (std::int64_t first = 0; first < e.inner; first += kPanel) {
        columns<R, T>(x, rows, e.inner, first, std::min(kPanel, e.inner - first), y);
      }
    }
  });
  whole<Join, T>(partial.get(), out, {e.outer, pieces, e.inner});
}

using Run = void (*)(const void*, void*, const Extent&);

template <class T>
Run select(Reduce kind) {
  switch (kind) {
    case Reduce::sum:
      if constexpr (sizeof(T) > 1) return run<SumOf<T>, SumOf<T>, T>;
      break;
    case Reduce::sum_abs:
      if constexpr (std::is_floating_point_v<T>) return run<SumOfAbs<T>, SumOf<T>, T>;
      break;
    case Reduce::sum_square:
      if constexpr (std::is_floating_point_v<T>) return run<SumOfSquares<T>, SumOf<T>, T>;
      break;
    case Reduce::prod:
      if constexpr (sizeof(T) > 1) return run<ProdOf<T>, ProdOf<T>, T>;
      break;
    case Reduce::max:
      return run<ExtremeOf<T, true>, ExtremeOf<T, true>, T>;
    case Reduce::min:
      return run<ExtremeOf<T, false>, ExtremeOf<T, false>, T>;
  }
  return nullptr;
}

}  // namespace

void reduce(Reduce kind, Dtype dtype, const void* in, void* out, const Extent& extent) {
  if (extent.outer == 0 || extent.inner == 0) return;
  visit<float, double, std::int64_t, std::uint8_t>("reduce", dtype,
                                                   [&]<class T>(T) { select<T>(kind)(in, out, extent); });
}

}  // namespace gradus::cpu

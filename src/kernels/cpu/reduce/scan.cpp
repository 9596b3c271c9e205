#include "kernels/cpu/reduce/scan.h"

#include <algorithm>
#include <type_traits>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/simd/simd.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kGrain = 32768;  // elements below which another thread does not pay
constexpr std::int64_t kPanel = 512;    // columns taken side by side

// Calls run(first element, first column, columns) for panels of columns, over threads.
template <class Run>
void for_panels(const Extent& e, Run&& run) {
  const std::int64_t panels = (e.inner + kPanel - 1) / kPanel;
  const std::int64_t work = std::max<std::int64_t>(1, e.reduced * std::min(kPanel, e.inner));
  core::parallel_for(e.outer * panels, std::max<std::int64_t>(1, kGrain / work),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t t = begin; t < end; ++t) {
                         const std::int64_t o = t / panels, first = t % panels * kPanel;
                         run(o, first, std::min(kPanel, e.inner - first));
                       }
                     });
}

template <class T>
struct FindBody {
  GRADUS_INLINE static void run(const T* in, const T* values, std::int64_t* indices, std::int64_t reduced,
                                std::int64_t inner, std::int64_t width) {
    const auto same = [](T x, T v) GRADUS_LAMBDA { return (x == v) | ((x != x) & (v != v)); };
    if (inner == 1) {
      std::int64_t r = 0;
      while (r + 1 < reduced && !same(in[r], values[0])) ++r;
      indices[0] = r;
      return;
    }
    // From the last row to the first, so that the first has the last word. Places are counted in numbers as wide as the
    // elements, which vectorise best, and therefore in stretches that such a number can count.
    using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    constexpr std::int64_t stretch = std::int64_t{1} << 30;
    Place found[kPanel];
    for (std::int64_t base = (reduced - 1) / stretch * stretch; base >= 0; base -= stretch) {
      for (std::int64_t j = 0; j < width; ++j) found[j] = -1;
      for (std::int64_t r = std::min(stretch, reduced - base) - 1; r >= 0; --r) {
        const T* x = in + (base + r) * inner;
        const Place place = static_cast<Place>(r);
        for (std::int64_t j = 0; j < width; ++j) found[j] = same(x[j], values[j]) ? place : found[j];
      }
      for (std::int64_t j = 0; j < width; ++j) indices[j] = found[j] >= 0 ? base + found[j] : indices[j];
    }
  }
};

template <class T>
void find(const void* in, const void* values, std::int64_t* indices, const Extent& e) {
  for_panels(e, [&](std::int64_t o, std::int64_t first, std::int64_t width) {
    const std::int64_t at = o * e.inner + first;
    simd_call<FindBody<T>>(static_cast<const T*>(in) + o * e.reduced * e.inner + first,
                           static_cast<const T*>(values) + at, indices + at, e.reduced, e.inner, width);
  });
}

template <class T, class Acc>
struct CumsumBody {
  GRADUS_INLINE static void run(const T* in, T* out, std::int64_t reduced, std::int64_t inner, std::int64_t width,
                                bool reverse) {
    if (width == 1) {
      Acc total = 0;
      for (std::int64_t i = 0; i < reduced; ++i) {
        const std::int64_t r = (reverse ? reduced - 1 - i : i) * inner;
        total += static_cast<Acc>(in[r]);
        out[r] = static_cast<T>(total);
      }
      return;
    }
    Acc acc[kPanel];
    for (std::int64_t j = 0; j < width; ++j) acc[j] = 0;
    for (std::int64_t i = 0; i < reduced; ++i) {
      const std::int64_t r = (reverse ? reduced - 1 - i : i) * inner;
      for (std::int64_t j = 0; j < width; ++j) {
        acc[j] += static_cast<Acc>(in[r + j]);
        out[r + j] = static_cast<T>(acc[j]);
      }
    }
  }
};

template <class T, class Acc>
void running_sums(bool reverse, const void* in, void* out, const Extent& e) {
  for_panels(e, [&](std::int64_t o, std::int64_t first, std::int64_t width) {
    const std::int64_t at = o * e.reduced * e.inner + first;
    simd_call<CumsumBody<T, Acc>>(static_cast<const T*>(in) + at, static_cast<T*>(out) + at, e.reduced, e.inner, width,
                                  reverse);
  });
}

template <class T>
void others(const T* in, T* out, std::int64_t rows, std::int64_t n) {
  core::parallel_for(rows, std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, n)),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t row = begin; row < end; ++row) {
                         const T* x = in + row * n;
                         T* y = out + row * n;
                         T before = 1, after = 1;
                         for (std::int64_t i = 0; i < n; ++i) {
                           y[i] = before;
                           before *= x[i];
                         }
                         for (std::int64_t i = n - 1; i >= 0; --i) {
                           y[i] *= after;
                           after *= x[i];
                         }
                       }
                     });
}

}  // namespace

void find_first(Dtype dtype, const void* in, const void* values, std::int64_t* indices, const Extent& extent) {
  visit<float, double, std::int64_t>("argmax", dtype, [&]<class T>(T) { find<T>(in, values, indices, extent); });
}

void cumsum(Dtype dtype, bool reverse, const void* in, void* out, const Extent& extent) {
  visit<float, double, std::int64_t>("cumsum", dtype, [&]<class T>(T) {
    // Integers as unsigned, so that overflow wraps.
    using Element = std::conditional_t<std::is_integral_v<T>, std::uint64_t, T>;
    running_sums<Element, std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>>(reverse, in, out, extent);
  });
}

void prod_of_others(Dtype dtype, const void* in, void* out, std::int64_t rows, std::int64_t n) {
  visit<float, double>("prod", dtype,
                       [&]<class T>(T) { others(static_cast<const T*>(in), static_cast<T*>(out), rows, n); });
}

}  // namespace gradus::cpu

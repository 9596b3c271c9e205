#include "kernels/cpu/norm/softmax.h"

#include <algorithm>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/norm/softmax_rows.h"
#include "kernels/math.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kGrain = 4096;  // elements below which another thread does not pay
constexpr std::int64_t kPanel = 256;   // columns taken side by side

template <class T, bool log>
struct RowsBody {
  GRADUS_INLINE static void run(const T* x, T* y, std::int64_t rows, std::int64_t n) {
    softmax_rows<T, log>(x, y, rows, n, NoRow{});
  }
};

template <class T, bool log>
struct RowsBackwardBody {
  GRADUS_INLINE static void run(const T* g_all, const T* y_all, T* gx_all, std::int64_t rows, std::int64_t n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T *g = g_all + r * n, *y = y_all + r * n;
      T* gx = gx_all + r * n;
      const T s = reduce_row<SumOf<T>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return log ? g[i] : g[i] * y[i]; });
      for (std::int64_t i = 0; i < n; ++i) gx[i] = log ? g[i] - math::exp(y[i]) * s : y[i] * (g[i] - s);
    }
  }
};

template <class T, bool log>
struct ColumnsBody {
  GRADUS_INLINE static void run(const T* x, T* y, std::int64_t n, std::int64_t stride, std::int64_t width) {
    T top[kPanel], s[kPanel];
    for (std::int64_t j = 0; j < width; ++j) top[j] = x[j];
    for (std::int64_t r = 1; r < n; ++r) {
      for (std::int64_t j = 0; j < width; ++j) top[j] = std::max(top[j], x[r * stride + j]);
    }
    for (std::int64_t j = 0; j < width; ++j) s[j] = 0;
    for (std::int64_t r = 0; r < n; ++r) {
      for (std::int64_t j = 0; j < width; ++j) {
        const T shifted = x[r * stride + j] - top[j], e = math::exp(shifted);
        y[r * stride + j] = log ? shifted : e;
        s[j] += e;
      }
    }
    for (std::int64_t j = 0; j < width; ++j) s[j] = log ? math::log(s[j]) : 1 / s[j];
    for (std::int64_t r = 0; r < n; ++r) {
      for (std::int64_t j = 0; j < width; ++j) {
        const T v = y[r * stride + j];
        y[r * stride + j] = log ? v - s[j] : v * s[j];
      }
    }
  }
};

template <class T, bool log>
struct ColumnsBackwardBody {
  GRADUS_INLINE static void run(const T* g, const T* y, T* gx, std::int64_t n, std::int64_t stride,
                                std::int64_t width) {
    T s[kPanel];
    for (std::int64_t j = 0; j < width; ++j) s[j] = 0;
    for (std::int64_t r = 0; r < n; ++r) {
      const std::int64_t at = r * stride;
      for (std::int64_t j = 0; j < width; ++j) s[j] += log ? g[at + j] : g[at + j] * y[at + j];
    }
    for (std::int64_t r = 0; r < n; ++r) {
      const std::int64_t at = r * stride;
      for (std::int64_t j = 0; j < width; ++j) {
        gx[at + j] = log ? g[at + j] - math::exp(y[at + j]) * s[j] : y[at + j] * (g[at + j] - s[j]);
      }
    }
  }
};

// Calls rows(first element, rows) where inner is 1, else columns(first element, columns).
template <class Rows, class Columns>
void for_parts(const Extent& e, Rows&& rows, Columns&& columns) {
  if (e.outer == 0 || e.reduced == 0 || e.inner == 0) return;
  if (e.inner == 1) {
    core::parallel_for(e.outer, std::max<std::int64_t>(1, kGrain / e.reduced),
                       [&](std::int64_t begin, std::int64_t end) { rows(begin * e.reduced, end - begin); });
    return;
  }
  const std::int64_t panels = (e.inner + kPanel - 1) / kPanel;
  core::parallel_for(e.outer * panels, std::max<std::int64_t>(1, kGrain / (e.reduced * std::min(kPanel, e.inner))),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t t = begin; t < end; ++t) {
                         const std::int64_t first = t % panels * kPanel;
                         columns(t / panels * e.reduced * e.inner + first, std::min(kPanel, e.inner - first));
                       }
                     });
}

template <class T, bool log>
void forward(const T* x, T* y, const Extent& e) {
  for_parts(
      e, [&](std::int64_t at, std::int64_t rows) { simd_call<RowsBody<T, log>>(x + at, y + at, rows, e.reduced); },
      [&](std::int64_t at, std::int64_t width) {
        simd_call<ColumnsBody<T, log>>(x + at, y + at, e.reduced, e.inner, width);
      });
}

template <class T, bool log>
void backward(const T* g, const T* y, T* gx, const Extent& e) {
  for_parts(
      e,
      [&](std::int64_t at, std::int64_t rows) {
        simd_call<RowsBackwardBody<T, log>>(g + at, y + at, gx + at, rows, e.reduced);
      },
      [&](std::int64_t at, std::int64_t width) {
        simd_call<ColumnsBackwardBody<T, log>>(g + at, y + at, gx + at, e.reduced, e.inner, width);
      });
}

}  // namespace

void softmax(Dtype dtype, bool log, const void* x, void* y, const Extent& e) {
  const auto run = [&]<class T>(const T*) {
    const T* in = static_cast<const T*>(x);
    T* out = static_cast<T*>(y);
    log ? forward<T, true>(in, out, e) : forward<T, false>(in, out, e);
  };
  visit<float, double>("softmax", dtype, [&]<class T>(T) { run(static_cast<const T*>(x)); });
}

void softmax_backward(Dtype dtype, bool log, const void* g, const void* y, void* gx, const Extent& e) {
  const auto run = [&]<class T>(const T* grad) {
    const T* out = static_cast<const T*>(y);
    T* to = static_cast<T*>(gx);
    log ? backward<T, true>(grad, out, to, e) : backward<T, false>(grad, out, to, e);
  };
  visit<float, double>("softmax", dtype, [&]<class T>(T) { run(static_cast<const T*>(g)); });
}

}  // namespace gradus::cpu

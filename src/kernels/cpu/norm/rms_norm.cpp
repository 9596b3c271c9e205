#include "kernels/cpu/norm/rms_norm.h"

#include <algorithm>
#include <cmath>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/reduce/reduce_rows.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kGrain = 4096;  // elements below which another thread does not pay
constexpr std::int64_t kPanel = 128;   // columns whose sums are taken side by side

template <class T>
struct ForwardBody {
  GRADUS_INLINE static void run(double eps, const T* x_all, const T* weight, T* rstd, T* y_all, std::int64_t rows,
                                std::int64_t n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* x = x_all + r * n;
      T* y = y_all + r * n;
      const T squares = reduce_row<SumOf<T>, T>(n, [=](std::int64_t i) GRADUS_LAMBDA { return x[i] * x[i]; });
      const T scale = T(1) / std::sqrt(squares / static_cast<T>(n) + static_cast<T>(eps));
      rstd[r] = scale;
      if (weight != nullptr) {
        for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
      } else {
        for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * scale;
      }
    }
  }
};

// gx = rstd (g w - normal mean(g w normal)), normal being x rstd.
template <class T, bool weighed>
struct BackwardBody {
  GRADUS_INLINE static void run(const T* g_all, const T* x_all, const T* rstd, const T* w, T* gx_all, std::int64_t rows,
                                std::int64_t n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T *g = g_all + r * n, *x = x_all + r * n;
      T* gx = gx_all + r * n;
      const T dot = reduce_row<SumOf<T>, T>(
          n, [=](std::int64_t i) GRADUS_LAMBDA { return g[i] * x[i] * (weighed ? w[i] : T(1)); });
      const T scale = rstd[r], part = dot * scale * scale / static_cast<T>(n);
      for (std::int64_t i = 0; i < n; ++i) gx[i] = scale * (g[i] * (weighed ? w[i] : T(1)) - x[i] * part);
    }
  }
};

template <class T>
struct WeightBody {
  GRADUS_INLINE static void run(const T* g, const T* x, const T* rstd, T* gw, std::int64_t rows, std::int64_t n,
                                std::int64_t width) {
    T sum[kPanel];
    for (std::int64_t j = 0; j < width; ++j) sum[j] = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const T scale = rstd[r];
      for (std::int64_t j = 0; j < width; ++j) sum[j] += g[r * n + j] * x[r * n + j] * scale;
    }
    for (std::int64_t j = 0; j < width; ++j) gw[j] = sum[j];
  }
};

}  // namespace

void rms_norm(Dtype dtype, double eps, const void* x, const void* weight, void* rstd, void* y, std::int64_t rows,
              std::int64_t n) {
  visit<float, double>("rms_norm", dtype, [&]<class T>(T) {
    core::parallel_for(rows, std::max<std::int64_t>(1, kGrain / n), [&](std::int64_t begin, std::int64_t end) {
      simd_call<ForwardBody<T>>(eps, static_cast<const T*>(x) + begin * n, static_cast<const T*>(weight),
                                static_cast<T*>(rstd) + begin, static_cast<T*>(y) + begin * n, end - begin, n);
    });
  });
}

void rms_norm_backward(Dtype dtype, const void* g, const void* x, const void* rstd, const void* weight, void* gx,
                       void* gw, std::int64_t rows, std::int64_t n) {
  visit<float, double>("rms_norm", dtype, [&]<class T>(T) {
    const auto *gt = static_cast<const T*>(g), *xt = static_cast<const T*>(x), *st = static_cast<const T*>(rstd),
               *wt = static_cast<const T*>(weight);
    if (gx != nullptr) {
      core::parallel_for(rows, std::max<std::int64_t>(1, kGrain / n), [&](std::int64_t begin, std::int64_t end) {
        T* to = static_cast<T*>(gx) + begin * n;
        if (wt != nullptr) {
          simd_call<BackwardBody<T, true>>(gt + begin * n, xt + begin * n, st + begin, wt, to, end - begin, n);
        } else {
          simd_call<BackwardBody<T, false>>(gt + begin * n, xt + begin * n, st + begin, wt, to, end - begin, n);
        }
      });
    }
    if (gw != nullptr) {
      // Whole columns, so that the sums do not depend on the number of threads.
      core::parallel_for((n + kPanel - 1) / kPanel, std::max<std::int64_t>(1, kGrain / (kPanel * rows)),
                         [&](std::int64_t begin, std::int64_t end) {
                           for (std::int64_t at = begin * kPanel; at < std::min(n, end * kPanel); at += kPanel) {
                             simd_call<WeightBody<T>>(gt + at, xt + at, st, static_cast<T*>(gw) + at, rows, n,
                                                      std::min(kPanel, n - at));
                           }
                         });
    }
  });
}

}  // namespace gradus::cpu

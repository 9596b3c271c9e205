#include <algorithm>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/norm/softmax.h"
#include "kernels/cpu/norm/softmax_rows.h"
#include "kernels/math.h"

namespace gradus::cpu {

namespace {

constexpr std::int64_t kGrain = 4096;  // elements below which another thread does not pay

template <class T>
struct LossBody {
  GRADUS_INLINE static void run(const T* x, const std::int64_t* target, std::int64_t ignored, T* losses, T* p, T* stats,
                                std::int64_t rows, std::int64_t n) {
    softmax_rows<T, false>(x, p, rows, n, [=](std::int64_t r, T largest, T log_sum) GRADUS_LAMBDA {
      const std::int64_t t = target[r];
      losses[r] = t == ignored ? 0 : log_sum - (x[r * n + t] - largest);
      if (stats != nullptr) {
        stats[2 * r] = largest;
        stats[2 * r + 1] = log_sum;
      }
    });
  }
};

// From x and its rows' stats in the place of the probabilities.
template <class T>
struct LongRowsBackwardBody {
  GRADUS_INLINE static void run(const T* x, const T* stats, const std::int64_t* target, std::int64_t ignored, T scale,
                                T* gx, std::int64_t rows, std::int64_t n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t t = target[r];
      const T largest = stats[2 * r], each = t == ignored ? T(0) : scale * math::exp(-stats[2 * r + 1]);
      const T* in = x + r * n;
      T* out = gx + r * n;
      for (std::int64_t i = 0; i < n; ++i) out[i] = math::exp(in[i] - largest) * each;
      if (t != ignored) out[t] -= scale;
    }
  }
};

template <class T>
struct LossBackwardBody {
  GRADUS_INLINE static void run(const T* p, const std::int64_t* target, std::int64_t ignored, T scale, T* gx,
                                std::int64_t rows, std::int64_t n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t t = target[r];
      const T each = t == ignored ? 0 : scale;
      for (std::int64_t i = 0; i < n; ++i) gx[r * n + i] = p[r * n + i] * each;
      if (t != ignored) gx[r * n + t] -= scale;
    }
  }
};

template <class Run>
void over_rows(std::int64_t rows, std::int64_t n, Run&& run) {
  core::parallel_for(rows, std::max<std::int64_t>(1, kGrain / n),
                     [&](std::int64_t begin, std::int64_t end) { run(begin, end - begin); });
}

}  // namespace

void cross_entropy(Dtype dtype, const void* x, const std::int64_t* target, std::int64_t ignored, void* losses, void* p,
                   void* stats, std::int64_t rows, std::int64_t classes) {
  const auto run = [&]<class T>(const T* in) {
    over_rows(rows, classes, [&](std::int64_t at, std::int64_t count) {
      simd_call<LossBody<T>>(in + at * classes, target + at, ignored, static_cast<T*>(losses) + at,
                             p ? static_cast<T*>(p) + at * classes : nullptr,
                             stats ? static_cast<T*>(stats) + 2 * at : nullptr, count, classes);
    });
  };
  visit<float, double>("cross_entropy", dtype, [&]<class T>(T) { run(static_cast<const T*>(x)); });
}

void cross_entropy_backward(Dtype dtype, const void* p, const void* x, const void* stats, const std::int64_t* target,
                            std::int64_t ignored, double scale, const void* g, void* gx, std::int64_t rows,
                            std::int64_t classes) {
  const auto run = [&]<class T>(const T* in) {
    const T each = static_cast<T>(scale * static_cast<double>(*static_cast<const T*>(g)));
    over_rows(rows, classes, [&](std::int64_t at, std::int64_t count) {
      if (in == nullptr) {
        return simd_call<LongRowsBackwardBody<T>>(static_cast<const T*>(x) + at * classes,
                                                  static_cast<const T*>(stats) + 2 * at, target + at, ignored, each,
                                                  static_cast<T*>(gx) + at * classes, count, classes);
      }
      simd_call<LossBackwardBody<T>>(in + at * classes, target + at, ignored, each, static_cast<T*>(gx) + at * classes,
                                     count, classes);
    });
  };
  visit<float, double>("cross_entropy", dtype, [&]<class T>(T) { run(static_cast<const T*>(p)); });
}

}  // namespace gradus::cpu

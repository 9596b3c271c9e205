#include "kernels/cpu/norm/attention_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/norm/softmax_rows.h"
#include "kernels/math.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

template <class T>
struct AddMask {
  GRADUS_INLINE static void run(T* scores, int64_t width, int64_t rows, int64_t columns, const T* added, int64_t row,
                                int64_t column) {
    for (int64_t r = 0; r < rows; ++r) {
      T* s = scores + r * width;
      const T* a = added + r * row;
      if (column == 1) {
        for (int64_t j = 0; j < columns; ++j) s[j] += a[j];
      } else {
        for (int64_t j = 0; j < columns; ++j) s[j] += a[0];
      }
    }
  }
};

template <class T>
struct HideUnseen {
  GRADUS_INLINE static void run(T* scores, int64_t width, int64_t rows, int64_t columns, const std::uint8_t* seen,
                                int64_t row, int64_t column) {
    for (int64_t r = 0; r < rows; ++r) {
      T* s = scores + r * width;
      const std::uint8_t* a = seen + r * row;
      for (int64_t j = 0; j < columns; ++j) s[j] = a[j * column] != 0 ? s[j] : kNever<T>;
    }
  }
};

template <class T>
struct SoftmaxBlock {
  GRADUS_INLINE static void run(T* scores, int64_t width, int64_t rows, int64_t columns, T* top, T* sums, T* factors) {
    for (int64_t r = 0; r < rows; ++r) {
      T* s = scores + r * width;
      const T here = row_max(static_cast<const T*>(s), columns);
      const T largest = here > top[r] ? here : top[r];
      const T from = largest == kNever<T> ? T(0) : largest;  // nothing is seen yet
      for (int64_t j = 0; j < columns; ++j) s[j] = math::exp(s[j] - from);
      factors[r] = math::exp(top[r] - from);
      sums[r] = sums[r] * factors[r] + row_sum(static_cast<const T*>(s), columns);
      top[r] = largest;
    }
  }
};

template <class T>
struct ScaleRows {
  GRADUS_INLINE static void run(T* y, int64_t width, int64_t rows, int64_t columns, const T* factors, bool inverse) {
    for (int64_t r = 0; r < rows; ++r) {
      const T by = !inverse ? factors[r] : factors[r] == 0 ? T(0) : 1 / factors[r];
      for (int64_t j = 0; j < columns; ++j) y[r * width + j] *= by;
    }
  }
};

template <class T>
struct DropWeights {
  GRADUS_INLINE static void run(T* p, int64_t width, int64_t rows, int64_t columns, const std::uint8_t* kept, T scale) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < columns; ++j) p[r * width + j] *= kept[r * width + j] != 0 ? scale : T(0);
  }
};

template <class T>
struct SoftmaxBlockBackward {
  GRADUS_INLINE static void run(T* scores, T* gp, int64_t width, int64_t rows, int64_t columns, const T* log_sums,
                                const T* dots, T scale) {
    for (int64_t r = 0; r < rows; ++r) {
      T *s = scores + r * width, *g = gp + r * width;
      const T from = log_sums[r], dot = dots[r];
#pragma GCC ivdep
      for (int64_t j = 0; j < columns; ++j) {
        const T p = math::exp(s[j] - from);
        s[j] = p;
        g[j] = p * (g[j] - dot) * scale;
      }
    }
  }
};

template <class T>
struct DotRows {
  GRADUS_INLINE static void run(const T* a, int64_t a_width, const T* b, int64_t b_width, int64_t rows, int64_t columns,
                                T* dots) {
    for (int64_t r = 0; r < rows; ++r) {
      const T *x = a + r * a_width, *y = b + r * b_width;
      dots[r] = reduce_row<SumOf<T>, T>(columns, [=](int64_t j) GRADUS_LAMBDA { return x[j] * y[j]; });
    }
  }
};

}  // namespace

template <class T>
void add_mask(T* scores, int64_t width, int64_t rows, int64_t columns, const T* added, int64_t row, int64_t column) {
  simd_call<AddMask<T>>(scores, width, rows, columns, added, row, column);
}

template <class T>
void hide_unseen(T* scores, int64_t width, int64_t rows, int64_t columns, const std::uint8_t* seen, int64_t row,
                 int64_t column) {
  simd_call<HideUnseen<T>>(scores, width, rows, columns, seen, row, column);
}

template <class T>
void hide_later(T* scores, int64_t width, int64_t rows, int64_t columns, int64_t first) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = std::max<int64_t>(0, first + r + 1); j < columns; ++j) scores[r * width + j] = kNever<T>;
}

template <class T>
void softmax_block(T* scores, int64_t width, int64_t rows, int64_t columns, T* top, T* sums, T* factors) {
  simd_call<SoftmaxBlock<T>>(scores, width, rows, columns, top, sums, factors);
}

template <class T>
void scale_rows(T* y, int64_t width, int64_t rows, int64_t columns, const T* factors, bool inverse) {
  simd_call<ScaleRows<T>>(y, width, rows, columns, factors, inverse);
}

template <class T>
void drop_weights(T* p, int64_t width, int64_t rows, int64_t columns, const std::uint8_t* kept, T scale) {
  simd_call<DropWeights<T>>(p, width, rows, columns, kept, scale);
}

template <class T>
void softmax_block_backward(T* scores, T* gp, int64_t width, int64_t rows, int64_t columns, const T* log_sums,
                            const T* dots, T scale) {
  simd_call<SoftmaxBlockBackward<T>>(scores, gp, width, rows, columns, log_sums, dots, scale);
}

template <class T>
void dot_rows(const T* a, int64_t a_width, const T* b, int64_t b_width, int64_t rows, int64_t columns, T* dots) {
  simd_call<DotRows<T>>(a, a_width, b, b_width, rows, columns, dots);
}

#define GRADUS_ATTENTION_ROWS(T)                                                                   \
  template void drop_weights(T*, int64_t, int64_t, int64_t, const std::uint8_t*, T);               \
  template void add_mask(T*, int64_t, int64_t, int64_t, const T*, int64_t, int64_t);               \
  template void hide_unseen(T*, int64_t, int64_t, int64_t, const std::uint8_t*, int64_t, int64_t); \
  template void hide_later(T*, int64_t, int64_t, int64_t, int64_t);                                \
  template void softmax_block(T*, int64_t, int64_t, int64_t, T*, T*, T*);                          \
  template void scale_rows(T*, int64_t, int64_t, int64_t, const T*, bool);                         \
  template void softmax_block_backward(T*, T*, int64_t, int64_t, int64_t, const T*, const T*, T);  \
  template void dot_rows(const T*, int64_t, const T*, int64_t, int64_t, int64_t, T*);
GRADUS_ATTENTION_ROWS(float)
GRADUS_ATTENTION_ROWS(double)
#undef GRADUS_ATTENTION_ROWS

}  // namespace gradus::cpu

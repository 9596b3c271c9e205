// What a step does to each unit of each row, between its products.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cpu/simd/simd.h"
#include "kernels/math.h"

namespace gradus::cpu {

// A block of rows in a matrix.
template <class T>
struct Block {
  T* data = nullptr;
  std::int64_t ld = 0;
  GRADUS_INLINE T* row(std::int64_t i) const { return data + i * ld; }
};

// An overflowing exponential gives 1 / inf = 0, which is right.
template <class T>
GRADUS_INLINE T sigmoid_of(T x) {
  return 1 / (1 + math::exp(-x));
}

template <class T>
struct LstmForward {
  // gates: i, f, g, o, `hidden` apart
  GRADUS_INLINE static void run(std::int64_t rows, std::int64_t units, std::int64_t hidden, Block<T> gates,
                                Block<const T> before, Block<T> cells, Block<T> h) {
    for (std::int64_t r = 0; r < rows; ++r) {
      T *i = gates.row(r), *f = i + hidden, *g = f + hidden, *o = g + hidden;
      const T* last = before.row(r);
      T *c = cells.row(r), *out = h.row(r);
#pragma GCC ivdep
      for (std::int64_t u = 0; u < units; ++u) {
        i[u] = sigmoid_of(i[u]);
        f[u] = sigmoid_of(f[u]);
        g[u] = math::tanh(g[u]);
        o[u] = sigmoid_of(o[u]);
        c[u] = f[u] * last[u] + i[u] * g[u];
        out[u] = o[u] * math::tanh(c[u]);
      }
    }
  }
};

template <class T>
struct LstmBackward {
  // g_h: the gradient of o tanh(c), of which g_more is a second part where it is not null. g_c: that of c, then of the
  // cell before. `out`, where not null, receives o tanh(c).
  GRADUS_INLINE static void run(std::int64_t rows, std::int64_t units, std::int64_t hidden, Block<const T> gates,
                                Block<const T> before, Block<const T> cells, Block<const T> g_h, Block<const T> g_more,
                                Block<T> g_c, Block<T> g_gates, Block<T> out) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T *i = gates.row(r), *f = i + hidden, *g = f + hidden, *o = g + hidden;
      const T *last = before.row(r), *c = cells.row(r), *gh = g_h.row(r);
      const T* more = g_more.row(r);
      T *gc = g_c.row(r), *gi = g_gates.row(r), *gf = gi + hidden, *gg = gf + hidden, *go = gg + hidden;
      if (out.data != nullptr) {
        T* m = out.row(r);
#pragma GCC ivdep
        for (std::int64_t u = 0; u < units; ++u) m[u] = o[u] * math::tanh(c[u]);
      }
      const bool two = g_more.data != nullptr;
#pragma GCC ivdep
      for (std::int64_t u = 0; u < units; ++u) {
        const T t = math::tanh(c[u]), grad = two ? gh[u] + more[u] : gh[u];
        const T of_c = gc[u] + grad * o[u] * (1 - t * t);
        go[u] = grad * t * o[u] * (1 - o[u]);
        gi[u] = of_c * g[u] * i[u] * (1 - i[u]);
        gf[u] = of_c * last[u] * f[u] * (1 - f[u]);
        gg[u] = of_c * i[u] * (1 - g[u] * g[u]);
        gc[u] = of_c * f[u];
      }
    }
  }
};

template <class T>
struct GruForward {
  // gates: r, z, n; n's part of the state is `from`
  GRADUS_INLINE static void run(std::int64_t rows, std::int64_t units, std::int64_t hidden, Block<T> gates,
                                Block<const T> from, Block<const T> before, Block<T> h) {
    for (std::int64_t row = 0; row < rows; ++row) {
      T *r = gates.row(row), *z = r + hidden, *n = z + hidden;
      const T *q = from.row(row), *last = before.row(row);
      T* out = h.row(row);
#pragma GCC ivdep
      for (std::int64_t u = 0; u < units; ++u) {
        r[u] = sigmoid_of(r[u]);
        z[u] = sigmoid_of(z[u]);
        n[u] = math::tanh(n[u] + r[u] * q[u]);
        out[u] = (last[u] - n[u]) * z[u] + n[u];
      }
    }
  }
};

template <class T>
struct GruBackward {
  // g_h: the gradient of h as far as later steps give it; then the part of the state before that passes by the gates.
  GRADUS_INLINE static void run(std::int64_t rows, std::int64_t units, std::int64_t hidden, Block<const T> gates,
                                Block<const T> from, Block<const T> before, Block<const T> g_y, Block<T> g_h,
                                Block<T> g_gates, Block<T> g_from) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const T *r = gates.row(row), *z = r + hidden, *n = z + hidden;
      const T *q = from.row(row), *last = before.row(row), *gy = g_y.row(row);
      T* gh = g_h.row(row);
      T *gr = g_gates.row(row), *gz = gr + hidden, *gn = gz + hidden;
      T *fr = g_from.row(row), *fz = fr + hidden, *fn = fz + hidden;
#pragma GCC ivdep
      for (std::int64_t u = 0; u < units; ++u) {
        const T grad = gy[u] + gh[u];
        const T of_n = grad * (1 - z[u]) * (1 - n[u] * n[u]);
        const T of_r = of_n * q[u] * r[u] * (1 - r[u]), of_z = grad * (last[u] - n[u]) * z[u] * (1 - z[u]);
        gr[u] = of_r;
        gz[u] = of_z;
        gn[u] = of_n;
        fr[u] = of_r;
        fz[u] = of_z;
        fn[u] = of_n * r[u];
        gh[u] = grad * z[u];
      }
    }
  }
};

template <class T, bool relu>
struct ElmanForward {
  GRADUS_INLINE static void run(std::int64_t rows, std::int64_t units, Block<T> h) {
    for (std::int64_t r = 0; r < rows; ++r) {
      T* out = h.row(r);
#pragma GCC ivdep
      for (std::int64_t u = 0; u < units; ++u) out[u] = !relu ? math::tanh(out[u]) : out[u] < 0 ? T(0) : out[u];
    }
  }
};

template <class T, bool relu>
struct ElmanBackward {
  GRADUS_INLINE static void run(std::int64_t rows, std::int64_t units, Block<const T> h, Block<const T> g_y,
                                Block<const T> g_h, Block<T> g_gates) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const T *out = h.row(r), *gy = g_y.row(r), *gh = g_h.row(r);
      T* g = g_gates.row(r);
#pragma GCC ivdep
      for (std::int64_t u = 0; u < units; ++u) {
        const T grad = gy[u] + gh[u];
        g[u] = !relu ? grad * (1 - out[u] * out[u]) : out[u] <= 0 ? T(0) : grad;
      }
    }
  }
};

}  // namespace gradus::cpu

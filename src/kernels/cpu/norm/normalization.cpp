#include "kernels/cpu/norm/normalization.h"

#include <algorithm>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/norm/moments.h"
#include "kernels/cpu/norm/rows_norm.h"
#include "kernels/cpu/reduce/reduce_rows.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kGrain = 16384;  // elements below which another thread does not pay
constexpr int64_t kPanel = 256;    // columns taken side by side

// Where x is [batch, channels] and moments run over the batch, columns are taken side by side.
bool by_columns(const Normalization& n) { return n.over_batch && n.space == 1; }

// Calls work(first, last) for parts of `count` things of `size` elements.
template <class F>
void for_parts(int64_t count, int64_t size, F&& work) {
  core::parallel_for(count, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, size)), work);
}

// --- moments ---

template <class F>
void for_panels(const Normalization& n, F&& panel) {
  for_parts((n.groups + kPanel - 1) / kPanel, n.batch * std::min(kPanel, n.groups), [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) panel(p * kPanel, std::min(kPanel, n.groups - p * kPanel));
  });
}

constexpr int64_t kPiece = 65536;  // elements of a row whose moments are taken at a stretch
constexpr int64_t kFewMoments = 16;

// Adds those of x[0 .. n), in float64 where float32 does not hold the squares.
template <class T>
void join_moments(const T* x, int64_t n, double floor, Spread& all) {
  double mean, square;
  simd_call<RowMomentsBody<T>>(x, n, &mean, &square);
  if constexpr (std::is_same_v<T, float>) {
    if (!squares_held(square, n, floor)) simd_call<RowMomentsBody<float, double>>(x, n, &mean, &square);
  }
  all.join(static_cast<double>(n), mean, square);
}

template <class T>
void moments_of(const Normalization& n, double floor, const T* x, T* mean, double* var) {
  if (by_columns(n)) {
    for_panels(n, [&](int64_t at, int64_t width) {
      double m[kPanel] = {}, v[kPanel] = {};
      column_moments(x + at, n.batch, n.groups, width, m, v);
      for (int64_t j = 0; j < width; ++j) {
        mean[at + j] = static_cast<T>(m[j]);
        var[at + j] = v[j] / static_cast<double>(n.batch);
      }
    });
    return;
  }
  const int64_t block = n.channels * n.space, blocks = n.over_batch ? n.batch : 1;
  const int64_t pieces = (block + kPiece - 1) / kPiece, each = blocks * pieces, count = n.moments();
  const auto join = [&](int64_t i, int64_t k, Spread& all) {  // piece k of moment i
    const int64_t from = k % pieces * kPiece;
    join_moments(x + (k / pieces * n.groups + i) * block + from, std::min(kPiece, block - from), floor, all);
  };
  const auto put = [&](int64_t i, const Spread& all) {
    mean[i] = static_cast<T>(all.mean);
    var[i] = all.variance();
  };
  if (count >= kFewMoments || each == 1) {
    for_parts(count, n.per_moment(), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        Spread all;
        for (int64_t k = 0; k < each; ++k) join(i, k, all);
        put(i, all);
      }
    });
    return;
  }
  const Scratch<Spread> parts(count * each);
  for_parts(count * each, n.per_moment() / each, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k) join(k / each, k % each, parts[k] = Spread{});
  });
  for (int64_t i = 0; i < count; ++i) {
    Spread all;
    for (int64_t k = i * each; k < (i + 1) * each; ++k) all.join(parts[k].count, parts[k].mean, parts[k].square);
    put(i, all);
  }
}

// --- forward ---

// y = (x - mean) * scale + shift
template <class T>
struct ScaleBody {
  GRADUS_INLINE static void run(const T* x, int64_t n, T mean, T scale, T shift, T* y) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale + shift;
  }
};

// A mean for the row, a weight for each element.
template <class T, bool weighed, bool biased>
struct ScaleRowBody {
  GRADUS_INLINE static void run(const T* x, int64_t n, T mean, T rstd, const T* w, const T* b, T* y) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      T v = (x[i] - mean) * rstd;
      if constexpr (weighed) v *= w[i];
      if constexpr (biased) v += b[i];
      y[i] = v;
    }
  }
};

// Everything for each element.
template <class T>
struct ScaleColumnsBody {
  GRADUS_INLINE static void run(const T* x, int64_t n, const T* mean, const T* scale, const T* b, T* y) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean[i]) * scale[i] + b[i];
  }
};

template <class T>
void scale_row(const T* x, int64_t n, T mean, T rstd, const T* w, const T* b, T* y) {
  if (w != nullptr) {
    b != nullptr ? simd_call<ScaleRowBody<T, true, true>>(x, n, mean, rstd, w, b, y)
                 : simd_call<ScaleRowBody<T, true, false>>(x, n, mean, rstd, w, b, y);
  } else {
    b != nullptr ? simd_call<ScaleRowBody<T, false, true>>(x, n, mean, rstd, w, b, y)
                 : simd_call<ScaleRowBody<T, false, false>>(x, n, mean, rstd, w, b, y);
  }
}

// The place of the moments of group `group` of sample `sample`.
int64_t moment(const Normalization& n, int64_t sample, int64_t group) {
  return n.over_batch ? group : sample * n.groups + group;
}

template <class T>
void forward(const Normalization& n, const T* x, const T* mean, const T* rstd, const T* w, const T* b, T* y) {
  const int64_t width = n.weights();
  if (by_columns(n)) {
    const Scratch<T> scale(width), shift(width);
    for (int64_t c = 0; c < width; ++c) {
      scale[c] = rstd[c] * (w != nullptr ? w[c] : T(1));
      shift[c] = b != nullptr ? b[c] : T(0);
    }
    for_parts(n.batch, width, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r)
        simd_call<ScaleColumnsBody<T>>(x + r * width, width, mean, scale.get(), shift.get(), y + r * width);
    });
    return;
  }
  if (n.space == 1) {
    for_parts(n.batch * n.groups, n.channels, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t c = i % n.groups * n.channels;
        scale_row(x + i * n.channels, n.channels, mean[i], rstd[i], w != nullptr ? w + c : nullptr,
                  b != nullptr ? b + c : nullptr, y + i * n.channels);
      }
    });
    return;
  }
  for_parts(n.batch * width, n.space, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t c = i % width, m = moment(n, i / width, c / n.channels);
      simd_call<ScaleBody<T>>(x + i * n.space, n.space, mean[m], rstd[m] * (w != nullptr ? w[c] : T(1)),
                              b != nullptr ? b[c] : T(0), y + i * n.space);
    }
  });
}

// --- backward ---

template <class T>
struct SumsBody {
  // sums[0] = sum(g), sums[1] = sum(g * (x - mean) * rstd)
  GRADUS_INLINE static void run(const T* g, const T* x, int64_t n, T mean, T rstd, T* sums) {
    sums[0] = reduce_row<SumOf<T>, T>(n, [=](int64_t i) GRADUS_LAMBDA { return g[i]; });
    sums[1] = reduce_row<SumOf<T>, T>(n, [=](int64_t i) GRADUS_LAMBDA { return g[i] * ((x[i] - mean) * rstd); });
  }
};

// gx = p * g - q - (x - mean) * rstd * r. The square of rstd, which may be beyond the type, is not on the way.
template <class T>
struct GradientBody {
  GRADUS_INLINE static void run(const T* g, const T* x, int64_t n, T mean, T rstd, T p, T q, T r, T* gx) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) gx[i] = p * g[i] - q - (x[i] - mean) * rstd * r;
  }
};

template <class T>
struct ProductBody {
  GRADUS_INLINE static void run(const T* g, int64_t n, T p, T* gx) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) gx[i] = p * g[i];
  }
};

template <class T, bool weighed>
struct RowBody {
  GRADUS_INLINE static void run(const T* g, const T* x, int64_t n, T mean, T rstd, const T* w, T* gx) {
    const auto weight = [=](int64_t i) GRADUS_LAMBDA { return weighed ? w[i] : T(1); };
    const T s1 = reduce_row<SumOf<T>, T>(n, [=](int64_t i) GRADUS_LAMBDA { return g[i] * weight(i); });
    const T s2 =
        reduce_row<SumOf<T>, T>(n, [=](int64_t i) GRADUS_LAMBDA { return g[i] * weight(i) * ((x[i] - mean) * rstd); });
    const T q = rstd * s1 / static_cast<T>(n), r = rstd * s2 / static_cast<T>(n);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) gx[i] = rstd * g[i] * weight(i) - q - (x[i] - mean) * rstd * r;
  }
};

// Sums down columns: sum(g) and sum(g * (x - mean) * rstd), the moments of a row or those of a column.
template <class T, bool of_columns>
struct ColumnSumsBody {
  GRADUS_INLINE static void run(const T* g, const T* x, int64_t width, const T* mean, const T* rstd, double* sum_g,
                                double* sum_gx) {
    for (int64_t j = 0; j < width; ++j) {
      sum_g[j] += g[j];
      sum_gx[j] += g[j] * (x[j] - mean[of_columns ? j : 0]) * rstd[of_columns ? j : 0];
    }
  }
};

template <class T>
struct ColumnGradientBody {
  GRADUS_INLINE static void run(const T* g, const T* x, int64_t n, const T* mean, const T* rstd, const T* p, const T* q,
                                const T* r, T* gx) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) gx[i] = p[i] * g[i] - q[i] - (x[i] - mean[i]) * rstd[i] * r[i];
  }
};

// gw and gb where each row holds one element of each channel.
template <class T>
void weight_sums(const Normalization& n, const T* g, const T* x, const T* mean, const T* rstd, T* gw, T* gb) {
  const int64_t width = n.weights();
  for_parts((width + kPanel - 1) / kPanel, n.batch * std::min(kPanel, width), [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      const int64_t begin = p * kPanel, end = std::min(width, begin + kPanel);
      double sum_g[kPanel] = {}, sum_gx[kPanel] = {};
      for (int64_t r = 0; r < n.batch; ++r) {
        const T *grad = g + r * width, *in = x + r * width;
        if (n.over_batch) {
          simd_call<ColumnSumsBody<T, true>>(grad + begin, in + begin, end - begin, mean + begin, rstd + begin, sum_g,
                                             sum_gx);
          continue;
        }
        for (int64_t c = begin; c < end;) {
          const int64_t group = c / n.channels, stop = std::min(end, (group + 1) * n.channels);
          const int64_t m = r * n.groups + group;
          simd_call<ColumnSumsBody<T, false>>(grad + c, in + c, stop - c, mean + m, rstd + m, sum_g + (c - begin),
                                              sum_gx + (c - begin));
          c = stop;
        }
      }
      for (int64_t c = begin; c < end; ++c) {
        gw[c] = static_cast<T>(sum_gx[c - begin]);
        gb[c] = static_cast<T>(sum_g[c - begin]);
      }
    }
  });
}

template <class T>
void backward_columns(const Normalization& n, bool constant, const T* g, const T* x, const T* mean, const T* rstd,
                      const T* w, T* gx, T* gw, T* gb) {
  const int64_t width = n.groups;
  const Scratch<T> own_gw(width), own_gb(width), p(width), q(width), r(width);
  if (gw == nullptr) {
    gw = own_gw.get();
    gb = own_gb.get();
  }
  if (!constant || gw != own_gw.get()) weight_sums(n, g, x, mean, rstd, gw, gb);
  if (gx == nullptr) return;
  const T count = static_cast<T>(n.batch);
  for (int64_t c = 0; c < width; ++c) {
    p[c] = rstd[c] * (w != nullptr ? w[c] : T(1));
    q[c] = constant ? T(0) : p[c] * gb[c] / count;
    r[c] = constant ? T(0) : p[c] * gw[c] / count;
  }
  for_parts(n.batch, width, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t at = i * width;
      if (constant) {
        for (int64_t c = 0; c < width; ++c) gx[at + c] = p[c] * g[at + c];
      } else {
        simd_call<ColumnGradientBody<T>>(g + at, x + at, width, mean, rstd, p.get(), q.get(), r.get(), gx + at);
      }
    }
  });
}

template <class T>
void backward_rows(const Normalization& n, const T* g, const T* x, const T* mean, const T* rstd, const T* w, T* gx,
                   T* gw, T* gb) {
  if (gw != nullptr) weight_sums(n, g, x, mean, rstd, gw, gb);
  if (gx == nullptr) return;
  for_parts(n.batch * n.groups, n.channels, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t at = i * n.channels;
      const T* weights = w != nullptr ? w + i % n.groups * n.channels : nullptr;
      w != nullptr ? simd_call<RowBody<T, true>>(g + at, x + at, n.channels, mean[i], rstd[i], weights, gx + at)
                   : simd_call<RowBody<T, false>>(g + at, x + at, n.channels, mean[i], rstd[i], weights, gx + at);
    }
  });
}

template <class T>
void backward_planes(const Normalization& n, bool constant, const T* g, const T* x, const T* mean, const T* rstd,
                     const T* w, T* gx, T* gw, T* gb) {
  const int64_t width = n.weights(), planes = n.batch * width;
  const auto at_moment = [&](int64_t i) { return moment(n, i / width, i % width / n.channels); };
  const auto weight = [&](int64_t c) { return w != nullptr ? w[c] : T(1); };
  const bool sums_wanted = !constant || gw != nullptr;
  const Scratch<T> sums(sums_wanted ? 2 * planes : 0);  // of each plane: of g, and of g times the normalised x
  if (sums_wanted) {
    for_parts(planes, n.space, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t m = at_moment(i);
        simd_call<SumsBody<T>>(g + i * n.space, x + i * n.space, n.space, mean[m], rstd[m], sums.get() + 2 * i);
      }
    });
  }
  if (gw != nullptr) {
    for (int64_t c = 0; c < width; ++c) {
      double sum_g = 0, sum_gx = 0;
      for (int64_t r = 0; r < n.batch; ++r) {
        const int64_t i = r * width + c;
        sum_g += sums[2 * i];
        sum_gx += sums[2 * i + 1];
      }
      gb[c] = static_cast<T>(sum_g);
      gw[c] = static_cast<T>(sum_gx);
    }
  }
  if (gx == nullptr) return;
  const Scratch<T> means(constant ? 0 : 2 * n.moments());  // of each moment: the weighed sums over their count
  if (!constant) {
    std::fill_n(means.get(), 2 * n.moments(), T(0));
    for (int64_t i = 0; i < planes; ++i) {
      for (int64_t k = 0; k < 2; ++k) means[2 * at_moment(i) + k] += sums[2 * i + k] * weight(i % width);
    }
    for (int64_t k = 0; k < 2 * n.moments(); ++k) means[k] /= static_cast<T>(n.per_moment());
  }
  for_parts(planes, n.space, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t m = at_moment(i), at = i * n.space;
      const T s = rstd[m], p = s * weight(i % width);
      if (constant) {
        simd_call<ProductBody<T>>(g + at, n.space, p, gx + at);
      } else {
        simd_call<GradientBody<T>>(g + at, x + at, n.space, mean[m], s, p, s * means[2 * m], s * means[2 * m + 1],
                                   gx + at);
      }
    }
  });
}

template <class F>
void with_type(Dtype dtype, F&& run) {
  visit<float, double>("normalization", dtype, run);
}

}  // namespace

void moments(const Normalization& n, double floor, const void* x, void* mean, double* var) {
  if (n.channels_last) return rows_moments(n, floor, x, static_cast<float*>(mean), var);
  with_type(n.dtype, [&]<class T>(T) { moments_of(n, floor, static_cast<const T*>(x), static_cast<T*>(mean), var); });
}

void normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
               const Epilogue& then, void* y) {
  if (n.channels_last) return rows_normalize(n, x, mean, rstd, weight, then, y);
  with_type(n.dtype, [&]<class T>(T) {
    const auto in = [](const void* p) { return static_cast<const T*>(p); };
    forward(n, in(x), in(mean), in(rstd), in(weight), in(then.bias), static_cast<T*>(y));
  });
}

void normalize_backward(const Normalization& n, const NormalizationGradients& to) {
  if (n.channels_last) return rows_norm_backward(n, to);
  with_type(n.dtype, [&]<class T>(T) {
    const auto in = [](const void* p) { return static_cast<const T*>(p); };
    const T *g = in(to.g), *x = in(to.x), *mean = in(to.mean), *rstd = in(to.rstd), *weight = in(to.weight);
    T *gx = static_cast<T*>(to.gx), *gw = static_cast<T*>(to.gw), *gb = static_cast<T*>(to.gb);
    if (by_columns(n)) {
      backward_columns(n, n.constant, g, x, mean, rstd, weight, gx, gw, gb);
    } else if (n.space == 1) {
      backward_rows(n, g, x, mean, rstd, weight, gx, gw, gb);
    } else {
      backward_planes(n, n.constant, g, x, mean, rstd, weight, gx, gw, gb);
    }
  });
}

}  // namespace gradus::cpu

#include "kernels/cpu/norm/rows_norm.h"

#include <algorithm>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/norm/moments.h"
#include "kernels/cpu/simd/bfloat16.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kBlock = 16384;  // elements whose sums are taken together, in float32
constexpr int64_t kGrain = 32768;  // elements below which another thread does not pay
constexpr int64_t kPanel = 64;     // channels whose blocks are brought together by one thread

// Rows in blocks. Each has its own sums, so that the bits do not depend on the number of threads.
struct Blocks {
  int64_t rows, step, count;

  explicit Blocks(const Normalization& n)
      : rows(n.rows()), step(std::clamp<int64_t>(kBlock / n.groups, 8, 1024)), count((n.rows() + step - 1) / step) {}
  int64_t size(int64_t block) const { return std::min(step, rows - block * step); }

  template <class F>
  void for_each(int64_t channels, F&& work) const {
    const int64_t grain = std::max<int64_t>(1, kGrain / (step * channels));
    core::parallel_for(count, grain, [&](int64_t first, int64_t last) {
      for (int64_t b = first; b < last; ++b) work(b);
    });
  }
};

// Calls work(first, width) for panels of channels.
template <class F>
void for_panels(int64_t channels, int64_t blocks, F&& work) {
  const int64_t grain = std::max<int64_t>(1, kGrain / (kPanel * blocks));
  core::parallel_for((channels + kPanel - 1) / kPanel, grain, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) work(p * kPanel, std::min(kPanel, channels - p * kPanel));
  });
}

// Mean distances from the first row, and sums of squared deviations. Two passes over a block, which is in the cache for
// the second one.
template <class T>
struct MomentsBody {
  GRADUS_INLINE static void run(const T* x, int64_t rows, int64_t channels, float* shift, float* square) {
    for (int64_t c = 0; c < channels; ++c) shift[c] = square[c] = 0;
    for (int64_t r = 1; r < rows; ++r) {
      const T* row = x + r * channels;
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) shift[c] += wide(row[c]) - wide(x[c]);
    }
    const float share = 1.0f / static_cast<float>(rows);
    for (int64_t c = 0; c < channels; ++c) shift[c] *= share;
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = x + r * channels;
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) {
        const float d = wide(row[c]) - (wide(x[c]) + shift[c]);
        square[c] += d * d;
      }
    }
  }
};

// As Spread::join, for a block whose first row is `first`.
template <class T>
struct JoinBody {
  GRADUS_INLINE static void run(const T* first, const float* shift, const float* own_square, int64_t width, double size,
                                double count, double* mean, double* square) {
    const double share = size / (count + size), both = size * count / (count + size);
#pragma GCC ivdep
    for (int64_t c = 0; c < width; ++c) {
      const double own = static_cast<double>(wide(first[c])) + static_cast<double>(shift[c]);
      const double off = static_cast<double>(wide(first[c]) + shift[c]) - own;
      const double delta = own - mean[c];
      mean[c] += delta * share;
      square[c] += static_cast<double>(own_square[c]) - size * off * off + delta * delta * both;
    }
  }
};

template <class T, bool adds, bool relu>
struct NormalizeBody {
  GRADUS_INLINE static void run(const T* x, int64_t rows, int64_t channels, const float* mean, const float* scale,
                                const float* shift, const T* residual, T* y) {
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * channels;
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) {
        float v = (wide(x[at + c]) - mean[c]) * scale[c] + shift[c];
        if constexpr (adds) v += wide(residual[at + c]);
        if constexpr (relu) v = v < 0 ? 0.0f : v;
        put(y[at + c], v);
      }
    }
  }
};

// What a relu lets through: known from y, or worked out from x again, by the very arithmetic of the forward pass.
enum class Mask { none, of_x, of_y };

template <class T, Mask mask>
GRADUS_INLINE float passed(const T* g, const T* x, const T* y, int64_t i, float mean, float scale, float shift) {
  const float grad = wide(g[i]);
  if constexpr (mask == Mask::of_y) return wide(y[i]) <= 0 ? 0.0f : grad;
  if constexpr (mask == Mask::of_x) return (wide(x[i]) - mean) * scale + shift <= 0 ? 0.0f : grad;
  return grad;
}

template <class T, Mask mask, bool reads_x, bool writes>
struct SumsBody {
  // sums of g and of g * (x - mean); what the relu let through goes to g_residual
  GRADUS_INLINE static void run(const T* g, const T* x, const T* y, int64_t rows, int64_t channels, const float* mean,
                                const float* scale, const float* shift, float* sum_g, float* sum_gx, T* g_residual) {
    for (int64_t c = 0; c < channels; ++c) sum_g[c] = sum_gx[c] = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * channels;
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) {
        const float v = passed<T, mask>(g, x, y, at + c, mean[c], scale[c], shift[c]);
        sum_g[c] += v;
        if constexpr (reads_x) sum_gx[c] += v * (wide(x[at + c]) - mean[c]);
        if constexpr (writes) put(g_residual[at + c], v);
      }
    }
  }
};

// gx = scale * g - q - (x - mean) * rstd * r, or scale * g alone
template <class T, Mask mask, bool constant>
struct GradientBody {
  GRADUS_INLINE static void run(const T* g, const T* x, const T* y, int64_t rows, int64_t channels, const float* mean,
                                const float* scale, const float* shift, const float* rstd, const float* q,
                                const float* r, T* gx) {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t at = i * channels;
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) {
        const float v = passed<T, mask>(g, x, y, at + c, mean[c], scale[c], shift[c]);
        if constexpr (constant) {
          put(gx[at + c], scale[c] * v);
        } else {
          put(gx[at + c], scale[c] * v - q[c] - (wide(x[at + c]) - mean[c]) * rstd[c] * r[c]);
        }
      }
    }
  }
};

template <class T>
void moments_of(const Normalization& n, double floor, const T* x, float* mean, double* var) {
  const Blocks blocks(n);
  const Scratch<float> own(2 * blocks.count * n.groups);
  const auto at = [&](int64_t b) { return own.get() + 2 * b * n.groups; };
  blocks.for_each(n.groups, [&](int64_t b) {
    simd_call<MomentsBody<T>>(x + b * blocks.step * n.groups, blocks.size(b), n.groups, at(b), at(b) + n.groups);
  });
  for_panels(n.groups, blocks.count, [&](int64_t first, int64_t width) {
    double m[kPanel] = {}, square[kPanel] = {};
    for (int64_t b = 0; b < blocks.count; ++b) {
      simd_call<JoinBody<T>>(x + b * blocks.step * n.groups + first, static_cast<const float*>(at(b) + first),
                             static_cast<const float*>(at(b) + n.groups + first), width,
                             static_cast<double>(blocks.size(b)), static_cast<double>(b * blocks.step), m, square);
    }
    if (!std::all_of(square, square + width, [&](double s) { return squares_held(s, n.rows(), floor); })) {
      std::fill_n(m, width, 0.0);
      std::fill_n(square, width, 0.0);
      column_moments(x + first, n.rows(), n.groups, width, m, square);
    }
    for (int64_t c = 0; c < width; ++c) {
      mean[first + c] = static_cast<float>(m[c]);
      var[first + c] = square[c] < 0 ? 0 : square[c] / static_cast<double>(n.rows());
    }
  });
}

// The factor and the summand of each channel.
struct Affine {
  Scratch<float> scale, shift;

  Affine(int64_t channels, const void* rstds, const void* weights, const void* biases)
      : scale(channels), shift(channels) {
    const auto *rstd = static_cast<const float*>(rstds), *weight = static_cast<const float*>(weights),
               *bias = static_cast<const float*>(biases);
    for (int64_t c = 0; c < channels; ++c) {
      scale[c] = rstd[c] * (weight != nullptr ? weight[c] : 1.0f);
      shift[c] = bias != nullptr ? bias[c] : 0.0f;
    }
  }
  const float* scales() const { return scale.get(); }
  const float* shifts() const { return shift.get(); }
};

template <class T>
void normalize_rows(const Normalization& n, const T* x, const float* mean, const Affine& affine, const T* residual,
                    bool with_relu, T* y) {
  const Blocks blocks(n);
  blocks.for_each(n.groups, [&](int64_t b) {
    const int64_t at = b * blocks.step * n.groups;
    const auto run = [&]<bool adds, bool relu>() {
      simd_call<NormalizeBody<T, adds, relu>>(x + at, blocks.size(b), n.groups, mean, affine.scales(), affine.shifts(),
                                              residual != nullptr ? residual + at : nullptr, y + at);
    };
    if (residual != nullptr) {
      with_relu ? run.template operator()<true, true>() : run.template operator()<true, false>();
    } else {
      with_relu ? run.template operator()<false, true>() : run.template operator()<false, false>();
    }
  });
}

template <class T, Mask mask>
void backward(const Normalization& n, const NormalizationGradients& to, const Affine& affine) {
  const Blocks blocks(n);
  const int64_t channels = n.groups;
  const auto *mean = static_cast<const float*>(to.mean), *rstd = static_cast<const float*>(to.rstd);
  const T *g = static_cast<const T*>(to.g), *x = static_cast<const T*>(to.x), *y = static_cast<const T*>(to.y);
  T *gx = static_cast<T*>(to.gx), *g_residual = static_cast<T*>(to.g_residual);
  const auto behind = [](auto* p, int64_t at) { return p != nullptr ? p + at : nullptr; };
  const bool sums_wanted = to.gw != nullptr || (gx != nullptr && !n.constant);
  const Scratch<float> gw(channels), gb(channels);
  if (sums_wanted || g_residual != nullptr) {
    const Scratch<float> own(2 * blocks.count * channels);
    const auto sums = [&](int64_t b) { return own.get() + 2 * b * channels; };
    blocks.for_each(channels, [&](int64_t b) {
      const int64_t at = b * blocks.step * channels;
      const auto run = [&]<bool reads_x, bool writes>() {
        simd_call<SumsBody<T, mask, reads_x, writes>>(g + at, behind(x, at), behind(y, at), blocks.size(b), channels,
                                                      mean, affine.scales(), affine.shifts(), sums(b),
                                                      sums(b) + channels, behind(g_residual, at));
      };
      if (g_residual != nullptr) {
        sums_wanted ? run.template operator()<true, true>() : run.template operator()<false, true>();
      } else {
        run.template operator()<true, false>();
      }
    });
    for_panels(channels, blocks.count, [&](int64_t first, int64_t width) {
      double sum_g[kPanel] = {}, sum_gx[kPanel] = {};
      for (int64_t b = 0; b < blocks.count; ++b) {
        const float* own_sums = sums(b) + first;
        for (int64_t c = 0; c < width; ++c) {
          sum_g[c] += static_cast<double>(own_sums[c]);
          sum_gx[c] += static_cast<double>(own_sums[channels + c]);
        }
      }
      for (int64_t c = 0; c < width; ++c) {
        gb[first + c] = static_cast<float>(sum_g[c]);
        gw[first + c] = static_cast<float>(sum_gx[c] * static_cast<double>(rstd[first + c]));
      }
    });
  }
  if (to.gw != nullptr) {
    std::copy_n(gw.get(), channels, static_cast<float*>(to.gw));
    std::copy_n(gb.get(), channels, static_cast<float*>(to.gb));
  }
  if (gx == nullptr) return;
  const Scratch<float> q(channels), r(channels);
  for (int64_t c = 0; c < channels && !n.constant; ++c) {
    const float share = affine.scale[c] / static_cast<float>(n.rows());
    q[c] = share * gb[c];
    r[c] = share * gw[c];
  }
  blocks.for_each(channels, [&](int64_t b) {
    const int64_t at = b * blocks.step * channels;
    const auto run = [&]<Mask left>(const T* from) {
      if (n.constant) {
        simd_call<GradientBody<T, left, true>>(
            from + at, behind(x, at), behind(y, at), blocks.size(b), channels, mean, affine.scales(), affine.shifts(),
            rstd, static_cast<const float*>(q.get()), static_cast<const float*>(r.get()), gx + at);
      } else {
        simd_call<GradientBody<T, left, false>>(
            from + at, behind(x, at), behind(y, at), blocks.size(b), channels, mean, affine.scales(), affine.shifts(),
            rstd, static_cast<const float*>(q.get()), static_cast<const float*>(r.get()), gx + at);
      }
    };
    // What was let through is there already.
    g_residual != nullptr ? run.template operator()<Mask::none>(g_residual) : run.template operator()<mask>(g);
  });
}

template <class F>
void with_type(Dtype dtype, F&& run) {
  visit<float, BFloat16>("normalization", dtype, run);
}

}  // namespace

void rows_moments(const Normalization& n, double floor, const void* x, float* mean, double* var) {
  with_type(n.dtype, [&]<class T>(T) { moments_of(n, floor, static_cast<const T*>(x), mean, var); });
}

void rows_normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
                    const Epilogue& then, void* y) {
  const Affine affine(n.groups, rstd, weight, then.bias);
  with_type(n.dtype, [&]<class T>(T) {
    normalize_rows(n, static_cast<const T*>(x), static_cast<const float*>(mean), affine,
                   static_cast<const T*>(then.residual), then.relu, static_cast<T*>(y));
  });
}

void rows_norm_backward(const Normalization& n, const NormalizationGradients& to) {
  const Affine affine(n.groups, to.rstd, to.weight, to.bias);
  with_type(n.dtype, [&]<class T>(T) {
    if (!to.relu) {
      backward<T, Mask::none>(n, to, affine);
    } else {
      to.y != nullptr ? backward<T, Mask::of_y>(n, to, affine) : backward<T, Mask::of_x>(n, to, affine);
    }
  });
}

}  // namespace gradus::cpu

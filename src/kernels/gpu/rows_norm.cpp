// Batch normalisation of channels-last memory with what follows it.
#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/moments.h"

namespace gradus::gpu {

namespace {

// The factor and the summand of a channel.
struct Affine {
  Global<const float> mean, rstd, weight, bias;
  GRADUS_DEVICE float scale(std::int64_t c) const { return rstd[c] * (weight ? weight[c] : 1.0f); }
  GRADUS_DEVICE float shift(std::int64_t c) const { return bias ? bias[c] : 0.0f; }
  GRADUS_DEVICE float normalized(float x, std::int64_t c) const { return (x - mean[c]) * scale(c) + shift(c); }
};

template <class T>
struct NormalizeRows {
  std::int64_t channels;
  bool relu;
  Affine affine;
  Global<const T> x, residual;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    float v = affine.normalized(wide(x[i]), i % channels);
    if (residual) v += wide(residual[i]);
    if (relu) v = v < 0 ? 0.0f : v;
    put(y[i], v);
  }
};

// What the relu let through: known from y, or worked out from x again, by the very arithmetic of the forward pass.
template <class T>
struct Passed {
  std::int64_t channels;
  bool relu;
  Affine affine;
  Global<const T> g, x, y;
  GRADUS_DEVICE float at(std::int64_t i) const {
    const float grad = wide(g[i]);
    if (!relu) return grad;
    return (y ? wide(y[i]) : affine.normalized(wide(x[i]), i % channels)) <= 0 ? 0.0f : grad;
  }
};

template <class T>
struct StorePassed {
  Passed<T> passed;
  Global<T> to;
  GRADUS_DEVICE void operator()(std::int64_t i) const { put(to[i], passed.at(i)); }
};

// Sums of what was let through, and of that times the normalised x, over a piece of a column.
template <class T>
struct PartRowSums {
  Passed<T> passed;
  std::int64_t rows;
  Cut cut;
  Global<Pair> parts;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t channels = passed.channels, c = i % channels, piece = i / channels, from = piece * cut.length;
    const std::int64_t end = rows - from < cut.length ? rows : from + cut.length;
    const double mean = static_cast<double>(passed.affine.mean[c]), rstd = static_cast<double>(passed.affine.rstd[c]);
    Pair sums{0, 0};
    for (std::int64_t r = from; r < end; ++r) {
      const std::int64_t at = r * channels + c;
      const double grad = static_cast<double>(passed.at(at));
      const double normal = passed.x ? (static_cast<double>(wide(passed.x[at])) - mean) * rstd : 0;
      sums = SumOfPairs::combine(sums, {grad, grad * normal});
    }
    parts[c * cut.count + piece] = sums;
  }
};

template <class T>
struct RowsGradient {
  Passed<T> passed;
  bool constant;
  std::int64_t rows;
  Global<const Pair> sums;
  Global<T> gx;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % passed.channels;
    const float scale = passed.affine.scale(c);
    float v = scale * passed.at(i);
    if (!constant) {
      const float share = scale / static_cast<float>(rows), gb = static_cast<float>(sums[c].first),
                  gw = static_cast<float>(sums[c].second);
      v = v - share * gb - (wide(passed.x[i]) - passed.affine.mean[c]) * passed.affine.rstd[c] * (share * gw);
    }
    put(gx[i], v);
  }
};

}  // namespace

void rows_moments(const Normalization& n, const void* x, void* mean, double* var) {
  visit<float, BFloat16>("normalization", n.dtype, [&]<class T>(T) {
    const Cut cut(n.rows(), kPieceOfThread);
    const Scratch<Spread> parts(n.groups * cut.count);
    launch(n.groups * cut.count, PartColumnMoments<T>{n.rows(), n.groups, cut, input<T>(x), parts.get()});
    launch(n.groups, JoinMoments<float>{cut.count, parts.get(), output<float>(mean), var});
  });
}

void rows_normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
                    const Epilogue& then, void* y) {
  const Affine affine{input<float>(mean), input<float>(rstd), input<float>(weight), input<float>(then.bias)};
  visit<float, BFloat16>("normalization", n.dtype, [&]<class T>(T) {
    launch(n.numel(),
           NormalizeRows<T>{n.groups, then.relu, affine, input<T>(x), input<T>(then.residual), output<T>(y)});
  });
}

void rows_norm_backward(const Normalization& n, const NormalizationGradients& to) {
  const Affine affine{input<float>(to.mean), input<float>(to.rstd), input<float>(to.weight), input<float>(to.bias)};
  visit<float, BFloat16>("normalization", n.dtype, [&]<class T>(T) {
    const Passed<T> passed{n.groups, to.relu, affine, input<T>(to.g), input<T>(to.x), input<T>(to.y)};
    if (to.g_residual != nullptr) launch(n.numel(), StorePassed<T>{passed, output<T>(to.g_residual)});
    const bool sums_wanted = to.gw != nullptr || (to.gx != nullptr && !n.constant);
    const Scratch<Pair> sums(sums_wanted ? n.groups : 0);
    if (sums_wanted) {
      const Cut cut(n.rows(), kPieceOfThread);
      const Scratch<Pair> parts(n.groups * cut.count);
      launch(n.groups * cut.count, PartRowSums<T>{passed, n.rows(), cut, parts.get()});
      launch(n.groups, JoinPairs{cut.count, parts.get(), sums.get()});
    }
    if (to.gw != nullptr) {
      launch(n.groups, StoreWeights<float>{sums.get(), output<float>(to.gw), output<float>(to.gb)});
    }
    if (to.gx != nullptr) {
      launch(n.numel(), RowsGradient<T>{passed, n.constant, n.rows(), sums.get(), output<T>(to.gx)});
    }
  });
}

}  // namespace gradus::gpu

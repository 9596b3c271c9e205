// Batch, layer, group, instance and RMS normalisation of row-major tensors.
#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/moments.h"

namespace gradus::gpu {

namespace {

// Which channel and which moments element i of x [batch, groups, channels, space] belongs to.
struct Owner {
  Normalization n;
  GRADUS_DEVICE std::int64_t width() const { return n.groups * n.channels; }
  GRADUS_DEVICE std::int64_t channel(std::int64_t i) const { return i / n.space % width(); }
  GRADUS_DEVICE std::int64_t moment(std::int64_t i) const {
    const std::int64_t group = channel(i) / n.channels;
    return n.over_batch ? group : i / (n.space * width()) * n.groups + group;
  }
};

template <class T>
struct Normalize {
  Owner owner;
  Global<const T> x, mean, rstd, weight, bias;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t m = owner.moment(i), c = owner.channel(i);
    T v = (x[i] - mean[m]) * rstd[m];
    if (weight) v *= weight[c];
    if (bias) v += bias[c];
    y[i] = v;
  }
};

// g and g times the normalised x, at element i; times the weight, where there is one.
template <class T>
struct Gradients {
  Owner owner;
  Global<const T> g, x, mean, rstd, weight;
  GRADUS_DEVICE Pair at(std::int64_t i) const {
    const std::int64_t m = owner.moment(i);
    const double grad = static_cast<double>(g[i] * (weight ? weight[owner.channel(i)] : T(1)));
    return {grad, grad * static_cast<double>((x[i] - mean[m]) * rstd[m])};
  }
};

// Their sums over a piece of the elements of group i, by a block.
template <class T>
struct PartSums {
  Gradients<T> gradients;
  GroupElements elements;
  std::int64_t n;
  Cut cut;
  Global<Pair> parts;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t i = block.index() / cut.count, from = block.index() % cut.count * cut.length;
    const std::int64_t count = n - from < cut.length ? n - from : cut.length;
    const Pair sums = block.template reduce<SumOfPairs, Pair>(
        count, [&](std::int64_t k) { return gradients.at(elements.place(i, from + k)); });
    block.each(1, [&](std::int64_t) { parts[block.index()] = sums; });
  }
};

// The same of a column, where each row holds one element of each channel.
template <class T>
struct PartColumnSums {
  Gradients<T> gradients;
  std::int64_t rows, columns;
  Cut cut;
  Global<Pair> parts;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % columns, piece = i / columns, from = piece * cut.length;
    const std::int64_t end = rows - from < cut.length ? rows : from + cut.length;
    Pair sums{0, 0};
    for (std::int64_t r = from; r < end; ++r) sums = SumOfPairs::combine(sums, gradients.at(r * columns + c));
    parts[c * cut.count + piece] = sums;
  }
};

// gx = rstd (g w - mean(g w) - normal mean(g w normal)), the means over each moment; constant: rstd g w.
template <class T>
struct InputGradient {
  Gradients<T> gradients;
  bool constant;
  double count;
  Global<const Pair> sums;  // of each moment
  Global<T> gx;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const Owner& owner = gradients.owner;
    const std::int64_t m = owner.moment(i);
    const T rstd = gradients.rstd[m], w = gradients.weight ? gradients.weight[owner.channel(i)] : T(1);
    T v = gradients.g[i] * w;
    if (!constant) {
      const T normal = (gradients.x[i] - gradients.mean[m]) * rstd;
      v = v - static_cast<T>(sums[m].first / count) - normal * static_cast<T>(sums[m].second / count);
    }
    gx[i] = rstd * v;
  }
};

template <class T>
void channel_sums(const Normalization& n, const Gradients<T>& gradients, Pair* sums) {
  const Int width = n.weights(), count = n.batch * n.space;
  const Cut cut(count, n.space == 1 ? kPieceOfThread : kPieceOfBlock);
  const Scratch<Pair> parts(width * cut.count);
  if (n.space == 1) {
    launch(width * cut.count, PartColumnSums<T>{gradients, n.batch, width, cut, parts.get()});
  } else {
    launch_blocks(width * cut.count, threads_for(cut.length),
                  PartSums<T>{gradients, {width, n.space}, count, cut, parts.get()});
  }
  launch(width, JoinPairs{cut.count, parts.get(), sums});
}

template <class T>
void moment_sums(const Normalization& n, const Gradients<T>& gradients, Pair* sums) {
  // Over the batch, a moment is a channel.
  if (n.over_batch) return channel_sums(n, gradients, sums);
  const Cut cut(n.per_moment(), kPieceOfBlock);
  const Scratch<Pair> parts(n.moments() * cut.count);
  launch_blocks(n.moments() * cut.count, threads_for(cut.length),
                PartSums<T>{gradients, {1, n.per_moment()}, n.per_moment(), cut, parts.get()});
  launch(n.moments(), JoinPairs{cut.count, parts.get(), sums});
}

template <class T>
struct RmsNorm {
  std::int64_t n;
  double eps;
  Global<const T> x, weight;
  Global<T> rstd, y;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t at = block.index() * n;
    const T squares = block.template reduce<SumOf<T>, T>(n, [&](std::int64_t i) { return x[at + i] * x[at + i]; });
    const T scale = T(1) / std::sqrt(squares / static_cast<T>(n) + static_cast<T>(eps));
    block.each(n, [&](std::int64_t i) { y[at + i] = x[at + i] * scale * (weight ? weight[i] : T(1)); });
    block.each(1, [&](std::int64_t) { rstd[block.index()] = scale; });
  }
};

template <class T>
struct RmsInput {
  std::int64_t n;
  Global<const T> g, x, rstd, weight;
  Global<T> gx;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t at = block.index() * n;
    const auto grad = [&](std::int64_t i) { return g[at + i] * (weight ? weight[i] : T(1)); };
    const T dot = block.template reduce<SumOf<T>, T>(n, [&](std::int64_t i) { return grad(i) * x[at + i]; });
    const T scale = rstd[block.index()], part = dot * scale * scale / static_cast<T>(n);
    block.each(n, [&](std::int64_t i) { gx[at + i] = scale * (grad(i) - x[at + i] * part); });
  }
};

template <class T>
struct RmsWeightParts {
  std::int64_t rows, n;
  Cut cut;
  Global<const T> g, x, rstd;
  Global<T> parts;  // [pieces, n]
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % n, from = i / n * cut.length, end = rows - from < cut.length ? rows : from + cut.length;
    T sum = 0;
    for (std::int64_t r = from; r < end; ++r) sum += g[r * n + c] * x[r * n + c] * rstd[r];
    parts[i] = sum;
  }
};

}  // namespace

void moments(const Normalization& n, double, const void* x, void* mean, double* var) {
  if (n.channels_last) return rows_moments(n, x, mean, var);
  visit<float, double>("normalization", n.dtype, [&]<class T>(T) {
    const bool columns = n.over_batch && n.space == 1;
    const Cut cut(n.per_moment(), columns ? kPieceOfThread : kPieceOfBlock);
    const Scratch<Spread> parts(n.moments() * cut.count);
    if (columns) {
      launch(n.groups * cut.count, PartColumnMoments<T>{n.batch, n.groups, cut, input<T>(x), parts.get()});
    } else {
      const GroupElements elements = n.over_batch ? GroupElements{n.groups, n.space} : GroupElements{1, n.per_moment()};
      launch_blocks(n.moments() * cut.count, threads_for(cut.length),
                    PartMoments<T>{elements, n.per_moment(), cut, input<T>(x), parts.get()});
    }
    launch(n.moments(), JoinMoments<T>{cut.count, parts.get(), output<T>(mean), var});
  });
}

void normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
               const Epilogue& then, void* y) {
  if (n.channels_last) return rows_normalize(n, x, mean, rstd, weight, then, y);
  visit<float, double>("normalization", n.dtype, [&]<class T>(T) {
    launch(n.numel(),
           Normalize<T>{
               {n}, input<T>(x), input<T>(mean), input<T>(rstd), input<T>(weight), input<T>(then.bias), output<T>(y)});
  });
}

void normalize_backward(const Normalization& n, const NormalizationGradients& to) {
  if (n.channels_last) return rows_norm_backward(n, to);
  visit<float, double>("normalization", n.dtype, [&]<class T>(T) {
    Gradients<T> gradients{{n}, input<T>(to.g), input<T>(to.x), input<T>(to.mean), input<T>(to.rstd), {}};
    if (to.gw != nullptr) {
      const Scratch<Pair> sums(n.weights());
      channel_sums(n, gradients, sums.get());
      launch(n.weights(), StoreWeights<T>{sums.get(), output<T>(to.gw), output<T>(to.gb)});
    }
    if (to.gx == nullptr) return;
    gradients.weight = input<T>(to.weight);
    const Scratch<Pair> sums(n.constant ? 0 : n.moments());
    if (!n.constant) moment_sums(n, gradients, sums.get());
    launch(n.numel(),
           InputGradient<T>{gradients, n.constant, static_cast<double>(n.per_moment()), sums.get(), output<T>(to.gx)});
  });
}

void rms_norm(Dtype dtype, double eps, const void* x, const void* weight, void* rstd, void* y, Int rows, Int n) {
  visit<float, double>("rms_norm", dtype, [&]<class T>(T) {
    launch_blocks(rows, threads_for(n),
                  RmsNorm<T>{n, eps, input<T>(x), input<T>(weight), output<T>(rstd), output<T>(y)});
  });
}

void rms_norm_backward(Dtype dtype, const void* g, const void* x, const void* rstd, const void* weight, void* gx,
                       void* gw, Int rows, Int n) {
  visit<float, double>("rms_norm", dtype, [&]<class T>(T) {
    if (gx != nullptr) {
      launch_blocks(rows, threads_for(n),
                    RmsInput<T>{n, input<T>(g), input<T>(x), input<T>(rstd), input<T>(weight), output<T>(gx)});
    }
    if (gw == nullptr) return;
    const Cut cut(rows, kPieceOfThread);
    const Scratch<T> parts(cut.count * n);
    launch(cut.count * n, RmsWeightParts<T>{rows, n, cut, input<T>(g), input<T>(x), input<T>(rstd), parts.get()});
    reduce(Reduce::sum, dtype, parts.get(), gw, {1, cut.count, n});
  });
}

}  // namespace gradus::gpu

// Softmax, and cross entropy of rows.
#include <cmath>

#include "core/visit.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/reducers.h"

namespace gradus::gpu {

namespace {

// A block for each row, whose elements are `inner` apart.
GRADUS_DEVICE std::int64_t first_of(const Extent& e, std::int64_t row) {
  return row / e.inner * e.reduced * e.inner + row % e.inner;
}

template <class T, bool log>
struct Softmax {
  Extent e;
  Global<const T> x;
  Global<T> y;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t at = first_of(e, block.index()), step = e.inner;
    const T top =
        block.template reduce<ExtremeOf<T, true>, T>(e.reduced, [&](std::int64_t i) { return x[at + i * step]; });
    const T sum =
        block.template reduce<SumOf<T>, T>(e.reduced, [&](std::int64_t i) { return std::exp(x[at + i * step] - top); });
    const T log_sum = log ? std::log(sum) : T(0), scale = 1 / sum;
    block.each(e.reduced, [&](std::int64_t i) {
      const T shifted = x[at + i * step] - top;
      y[at + i * step] = log ? shifted - log_sum : std::exp(shifted) * scale;
    });
  }
};

template <class T, bool log>
struct SoftmaxBackward {
  Extent e;
  Global<const T> g, y;
  Global<T> gx;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t at = first_of(e, block.index()), step = e.inner;
    const T s = block.template reduce<SumOf<T>, T>(e.reduced, [&](std::int64_t i) {
      const std::int64_t k = at + i * step;
      return log ? g[k] : g[k] * y[k];
    });
    block.each(e.reduced, [&](std::int64_t i) {
      const std::int64_t k = at + i * step;
      gx[k] = log ? g[k] - std::exp(y[k]) * s : y[k] * (g[k] - s);
    });
  }
};

template <class T>
struct CrossEntropy {
  std::int64_t classes, ignored;
  Global<const T> x;
  Global<const std::int64_t> target;
  Global<T> losses, p, stats;
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t r = block.index(), at = r * classes;
    const T top = block.template reduce<ExtremeOf<T, true>, T>(classes, [&](std::int64_t i) { return x[at + i]; });
    const T sum =
        block.template reduce<SumOf<T>, T>(classes, [&](std::int64_t i) { return std::exp(x[at + i] - top); });
    const T log_sum = std::log(sum), scale = 1 / sum;
    block.each(1, [&](std::int64_t) {
      const std::int64_t t = target[r];
      // An entry that is no class has been noted, and reads nothing.
      losses[r] = t == ignored || t < 0 || t >= classes ? T(0) : log_sum - (x[at + t] - top);
      if (stats) {
        stats[2 * r] = top;
        stats[2 * r + 1] = log_sum;
      }
    });
    if (p) block.each(classes, [&](std::int64_t i) { p[at + i] = std::exp(x[at + i] - top) * scale; });
  }
};

// Of p, or where that is null of x and stats.
template <class T>
struct CrossEntropyBackward {
  std::int64_t classes, ignored;
  double scale;
  Global<const T> p, x, stats;
  Global<const std::int64_t> target;
  Global<const T> g;
  Global<T> gx;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t r = i / classes, t = target[r];
    if (t == ignored) {
      gx[i] = 0;
      return;
    }
    const T each = static_cast<T>(scale * static_cast<double>(g[0]));
    const T probability = p ? p[i] : std::exp(x[i] - stats[2 * r]) * std::exp(-stats[2 * r + 1]);
    gx[i] = probability * each - (i % classes == t ? each : T(0));
  }
};

}  // namespace

void softmax(Dtype dtype, bool log, const void* x, void* y, const Extent& e) {
  if (e.reduced == 0) return;
  visit<float, double>("softmax", dtype, [&]<class T>(T) {
    const auto run = [&](const auto& kernel) { launch_blocks(e.outer * e.inner, threads_for(e.reduced), kernel); };
    log ? run(Softmax<T, true>{e, input<T>(x), output<T>(y)}) : run(Softmax<T, false>{e, input<T>(x), output<T>(y)});
  });
}

void softmax_backward(Dtype dtype, bool log, const void* g, const void* y, void* gx, const Extent& e) {
  if (e.reduced == 0) return;
  visit<float, double>("softmax", dtype, [&]<class T>(T) {
    const auto run = [&](const auto& kernel) { launch_blocks(e.outer * e.inner, threads_for(e.reduced), kernel); };
    log ? run(SoftmaxBackward<T, true>{e, input<T>(g), input<T>(y), output<T>(gx)})
        : run(SoftmaxBackward<T, false>{e, input<T>(g), input<T>(y), output<T>(gx)});
  });
}

void cross_entropy(Dtype dtype, const void* x, const Int* target, Int ignored, void* losses, void* p, void* stats,
                   Int rows, Int classes) {
  visit<float, double>("cross_entropy", dtype, [&]<class T>(T) {
    launch_blocks(
        rows, threads_for(classes),
        CrossEntropy<T>{classes, ignored, input<T>(x), target, output<T>(losses), output<T>(p), output<T>(stats)});
  });
}

void cross_entropy_backward(Dtype dtype, const void* p, const void* x, const void* stats, const Int* target,
                            Int ignored, double scale, const void* g, void* gx, Int rows, Int classes) {
  visit<float, double>("cross_entropy", dtype, [&]<class T>(T) {
    launch(rows * classes, CrossEntropyBackward<T>{classes, ignored, scale, input<T>(p), input<T>(x), input<T>(stats),
                                                   target, input<T>(g), output<T>(gx)});
  });
}

}  // namespace gradus::gpu

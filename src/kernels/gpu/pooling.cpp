// Pooling of x [planes, positions, channels]; row-major planes have one channel. A thread makes one element of the
// result, forward and backward: it looks for what reaches it, and so needs no atomic addition.
#include <limits>

#include "core/visit.h"
#include "kernels/gpu/half.h"
#include "kernels/gpu/kernels.h"

namespace gradus::gpu {

namespace {

using kernel::Window;

// The windows of a pooling on the device, and the sizes.
class Windows {
 public:
  explicit Windows(const Pooling& p) : pooling_(p), depth_(p.windows[0]), height_(p.windows[1]), width_(p.windows[2]) {}
  struct View {
    std::int64_t in[3], out[3], divisor;
    Global<const Window> windows[3];
    GRADUS_DEVICE std::int64_t in_size() const { return in[0] * in[1] * in[2]; }
    GRADUS_DEVICE std::int64_t out_size() const { return out[0] * out[1] * out[2]; }
    GRADUS_DEVICE void at(std::int64_t i, Window (&w)[3]) const {
      w[2] = windows[2][i % out[2]];
      w[1] = windows[1][i / out[2] % out[1]];
      w[0] = windows[0][i / (out[2] * out[1])];
    }
    GRADUS_DEVICE double divisor_of(const Window (&w)[3]) const {
      return static_cast<double>(divisor != 0 ? divisor : w[0].count * w[1].count * w[2].count);
    }
  };
  View view() const {
    View v{};
    for (std::size_t d = 0; d < 3; ++d) {
      v.in[d] = pooling_.in[d];
      v.out[d] = static_cast<std::int64_t>(pooling_.windows[d].size());
    }
    v.divisor = pooling_.divisor;
    v.windows[0] = depth_.get();
    v.windows[1] = height_.get();
    v.windows[2] = width_.get();
    return v;
  }

 private:
  const Pooling& pooling_;
  Table<Window> depth_, height_, width_;
};

// A closed place is the complement of an open one.
GRADUS_DEVICE std::int64_t place_in_plane(std::int32_t place) { return place ^ (place >> 31); }

template <class T>
struct MaxPool {
  Windows::View p;
  std::int64_t channels;
  bool relu;
  Global<const T> x;
  Global<T> y;
  Global<std::int32_t> places;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    using W = Wide<T>;
    const std::int64_t c = i % channels, o = i / channels % p.out_size(), plane = i / (channels * p.out_size());
    Window w[3];
    p.at(o, w);
    W best = -std::numeric_limits<W>::infinity();
    std::int64_t place = (w[0].begin * p.in[1] + w[1].begin) * p.in[2] + w[2].begin;
    for (std::int64_t z = w[0].begin; z < w[0].end; z += w[0].step) {
      for (std::int64_t r = w[1].begin; r < w[1].end; r += w[1].step) {
        for (std::int64_t k = w[2].begin; k < w[2].end; k += w[2].step) {
          const std::int64_t at = (z * p.in[1] + r) * p.in[2] + k;
          const W value = wide(x[(plane * p.in_size() + at) * channels + c]);
          if (!(value > best || value != value)) continue;
          best = value;
          place = at;
        }
      }
    }
    const bool closed = relu && best <= 0;
    put(y[i], closed ? W(0) : best);
    places[i] = static_cast<std::int32_t>(closed ? ~place : place);
  }
};

template <class T>
struct PoolPick {
  std::int64_t in_size, out_size, channels;
  Global<const T> x;
  Global<const std::int32_t> places;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % channels, plane = i / (channels * out_size);
    const std::int32_t place = places[i];
    if (place < 0) return put(y[i], Wide<T>(0));
    y[i] = x[(plane * in_size + place_in_plane(place)) * channels + c];
  }
};

// One channel of one plane in the order of the results: where a maximum stands is known by its place alone.
template <class T>
struct PoolPut {
  std::int64_t in_size, out_size, channels;
  Global<const T> g;
  Global<const std::int32_t> places;
  Global<Wide<T>> gx;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % channels, plane = i / channels;
    for (std::int64_t o = 0; o < out_size; ++o) {
      const std::int64_t at = (plane * out_size + o) * channels + c;
      const std::int32_t place = places[at];
      if (place >= 0) gx[(plane * in_size + place) * channels + c] += wide(g[at]);
    }
  }
};

template <class T>
struct Narrow {
  Global<const Wide<T>> from;
  Global<T> to;
  GRADUS_DEVICE void operator()(std::int64_t i) const { put(to[i], from[i]); }
};

template <class T>
struct AvgPool {
  Windows::View p;
  std::int64_t channels;
  Global<const T> x;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % channels, o = i / channels % p.out_size(), plane = i / (channels * p.out_size());
    Window w[3];
    p.at(o, w);
    Wide<T> sum = 0;
    for (std::int64_t z = w[0].begin; z < w[0].end; z += w[0].step)
      for (std::int64_t r = w[1].begin; r < w[1].end; r += w[1].step)
        for (std::int64_t k = w[2].begin; k < w[2].end; k += w[2].step)
          sum += wide(x[(plane * p.in_size() + (z * p.in[1] + r) * p.in[2] + k) * channels + c]);
    put(y[i], static_cast<Wide<T>>(sum / static_cast<Wide<T>>(p.divisor_of(w))));
  }
};

// The windows along a dimension that hold a position are neighbours: begins and ends never go back.
GRADUS_DEVICE void windows_of(Global<const Window> windows, std::int64_t count, std::int64_t position,
                              std::int64_t& first, std::int64_t& last) {
  std::int64_t low = 0, high = count;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (windows[middle].end <= position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  first = low;
  last = first;
  while (last < count && windows[last].begin <= position) ++last;
}

template <class T>
struct AvgPoolBackward {
  Windows::View p;
  std::int64_t channels;
  Global<const T> g;
  Global<T> gx;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % channels, at = i / channels % p.in_size(), plane = i / (channels * p.in_size());
    const std::int64_t position[3] = {at / (p.in[2] * p.in[1]), at / p.in[2] % p.in[1], at % p.in[2]};
    std::int64_t first[3], last[3];
    for (int d = 0; d < 3; ++d) windows_of(p.windows[d], p.out[d], position[d], first[d], last[d]);
    Wide<T> sum = 0;
    for (std::int64_t z = first[0]; z < last[0]; ++z) {
      for (std::int64_t r = first[1]; r < last[1]; ++r) {
        for (std::int64_t k = first[2]; k < last[2]; ++k) {
          const Window w[3] = {p.windows[0][z], p.windows[1][r], p.windows[2][k]};
          const std::int64_t o = (plane * p.out_size() + (z * p.out[1] + r) * p.out[2] + k) * channels + c;
          sum += wide(g[o]) / static_cast<Wide<T>>(p.divisor_of(w));
        }
      }
    }
    put(gx[i], sum);
  }
};

template <class Fn>
void with_type(Dtype dtype, const Fn& fn) {
  visit<float, double, BFloat16>("pooling", dtype, fn);
}

// y[o, i, n] = sum over t of weights[i, t] x[o, index[i, t], n]
template <class T>
struct Resample {
  std::int64_t in, out, count, inner;
  Global<const std::int64_t> index;
  Global<const double> weights;
  Global<const T> x;
  Global<T> y;
  GRADUS_DEVICE void operator()(std::int64_t k) const {
    const std::int64_t n = k % inner, i = k / inner % out, o = k / (inner * out);
    T sum = 0;
    for (std::int64_t t = i * count; t < (i + 1) * count; ++t)
      sum += static_cast<T>(weights[t]) * x[(o * in + index[t]) * inner + n];
    y[k] = sum;
  }
};

// The taps in the order of the positions they read: those of position p are [begin[p], begin[p + 1]).
template <class T>
struct ResampleBackward {
  std::int64_t in, out, count, inner;
  Global<const std::int64_t> begin, taps;
  Global<const double> weights;
  Global<const T> g;
  Global<T> gx;
  GRADUS_DEVICE void operator()(std::int64_t k) const {
    const std::int64_t n = k % inner, p = k / inner % in, o = k / (inner * in);
    T sum = 0;
    for (std::int64_t j = begin[p]; j < begin[p + 1]; ++j) {
      const std::int64_t t = taps[j];
      sum += static_cast<T>(weights[t]) * g[(o * out + t / count) * inner + n];
    }
    gx[k] = sum;
  }
};

}  // namespace

void max_pool(Dtype dtype, const Pooling& p, bool relu, const void* x, void* y, std::int32_t* places) {
  const Windows windows(p);
  with_type(dtype, [&]<class T>(T) {
    launch(p.planes * p.out_size() * p.channels,
           MaxPool<T>{windows.view(), p.channels, relu, input<T>(x), output<T>(y), places});
  });
}

void pool_pick(Dtype dtype, const Picks& p, const void* x, void* y) {
  with_type(dtype, [&]<class T>(T) {
    launch(p.planes * p.out_size * p.channels,
           PoolPick<T>{p.in_size, p.out_size, p.channels, input<T>(x), p.places, output<T>(y)});
  });
}

void pool_put(Dtype dtype, const Picks& p, const void* g, void* gx) {
  with_type(dtype, [&]<class T>(T) {
    using W = Wide<T>;
    const Int numel = p.planes * p.in_size * p.channels;
    if (numel == 0) return;
    const bool narrow = !std::is_same_v<T, W>;
    const Scratch<W> own(narrow ? numel : 0);
    W* const sums = narrow ? own.get() : static_cast<W*>(gx);
    clear(sums, static_cast<std::size_t>(numel) * sizeof(W));
    launch(p.planes * p.channels, PoolPut<T>{p.in_size, p.out_size, p.channels, input<T>(g), p.places, sums});
    if (narrow) launch(numel, Narrow<T>{sums, output<T>(gx)});
  });
}

void avg_pool(Dtype dtype, const Pooling& p, const void* x, void* y) {
  const Windows windows(p);
  with_type(dtype, [&]<class T>(T) {
    launch(p.planes * p.out_size() * p.channels, AvgPool<T>{windows.view(), p.channels, input<T>(x), output<T>(y)});
  });
}

void avg_pool_backward(Dtype dtype, const Pooling& p, const void* g, void* gx) {
  const Windows windows(p);
  with_type(dtype, [&]<class T>(T) {
    launch(p.planes * p.in_size() * p.channels,
           AvgPoolBackward<T>{windows.view(), p.channels, input<T>(g), output<T>(gx)});
  });
}

void resample(Dtype dtype, const Taps& taps, Int outer, Int inner, const void* x, void* y) {
  const Table<Int> index(taps.index);
  const Table<double> weights(taps.weights);
  visit<float, double>("interpolate", dtype, [&]<class T>(T) {
    launch(outer * taps.out * inner,
           Resample<T>{taps.in, taps.out, taps.count, inner, index.get(), weights.get(), input<T>(x), output<T>(y)});
  });
}

void resample_backward(Dtype dtype, const Taps& taps, Int outer, Int inner, const void* g, void* gx) {
  std::vector<Int> begin(static_cast<std::size_t>(taps.in) + 1), order(taps.index.size());
  for (const Int p : taps.index) ++begin[static_cast<std::size_t>(p) + 1];
  for (std::size_t p = 1; p < begin.size(); ++p) begin[p] += begin[p - 1];
  std::vector<Int> next(begin.begin(), begin.end() - 1);
  for (std::size_t t = 0; t < taps.index.size(); ++t)
    order[static_cast<std::size_t>(next[static_cast<std::size_t>(taps.index[t])]++)] = static_cast<Int>(t);
  const Table<Int> begins(begin), sorted(order);
  const Table<double> weights(taps.weights);
  visit<float, double>("interpolate", dtype, [&]<class T>(T) {
    launch(outer * taps.in * inner, ResampleBackward<T>{taps.in, taps.out, taps.count, inner, begins.get(),
                                                        sorted.get(), weights.get(), input<T>(g), output<T>(gx)});
  });
}

}  // namespace gradus::gpu

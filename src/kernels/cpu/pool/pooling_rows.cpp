#include "kernels/cpu/pool/pooling_rows.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/simd/bfloat16.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kGrain = 16384;  // elements below which another thread does not pay
constexpr int64_t kPanel = 64;     // channels taken side by side

template <class F>
void with_type(Dtype dtype, F&& run) {
  visit<float, BFloat16>("pooling", dtype, run);
}

// The places of one window, and what its mean divides by.
struct Taps {
  std::vector<std::int32_t> places;
  float divisor = 1;

  void set(const Pooling& p, const Window& d, const Window& h, const Window& w) {
    places.clear();
    for (int64_t z = d.begin; z < d.end; z += d.step)
      for (int64_t r = h.begin; r < h.end; r += h.step)
        for (int64_t c = w.begin; c < w.end; c += w.step)
          places.push_back(static_cast<std::int32_t>((z * p.in[1] + r) * p.in[2] + c));
    divisor = static_cast<float>(p.divisor != 0 ? p.divisor : d.count * h.count * w.count);
  }
  int64_t count() const { return static_cast<int64_t>(places.size()); }
};

// Calls window(taps, place in the result) for output rows [begin, end) of a plane.
template <class F>
void for_windows(const Pooling& p, int64_t begin, int64_t end, F&& window) {
  Taps taps;
  const auto high = static_cast<int64_t>(p.windows[1].size()), wide = static_cast<int64_t>(p.windows[2].size());
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t i = 0; i < wide; ++i) {
      taps.set(p, p.windows[0][static_cast<std::size_t>(row / high)],
               p.windows[1][static_cast<std::size_t>(row % high)], p.windows[2][static_cast<std::size_t>(i)]);
      window(taps, row * wide + i);
    }
  }
}

int64_t rows_of(const Pooling& p) { return static_cast<int64_t>(p.windows[0].size() * p.windows[1].size()); }

// Calls work(plane, first row, last row) for all output rows, shared between threads.
template <class F>
void for_rows(const Pooling& p, int64_t channels, F&& work) {
  const int64_t rows = rows_of(p);
  if (rows == 0 || p.out_size() == 0) return;
  const int64_t each = std::max(p.in_size(), p.out_size()) / rows * channels;
  core::parallel_for(p.planes * rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, each)),
                     [&](int64_t begin, int64_t end) {
                       while (begin < end) {
                         const int64_t plane = begin / rows, last = std::min(end, (plane + 1) * rows);
                         work(plane, begin - plane * rows, last - plane * rows);
                         begin = last;
                       }
                     });
}

template <class F>
void for_planes(int64_t planes, int64_t each, F&& work) {
  core::parallel_for(planes, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, each)),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i) work(i);
                     });
}

// Eight channels at a time, the last eight overlapping those before; fewer one by one. (GCC 12 takes vectors of 64
// bytes apart where they are compared.)
template <class T>
struct MaxBody {
  static constexpr int64_t kLanes = 8;
  typedef float Values __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
  typedef std::int32_t Places __attribute__((vector_size(4 * kLanes)));
  typedef std::uint16_t Halves __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));
  typedef std::uint32_t Bits __attribute__((vector_size(4 * kLanes)));

  GRADUS_INLINE static void load(const T* from, Values& to) {
    if constexpr (std::is_same_v<T, float>) {
      to = *reinterpret_cast<const Values*>(from);
    } else {
      to = reinterpret_cast<Values>(__builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits) << 16);
    }
  }

  GRADUS_INLINE static void run(const T* x, const std::int32_t* taps, int64_t count, int64_t channels, bool relu, T* y,
                                std::int32_t* places) {
    if (channels < kLanes) return one_by_one(x, taps, count, channels, relu, y, places);
    for (int64_t panel = 0; panel < channels; panel += kLanes) {
      const int64_t first = panel + kLanes <= channels ? panel : channels - kLanes;
      Values best = Values{} - std::numeric_limits<float>::infinity();
      Places at = Places{} + taps[0];
      for (int64_t t = 0; t < count; ++t) {
        Values value;
        load(x + static_cast<int64_t>(taps[t]) * channels + first, value);
        const auto better = (value > best) | (value != value);
        best = better ? value : best;
        at = better ? Places{} + taps[t] : at;
      }
      if (relu) {
        const Places closed = best <= 0;
        best = closed ? Values{} : best;
        at ^= closed;
      }
      for (int64_t c = 0; c < kLanes; ++c) {
        put(y[first + c], best[c]);
        places[first + c] = at[c];
      }
    }
  }

 private:
  GRADUS_INLINE static void one_by_one(const T* x, const std::int32_t* taps, int64_t count, int64_t channels, bool relu,
                                       T* y, std::int32_t* places) {
    for (int64_t c = 0; c < channels; ++c) {
      float best = -std::numeric_limits<float>::infinity();
      std::int32_t at = taps[0];
      for (int64_t t = 0; t < count; ++t) {
        const float value = wide(x[static_cast<int64_t>(taps[t]) * channels + c]);
        if (!(value > best || value != value)) continue;
        best = value;
        at = taps[t];
      }
      const bool closed = relu && best <= 0;
      put(y[c], closed ? 0.0f : best);
      places[c] = closed ? ~at : at;
    }
  }
};

template <class T>
struct MeanBody {
  GRADUS_INLINE static void run(const T* x, const std::int32_t* taps, int64_t count, int64_t channels, float divisor,
                                T* y) {
    for (int64_t first = 0; first < channels; first += kPanel) {
      const int64_t width = channels - first < kPanel ? channels - first : kPanel;
      float sum[kPanel];
      for (int64_t c = 0; c < width; ++c) sum[c] = 0;
      for (int64_t t = 0; t < count; ++t) {
        const T* from = x + static_cast<int64_t>(taps[t]) * channels + first;
#pragma GCC ivdep
        for (int64_t c = 0; c < width; ++c) sum[c] += wide(from[c]);
      }
#pragma GCC ivdep
      for (int64_t c = 0; c < width; ++c) put(y[first + c], sum[c] / divisor);
    }
  }
};

template <class T>
struct SpreadBody {
  GRADUS_INLINE static void run(const T* g, const std::int32_t* taps, int64_t count, int64_t channels, float divisor,
                                float* gx) {
    for (int64_t t = 0; t < count; ++t) {
      float* to = gx + static_cast<int64_t>(taps[t]) * channels;
#pragma GCC ivdep
      for (int64_t c = 0; c < channels; ++c) to[c] += wide(g[c]) / divisor;
    }
  }
};

// A plane of a gradient that is gathered in float32.
template <class T>
class Gathered {
 public:
  Gathered(T* to, int64_t count) : to_(to), count_(count), own_(std::is_same_v<T, float> ? 0 : count) {
    std::fill_n(sums(), count, 0.0f);
  }
  float* sums() const {
    if constexpr (std::is_same_v<T, float>) return to_;
    return own_.get();
  }
  void finish() const {
    if constexpr (!std::is_same_v<T, float>) simd_call<RoundBody>(static_cast<const float*>(own_.get()), count_, to_);
  }

 private:
  T* to_;
  int64_t count_;
  Scratch<float> own_;
};

}  // namespace

void max_pool_rows(Dtype dtype, const Pooling& p, bool relu, const void* x, void* y, std::int32_t* places) {
  const int64_t channels = p.channels;
  with_type(dtype, [&]<class T>(T) {
    for_rows(p, channels, [&](int64_t plane, int64_t begin, int64_t end) {
      const T* from = static_cast<const T*>(x) + plane * p.in_size() * channels;
      for_windows(p, begin, end, [&](const Taps& taps, int64_t i) {
        const int64_t at = (plane * p.out_size() + i) * channels;
        simd_call<MaxBody<T>>(from, taps.places.data(), taps.count(), channels, relu, static_cast<T*>(y) + at,
                              places + at);
      });
    });
  });
}

void pool_pick_rows(Dtype dtype, const Picks& p, const void* x, void* y) {
  const int64_t channels = p.channels, in_size = p.in_size, out_size = p.out_size;
  with_type(dtype, [&]<class T>(T) {
    for_planes(p.planes, std::max(in_size, out_size) * channels, [&](int64_t plane) {
      const T* from = static_cast<const T*>(x) + plane * in_size * channels;
      for (int64_t i = 0; i < out_size; ++i) {
        const int64_t at = (plane * out_size + i) * channels;
        for (int64_t c = 0; c < channels; ++c) {
          const std::int32_t place = p.places[at + c];
          static_cast<T*>(y)[at + c] = is_open(place) ? from[place_in_plane(place) * channels + c] : T(0.0f);
        }
      }
    });
  });
}

void pool_put_rows(Dtype dtype, const Picks& p, const void* g, void* gx) {
  const int64_t channels = p.channels, in_size = p.in_size, out_size = p.out_size;
  with_type(dtype, [&]<class T>(T) {
    for_planes(p.planes, std::max(in_size, out_size) * channels, [&](int64_t plane) {
      const Gathered<T> to(static_cast<T*>(gx) + plane * in_size * channels, in_size * channels);
      float* sums = to.sums();
      for (int64_t i = 0; i < out_size; ++i) {
        const int64_t at = (plane * out_size + i) * channels;
        for (int64_t c = 0; c < channels; ++c) {
          const std::int32_t place = p.places[at + c];
          sums[place_in_plane(place) * channels + c] += opened(wide(static_cast<const T*>(g)[at + c]), place);
        }
      }
      to.finish();
    });
  });
}

void avg_pool_rows(Dtype dtype, const Pooling& p, const void* x, void* y) {
  const int64_t channels = p.channels;
  with_type(dtype, [&]<class T>(T) {
    for_rows(p, channels, [&](int64_t plane, int64_t begin, int64_t end) {
      const T* from = static_cast<const T*>(x) + plane * p.in_size() * channels;
      for_windows(p, begin, end, [&](const Taps& taps, int64_t i) {
        simd_call<MeanBody<T>>(from, taps.places.data(), taps.count(), channels, taps.divisor,
                               static_cast<T*>(y) + (plane * p.out_size() + i) * channels);
      });
    });
  });
}

void avg_pool_rows_backward(Dtype dtype, const Pooling& p, const void* g, void* gx) {
  const int64_t channels = p.channels;
  with_type(dtype, [&]<class T>(T) {
    for_planes(p.planes, std::max(p.in_size(), p.out_size()) * channels, [&](int64_t plane) {
      const Gathered<T> to(static_cast<T*>(gx) + plane * p.in_size() * channels, p.in_size() * channels);
      if (p.out_size() > 0) {
        for_windows(p, 0, rows_of(p), [&](const Taps& taps, int64_t i) {
          simd_call<SpreadBody<T>>(static_cast<const T*>(g) + (plane * p.out_size() + i) * channels, taps.places.data(),
                                   taps.count(), channels, taps.divisor, to.sums());
        });
      }
      to.finish();
    });
  });
}

}  // namespace gradus::cpu

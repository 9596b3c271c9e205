#include "kernels/cpu/pooling.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "kernels/cpu/reduce_rows.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kGrain = 16384;  // elements below which another thread does not pay

template <class F>
void for_planes(const Pooling& p, F&& plane) {
  const int64_t each = std::max<int64_t>(1, std::max(p.in_size(), p.out_size()));
  core::parallel_for(p.planes, std::max<int64_t>(1, kGrain / each), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) plane(i);
  });
}

// Calls row(depth window, height window, first output element) for each row of the result.
template <class F>
void for_rows(const Pooling& p, F&& row) {
  int64_t at = 0;
  for (const Window& d : p.windows[0]) {
    for (const Window& h : p.windows[1]) {
      row(d, h, at);
      at += static_cast<int64_t>(p.windows[2].size());
    }
  }
}

// The common case along a row: windows of one width and step, equally far apart.
struct Even {
  int64_t first = 0, count = 0;  // the output positions for which it holds
  int64_t begin = 0, stride = 1, width = 1, step = 1;

  explicit Even(const std::vector<Window>& windows) {
    const auto reach = [](const Window& w) { return w.end - w.begin; };
    const auto n = static_cast<int64_t>(windows.size());
    const auto at = [&](int64_t i) -> const Window& { return windows[static_cast<std::size_t>(i)]; };
    // Windows at the edges may be cut: those in the middle say what the others should be.
    const int64_t middle = n / 2;
    const int64_t distance = middle + 1 < n ? at(middle + 1).begin - at(middle).begin : 1;
    const auto alike = [&](int64_t i) {
      return reach(at(i)) == reach(at(middle)) && at(i).begin == at(middle).begin + (i - middle) * distance &&
             at(i).count == at(middle).count;
    };
    first = middle;
    while (first > 0 && alike(first - 1)) --first;
    int64_t last = middle;
    while (last < n && alike(last)) ++last;
    count = last - first;
    begin = at(first).begin;
    stride = distance;
    step = at(middle).step;
    width = (reach(at(middle)) + step - 1) / step;
  }
};

template <class T>
GRADUS_INLINE bool beats(T value, T best) {
  return value > best || value != value;
}

// As wide as T, so that comparing and choosing have the same lanes.
template <class T>
using PlaceOf = std::conditional_t<sizeof(T) == 4, std::int32_t, int64_t>;

// Whole blocks of a row of the result; a block's maxima and their places stay in registers. The last block overlaps the
// one before it. `taps` are the distances of a window's elements from its first.
template <class T, int64_t kBlock, int64_t kStride>
struct MaxBlocks {
  using Place = PlaceOf<T>;
  static constexpr int kBytes = static_cast<int>(kBlock * sizeof(T));
  typedef T Values __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  typedef Place Places __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));

  // Elements `stride` apart. Every second one comes from two vectors that reach no further than the last.
  GRADUS_INLINE static void load(const T* from, int64_t stride, Values& to) {
    const auto whole = [](const T* p) GRADUS_LAMBDA -> const Values& { return *reinterpret_cast<const Values*>(p); };
    if constexpr (kStride == 1) {
      to = whole(from);
    } else if constexpr (kStride == 2) {
      Places pick;
      for (int64_t i = 0; i < kBlock; ++i) pick[i] = static_cast<Place>(i < kBlock / 2 ? 2 * i : 2 * i + 1);
      to = __builtin_shuffle(whole(from), whole(from + kBlock - 1), pick);
    } else {
      for (int64_t i = 0; i < kBlock; ++i) to[i] = from[i * stride];
    }
  }

  GRADUS_INLINE static void run(const T* x, const Place* taps, int64_t count, int64_t n, int64_t stride, int64_t place,
                                T* y, int64_t* places) {
    for (int64_t block = 0; block < n; block += kBlock) {
      const int64_t first = block + kBlock <= n ? block : n - kBlock;
      Values best = Values{} - std::numeric_limits<T>::infinity();
      Places at = Places{} + taps[0];
      for (int64_t t = 0; t < count; ++t) {
        Values value;
        load(x + taps[t] + first * stride, stride, value);
        const auto better = (value > best) | (value != value);
        best = better ? value : best;
        at = better ? Places{} + taps[t] : at;
      }
      *reinterpret_cast<Values*>(y + first) = best;
      for (int64_t i = 0; i < kBlock; ++i) places[first + i] = place + (first + i) * stride + at[i];
    }
  }
};

template <class T, int64_t kBlock>
void max_blocks(const T* x, const std::vector<PlaceOf<T>>& taps, int64_t n, int64_t stride, int64_t place, T* y,
                int64_t* places) {
  const auto call = [&]<int64_t kStride>() {
    simd_call<MaxBlocks<T, kBlock, kStride>>(x, taps.data(), static_cast<int64_t>(taps.size()), n, stride, place, y,
                                             places);
  };
  switch (stride) {
    case 1:
      return call.template operator()<1>();
    case 2:
      return call.template operator()<2>();
    default:
      return call.template operator()<0>();
  }
}

template <class T>
void max_forward(const Pooling& p, const T* x_all, T* y_all, int64_t* places_all) {
  const std::vector<Window>& across = p.windows[2];
  if (p.out_size() == 0) return;
  const Even even(across);
  const auto n = static_cast<int64_t>(across.size());
  // GCC 12 takes vectors of 64 bytes apart where they are compared.
  constexpr int64_t kMost = 32 / sizeof(T), kLeast = kMost / 2;
  const bool blocks = even.count >= kLeast && p.in_size() <= std::numeric_limits<PlaceOf<T>>::max();
  for_planes(p, [&](int64_t plane) {
    const T* x = x_all + plane * p.in_size();
    std::vector<PlaceOf<T>> taps;
    for_rows(p, [&](const Window& d, const Window& h, int64_t at) {
      T* y = y_all + plane * p.out_size() + at;
      int64_t* places = places_all + plane * p.out_size() + at;
      const int64_t corner = (d.begin * p.in[1] + h.begin) * p.in[2];
      const auto plain = [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
          const Window& w = across[static_cast<std::size_t>(i)];
          T best = -std::numeric_limits<T>::infinity();
          int64_t place = corner + w.begin;
          for (int64_t z = d.begin; z < d.end; z += d.step) {
            for (int64_t r = h.begin; r < h.end; r += h.step) {
              const int64_t line = (z * p.in[1] + r) * p.in[2];
              for (int64_t c = w.begin; c < w.end; c += w.step) {
                if (!beats(x[line + c], best)) continue;
                best = x[line + c];
                place = line + c;
              }
            }
          }
          y[i] = best;
          places[i] = place;
        }
      };
      if (!blocks) return plain(0, n);
      taps.clear();
      for (int64_t z = d.begin; z < d.end; z += d.step)
        for (int64_t r = h.begin; r < h.end; r += h.step)
          for (int64_t k = 0; k < even.width; ++k)
            taps.push_back(static_cast<PlaceOf<T>>((z * p.in[1] + r) * p.in[2] - corner + k * even.step));
      const auto run = even.count >= kMost ? max_blocks<T, kMost> : max_blocks<T, kLeast>;
      plain(0, even.first);
      run(x + corner + even.begin, taps, even.count, even.stride, corner + even.begin, y + even.first,
          places + even.first);
      plain(even.first + even.count, n);
    });
  });
}

template <class T>
T divisor(const Pooling& p, int64_t a, int64_t b, int64_t c) {
  return static_cast<T>(p.divisor != 0 ? p.divisor : a * b * c);
}

template <class T>
struct SumBody {
  GRADUS_INLINE static void run(const T* x, int64_t n, T* sum) {
    *sum += reduce_row<SumOf<T>, T>(n, [=](int64_t i) GRADUS_LAMBDA { return x[i]; });
  }
};

template <class T>
void avg_forward(const Pooling& p, const T* x_all, T* y_all) {
  const std::vector<Window>& across = p.windows[2];
  for_planes(p, [&](int64_t plane) {
    const T* x = x_all + plane * p.in_size();
    for_rows(p, [&](const Window& d, const Window& h, int64_t at) {
      T* y = y_all + plane * p.out_size() + at;
      for (const Window& w : across) {
        T sum = 0;
        for (int64_t z = d.begin; z < d.end; ++z) {
          for (int64_t r = h.begin; r < h.end; ++r) {
            const T* line = x + (z * p.in[1] + r) * p.in[2];
            if (w.end - w.begin >= 32) {
              simd_call<SumBody<T>>(line + w.begin, w.end - w.begin, &sum);
            } else {
              for (int64_t c = w.begin; c < w.end; ++c) sum += line[c];
            }
          }
        }
        *y++ = sum / divisor<T>(p, d.count, h.count, w.count);
      }
    });
  });
}

template <class T>
void avg_backward(const Pooling& p, const T* g_all, T* gx_all) {
  const std::vector<Window>& across = p.windows[2];
  for_planes(p, [&](int64_t plane) {
    T* gx = gx_all + plane * p.in_size();
    std::fill_n(gx, p.in_size(), T(0));
    for_rows(p, [&](const Window& d, const Window& h, int64_t at) {
      const T* g = g_all + plane * p.out_size() + at;
      for (const Window& w : across) {
        const T share = *g++ / divisor<T>(p, d.count, h.count, w.count);
        for (int64_t z = d.begin; z < d.end; ++z) {
          for (int64_t r = h.begin; r < h.end; ++r) {
            T* line = gx + (z * p.in[1] + r) * p.in[2];
            for (int64_t c = w.begin; c < w.end; ++c) line[c] += share;
          }
        }
      }
    });
  });
}

template <class T, class F>
void for_places(int64_t planes, int64_t in_size, int64_t out_size, F&& plane) {
  const int64_t each = std::max<int64_t>(1, std::max(in_size, out_size));
  core::parallel_for(planes, std::max<int64_t>(1, kGrain / each), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) plane(i * in_size, i * out_size);
  });
}

// Calls run(T{}) for the type that `dtype` names.
template <class F>
void with_type(Dtype dtype, F&& run) {
  dtype == kFloat32 ? run(float{}) : run(double{});
}

}  // namespace

void max_pool(Dtype dtype, const Pooling& p, const void* x, void* y, int64_t* places) {
  with_type(dtype, [&]<class T>(T) { max_forward(p, static_cast<const T*>(x), static_cast<T*>(y), places); });
}

void pool_pick(Dtype dtype, int64_t planes, int64_t in_size, int64_t out_size, const void* x, const int64_t* places,
               void* y) {
  with_type(dtype, [&]<class T>(T) {
    for_places<T>(planes, in_size, out_size, [&](int64_t in, int64_t out) {
      const T* from = static_cast<const T*>(x) + in;
      for (int64_t i = 0; i < out_size; ++i) static_cast<T*>(y)[out + i] = from[places[out + i]];
    });
  });
}

void pool_put(Dtype dtype, int64_t planes, int64_t in_size, int64_t out_size, const void* g, const int64_t* places,
              void* gx) {
  with_type(dtype, [&]<class T>(T) {
    for_places<T>(planes, in_size, out_size, [&](int64_t in, int64_t out) {
      T* to = static_cast<T*>(gx) + in;
      std::fill_n(to, in_size, T(0));
      for (int64_t i = 0; i < out_size; ++i) to[places[out + i]] += static_cast<const T*>(g)[out + i];
    });
  });
}

void avg_pool(Dtype dtype, const Pooling& p, const void* x, void* y) {
  with_type(dtype, [&]<class T>(T) { avg_forward(p, static_cast<const T*>(x), static_cast<T*>(y)); });
}

void avg_pool_backward(Dtype dtype, const Pooling& p, const void* g, void* gx) {
  with_type(dtype, [&]<class T>(T) { avg_backward(p, static_cast<const T*>(g), static_cast<T*>(gx)); });
}

}  // namespace gradus::cpu

#include "kernels/cpu/pool/pooling.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/pool/pooling_rows.h"
#include "kernels/cpu/reduce/reduce_rows.h"

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

// Rows of the result whose windows are alike, from windows `stride` columns and `down` elements apart, whose first
// begins at x and at place `place`.
template <class T>
struct Band {
  const T* x;
  const PlaceOf<T>* taps;  // distances of a window's elements from its first
  int64_t taps_count, stride, down, place;
  int64_t rows, columns, pitch;  // of the result; its rows are `pitch` apart
  bool relu;
  T* y;
  std::int32_t* places;
};

// In whole blocks; a block's maxima and their places stay in registers. The last block of a row overlaps the one before
// it.
template <class T, int64_t kBlock, int64_t kStride>
struct MaxBlocks {
  using Place = PlaceOf<T>;
  static constexpr int kBytes = static_cast<int>(kBlock * sizeof(T));
  typedef T Values __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  typedef Place Places __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  typedef std::int32_t Narrow __attribute__((vector_size(4 * kBlock), aligned(4), may_alias));

  // Elements `stride` apart. Every second one comes from two vectors that reach no further than the last.
  GRADUS_INLINE static void load(const T* from, int64_t stride, Values& to) {
    const auto whole = [](const T* p) GRADUS_LAMBDA -> const Values& { return *reinterpret_cast<const Values*>(p); };
    if constexpr (kStride == 1) {
      to = whole(from);
    } else if constexpr (kStride == 2) {
      Places pick;
      for (int64_t i = 0; i < kBlock; ++i) pick[i] = static_cast<Place>(i < kBlock / 2 ? 2 * i : 2 * i + 1);
      GRADUS_SHUFFLE(to, whole(from), whole(from + kBlock - 1), pick);
    } else {
      for (int64_t i = 0; i < kBlock; ++i) to[i] = from[i * stride];
    }
  }

  GRADUS_INLINE static void run(const Band<T>* of) {
    const Band<T> band = *of;
    const int64_t stride = kStride > 0 ? kStride : band.stride;
    Places apart;
    for (int64_t i = 0; i < kBlock; ++i) apart[i] = static_cast<Place>(i * stride);
    for (int64_t r = 0; r < band.rows; ++r) {
      for (int64_t block = 0; block < band.columns; block += kBlock) {
        const int64_t first = block + kBlock <= band.columns ? block : band.columns - kBlock;
        const int64_t begin = r * band.down + first * stride;
        Values best;
        load(band.x + begin + band.taps[0], stride, best);
        Places at = Places{} + band.taps[0];
        for (int64_t t = 1; t < band.taps_count; ++t) {
          Values value;
          load(band.x + begin + band.taps[t], stride, value);
          const auto better = (value > best) | (value != value);
          best = better ? value : best;
          at = better ? Places{} + band.taps[t] : at;
        }
        at += apart + static_cast<Place>(band.place + begin);
        if (band.relu) {
          const Places closed = best <= 0;
          best = closed ? Values{} : best;
          at ^= closed;
        }
        *reinterpret_cast<Values*>(band.y + r * band.pitch + first) = best;
        *reinterpret_cast<Narrow*>(band.places + r * band.pitch + first) = __builtin_convertvector(at, Narrow);
      }
    }
  }
};

template <class T, int64_t kBlock>
void max_blocks(const Band<T>& band) {
  switch (band.stride) {
    case 1:
      return simd_call<MaxBlocks<T, kBlock, 1>>(&band);
    case 2:
      return simd_call<MaxBlocks<T, kBlock, 2>>(&band);
    default:
      return simd_call<MaxBlocks<T, kBlock, 0>>(&band);
  }
}

// One plane.
template <class T>
class MaxPlane {
 public:
  MaxPlane(const Pooling& p, bool relu) : p_(p), relu_(relu), down_(p.windows[1]), across_(p.windows[2]) {}

  void run(const T* x, T* y, std::int32_t* places) {
    const auto high = static_cast<int64_t>(p_.windows[1].size()), wide = static_cast<int64_t>(p_.windows[2].size());
    for (const Window& d : p_.windows[0]) {
      for (int64_t r = 0; r < high;) {
        const int64_t rows = in_blocks() && r == down_.first ? down_.count : 1;
        band(d, r, rows, x, y, places);
        r += rows;
        y += rows * wide;
        places += rows * wide;
      }
    }
  }

 private:
  // GCC 12 takes vectors of 64 bytes apart where they are compared.
  static constexpr int64_t kMost = 32 / sizeof(T), kLeast = kMost / 2;

  const Pooling& p_;
  bool relu_;
  Even down_, across_;
  std::vector<PlaceOf<T>> taps_;

  bool in_blocks() const { return across_.count >= kLeast; }

  void band(const Window& d, int64_t first, int64_t rows, const T* x, T* y, std::int32_t* places) {
    const Window& h = p_.windows[1][static_cast<std::size_t>(first)];
    const auto wide = static_cast<int64_t>(p_.windows[2].size());
    if (!in_blocks()) return plain(d, h, 0, wide, x, y, places);
    const int64_t corner = (d.begin * p_.in[1] + h.begin) * p_.in[2];
    taps_.clear();
    for (int64_t z = d.begin; z < d.end; z += d.step)
      for (int64_t r = h.begin; r < h.end; r += h.step)
        for (int64_t k = 0; k < across_.width; ++k)
          taps_.push_back(static_cast<PlaceOf<T>>((z * p_.in[1] + r) * p_.in[2] - corner + k * across_.step));
    const Band<T> band{.x = x + corner + across_.begin,
                       .taps = taps_.data(),
                       .taps_count = static_cast<int64_t>(taps_.size()),
                       .stride = across_.stride,
                       .down = down_.stride * p_.in[2],
                       .place = corner + across_.begin,
                       .rows = rows,
                       .columns = across_.count,
                       .pitch = wide,
                       .relu = relu_,
                       .y = y + across_.first,
                       .places = places + across_.first};
    across_.count >= kMost ? max_blocks<T, kMost>(band) : max_blocks<T, kLeast>(band);
    for (int64_t r = first; r < first + rows; ++r, y += wide, places += wide) {
      const Window& row = p_.windows[1][static_cast<std::size_t>(r)];
      plain(d, row, 0, across_.first, x, y, places);
      plain(d, row, across_.first + across_.count, wide, x, y, places);
    }
  }

  void plain(const Window& d, const Window& h, int64_t first, int64_t last, const T* x, T* y,
             std::int32_t* places) const {
    for (int64_t i = first; i < last; ++i) {
      const Window& w = p_.windows[2][static_cast<std::size_t>(i)];
      T best = -std::numeric_limits<T>::infinity();
      int64_t place = (d.begin * p_.in[1] + h.begin) * p_.in[2] + w.begin;
      for (int64_t z = d.begin; z < d.end; z += d.step) {
        for (int64_t r = h.begin; r < h.end; r += h.step) {
          const int64_t line = (z * p_.in[1] + r) * p_.in[2];
          for (int64_t c = w.begin; c < w.end; c += w.step) {
            if (!beats(x[line + c], best)) continue;
            best = x[line + c];
            place = line + c;
          }
        }
      }
      const bool closed = relu_ && best <= 0;
      y[i] = closed ? T(0) : best;
      places[i] = static_cast<std::int32_t>(closed ? ~place : place);
    }
  }
};

template <class T>
void max_forward(const Pooling& p, bool relu, const T* x, T* y, std::int32_t* places) {
  const int64_t in = p.in_size(), out = p.out_size();
  if (out == 0) return;
  core::parallel_for(p.planes, std::max<int64_t>(1, kGrain / std::max(in, out)), [&](int64_t begin, int64_t end) {
    MaxPlane<T> plane(p, relu);
    for (int64_t i = begin; i < end; ++i) plane.run(x + i * in, y + i * out, places + i * out);
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
  visit<float, double>("pooling", dtype, run);
}

}  // namespace

void max_pool(Dtype dtype, const Pooling& p, bool relu, const void* x, void* y, std::int32_t* places) {
  if (p.channels > 1) return max_pool_rows(dtype, p, relu, x, y, places);
  with_type(dtype, [&]<class T>(T) { max_forward(p, relu, static_cast<const T*>(x), static_cast<T*>(y), places); });
}

void pool_pick(Dtype dtype, const Picks& p, const void* x, void* y) {
  if (p.channels > 1) return pool_pick_rows(dtype, p, x, y);
  with_type(dtype, [&]<class T>(T) {
    for_places<T>(p.planes, p.in_size, p.out_size, [&](int64_t in, int64_t out) {
      const T* from = static_cast<const T*>(x) + in;
      for (int64_t i = out; i < out + p.out_size; ++i)
        static_cast<T*>(y)[i] = is_open(p.places[i]) ? from[place_in_plane(p.places[i])] : T(0);
    });
  });
}

void pool_put(Dtype dtype, const Picks& p, const void* g, void* gx) {
  if (p.channels > 1) return pool_put_rows(dtype, p, g, gx);
  with_type(dtype, [&]<class T>(T) {
    for_places<T>(p.planes, p.in_size, p.out_size, [&](int64_t in, int64_t out) {
      T* to = static_cast<T*>(gx) + in;
      std::fill_n(to, p.in_size, T(0));
      for (int64_t i = out; i < out + p.out_size; ++i)
        to[place_in_plane(p.places[i])] += opened(static_cast<const T*>(g)[i], p.places[i]);
    });
  });
}

void avg_pool(Dtype dtype, const Pooling& p, const void* x, void* y) {
  if (p.channels > 1) return avg_pool_rows(dtype, p, x, y);
  with_type(dtype, [&]<class T>(T) { avg_forward(p, static_cast<const T*>(x), static_cast<T*>(y)); });
}

void avg_pool_backward(Dtype dtype, const Pooling& p, const void* g, void* gx) {
  if (p.channels > 1) return avg_pool_rows_backward(dtype, p, g, gx);
  with_type(dtype, [&]<class T>(T) { avg_backward(p, static_cast<const T*>(g), static_cast<T*>(gx)); });
}

}  // namespace gradus::cpu

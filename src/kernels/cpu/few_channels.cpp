// A sample's planes are laid into grids, framed by the padding, whose rows are as long as those of the padded image.
// There, a tap of the kernel is one distance for all positions:
//
//   y[o, p] = sum over t of w[o, t] x[p + distance(t)],   gw[o, t] = sum over p of g[o, p] x[p + distance(t)]
//
// with p running through whole rows; what is computed for the ends of rows, where no window fits, is left out (y), or
// counts zero (g). Both are products of matrices whose rows overlap in memory.
#include "kernels/cpu/few_channels.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kMostChannels = 16;
constexpr int64_t kMostNumbers = 1 << 16;  // in a sample's grids: they should stay in the second cache
constexpr int64_t kPerPiece = 4'000'000;   // multiplications that make another piece worth its while
constexpr int64_t kMostPieces = 16;
constexpr int64_t kTaps = 3;    // whose sums stay in registers together
constexpr int64_t kSlack = 32;  // numbers that may be read behind the last row

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// The grid of a convolution, and where an image stands in it.
struct Grid {
  int64_t height, width, top, left;  // of the grid; of the image within
  int64_t rows, columns;             // of the image
  int64_t size() const { return height * width; }

  // Planes one after the other, zero around the image; `to` has kSlack numbers more.
  template <class T>
  void fill(const T* planes, int64_t count, T* to) const {
    T* const end = to + count * size() + kSlack;
    if (height == rows && width == columns) {
      std::fill(std::copy_n(planes, count * size(), to), end, T(0));
      return;
    }
    for (int64_t c = 0; c < count; ++c) {
      for (int64_t r = 0; r < height; ++r, to += width) {
        if (r < top || r >= top + rows) {
          std::fill_n(to, width, T(0));
          continue;
        }
        std::fill_n(to, left, T(0));
        std::copy_n(planes, columns, to + left);
        std::fill_n(to + left + columns, width - left - columns, T(0));
        planes += columns;
      }
    }
    std::fill(to, end, T(0));
  }
};

struct Geometry {
  Spatial3 reach;     // of the kernel beyond its first tap
  Grid x, g;          // where x stands, padded; where the gradient of y stands for the gradient of x
  int64_t positions;  // of y in the grid, from the first to the last

  explicit Geometry(const Convolution& c) {
    for (std::size_t d = 0; d < 3; ++d) reach[d] = c.dilation[d] * (c.kernel[d] - 1);
    x = {c.out[1] + reach[1], c.out[2] + reach[2], c.padding[1], c.padding[2], c.in[1], c.in[2]};
    g = {c.in[1] + reach[1], c.in[2] + reach[2], reach[1] - c.padding[1], reach[2] - c.padding[2], c.out[1], c.out[2]};
    positions = (c.out[1] - 1) * x.width + c.out[2];
  }
  // Of each tap of the kernel, over all channels of `grid`.
  std::vector<int64_t> distances(const Convolution& c, const Grid& grid, int64_t channels) const {
    std::vector<int64_t> found;
    for (int64_t i = 0; i < channels; ++i)
      for (int64_t h = 0; h < c.kernel[1]; ++h)
        for (int64_t w = 0; w < c.kernel[2]; ++w)
          found.push_back(i * grid.size() + h * c.dilation[1] * grid.width + w * c.dilation[2]);
    return found;
  }
};

// Sums of a few rows by a few vectors stay in registers, as in direct_gemm.cpp.
template <class T, int kBytes>
struct Vectors {
  typedef T Vector __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  static constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));
  static constexpr int kRows = kBytes == 64 ? 8 : 4;
  GRADUS_INLINE static const Vector& at(const T* p) { return *reinterpret_cast<const Vector*>(p); }
  GRADUS_INLINE static Vector& at(T* p) { return *reinterpret_cast<Vector*>(p); }
};

// Calls fn<n>() for n = rows, a number up to kMost.
template <int kMost, class F>
GRADUS_INLINE void with_rows(int64_t rows, F&& fn) {
  if constexpr (kMost > 1) {
    if (rows != kMost) return with_rows<kMost - 1>(rows, fn);
  }
  fn.template operator()<kMost>();
}

// y [outs, length] from the grids of x; `length` covers the positions in whole vectors.
template <class T, int kBytes>
struct Sums : Vectors<T, kBytes> {
  using typename Vectors<T, kBytes>::Vector;
  using Vectors<T, kBytes>::kLanes, Vectors<T, kBytes>::kRows, Vectors<T, kBytes>::at;

  template <int kOuts, int kWide>
  GRADUS_INLINE static void tile(const T* x, const int64_t* distances, int64_t taps, const T* w, T* y, int64_t length) {
    Vector sums[kOuts][kWide];
    for (auto& row : sums)
      for (auto& sum : row) sum = Vector{};
    for (int64_t t = 0; t < taps; ++t) {
      const T* from = x + distances[t];
      Vector right[kWide];
      for (int v = 0; v < kWide; ++v) right[v] = at(from + v * kLanes);
#pragma GCC unroll 8
      for (int o = 0; o < kOuts; ++o) {
        const T weight = w[o * taps + t];
#pragma GCC unroll 2
        for (int v = 0; v < kWide; ++v) sums[o][v] += weight * right[v];
      }
    }
#pragma GCC unroll 8
    for (int o = 0; o < kOuts; ++o) {
#pragma GCC unroll 2
      for (int v = 0; v < kWide; ++v) at(y + o * length + v * kLanes) = sums[o][v];
    }
  }

  // Of all outs, from top to bottom.
  template <int kWide>
  GRADUS_INLINE static void column(const T* x, const int64_t* distances, int64_t taps, const T* w, int64_t outs, T* y,
                                   int64_t length) {
    const int64_t tiles = (outs + kRows - 1) / kRows, height = outs / tiles, higher = outs % tiles;
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t rows = height + (i < higher);
      with_rows<kRows>(rows, [&]<int kOuts>() GRADUS_LAMBDA { tile<kOuts, kWide>(x, distances, taps, w, y, length); });
      w += rows * taps;
      y += rows * length;
    }
  }

  GRADUS_INLINE static void run(const T* x, const int64_t* distances, int64_t taps, const T* w, int64_t outs, T* y,
                                int64_t length) {
    int64_t p = 0;
    for (; p + 2 * kLanes <= length; p += 2 * kLanes) column<2>(x + p, distances, taps, w, outs, y + p, length);
    if (p < length) column<1>(x + p, distances, taps, w, outs, y + p, length);
  }
};

// sums [taps in whole tiles, outs, lanes] += g [outs, length] times the grids of x; `length` is one of whole vectors.
template <class T, int kBytes>
struct Products : Vectors<T, kBytes> {
  using typename Vectors<T, kBytes>::Vector;
  using Vectors<T, kBytes>::kLanes, Vectors<T, kBytes>::kRows, Vectors<T, kBytes>::at;

  template <int kOuts>
  GRADUS_INLINE static void tile(const T* x, const int64_t* distances, const T* g, int64_t length, T* into,
                                 int64_t outs) {
    Vector sums[kOuts][kTaps];
    for (int o = 0; o < kOuts; ++o)
      for (int t = 0; t < kTaps; ++t) sums[o][t] = at(into + (t * outs + o) * kLanes);
    const T *first = x + distances[0], *second = x + distances[1], *third = x + distances[2];
    for (int64_t p = 0; p < length; p += kLanes) {
      const Vector a = at(first + p), b = at(second + p), c = at(third + p);
#pragma GCC unroll 8
      for (int o = 0; o < kOuts; ++o) {
        const Vector grad = at(g + o * length + p);
        sums[o][0] += grad * a;
        sums[o][1] += grad * b;
        sums[o][2] += grad * c;
      }
    }
#pragma GCC unroll 8
    for (int o = 0; o < kOuts; ++o)
#pragma GCC unroll 3
      for (int t = 0; t < kTaps; ++t) at(into + (t * outs + o) * kLanes) = sums[o][t];
  }

  GRADUS_INLINE static void run(const T* x, const int64_t* distances, int64_t taps, const T* g, int64_t outs,
                                int64_t length, T* sums) {
    const int64_t tiles = (outs + kRows - 1) / kRows, height = outs / tiles, higher = outs % tiles;
    for (int64_t t = 0; t < taps; t += kTaps) {
      const T* grads = g;
      T* into = sums + t * outs * kLanes;
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t rows = height + (i < higher);
        with_rows<kRows>(rows,
                         [&]<int kOuts>() GRADUS_LAMBDA { tile<kOuts>(x, distances + t, grads, length, into, outs); });
        grads += rows * length;
        into += rows * kLanes;
      }
    }
  }
};

// The width of a vector is part of the bodies, so the choice that simd_call makes is made by hand.
template <class T, template <class, int> class Body, class... Args>
void call(Args... args) {
  switch (current_isa()) {
    case Isa::v4:
      return detail::call_v4<Body<T, 64>>(args...);
    case Isa::v3:
      return detail::call_v3<Body<T, 32>>(args...);
    case Isa::base:
      break;
  }
  detail::call_base<Body<T, 16>>(args...);
}

template <class T>
int64_t lanes() {
  const int64_t bytes = current_isa() == Isa::v4 ? 64 : current_isa() == Isa::v3 ? 32 : 16;
  return bytes / static_cast<int64_t>(sizeof(T));
}

int64_t samples_per_piece(const Convolution& c) {
  const int64_t pieces = std::clamp<int64_t>(c.multiplications() / kPerPiece, 1, std::min(kMostPieces, c.batch));
  return (c.batch + pieces - 1) / pieces;
}

template <class F>
void for_samples(const Convolution& c, F&& work) {
  const int64_t step = samples_per_piece(c);
  core::parallel_for((c.batch + step - 1) / step, 1,
                     [&](int64_t first, int64_t last) { work(first * step, std::min(c.batch, last * step)); });
}

// Of `batch` samples: planes [ins, image of `grid`] to [outs, rows, columns].
template <class T>
void convolve(const Convolution& c, const Geometry& geometry, const Grid& grid, int64_t ins, int64_t outs, int64_t rows,
              int64_t columns, const T* x, const T* w, const T* bias, T* y) {
  const std::vector<int64_t> distances = geometry.distances(c, grid, ins);
  const int64_t length = round_up((rows - 1) * grid.width + columns, lanes<T>());
  for_samples(c, [&](int64_t begin, int64_t end) {
    const Scratch<T> planes(ins * grid.size() + kSlack), sums(outs * length);
    for (int64_t n = begin; n < end; ++n) {
      grid.fill(x + n * ins * grid.rows * grid.columns, ins, planes.get());
      call<T, Sums>(static_cast<const T*>(planes.get()), distances.data(), static_cast<int64_t>(distances.size()), w,
                    outs, sums.get(), length);
      T* to = y + n * outs * rows * columns;
      for (int64_t o = 0; o < outs; ++o) {
        const T add = bias == nullptr ? T(0) : bias[o];
        for (int64_t r = 0; r < rows; ++r, to += columns) {
          const T* from = sums.get() + o * length + r * grid.width;
#pragma GCC ivdep
          for (int64_t i = 0; i < columns; ++i) to[i] = from[i] + add;
        }
      }
    }
  });
}

}  // namespace

bool few_channels_serves(const Convolution& c) {
  const Spatial3 one{1, 1, 1};
  if (c.channels_last || c.groups != 1 || c.stride != one || c.in[0] != 1 || c.kernel[0] != 1 || c.out[0] != 1)
    return false;
  if (c.in_channels > kMostChannels || c.out_channels > kMostChannels || c.multiplications() == 0) return false;
  const Geometry geometry(c);
  for (std::size_t d = 1; d < 3; ++d) {
    if (c.padding[d] > geometry.reach[d] || c.out[d] + geometry.reach[d] - c.padding[d] < c.in[d]) return false;
  }
  return c.in_channels * geometry.x.size() <= kMostNumbers && c.out_channels * geometry.g.size() <= kMostNumbers;
}

bool few_channels_is_best(const Convolution& c, ConvOperation operation) {
  // Nearly sixteen channels are no waste; the rows of a small image are.
  constexpr int64_t kFew = 12, kWide = 16;
  const bool back = operation == ConvOperation::backward_data;
  return (c.out_channels <= kFew || (back && c.in_channels <= kFew)) && (back ? c.in : c.out)[2] >= kWide &&
         few_channels_serves(c);
}

template <class T>
void few_channels_forward(const Convolution& c, const T* x, const T* w, const T* bias, T* y) {
  const Geometry geometry(c);
  convolve(c, geometry, geometry.x, c.in_channels, c.out_channels, c.out[1], c.out[2], x, w, bias, y);
}

// The convolution of g with the kernel turned round.
template <class T>
void few_channels_backward_data(const Convolution& c, const T* g, const T* w, T* gx) {
  const Geometry geometry(c);
  const int64_t taps = c.kernel[1] * c.kernel[2];
  std::vector<T> turned(static_cast<std::size_t>(c.weights()));
  for (int64_t o = 0; o < c.out_channels; ++o)
    for (int64_t i = 0; i < c.in_channels; ++i)
      for (int64_t t = 0; t < taps; ++t)
        turned[static_cast<std::size_t>((i * c.out_channels + o) * taps + taps - 1 - t)] =
            w[(o * c.in_channels + i) * taps + t];
  convolve<T>(c, geometry, geometry.g, c.out_channels, c.in_channels, c.in[1], c.in[2], g, turned.data(), nullptr, gx);
}

template <class T>
void few_channels_backward_weight(const Convolution& c, const T* g, const T* x, T* gw) {
  const Geometry geometry(c);
  std::vector<int64_t> distances = geometry.distances(c, geometry.x, c.in_channels);
  const auto taps = static_cast<int64_t>(distances.size()), whole = round_up(taps, kTaps);
  distances.resize(static_cast<std::size_t>(whole), 0);
  const int64_t wide = lanes<T>(), width = geometry.x.width, outs = c.out_channels;
  const int64_t length = round_up(geometry.positions, wide), sums_of_piece = whole * outs * wide;
  const int64_t step = samples_per_piece(c), pieces = (c.batch + step - 1) / step;
  const Scratch<T> all(pieces * taps * outs);
  core::parallel_for(pieces, 1, [&](int64_t first, int64_t last) {
    const Scratch<T> planes(c.in_channels * geometry.x.size() + kSlack), grads(outs * length), sums(sums_of_piece);
    std::fill_n(grads.get(), outs * length, T(0));
    for (int64_t piece = first; piece < last; ++piece) {
      std::fill_n(sums.get(), sums_of_piece, T(0));
      for (int64_t n = piece * step; n < std::min(c.batch, (piece + 1) * step); ++n) {
        geometry.x.fill(x + n * c.in_channels * c.in[1] * c.in[2], c.in_channels, planes.get());
        const T* from = g + n * outs * c.out[1] * c.out[2];
        for (int64_t o = 0; o < outs; ++o)
          for (int64_t r = 0; r < c.out[1]; ++r, from += c.out[2])
            std::copy_n(from, c.out[2], grads.get() + o * length + r * width);
        call<T, Products>(static_cast<const T*>(planes.get()), static_cast<const int64_t*>(distances.data()), whole,
                          static_cast<const T*>(grads.get()), outs, length, sums.get());
      }
      T* to = all.get() + piece * taps * outs;
      for (int64_t o = 0; o < outs; ++o)
        for (int64_t t = 0; t < taps; ++t) {
          const T* lane = sums.get() + (t * outs + o) * wide;
          T sum = 0;
          for (int64_t i = 0; i < wide; ++i) sum += lane[i];
          *to++ = sum;
        }
    }
  });
  // In order, whatever the number of threads.
  std::copy_n(all.get(), taps * outs, gw);
  for (int64_t piece = 1; piece < pieces; ++piece)
    for (int64_t i = 0; i < taps * outs; ++i) gw[i] += all[piece * taps * outs + i];
}

#define GRADUS_FEW_CHANNELS(T)                                                              \
  template void few_channels_forward(const Convolution&, const T*, const T*, const T*, T*); \
  template void few_channels_backward_data(const Convolution&, const T*, const T*, T*);     \
  template void few_channels_backward_weight(const Convolution&, const T*, const T*, T*);
GRADUS_FEW_CHANNELS(float)
GRADUS_FEW_CHANNELS(double)
#undef GRADUS_FEW_CHANNELS

}  // namespace gradus::cpu

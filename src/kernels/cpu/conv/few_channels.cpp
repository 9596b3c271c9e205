// A sample's planes are laid down once for each column of the kernel, moved by that column, in rows as long as those of
// the result and with rows of padding above and below. There, a tap of the kernel is one distance for all positions,
// and no position is one where no window fits:
//
//   y[o, p] = sum over t of w[o, t] x[p + distance(t)],   gw[o, t] = sum over p of g[o, p] x[p + distance(t)]
//
// Both are products of matrices whose rows overlap in memory. The gradient of x comes from the same sums, of g with the
// kernel's columns as channels of the result, which are moved back and added up.
#include "kernels/cpu/conv/few_channels.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/threads/parallel.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

namespace {

using std::int64_t;

constexpr int64_t kMostChannels = 16;
constexpr int64_t kMostNumbers = 1 << 18;  // in a sample's grids: they should stay in the second cache
constexpr int64_t kNear = 1 << 12;         // numbers that stay in the first cache beside others
constexpr int64_t kPerPiece = 2'000'000;   // multiplications that make another piece worth its while
constexpr int64_t kMostPieces = 16;
constexpr int64_t kTaps = 3;        // whose sums stay in registers together
constexpr int64_t kMostLanes = 16;  // of a vector

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// The copies of an image: in copy k, column 0 is column k * step - left of the image.
struct Grid {
  int64_t rows, columns;  // of the image
  int64_t height, width;  // of a copy
  int64_t top, left;      // rows and columns of padding
  int64_t copies = 1, step = 1;
  int64_t size() const { return height * width; }
  int64_t all() const { return copies * size(); }
};

struct Geometry {
  Spatial3 reach;  // of the kernel beyond its first tap
  Grid x, g;       // of x; of the gradient of y, whose columns need not move

  explicit Geometry(const Convolution& c) {
    for (std::size_t d = 0; d < 3; ++d) reach[d] = c.dilation[d] * (c.kernel[d] - 1);
    x = {c.in[1], c.in[2], c.out[1] + reach[1], c.out[2], c.padding[1], c.padding[2], c.kernel[2], c.dilation[2]};
    g = {c.out[1], c.out[2], c.in[1] + reach[1], c.out[2], reach[1] - c.padding[1], 0};
  }
};

// Offset of a kernel tap within a channel.
int64_t distance(const Convolution& c, const Grid& grid, int64_t channel, int64_t row, int64_t column) {
  return (channel * grid.copies + column) * grid.size() + row * c.dilation[1] * grid.width;
}

// Offsets of all taps, as they lie in w.
std::vector<int64_t> distances(const Convolution& c, const Grid& grid, int64_t channels) {
  std::vector<int64_t> found;
  for (int64_t i = 0; i < channels; ++i)
    for (int64_t h = 0; h < c.kernel[1]; ++h)
      for (int64_t k = 0; k < grid.copies; ++k) found.push_back(distance(c, grid, i, h, k));
  return found;
}

// Sums of a few rows by a few vectors stay in registers, as in direct_gemm.cpp.
template <class T, int kBytes>
struct Vectors {
  typedef T Vector __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, int64_t>;
  typedef Integer Integers __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
  static constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));
  static constexpr int kRows = kBytes == 64 ? 8 : 4;
  GRADUS_INLINE static const Vector& at(const T* p) { return *reinterpret_cast<const Vector*>(p); }
  GRADUS_INLINE static Vector& at(T* p) { return *reinterpret_cast<Vector*>(p); }
  // Keeps a number that is used several times in a register: GCC 12 reads it from memory each time.
  GRADUS_INLINE static void keep([[maybe_unused]] Vector& v) {
#if defined(__x86_64__) && defined(__GNUC__)
    if constexpr (kBytes == 64) {
      asm("" : "+v"(v));
    } else {
      asm("" : "+x"(v));
    }
#endif
  }
};

// Calls fn<n>() for n = rows, a number up to kMost.
template <int kMost, class F>
GRADUS_INLINE void with_rows(int64_t rows, F&& fn) {
  if constexpr (kMost > 1) {
    if (rows != kMost) return with_rows<kMost - 1>(rows, fn);
  }
  fn.template operator()<kMost>();
}

// Planes [count, rows, columns] to their copies [count, copies, height, width]. Rows are written in order, in whole
// vectors: what is written past a row is overwritten by the next, and `to` has room for a vector more.
template <class T, int kBytes>
struct Lay : Vectors<T, kBytes> {
  using typename Vectors<T, kBytes>::Vector;
  using Vectors<T, kBytes>::kLanes, Vectors<T, kBytes>::at;

  GRADUS_INLINE static void zero(T* to, int64_t count) {
    for (int64_t i = 0; i < count; i += kLanes) at(to + i) = Vector{};
  }
  GRADUS_INLINE static void copy(const T* from, int64_t count, const T* end, T* to) {
    int64_t i = 0;
    for (; i < count && end - from >= i + kLanes; i += kLanes) at(to + i) = at(from + i);
    for (; i < count; ++i) to[i] = from[i];
  }
  GRADUS_INLINE static void run(const Grid* of, const T* planes, int64_t count, T* to) {
    const Grid grid = *of;
    const int64_t bottom = grid.height - grid.top - grid.rows;
    const T* const end = planes + count * grid.rows * grid.columns;
    for (int64_t c = 0; c < count; ++c, planes += grid.rows * grid.columns) {
      for (int64_t k = 0; k < grid.copies; ++k) {
        const int64_t shift = k * grid.step - grid.left, before = shift < 0 ? -shift : 0;
        const int64_t first = before < grid.width ? before : grid.width, past = grid.columns - shift;
        const int64_t last = past > grid.width ? grid.width : past > first ? past : first;
        zero(to, grid.top * grid.width);
        to += grid.top * grid.width;
        const T* from = planes + shift + first;
        int64_t r = 0;
        if (last - first == grid.width) {
          const int64_t reach = (grid.width + kLanes - 1) / kLanes * kLanes;
          for (; r < grid.rows && end - from >= reach; ++r, from += grid.columns, to += grid.width) {
            for (int64_t i = 0; i < grid.width; i += kLanes) at(to + i) = at(from + i);
          }
        }
        for (; r < grid.rows; ++r, from += grid.columns, to += grid.width) {
          zero(to, first);
          copy(from, last - first, end, to + first);
          zero(to + last, grid.width - last);
        }
        zero(to, bottom * grid.width);
        to += bottom * grid.width;
      }
    }
  }
};

// y [outs, length] from the grids of x; `length` is at least that of a vector. The last vectors overlap those before.
template <class T, int kBytes>
struct Sums : Vectors<T, kBytes> {
  using typename Vectors<T, kBytes>::Vector;
  using Vectors<T, kBytes>::kLanes, Vectors<T, kBytes>::kRows, Vectors<T, kBytes>::at;

  template <int kOuts, int kWide>
  GRADUS_INLINE static void tile(const T* x, const int64_t* distances, int64_t taps, const T* w, const T* bias, T* y,
                                 int64_t length) {
    Vector sums[kOuts][kWide];
    for (int o = 0; o < kOuts; ++o)
      for (int v = 0; v < kWide; ++v) sums[o][v] = Vector{} + (bias == nullptr ? T(0) : bias[o]);
    for (int64_t t = 0; t < taps; ++t) {
      const T* from = x + distances[t];
      Vector right[kWide];
      for (int v = 0; v < kWide; ++v) right[v] = at(from + v * kLanes);
#pragma GCC unroll 8
      for (int o = 0; o < kOuts; ++o) {
        const T weight = w[o * taps + t];
#pragma GCC unroll 3
        for (int v = 0; v < kWide; ++v) sums[o][v] += weight * right[v];
      }
    }
#pragma GCC unroll 8
    for (int o = 0; o < kOuts; ++o) {
#pragma GCC unroll 3
      for (int v = 0; v < kWide; ++v) at(y + o * length + v * kLanes) = sums[o][v];
    }
  }

  // Of all outs, from top to bottom.
  template <int kWide>
  GRADUS_INLINE static void column(const T* x, const int64_t* distances, int64_t taps, const T* w, const T* bias,
                                   int64_t outs, T* y, int64_t length) {
    const int64_t tiles = (outs + kRows - 1) / kRows, height = outs / tiles, higher = outs % tiles;
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t rows = height + (i < higher);
      with_rows<kRows>(rows,
                       [&]<int kOuts>() GRADUS_LAMBDA { tile<kOuts, kWide>(x, distances, taps, w, bias, y, length); });
      w += rows * taps;
      y += rows * length;
      if (bias != nullptr) bias += rows;
    }
  }

  GRADUS_INLINE static void run(const T* x, const int64_t* distances, int64_t taps, const T* w, const T* bias,
                                int64_t outs, T* y, int64_t length) {
    const int64_t whole = length / kLanes;
    for (int64_t left = (length + kLanes - 1) / kLanes, p = 0; left > 0;) {
      // Two and two rather than three and one.
      const int64_t most = whole < 3 ? whole : 3, wide = left == 4 && most > 2 ? 2 : left < most ? left : most;
      const int64_t from = p + wide * kLanes <= length ? p : length - wide * kLanes;
      if (wide == 3) column<3>(x + from, distances, taps, w, bias, outs, y + from, length);
      if (wide == 2) column<2>(x + from, distances, taps, w, bias, outs, y + from, length);
      if (wide == 1) column<1>(x + from, distances, taps, w, bias, outs, y + from, length);
      left -= wide;
      p += wide * kLanes;
    }
  }
};

// Channels' gradients [channels, rows, columns] from those of their copies [channels, copies, rows, width]. `masks`
// [copies, columns in whole vectors] say where a copy has a column.
template <class T, int kBytes>
struct Fold : Vectors<T, kBytes> {
  using typename Vectors<T, kBytes>::Vector;
  using typename Vectors<T, kBytes>::Integer;
  using typename Vectors<T, kBytes>::Integers;
  using Vectors<T, kBytes>::kLanes, Vectors<T, kBytes>::at;

  GRADUS_INLINE static void run(const Grid* of, const T* copies, const Integer* masks, int64_t channels, T* to) {
    const Grid grid = *of;
    const int64_t pitch = grid.rows * grid.width, masked = (grid.columns + kLanes - 1) / kLanes * kLanes;
    const T* const end = to + channels * grid.rows * grid.columns;
    for (int64_t i = 0; i < channels; ++i) {
      for (int64_t r = 0; r < grid.rows; ++r, to += grid.columns) {
        const T* row = copies + i * grid.copies * pitch + r * grid.width;
        for (int64_t q = 0; q < grid.columns; q += kLanes) {
          Vector sum{};
          for (int64_t k = 0; k < grid.copies; ++k) {
            const Integers mask = *reinterpret_cast<const Integers*>(masks + k * masked + q);
            const Vector part = at(row + k * pitch + q - k * grid.step + grid.left);
            sum += reinterpret_cast<Vector>(reinterpret_cast<Integers>(part) & mask);
          }
          if (end - to >= q + kLanes) {
            at(to + q) = sum;
          } else {
            for (int64_t j = 0; j < kLanes && q + j < grid.columns; ++j) to[q + j] = sum[j];
          }
        }
      }
    }
  }
};

// A few samples: their gradients of y [count, outs, vectors, lanes], and the copies of their x [count, x_size]. A row
// of y that is not a whole number of vectors ends with one that overlaps the one before and is zero there.
template <class T>
struct Samples {
  int64_t count, outs, length, x_size;
  const T *x, *g;
  int64_t begin, end;  // of the positions taken
};

// sums [taps in whole tiles, outs, lanes] += g times the grids of x.
template <class T, int kBytes>
struct Products : Vectors<T, kBytes> {
  using typename Vectors<T, kBytes>::Vector;
  using Vectors<T, kBytes>::kLanes, Vectors<T, kBytes>::kRows, Vectors<T, kBytes>::at, Vectors<T, kBytes>::keep;

  template <int kOuts>
  GRADUS_INLINE static void tile(const Samples<T>& s, int64_t first_out, const int64_t* distances, T* into) {
    Vector sums[kOuts][kTaps];
    for (int o = 0; o < kOuts; ++o)
      for (int t = 0; t < kTaps; ++t) sums[o][t] = at(into + (t * s.outs + o) * kLanes);
    const int64_t last = s.length - kLanes, pitch = (s.length + kLanes - 1) / kLanes * kLanes;
    for (int64_t n = 0; n < s.count; ++n) {
      const T* x = s.x + n * s.x_size;
      const T *first = x + distances[0], *second = x + distances[1], *third = x + distances[2];
      const T* g = s.g + (n * s.outs + first_out) * pitch;
      for (int64_t v = s.begin; v < s.end; v += kLanes) {
        const int64_t p = v < last ? v : last;
        const Vector a = at(first + p), b = at(second + p), c = at(third + p);
#pragma GCC unroll 8
        for (int o = 0; o < kOuts; ++o) {
          Vector grad = at(g + o * pitch + v);
          keep(grad);
          sums[o][0] += grad * a;
          sums[o][1] += grad * b;
          sums[o][2] += grad * c;
        }
      }
    }
#pragma GCC unroll 8
    for (int o = 0; o < kOuts; ++o)
#pragma GCC unroll 3
      for (int t = 0; t < kTaps; ++t) at(into + (t * s.outs + o) * kLanes) = sums[o][t];
  }

  GRADUS_INLINE static void run(const Samples<T>* samples, const int64_t* distances, int64_t taps, T* sums) {
    const Samples<T> s = *samples;
    const int64_t tiles = (s.outs + kRows - 1) / kRows, height = s.outs / tiles, higher = s.outs % tiles;
    for (int64_t i = 0, out = 0; i < tiles; ++i) {
      const int64_t rows = height + (i < higher);
      for (int64_t t = 0; t < taps; t += kTaps) {
        T* into = sums + (t * s.outs + out) * kLanes;
        with_rows<kRows>(rows, [&]<int kOuts>() GRADUS_LAMBDA { tile<kOuts>(s, out, distances + t, into); });
      }
      out += rows;
    }
  }
};

// to[i] = the sum of vector i; `count` fills whole vectors.
template <class T, int kBytes>
struct Totals : Vectors<T, kBytes> {
  using typename Vectors<T, kBytes>::Vector;
  using typename Vectors<T, kBytes>::Integer;
  using typename Vectors<T, kBytes>::Integers;
  using Vectors<T, kBytes>::kLanes, Vectors<T, kBytes>::at;

  // Neighbours are added up until each vector has one number left.
  template <int kCount>
  GRADUS_INLINE static void add(const T* vectors, Vector& to) {
    if constexpr (kCount == 1) {
      to = at(vectors);
    } else {
      Vector a, b;
      add<kCount / 2>(vectors, a);
      add<kCount / 2>(vectors + kCount / 2 * kLanes, b);
      Integers even, odd;
      for (int i = 0; i < kLanes; ++i) {
        even[i] = static_cast<Integer>(2 * i);
        odd[i] = static_cast<Integer>(2 * i + 1);
      }
      Vector left, right;
      GRADUS_SHUFFLE(left, a, b, even);
      GRADUS_SHUFFLE(right, a, b, odd);
      to = left + right;
    }
  }
  GRADUS_INLINE static void run(const T* vectors, int64_t count, T* to) {
    for (int64_t i = 0; i < count; i += kLanes) {
      Vector total;
      add<kLanes>(vectors + i * kLanes, total);
      at(to + i) = total;
    }
  }
};

template <class T, template <class, int> class Body, class... Args>
void call(Args... args) {
  simd_choose<Body<T, 16>, Body<T, 32>, Body<T, 64>>(args...);
}

template <class T>
int64_t lanes() {
  const int64_t bytes = current_isa() == Isa::v4 ? 64 : current_isa() == Isa::v3 ? 32 : 16;
  return bytes / static_cast<int64_t>(sizeof(T));
}

template <class F>
void for_samples(const Convolution& c, F&& work) {
  core::parallel_for(c.batch, std::max<int64_t>(1, kPerPiece * c.batch / c.multiplications()), work);
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
  return std::min(c.in[1], c.out[1]) * c.out[2] >= kMostLanes && c.in_channels * geometry.x.all() <= kMostNumbers &&
         c.out_channels * geometry.g.all() <= kMostNumbers;
}

bool few_channels_is_best(const Convolution& c, ConvOperation operation) {
  // oneDNN wastes what is missing of sixteen channels, but has loops for the three of an image; ours lose most around
  // small images.
  constexpr int64_t kFew = 12, kWide = 28;
  const bool few_ins = c.in_channels <= kFew, few_outs = c.out_channels <= kFew;
  if (!few_channels_serves(c)) return false;
  switch (operation) {
    case ConvOperation::forward:
      return c.out_channels <= 8 || c.out[2] >= kWide;
    case ConvOperation::backward_data:
      return few_ins || few_outs || c.in[2] >= kWide;
    case ConvOperation::backward_weight:
      return few_outs || (few_ins && c.in_channels != 3);
  }
  return false;
}

template <class T>
void few_channels_forward(const Convolution& c, const T* x, const T* w, const T* bias, T* y) {
  const Grid grid = Geometry(c).x;
  const std::vector<int64_t> taps = distances(c, grid, c.in_channels);
  const int64_t length = c.out[1] * c.out[2];
  for_samples(c, [&](int64_t begin, int64_t end) {
    const Scratch<T> copies(c.in_channels * grid.all() + kMostLanes);
    for (int64_t n = begin; n < end; ++n) {
      call<T, Lay>(&grid, x + n * c.in_channels * grid.rows * grid.columns, c.in_channels, copies.get());
      call<T, Sums>(static_cast<const T*>(copies.get()), taps.data(), static_cast<int64_t>(taps.size()), w, bias,
                    c.out_channels, y + n * c.out_channels * length, length);
    }
  });
}

template <class T>
void few_channels_backward_data(const Convolution& c, const T* g, const T* w, T* gx) {
  using Integer = typename Vectors<T, 16>::Integer;
  const Geometry geometry(c);
  const Grid &framed = geometry.g, &image = geometry.x;
  const std::vector<int64_t> taps = distances(c, framed, c.out_channels);
  const int64_t ins = c.in_channels, outs = c.out_channels, high = c.kernel[1], wide = c.kernel[2];
  // [ins, columns of the kernel, outs, rows of the kernel turned round]
  std::vector<T> turned(static_cast<std::size_t>(c.weights()));
  T* to = turned.data();
  for (int64_t i = 0; i < ins; ++i)
    for (int64_t k = 0; k < wide; ++k)
      for (int64_t o = 0; o < outs; ++o)
        for (int64_t h = high - 1; h >= 0; --h) *to++ = w[((o * ins + i) * high + h) * wide + k];
  const int64_t masked = round_up(image.columns, lanes<T>());
  std::vector<Integer> masks;
  for (int64_t k = 0; k < wide; ++k)
    for (int64_t q = 0; q < masked; ++q) {
      const int64_t column = q - k * image.step + image.left;
      masks.push_back(column >= 0 && column < image.width ? -1 : 0);
    }
  const int64_t length = image.rows * image.width, before = geometry.reach[2], behind = image.left + kMostLanes;
  for_samples(c, [&](int64_t begin, int64_t end) {
    const Scratch<T> grads(outs * framed.all() + kMostLanes), sums(before + ins * wide * length + behind);
    for (int64_t n = begin; n < end; ++n) {
      call<T, Lay>(&framed, g + n * outs * framed.rows * framed.columns, outs, grads.get());
      call<T, Sums>(static_cast<const T*>(grads.get()), taps.data(), static_cast<int64_t>(taps.size()),
                    static_cast<const T*>(turned.data()), static_cast<const T*>(nullptr), ins * wide,
                    sums.get() + before, length);
      call<T, Fold>(&image, static_cast<const T*>(sums.get() + before), static_cast<const Integer*>(masks.data()), ins,
                    gx + n * ins * image.rows * image.columns);
    }
  });
}

template <class T>
void few_channels_backward_weight(const Convolution& c, const T* g, const T* x, T* gw) {
  const Grid grid = Geometry(c).x;
  // Taps of a column are neighbours, as they read one copy.
  const int64_t high = c.kernel[1], columns = c.kernel[2];
  std::vector<int64_t> places;
  for (int64_t i = 0; i < c.in_channels; ++i)
    for (int64_t k = 0; k < columns; ++k)
      for (int64_t h = 0; h < high; ++h) places.push_back(distance(c, grid, i, h, k));
  const int64_t whole = round_up(static_cast<int64_t>(places.size()), kTaps);
  places.resize(static_cast<std::size_t>(whole), 0);
  const int64_t wide = lanes<T>(), outs = c.out_channels, length = c.out[1] * c.out[2];
  const int64_t whole_length = length / wide * wide, pitch = round_up(length, wide);
  const int64_t image = c.in_channels * grid.rows * grid.columns, size = c.in_channels * grid.all();
  const int64_t totals = round_up(whole * outs, wide);
  // As many positions, or samples, at once as leave the gradients near.
  const int64_t near = kNear / std::min<int64_t>(outs, 8) / wide * wide;
  const int64_t together = std::clamp<int64_t>(near / length, 1, std::max<int64_t>(1, kMostNumbers / 4 / size));
  int64_t pieces = 1;  // halves of halves, so that threads have the same work
  while (2 * pieces <= std::min(kMostPieces, c.batch) && c.multiplications() >= 2 * pieces * kPerPiece) pieces *= 2;
  const Scratch<T> all(pieces * totals);
  core::parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    const Scratch<T> copies(together * size + kMostLanes), grads(together * outs * pitch), sums(totals * wide);
    for (int64_t piece = begin; piece < end; ++piece) {
      std::fill_n(sums.get(), totals * wide, T(0));
      const int64_t last = (piece + 1) * c.batch / pieces;
      for (int64_t n = piece * c.batch / pieces; n < last; n += together) {
        const T* from = g + n * outs * length;
        const int64_t count = std::min(together, last - n);
        Samples<T> samples{count, outs, length, size, copies.get(), whole_length == length ? from : grads.get(), 0, 0};
        call<T, Lay>(&grid, x + n * image, count * c.in_channels, copies.get());
        for (int64_t row = 0; row < count * outs && whole_length < length; ++row, from += length) {
          T* to = grads.get() + row * pitch;
          std::copy_n(from, whole_length, to);
          std::fill_n(to + whole_length, wide, T(0));
          std::copy_n(from + whole_length, length - whole_length, to + pitch - (length - whole_length));
        }
        while (samples.end < pitch) {
          samples.begin = samples.end;
          samples.end = std::min(pitch, samples.begin + near);
          call<T, Products>(static_cast<const Samples<T>*>(&samples), static_cast<const int64_t*>(places.data()), whole,
                            sums.get());
        }
      }
      call<T, Totals>(static_cast<const T*>(sums.get()), totals, all.get() + piece * totals);
    }
  });
  // In order, whatever the number of threads.
  for (int64_t piece = 1; piece < pieces; ++piece)
    for (int64_t i = 0; i < whole * outs; ++i) all[i] += all[piece * totals + i];
  for (int64_t o = 0; o < outs; ++o)
    for (int64_t i = 0; i < c.in_channels; ++i)
      for (int64_t h = 0; h < high; ++h)
        for (int64_t k = 0; k < columns; ++k) *gw++ = all[((i * columns + k) * high + h) * outs + o];
}

#define GRADUS_FEW_CHANNELS(T)                                                              \
  template void few_channels_forward(const Convolution&, const T*, const T*, const T*, T*); \
  template void few_channels_backward_data(const Convolution&, const T*, const T*, T*);     \
  template void few_channels_backward_weight(const Convolution&, const T*, const T*, T*);
GRADUS_FEW_CHANNELS(float)
GRADUS_FEW_CHANNELS(double)
#undef GRADUS_FEW_CHANNELS

}  // namespace gradus::cpu

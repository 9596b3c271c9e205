// Means and squared deviations, and pairs of sums, of parts of a tensor: in float64, and of distances from the first
// value, so that equal values have that value for their mean and no deviation at all, whatever their size.
#pragma once

#include <cmath>

#include "kernels/gpu/half.h"
#include "kernels/gpu/reducers.h"

namespace gradus::gpu {

// A stretch of elements is cut into pieces; each gives one part, and parts are joined in order.
struct Cut {
  std::int64_t length, count;  // of a piece; how many
  Cut(std::int64_t n, std::int64_t most) : length(n < most ? n : most), count(n > 0 ? (n + length - 1) / length : 0) {}
};

// Elements of x [batch, groups, block] that belong to group i, numbered; {1, n} are stretches of n elements, one after
// the other.
struct GroupElements {
  std::int64_t groups, block;
  GRADUS_DEVICE std::int64_t place(std::int64_t i, std::int64_t k) const {
    return (k / block * groups + i) * block + k % block;
  }
};

// How the moments of parts meet (Chan, Golub and LeVeque, 1979).
struct Spread {
  double count, mean, square;

  GRADUS_DEVICE void join(const Spread& own) {
    const double delta = own.mean - mean, before = count;
    count += own.count;
    mean += delta * own.count / count;
    square += own.square + (before > 0 ? delta * delta * own.count * before / count : 0);
  }
};

// Of each piece of each moment, by a block.
template <class T>
struct PartMoments {
  GroupElements elements;
  std::int64_t n;  // of a moment
  Cut cut;
  Global<const T> x;
  Global<Spread> parts;  // [moments, pieces]
  GRADUS_DEVICE void operator()(const Block& block) const {
    const std::int64_t i = block.index() / cut.count, from = block.index() % cut.count * cut.length;
    const std::int64_t count = n - from < cut.length ? n - from : cut.length;
    const auto at = [&](std::int64_t k) { return static_cast<double>(wide(x[elements.place(i, from + k)])); };
    const double head = at(0), first = std::isfinite(head) ? head : 0;  // where one is infinite, so is the mean
    const double shift =
        block.template reduce<SumOf<double>, double>(count, [&](std::int64_t k) { return at(k) - first; });
    const double mean = first + shift / static_cast<double>(count);
    const double square = block.template reduce<SumOf<double>, double>(count, [&](std::int64_t k) {
      const double off = at(k) - mean;
      return off * off;
    });
    block.each(1, [&](std::int64_t) { parts[block.index()] = {static_cast<double>(count), mean, square}; });
  }
};

// Of columns of x [rows, columns], a piece of a column by a thread.
template <class T>
struct PartColumnMoments {
  std::int64_t rows, columns;
  Cut cut;
  Global<const T> x;
  Global<Spread> parts;  // [columns, pieces]
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t c = i % columns, piece = i / columns, from = piece * cut.length;
    const std::int64_t count = rows - from < cut.length ? rows - from : cut.length;
    const auto at = [&](std::int64_t k) { return static_cast<double>(wide(x[(from + k) * columns + c])); };
    const double head = at(0), first = std::isfinite(head) ? head : 0;
    double shift = 0, square = 0;
    for (std::int64_t k = 0; k < count; ++k) shift += at(k) - first;
    const double mean = first + shift / static_cast<double>(count);
    for (std::int64_t k = 0; k < count; ++k) square += (at(k) - mean) * (at(k) - mean);
    parts[c * cut.count + piece] = {static_cast<double>(count), mean, square};
  }
};

template <class T>
struct JoinMoments {
  std::int64_t pieces;
  Global<const Spread> parts;
  Global<T> mean;
  Global<double> var;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    Spread all{0, 0, 0};
    for (std::int64_t p = i * pieces; p < (i + 1) * pieces; ++p) all.join(parts[p]);
    mean[i] = static_cast<T>(all.mean);
    var[i] = all.square < 0 ? 0 : all.square / all.count;
  }
};

// Two sums of one stretch of elements.
struct Pair {
  double first, second;
};
struct SumOfPairs {
  GRADUS_DEVICE static Pair identity() { return {0, 0}; }
  GRADUS_DEVICE static Pair combine(Pair a, Pair b) { return {a.first + b.first, a.second + b.second}; }
};

// The parts' sums, in order: sums[i] = the sum over pieces of parts[i, piece].
struct JoinPairs {
  std::int64_t pieces;
  Global<const Pair> parts;
  Global<Pair> sums;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    Pair all{0, 0};
    for (std::int64_t p = i * pieces; p < (i + 1) * pieces; ++p) all = SumOfPairs::combine(all, parts[p]);
    sums[i] = all;
  }
};

// The gradients of a weight and a bias, from such sums of each channel.
template <class T>
struct StoreWeights {
  Global<const Pair> sums;
  Global<T> gw, gb;
  GRADUS_DEVICE void operator()(std::int64_t c) const {
    gw[c] = static_cast<T>(sums[c].second);
    gb[c] = static_cast<T>(sums[c].first);
  }
};

inline constexpr std::int64_t kPieceOfBlock = 8192, kPieceOfThread = 256;

}  // namespace gradus::gpu

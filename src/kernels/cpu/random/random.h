#pragma once

#include <cstdint>
#include <limits>

/// Fills with random numbers. Element i depends only on (seed, offset, i): not on the number of threads, nor on the
/// instruction set. A fill uses up as many blocks from `offset` on as its function beside it says; the next draw starts
/// behind them. Arguments are the caller's to check.
namespace gradus::cpu {

struct RandomRange {
  std::uint64_t seed;
  std::uint64_t offset;  // in Philox blocks of 128 bits
};

namespace detail {
// For n elements of `bits` random bits each, in whole groups of 16 blocks.
constexpr std::uint64_t random_blocks(std::int64_t n, std::int64_t bits) {
  return n <= 0 ? 0 : static_cast<std::uint64_t>((n - 1) / (16 * 128 / bits) + 1) * 16;
}
}  // namespace detail

/// Uniform in [from, to), of 24 (float) or 53 (double) random bits; `from` everywhere where from == to. None is above
/// `last`, which is at least `from`. Needs from <= to, and to - from within the type.
void fill_uniform(RandomRange range, float* out, std::int64_t n, double from, double to,
                  double last = std::numeric_limits<double>::infinity());
void fill_uniform(RandomRange range, double* out, std::int64_t n, double from, double to,
                  double last = std::numeric_limits<double>::infinity());
constexpr std::uint64_t uniform_blocks(std::int64_t n, std::int64_t element_size) {
  return detail::random_blocks(n, 8 * element_size);
}

/// Normal, by Box and Muller; the furthest from the mean that can come is 6.7 (float) or 8.7 (double) times std.
void fill_normal(RandomRange range, float* out, std::int64_t n, double mean, double std);
void fill_normal(RandomRange range, double* out, std::int64_t n, double mean, double std);
constexpr std::uint64_t normal_blocks(std::int64_t n, std::int64_t element_size) {
  return detail::random_blocks(n, 8 * element_size);
}

/// Whole numbers in [low, high), low < high; no number is favoured by more than (high - low) / 2^64.
void fill_integers(RandomRange range, std::int64_t* out, std::int64_t n, std::int64_t low, std::int64_t high);
constexpr std::uint64_t integer_blocks(std::int64_t n) { return detail::random_blocks(n, 64); }

/// 1 with probability p in [0, 1], which is rounded to a multiple of 2^-32; else 0. Uses uniform_blocks(n, 4).
void fill_bernoulli(RandomRange range, std::uint8_t* out, std::int64_t n, double p);

/// The numbers 0 .. n - 1 in random order. Uses integer_blocks(n).
void fill_permutation(RandomRange range, std::int64_t* out, std::int64_t n);

}  // namespace gradus::cpu

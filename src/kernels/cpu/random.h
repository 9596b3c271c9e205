#pragma once

#include <cstdint>

/// Fills with random numbers. Element i depends only on (seed, offset, i): not on the number of threads, nor on the
/// instruction set. A fill uses up `random_blocks(n, bits)` blocks from `offset` on; the next draw starts behind them.
/// Arguments are the caller's to check.
namespace gradus::cpu {

struct Stream {
  std::uint64_t seed;
  std::uint64_t offset;  // in Philox blocks of 128 bits
};

/// Blocks for n elements of `bits` random bits: 32 for float and the Bernoulli mask, 64 for all other fills.
constexpr std::uint64_t random_blocks(std::int64_t n, int bits) {
  const std::int64_t per_group = 16 * 128 / bits;
  return n <= 0 ? 0 : (static_cast<std::uint64_t>(n - 1) / static_cast<std::uint64_t>(per_group) + 1) * 16;
}

/// Uniform in [from, to), of 24 (float) or 53 (double) random bits; `from` everywhere where from == to.
/// Needs from <= to, and to - from within the type.
void fill_uniform(float* out, std::int64_t n, Stream stream, float from, float to);
void fill_uniform(double* out, std::int64_t n, Stream stream, double from, double to);

/// Normal, by Box and Muller; the furthest from the mean that can come is 6.6 (float) or 8.6 (double) times std.
void fill_normal(float* out, std::int64_t n, Stream stream, float mean, float std);
void fill_normal(double* out, std::int64_t n, Stream stream, double mean, double std);

/// Whole numbers in [low, high), low < high; no number is favoured by more than (high - low) / 2^64.
void fill_integers(std::int64_t* out, std::int64_t n, Stream stream, std::int64_t low, std::int64_t high);

/// 1 with probability p in [0, 1], which is rounded to a multiple of 2^-32; else 0.
void fill_bernoulli(std::uint8_t* out, std::int64_t n, Stream stream, double p);

/// The numbers 0 .. n - 1 in random order.
void fill_permutation(std::int64_t* out, std::int64_t n, Stream stream);

}  // namespace gradus::cpu

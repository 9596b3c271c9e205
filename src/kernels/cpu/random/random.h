#pragma once

#include <limits>

#include "kernels/random.h"

/// Fills with random numbers. Element i depends only on (seed, offset, i): not on the number of threads, nor on the
/// instruction set. A fill uses up as many blocks from `offset` on as its function beside it says; the next draw starts
/// after them. Arguments are the caller's to check.
namespace gradus::cpu {

using namespace kernel;

/// Uniform in [from, to), of 24 (float) or 53 (double) random bits; `from` everywhere where from == to. None is above
/// `last`, which is at least `from`. Needs from <= to, and to - from within the type.
void fill_uniform(RandomRange range, float* out, std::int64_t n, double from, double to,
                  double last = std::numeric_limits<double>::infinity());
void fill_uniform(RandomRange range, double* out, std::int64_t n, double from, double to,
                  double last = std::numeric_limits<double>::infinity());

/// Normal, by Box and Muller; the furthest from the mean that can come is 6.7 (float) or 8.7 (double) times std.
void fill_normal(RandomRange range, float* out, std::int64_t n, double mean, double std);
void fill_normal(RandomRange range, double* out, std::int64_t n, double mean, double std);

/// Whole numbers in [low, high), low < high; no number is favoured by more than (high - low) / 2^64.
void fill_integers(RandomRange range, std::int64_t* out, std::int64_t n, std::int64_t low, std::int64_t high);

/// 1 with probability p in [0, 1], which is rounded to a multiple of 2^-32; else 0. Uses uniform_blocks(n, 4).
void fill_bernoulli(RandomRange range, std::uint8_t* out, std::int64_t n, double p);

/// The numbers 0 .. n - 1 in random order. Uses integer_blocks(n).
void fill_permutation(RandomRange range, std::int64_t* out, std::int64_t n);

}  // namespace gradus::cpu

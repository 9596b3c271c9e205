// Arrays of random numbers. Element i is a function of (seed, offset, i) alone; every call says how many of the
// generator's blocks it uses.
#pragma once

#include <cstdint>

namespace gradus::cpu {

struct RandomRange {
  std::uint64_t seed, offset;
};

// The 128 bits of one block: Philox4x32-10 with the seed as key.
struct PhiloxBlock {
  std::uint32_t word[4];
};
PhiloxBlock philox(std::uint64_t seed, std::uint64_t counter_low, std::uint64_t counter_high);

std::uint64_t uniform_blocks(std::int64_t n, std::int64_t element_size);
std::uint64_t normal_blocks(std::int64_t n, std::int64_t element_size);
std::uint64_t integer_blocks(std::int64_t n);

// Uniform in [from, to): 24 random bits for float, 53 for double.
void fill_uniform(RandomRange range, float* out, std::int64_t n, double from, double to);
void fill_uniform(RandomRange range, double* out, std::int64_t n, double from, double to);
// Normal, by Box and Muller.
void fill_normal(RandomRange range, float* out, std::int64_t n, double mean, double std);
void fill_normal(RandomRange range, double* out, std::int64_t n, double mean, double std);
// Uniform integers in [low, high), low < high, from 64 random bits each.
void fill_integers(RandomRange range, std::int64_t* out, std::int64_t n, std::int64_t low, std::int64_t high);
// 1 with probability p, else 0; uses uniform_blocks(n, 4).
void fill_bernoulli(RandomRange range, std::uint8_t* out, std::int64_t n, double p);
// 0 ... n-1 in random order; uses integer_blocks(n).
void fill_permutation(RandomRange range, std::int64_t* out, std::int64_t n);

}  // namespace gradus::cpu

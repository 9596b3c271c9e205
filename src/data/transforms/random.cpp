#include "gradus/data/random.h"

#include "kernels/cpu/random/random.h"

namespace gradus::data {

namespace {

constinit thread_local Generator* of_sample = nullptr;

cpu::RandomRange take(std::uint64_t blocks) {
  Generator& from = sample_generator();
  return {from.seed(), from.advance(blocks)};
}

std::uint64_t mixed(std::uint64_t x) {  // SplitMix64 (Steele, Lea and Flood, 2014)
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

Generator& sample_generator() { return of_sample ? *of_sample : default_generator(); }

std::uint64_t mix_seed(std::uint64_t seed, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return mixed(mixed(mixed(mixed(seed) ^ a) ^ b) ^ c);
}

SampleScope::SampleScope(std::uint64_t seed, std::int64_t epoch, std::int64_t index, std::int64_t repeat)
    : generator_(mix_seed(seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(index),
                          static_cast<std::uint64_t>(repeat))),
      before_(of_sample) {
  of_sample = &generator_;
}

SampleScope::~SampleScope() { of_sample = before_; }

double random_uniform(double low, double high) {
  if (!(low < high)) return low;
  double x = 0;
  cpu::fill_uniform(take(cpu::uniform_blocks(1, sizeof x)), &x, 1, low, high);
  return x;
}

std::int64_t random_integer(std::int64_t low, std::int64_t high) {
  std::int64_t x = low;
  if (low < high) cpu::fill_integers(take(cpu::integer_blocks(1)), &x, 1, low, high);
  return x;
}

}  // namespace gradus::data

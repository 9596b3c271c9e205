// Random numbers for the preparation of samples, the same for any number of worker threads.
#pragma once

#include <cstdint>

#include <gradus/random.h>

namespace gradus::data {

// What random transforms draw from. In a loader it starts anew for each sample, from the loader's seed, the epoch and
// the sample's index; elsewhere it is default_generator().
Generator& sample_generator();

// Makes sample_generator() of this thread, while the scope lives, start where it starts in a loader for that sample.
// `repeat` tells apart draws of the same sample within an epoch.
class SampleScope {
 public:
  SampleScope(std::uint64_t seed, std::int64_t epoch, std::int64_t index, std::int64_t repeat = 0);
  ~SampleScope();
  SampleScope(const SampleScope&) = delete;
  SampleScope& operator=(const SampleScope&) = delete;

 private:
  Generator generator_;
  Generator* before_;
};

// A seed that depends on every bit of all four.
std::uint64_t mix_seed(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0);

// Single numbers from sample_generator(): uniform in [low, high), and whole in [low, high); low where that is empty.
double random_uniform(double low = 0, double high = 1);
std::int64_t random_integer(std::int64_t low, std::int64_t high);

}  // namespace gradus::data

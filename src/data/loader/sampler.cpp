#include "gradus/data/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gradus/core/error.h"
#include "gradus/data/random.h"
#include "kernels/math.h"

namespace gradus::data {

namespace {

using Indices = std::vector<std::int64_t>;

Generator generator_of(std::uint64_t seed, std::int64_t epoch) {
  constexpr std::uint64_t kOrder = 0x6f72646572;  // apart from the samples' numbers
  return Generator(mix_seed(seed, static_cast<std::uint64_t>(epoch), kOrder));
}

Indices first_numbers(std::int64_t n) {
  Indices numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

void check_not_negative(const char* sampler, const char* what, std::int64_t n) {
  if (n < 0) throw ValueError(fmt::format("{}: {} must not be negative, got {}", sampler, what, n));
}

}  // namespace

SequentialSampler::SequentialSampler(std::int64_t n) : n_(n) { check_not_negative("SequentialSampler", "n", n); }

Indices SequentialSampler::indices(std::uint64_t, std::int64_t) const { return first_numbers(n_); }

RandomSampler::RandomSampler(std::int64_t n, RandomSamplerOptions options) : n_(n), options_(options) {
  check_not_negative("RandomSampler", "n", n);
  if (options_.num_samples < 0) options_.num_samples = n;
  if (n == 0 && options_.num_samples > 0) {
    throw ValueError(fmt::format("RandomSampler: cannot draw {} samples from none", options_.num_samples));
  }
}

Indices RandomSampler::indices(std::uint64_t seed, std::int64_t epoch) const {
  Generator generator = generator_of(seed, epoch);
  const std::int64_t count = options_.num_samples;
  if (count == 0) return {};
  if (options_.replacement) return randint(0, n_, {count}, {}, &generator).to_vector<std::int64_t>();
  Indices order;
  while (std::ssize(order) < count) {
    const Indices next = randperm(n_, {}, &generator).to_vector<std::int64_t>();
    order.insert(order.end(), next.begin(), next.begin() + std::min(n_, count - std::ssize(order)));
  }
  return order;
}

WeightedRandomSampler::WeightedRandomSampler(std::vector<double> weights, std::int64_t num_samples, bool replacement)
    : weights_(std::move(weights)), num_samples_(num_samples), replacement_(replacement) {
  check_not_negative("WeightedRandomSampler", "num_samples", num_samples);
  std::int64_t positive = 0;
  double sum = 0;
  for (const double weight : weights_) {
    if (!(weight >= 0) || !std::isfinite(weight)) {
      throw ValueError(
          fmt::format("WeightedRandomSampler: need finite weights, none of them negative, got {}", weight));
    }
    positive += weight > 0;
    sums_.push_back(sum += weight);
  }
  if (num_samples > 0 && !(std::isfinite(sum) && sum > 0)) {
    throw ValueError(fmt::format("WeightedRandomSampler: need weights of a positive sum, got {}", sum));
  }
  if (!replacement && num_samples > positive) {
    throw ValueError(fmt::format("WeightedRandomSampler: need as many positive weights as samples, got {} for {}",
                                 positive, num_samples));
  }
}

Indices WeightedRandomSampler::indices(std::uint64_t seed, std::int64_t epoch) const {
  Generator generator = generator_of(seed, epoch);
  const auto draw = [&](std::int64_t n) { return rand({n}, {.dtype = kFloat64}, &generator).to_vector<double>(); };
  Indices order;
  if (num_samples_ == 0) return order;
  if (replacement_) {
    for (const double u : draw(num_samples_)) {
      const auto at = std::upper_bound(sums_.begin(), sums_.end(), u * sums_.back());
      // Rounding can give u * sum == sum: then it is the last that has any weight.
      const auto last = std::lower_bound(sums_.begin(), sums_.end(), sums_.back());
      order.push_back(std::min(at, last) - sums_.begin());
    }
    return order;
  }
  // The largest log(u) / weight first: the same as drawing one after the other (Efraimidis and Spirakis, 2006).
  const std::vector<double> u = draw(std::ssize(weights_));
  std::vector<double> keys;
  for (std::size_t i = 0; i < u.size(); ++i) {
    if (weights_[i] > 0) order.push_back(static_cast<std::int64_t>(i));
    keys.push_back(math::log1p(-u[i]) / weights_[i]);
  }
  std::partial_sort(order.begin(), order.begin() + num_samples_, order.end(), [&](std::int64_t a, std::int64_t b) {
    const double x = keys[static_cast<std::size_t>(a)], y = keys[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  order.resize(static_cast<std::size_t>(num_samples_));
  return order;
}

SubsetRandomSampler::SubsetRandomSampler(SampleIndices indices) : indices_(std::move(indices)) {
  Indices sorted = indices_;
  std::sort(sorted.begin(), sorted.end());
  repeats_ = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
}

Indices SubsetRandomSampler::indices(std::uint64_t seed, std::int64_t epoch) const {
  Generator generator = generator_of(seed, epoch);
  Indices order = randperm(size(), {}, &generator).to_vector<std::int64_t>();
  for (std::int64_t& i : order) i = indices_[static_cast<std::size_t>(i)];
  return order;
}

DistributedSampler::DistributedSampler(std::int64_t n, DistributedSamplerOptions options) : n_(n), options_(options) {
  check_not_negative("DistributedSampler", "n", n);
  if (options.num_replicas < 1 || options.rank < 0 || options.rank >= options.num_replicas) {
    throw ValueError(fmt::format("DistributedSampler: need a rank from 0 to num_replicas - 1, got {} of {}",
                                 options.rank, options.num_replicas));
  }
  size_ = n / options.num_replicas + (!options.drop_last && n % options.num_replicas > 0 ? 1 : 0);
}

Indices DistributedSampler::indices(std::uint64_t seed, std::int64_t epoch) const {
  Generator generator = generator_of(seed, epoch);
  const Indices order = options_.shuffle ? randperm(n_, {}, &generator).to_vector<std::int64_t>() : first_numbers(n_);
  Indices own;
  for (std::int64_t i = 0; i < size_; ++i) {
    own.push_back(order[static_cast<std::size_t>((options_.rank + i * options_.num_replicas) % n_)]);
  }
  return own;
}

}  // namespace gradus::data

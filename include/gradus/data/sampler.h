// Samplers: in which order a loader goes through a dataset. As torch.utils.data's, except that the order is a function
// of a seed and the epoch alone; so a sampler has no state to save, and a loader can go on in mid-epoch.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gradus/data/dataset.h>

namespace gradus::data {

class Sampler {
 public:
  virtual ~Sampler() = default;
  // How many indices an epoch has.
  virtual std::int64_t size() const = 0;
  // The indices of one epoch, size() of them.
  virtual std::vector<std::int64_t> indices(std::uint64_t seed, std::int64_t epoch) const = 0;
  // Whether an index may come more than once in an epoch.
  virtual bool repeats() const { return false; }

 protected:
  Sampler() = default;
  Sampler(const Sampler&) = default;
  Sampler& operator=(const Sampler&) = default;
};

// 0, 1, ..., n - 1. ValueError for a negative n.
class SequentialSampler final : public Sampler {
 public:
  explicit SequentialSampler(std::int64_t n);
  std::int64_t size() const override { return n_; }
  std::vector<std::int64_t> indices(std::uint64_t seed, std::int64_t epoch) const override;

 private:
  std::int64_t n_;
};

struct RandomSamplerOptions {
  bool replacement = false;
  std::int64_t num_samples = -1;  // below 0: n. More than n without replacement: several permutations, as in PyTorch
};
// 0 ... n - 1 in random order, or drawn independently. ValueError for a negative n, and for samples of nothing.
class RandomSampler final : public Sampler {
 public:
  explicit RandomSampler(std::int64_t n, RandomSamplerOptions options = {});
  std::int64_t size() const override { return options_.num_samples; }
  std::vector<std::int64_t> indices(std::uint64_t seed, std::int64_t epoch) const override;
  bool repeats() const override { return options_.replacement || options_.num_samples > n_; }

 private:
  std::int64_t n_;
  RandomSamplerOptions options_;
};

// Index i with a probability in proportion to weights[i]. Without replacement an index that was drawn has no weight
// from then on. ValueError for weights that are negative, not finite or all zero, for fewer positive weights than
// samples without replacement, and for a negative num_samples.
class WeightedRandomSampler final : public Sampler {
 public:
  WeightedRandomSampler(std::vector<double> weights, std::int64_t num_samples, bool replacement = true);
  template <std::same_as<Tensor> T>  // not for braces, which are numbers
  WeightedRandomSampler(const T& weights, std::int64_t num_samples, bool replacement = true)
      : WeightedRandomSampler(weights.template to_vector<double>(), num_samples, replacement) {}
  std::int64_t size() const override { return num_samples_; }
  std::vector<std::int64_t> indices(std::uint64_t seed, std::int64_t epoch) const override;
  bool repeats() const override { return replacement_; }

 private:
  std::vector<double> weights_, sums_;
  std::int64_t num_samples_;
  bool replacement_;
};

// The given indices in random order.
class SubsetRandomSampler final : public Sampler {
 public:
  explicit SubsetRandomSampler(SampleIndices indices);
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  std::vector<std::int64_t> indices(std::uint64_t seed, std::int64_t epoch) const override;
  bool repeats() const override { return repeats_; }

 private:
  std::vector<std::int64_t> indices_;
  bool repeats_ = false;
};

struct DistributedSamplerOptions {
  std::int64_t num_replicas = 1;
  std::int64_t rank = 0;
  bool shuffle = true;
  bool drop_last = false;  // leave out what cannot be shared evenly; else the first indices come again
};
// Every num_replicas-th index, from `rank` on, of an order that all replicas share: their loaders need the same seed.
// As torch.utils.data.DistributedSampler. ValueError for a rank outside 0 ... num_replicas - 1, and a negative n.
class DistributedSampler final : public Sampler {
 public:
  DistributedSampler(std::int64_t n, DistributedSamplerOptions options);
  std::int64_t size() const override { return size_; }
  std::vector<std::int64_t> indices(std::uint64_t seed, std::int64_t epoch) const override;
  bool repeats() const override { return size_ * options_.num_replicas > n_; }

 private:
  std::int64_t n_, size_;
  DistributedSamplerOptions options_;
};

// Any sampler, as a loader takes it: an object, copied or moved in, or nothing.
class AnySampler {
 public:
  AnySampler() = default;
  template <std::derived_from<Sampler> S>
  AnySampler(S sampler) : sampler_(std::make_shared<const S>(std::move(sampler))) {}
  AnySampler(std::shared_ptr<const Sampler> sampler) : sampler_(std::move(sampler)) {}

  explicit operator bool() const { return sampler_ != nullptr; }
  const Sampler* operator->() const { return sampler_.get(); }

 private:
  std::shared_ptr<const Sampler> sampler_;
};

}  // namespace gradus::data

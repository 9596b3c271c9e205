// data::Dataset: samples by number. Derive from it, or give FunctionDataset a lambda:
//
//   data::FunctionDataset squares(100, [](std::int64_t i) { return data::Sample(tensor(double(i)), tensor(i * i
//   * 1.0)); });
//
// PyTorch's map-style torch.utils.data.Dataset. A sample is a pair of tensors here; iterable-style datasets have no
// counterpart.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gradus/tensor.h>

namespace gradus::data {

// What goes in, and what should come out. A class is a 0-d int64 tensor.
struct Sample {
  Tensor data;
  Tensor target;  // undefined where there is none

  Sample() = default;
  Sample(Tensor x, Tensor y = {}) : data(std::move(x)), target(std::move(y)) {}
  Sample(Tensor x, std::int64_t label) : Sample(std::move(x), tensor(label)) {}
};

// Samples stacked along a new first dimension. `auto& [x, y] = batch` names data and target.
struct Batch {
  Tensor data;
  Tensor target;                      // undefined where the samples have none
  std::vector<std::int64_t> indices;  // where in the dataset the samples are
  // Of a loader with a BatchShare: how many of them are in each chunk of this process.
  std::vector<std::int64_t> chunks = {};

  std::int64_t size() const { return static_cast<std::int64_t>(indices.size()); }

  template <std::size_t I>
  Tensor& get() {
    return I == 0 ? data : target;
  }
  template <std::size_t I>
  const Tensor& get() const {
    return I == 0 ? data : target;
  }
};

class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual std::int64_t size() const = 0;

  // Sample `index`, 0 <= index < size(). The loader's threads call this at the same time. Random parts draw from
  // sample_generator() (gradus/data/random.h).
  virtual Sample get(std::int64_t index) const = 0;

  // Several samples at once, where that is quicker than one by one; with undefined data the loader calls get() instead.
  virtual Batch get_batch(std::span<const std::int64_t> indices) const;

  // For messages: a file's path. The default is "sample 17".
  virtual std::string name(std::int64_t index) const;

  // Whether get(i) may differ from one call to the next, as with a random transform.
  virtual bool is_random() const { return false; }

  // What the samples are, for caches that outlive the program: two datasets of equal identity have equal samples.
  // Empty, the default: not known.
  virtual std::string identity() const { return {}; }

 protected:
  Dataset() = default;
  Dataset(const Dataset&) = default;
  Dataset& operator=(const Dataset&) = default;

  // IndexError unless 0 <= index < size().
  void check_index(const char* call, std::int64_t index) const;
};

// Any dataset, as loaders and subsets take it: an object, copied or moved in, or a shared pointer to one.
class AnyDataset {
 public:
  template <std::derived_from<Dataset> D>
  AnyDataset(D dataset) : dataset_(std::make_shared<const D>(std::move(dataset))) {}
  // ValueError for a null pointer.
  template <std::derived_from<Dataset> D>
  AnyDataset(std::shared_ptr<D> dataset) : dataset_(std::move(dataset)) {
    check();
  }

  const Dataset* operator->() const { return dataset_.get(); }
  const Dataset& operator*() const { return *dataset_; }

 private:
  void check() const;
  std::shared_ptr<const Dataset> dataset_;
};

// A dataset from a function, which must be safe to call from several threads. `random`: the function draws from
// sample_generator(). An identity, if given, must change when the samples do. ValueError for a negative size.
class FunctionDataset final : public Dataset {
 public:
  struct Options {
    std::function<std::string(std::int64_t)> name = {};
    bool random = true;
    std::string identity = {};
  };
  FunctionDataset(std::int64_t size, std::function<Sample(std::int64_t)> function);
  FunctionDataset(std::int64_t size, std::function<Sample(std::int64_t)> function, Options options);
  std::int64_t size() const override { return size_; }
  Sample get(std::int64_t index) const override;
  std::string name(std::int64_t index) const override;
  bool is_random() const override { return options_.random; }
  std::string identity() const override { return options_.identity; }

 private:
  std::int64_t size_;
  std::function<Sample(std::int64_t)> function_;
  Options options_;
};

// Samples that lie in memory: the rows of tensors. As torch.utils.data.TensorDataset, of one or two tensors.
class TensorDataset final : public Dataset {
 public:
  // ShapeError unless both have the same size in their first dimension.
  TensorDataset(Tensor data, Tensor target = {});
  std::int64_t size() const override { return data_.size(0); }
  Sample get(std::int64_t index) const override;
  Batch get_batch(std::span<const std::int64_t> indices) const override;
  std::string identity() const override;  // of all their bytes

 private:
  Tensor data_, target_;
};

// Numbers of samples: `{0, 4, 7}`, a vector, or a tensor of integers with one dimension, as `randperm(100)`.
class SampleIndices : public std::vector<std::int64_t> {
 public:
  using vector::vector;
  SampleIndices(std::vector<std::int64_t> indices) : vector(std::move(indices)) {}
  // DtypeError, ShapeError. The places where a bool mask is true are `nonzero(mask).select(1, 0)`.
  SampleIndices(const Tensor& indices);
};

// Some samples of another dataset, in the order of `indices`; one may come twice. IndexError for indices outside.
class Subset final : public Dataset {
 public:
  Subset(AnyDataset dataset, SampleIndices indices);
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_->size()); }
  Sample get(std::int64_t index) const override;
  Batch get_batch(std::span<const std::int64_t> indices) const override;
  std::string name(std::int64_t index) const override;
  bool is_random() const override { return dataset_->is_random(); }
  std::string identity() const override;
  const std::vector<std::int64_t>& indices() const { return *indices_; }

 private:
  AnyDataset dataset_;
  std::shared_ptr<const std::vector<std::int64_t>> indices_;
};

// Parts that have no sample in common, at random. Lengths are counts that add up to the size, or fractions that add up
// to 1: then each part is rounded down and what is left goes to the first parts, one each, as in PyTorch. ValueError.
std::vector<Subset> random_split(const AnyDataset& dataset, const std::vector<std::int64_t>& lengths,
                                 Generator* generator = nullptr);
std::vector<Subset> random_split(const AnyDataset& dataset, const std::vector<double>& fractions,
                                 Generator* generator = nullptr);
template <class T>
requires std::is_arithmetic_v<T> std::vector<Subset> random_split(const AnyDataset& dataset,
                                                                  std::initializer_list<T> parts,
                                                                  Generator* generator = nullptr) {
  using Part = std::conditional_t<std::is_integral_v<T>, std::int64_t, double>;
  return random_split(dataset, std::vector<Part>(parts.begin(), parts.end()), generator);
}

// One dataset after the other. ValueError for an empty list.
class ConcatDataset final : public Dataset {
 public:
  explicit ConcatDataset(std::vector<AnyDataset> datasets);
  std::int64_t size() const override { return ends_.back(); }
  Sample get(std::int64_t index) const override;
  std::string name(std::int64_t index) const override;
  bool is_random() const override;
  std::string identity() const override;

 private:
  std::pair<const Dataset*, std::int64_t> find(std::int64_t index) const;
  std::vector<AnyDataset> datasets_;
  std::vector<std::int64_t> ends_;
};

}  // namespace gradus::data

template <>
struct std::tuple_size<gradus::data::Batch> : std::integral_constant<std::size_t, 2> {};
template <std::size_t I>
struct std::tuple_element<I, gradus::data::Batch> {
  using type = gradus::Tensor;
};

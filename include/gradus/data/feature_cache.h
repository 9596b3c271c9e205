// data::FeatureCache: what a frozen backbone makes of a dataset, computed once and kept on disk. The rest of the
// network then trains from it as from any dataset:
//
//   net.backbone.eval();
//   nn::freeze(net.backbone);
//   data::FeatureCache features(images, net.backbone, {.folder = "cache"});
//   for (auto& [x, y] : data::DataLoader(features, {.batch_size = 64, .shuffle = true})) train(net.head(x), y);
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <gradus/data/dataset.h>
#include <gradus/nn/module.h>

namespace gradus::data {

struct FeatureCacheOptions {
  std::string folder = {};                            // for the files; made if it is not there
  std::int64_t batch_size = 64;                       // while features are computed
  int num_workers = 0;                                // of the loader that reads the samples
  std::uint64_t max_bytes = std::uint64_t{16} << 30;  // of all features in the folder: the oldest go to make room
  std::string data_identity = {};                     // instead of dataset.identity(), for datasets that have none
  // What computes the features; unset: backbone(x). With one, `variant` must say which, as it is part of the key.
  std::function<Tensor(const Tensor&)> forward = {};
  std::string variant = {};
  std::function<void(std::int64_t done, std::int64_t size)> on_progress = {};  // after each batch
};

// Sample i is {features of sample i, target of sample i}. Files are NumPy arrays, mapped into memory: features-KEY.npy
// and targets-KEY.npy. The key depends on every parameter and buffer of the backbone, on what the backbone prints, on
// the dataset's identity, and on `variant`; so a change of any of them makes a new file. A file appears whole or not
// at all, and one that is damaged is made again.
//
// Training from the features equals training from the samples: the numbers are those of backbone(x) for batches of
// batch_size; other batches may differ in the last bits, as everywhere.
class FeatureCache final : public Dataset {
 public:
  // ValueError, before anything is computed, for a dataset with random transforms (each epoch would see the same
  // picture), one whose identity is not known, a backbone that trains (a parameter that requires a gradient, a module
  // that is not in evaluation), and features that need more than max_bytes. IoError for files and samples.
  FeatureCache(AnyDataset dataset, nn::Module& backbone, FeatureCacheOptions options);

  std::int64_t size() const override { return features_.size(0); }
  Sample get(std::int64_t index) const override;
  Batch get_batch(std::span<const std::int64_t> indices) const override;
  std::string name(std::int64_t index) const override { return dataset_->name(index); }
  std::string identity() const override { return "features " + key_; }

  const Tensor& features() const { return features_; }  // [size, ...], in the mapped file
  const Tensor& targets() const { return targets_; }    // [size, ...]; undefined where the samples have none
  const std::string& key() const { return key_; }
  bool was_there() const { return was_there_; }  // nothing had to be computed

 private:
  AnyDataset dataset_;
  std::string key_;
  Tensor features_, targets_;
  bool was_there_ = false;
};

}  // namespace gradus::data

#include "gradus/data/feature_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include "data/datasets/rows.h"
#include "data/loader/hash.h"
#include "gradus/autograd.h"
#include "gradus/core/error.h"
#include "gradus/data/data_loader.h"
#include "gradus/io/numpy.h"
#include "gradus/nn/freeze.h"
#include "io/checkpoint/numpy.h"
#include "io/file/atomic_file.h"

namespace gradus::data {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(const std::string& why) { throw ValueError("FeatureCache: " + why); }

void check_stands_still(nn::Module& backbone) {
  for (const auto& [name, parameter] : backbone.named_parameters()) {
    if (parameter.requires_grad()) {
      refuse(
          fmt::format("need a frozen backbone, but its {} requires a gradient; nn::freeze(backbone) freezes it", name));
    }
  }
  for (const auto& [name, module] : backbone.named_modules()) {
    if (module->is_training()) {
      refuse(fmt::format("need a backbone in evaluation, but its {} trains; call backbone.eval()",
                         name.empty() ? module->type_name() : name));
    }
  }
}

std::string key_of(const nn::Module& backbone, const std::string& data, const std::string& variant) {
  constexpr int kFormat = 1;
  Hash hash;
  hash.add(kFormat).add(backbone.to_string()).add(data).add(variant);
  for (const auto& [name, tensor] : backbone.named_parameters()) hash.add(name).add(tensor);
  for (const auto& [name, tensor] : backbone.named_buffers()) hash.add(name).add(tensor);
  return hash.hex();
}

struct Files {
  std::string features, targets;
};

// The array, if there is one of so many rows. What cannot be read is as good as not there.
std::optional<Tensor> load(const std::string& path, std::int64_t rows) {
  try {
    Tensor x = io::load_npy(path);
    if (x.dim() > 0 && x.size(0) == rows) return x;
  } catch (const IoError&) {
  }
  return {};
}

// Says that the files are in use; what has not been for longest goes first.
void touch(const Files& files) {
  std::error_code ignored;
  for (const std::string& path : {files.features, files.targets})
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
}

// Removes the oldest features of others until `needed` bytes more stay within the limit.
void make_room(const std::string& folder, std::uint64_t needed, std::uint64_t limit, const std::string& key) {
  struct Entry {
    fs::path path;
    std::uint64_t bytes;
    fs::file_time_type time;
  };
  std::vector<Entry> entries;
  std::uint64_t total = needed;
  for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
    const std::string name = file.path().filename().string();
    const bool ours = (name.starts_with("features-") || name.starts_with("targets-")) && name.ends_with(".npy");
    std::error_code gone;  // another process may clear up too
    const std::uint64_t bytes = file.file_size(gone);
    const auto time = file.last_write_time(gone);
    if (!ours || gone || name.find(key) != std::string::npos) continue;
    entries.push_back({file.path(), bytes, time});
    total += bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.time < b.time; });
  for (const Entry& entry : entries) {
    if (total <= limit) return;
    std::error_code gone;
    fs::remove(entry.path, gone);
    total -= entry.bytes;
  }
}

std::string_view bytes_of(const Tensor& dense) {
  return {static_cast<const char*>(dense.const_data_ptr()),
          static_cast<std::size_t>(dense.numel() * dense.element_size())};
}

// A .npy file that is written row by row.
class Rows {
 public:
  Rows(const std::string& path, std::int64_t count) : path_(path), count_(count) {}

  std::uint64_t bytes_needed(const Tensor& batch) const {
    const std::int64_t row = batch.numel() / std::max<std::int64_t>(batch.size(0), 1) * batch.element_size();
    return static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(count_);
  }

  void add(const Tensor& batch) {
    if (!file_) {
      sizes_ = batch.sizes();
      dtype_ = batch.dtype();
      Shape all = sizes_;
      all[0] = count_;
      file_.emplace(path_);
      file_->write(io::npy_header(dtype_, all));
    }
    const bool alike = batch.dtype() == dtype_ && batch.dim() == sizes_.rank() &&
                       std::equal(sizes_.begin() + 1, sizes_.end(), batch.sizes().begin() + 1);
    if (!alike) {
      throw ShapeError(fmt::format("FeatureCache: need equal rows in all batches, got {} after {}",
                                   to_string(batch.sizes()), to_string(sizes_)));
    }
    file_->write(bytes_of(batch.detach().contiguous()));
    written_ += batch.size(0);
  }

  void commit() {
    if (written_ != count_) {
      throw ShapeError(fmt::format("FeatureCache: need a row for each of {} samples, got {}", count_, written_));
    }
    file_->commit();
  }

 private:
  std::string path_;
  std::int64_t count_, written_ = 0;
  Shape sizes_;
  Dtype dtype_ = kFloat32;
  std::optional<io::AtomicFile> file_;
};

void compute(const AnyDataset& dataset, nn::Module& backbone, const FeatureCacheOptions& options, const Files& files,
             const std::string& key) {
  const NoGrad guard;
  DataLoader loader(dataset, {.batch_size = options.batch_size, .num_workers = options.num_workers, .seed = 0});
  Rows features(files.features, dataset->size()), targets(files.targets, dataset->size());
  std::int64_t done = 0;
  bool with_targets = false;
  for (const Batch& batch : loader) {
    Tensor y = options.forward ? options.forward(batch.data) : backbone(batch.data);
    if (y.dim() < 1 || y.size(0) != batch.size()) {
      throw ShapeError(fmt::format("FeatureCache: need one row of features for each of {} samples, got {}",
                                   batch.size(), to_string(y.sizes())));
    }
    if (y.dtype() == kBFloat16) y = y.to(kFloat32);  // NumPy has no such type; float32 holds every value
    if (done == 0) {
      with_targets = batch.target.defined();
      const std::uint64_t needed =
          features.bytes_needed(y) + (with_targets ? targets.bytes_needed(batch.target) : 0) + 2 * 4096;
      if (needed > options.max_bytes) {
        refuse(fmt::format("the features of {} samples need {} bytes, more than max_bytes = {}", dataset->size(),
                           needed, options.max_bytes));
      }
      make_room(options.folder, needed, options.max_bytes, key);
    }
    features.add(y);
    if (with_targets) targets.add(batch.target);
    done += batch.size();
    if (options.on_progress) options.on_progress(done, dataset->size());
  }
  // Features come last: where they are, the targets are too.
  if (with_targets) targets.commit();
  features.commit();
}

}  // namespace

FeatureCache::FeatureCache(AnyDataset dataset, nn::Module& backbone, FeatureCacheOptions options)
    : dataset_(std::move(dataset)) {
  const std::string identity = options.data_identity.empty() ? dataset_->identity() : options.data_identity;
  if (dataset_->is_random()) {
    refuse("need the same picture in every epoch, but the dataset has a random transform");
  }
  if (identity.empty()) refuse("need a dataset whose identity is known; say what it is with data_identity");
  if (dataset_->size() < 1) refuse("need at least one sample, got none");
  if (options.folder.empty()) refuse("need a folder for the features");
  if (options.forward && options.variant.empty()) refuse("a forward of your own needs a variant that names it");
  check_stands_still(backbone);

  key_ = key_of(backbone, identity, options.variant);
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error) throw IoError(fmt::format("FeatureCache: cannot make {}: {}", options.folder, error.message()));
  const Files files{options.folder + "/features-" + key_ + ".npy", options.folder + "/targets-" + key_ + ".npy"};
  const auto find = [&] {
    const bool with_targets = dataset_->get(0).target.defined();
    auto features = load(files.features, dataset_->size());
    auto targets = with_targets ? load(files.targets, dataset_->size()) : Tensor();
    if (!features || !targets) return false;
    features_ = std::move(*features);
    targets_ = std::move(*targets);
    return true;
  };
  was_there_ = find();
  if (!was_there_) {
    compute(dataset_, backbone, options, files, key_);
    if (!find()) throw IoError(fmt::format("FeatureCache: cannot read {}, just written", files.features));
  }
  touch(files);
}

Sample FeatureCache::get(std::int64_t index) const {
  check_index("FeatureCache", index);
  return {features_.select(0, index), targets_.defined() ? targets_.select(0, index) : Tensor()};
}

Batch FeatureCache::get_batch(std::span<const std::int64_t> indices) const {
  return rows_of(features_, targets_, indices);
}

}  // namespace gradus::data

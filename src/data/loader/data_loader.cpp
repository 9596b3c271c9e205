#include "gradus/data/data_loader.h"
#include "core/epochs.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/loader/loader_run.h"
#include "gradus/core/error.h"
#include "io/value/utf8.h"

namespace gradus::data {

namespace {

std::int64_t checked_int(const io::Value& state, const char* key) {
  try {
    return state.as_int({key});
  } catch (const ValueError& error) {
    throw ValueError(fmt::format("DataLoader::load_state_dict: not the state of a loader: {}", error.what()));
  }
}

io::Value skipped_value(const std::vector<SkippedSample>& skipped) {
  io::Value errors = io::Value::dict();
  for (const SkippedSample& sample : skipped) errors.set(sample.index, io::escaped_utf8(sample.error));
  return errors;
}

std::vector<SkippedSample> skipped_of(const io::Value& errors, const Dataset& dataset) {
  std::vector<SkippedSample> skipped;
  for (const auto& [index, error] : errors.entries()) {
    const std::int64_t i = index.as_int();
    if (i < 0 || i >= dataset.size())
      throw ValueError(fmt::format("DataLoader::load_state_dict: there is no sample {} to leave out", i));
    skipped.push_back({i, dataset.name(i), error.as_string()});
  }
  return skipped;
}

}  // namespace

DataLoader::DataLoader(AnyDataset dataset, DataLoaderOptions options) {
  if (options.batch_size < 1) {
    throw ValueError(fmt::format("DataLoader: need a batch_size of at least 1, got {}", options.batch_size));
  }
  if (options.num_workers < 0 || options.num_workers > kMaxWorkers) {
    throw ValueError(
        fmt::format("DataLoader: need num_workers from 0 to {}, got {}", kMaxWorkers, options.num_workers));
  }
  if (options.prefetch_factor < 1) {
    throw ValueError(fmt::format("DataLoader: need a prefetch_factor of at least 1, got {}", options.prefetch_factor));
  }
  if (options.shuffle && options.sampler) {
    throw ValueError("DataLoader: the order comes from shuffle or from a sampler, got both");
  }
  const BatchShare& share = options.share;
  if (share.num_replicas < 1 || share.rank < 0 || share.rank >= share.num_replicas) {
    throw ValueError(fmt::format("DataLoader: need a rank from 0 to num_replicas - 1, got {} of {}", share.rank,
                                 share.num_replicas));
  }
  if (share.chunks != 0 && share.chunks < share.num_replicas) {
    throw ValueError(
        fmt::format("DataLoader: {} replicas need at least as many chunks, got {}", share.num_replicas, share.chunks));
  }
  const std::int64_t size = dataset->size();
  if (options.shuffle) options.sampler = RandomSampler(size);
  if (!options.sampler) options.sampler = SequentialSampler(size);
  std::uint64_t seed = 0;
  if (options.seed) {
    seed = *options.seed;
  } else {
    seed = mix_seed(default_generator().seed(), default_generator().advance(1));
  }
  core_ = std::make_shared<Core>(std::move(dataset), std::move(options), seed);
}

DataLoader::Iterator DataLoader::begin() {
  Core& core = *core_;
  if (!std::exchange(core.resumes, false) && core.position > 0) {
    ++core.epoch;
    core.position = 0;
  }
  ++core::epochs.begun;
  core::epochs.batches = size();
  return Iterator(std::make_unique<Run>(core_));
}

std::int64_t DataLoader::size() const {
  return batches_of(core_->options.sampler->size(), core_->options.batch_size, core_->options.drop_last);
}

const Dataset& DataLoader::dataset() const { return *core_->dataset; }
std::uint64_t DataLoader::seed() const { return core_->seed; }
std::int64_t DataLoader::epoch() const { return core_->epoch; }
std::int64_t DataLoader::position() const { return core_->position; }
const std::vector<SkippedSample>& DataLoader::skipped() const { return core_->skipped; }

void DataLoader::set_epoch(std::int64_t epoch) {
  if (epoch < 0) throw ValueError(fmt::format("DataLoader::set_epoch: need 0 or more, got {}", epoch));
  core_->go_to(epoch, 0);
}

io::Value DataLoader::state_dict() const {
  return io::Value::dict({{"seed", static_cast<std::int64_t>(core_->seed)},
                          {"epoch", core_->epoch},
                          {"position", core_->position},
                          {"num_samples", core_->options.sampler->size()},
                          {"dataset_size", core_->dataset->size()},
                          {"skipped", skipped_value(core_->skipped)}});
}

void DataLoader::load_state_dict(const io::Value& state) {
  const auto seed = static_cast<std::uint64_t>(checked_int(state, "seed"));
  const std::int64_t epoch = checked_int(state, "epoch"), position = checked_int(state, "position");
  const std::int64_t num_samples = checked_int(state, "num_samples"), size = checked_int(state, "dataset_size");
  if (num_samples != core_->options.sampler->size() || size != core_->dataset->size()) {
    throw ValueError(fmt::format(
        "DataLoader::load_state_dict: the state is of {} samples from a dataset of {}, this loader has {} from {}",
        num_samples, size, core_->options.sampler->size(), core_->dataset->size()));
  }
  if (epoch < 0 || position < 0 || position > num_samples) {
    throw ValueError(fmt::format(
        "DataLoader::load_state_dict: need an epoch of 0 or more and a position from 0 to {}, got {} and {}",
        num_samples, epoch, position));
  }
  std::vector<SkippedSample> skipped;
  if (state.contains({"skipped"})) skipped = skipped_of(state.at({"skipped"}), *core_->dataset);
  core_->known_skipped.clear();
  for (const SkippedSample& sample : skipped) core_->known_skipped.insert(sample.index);
  core_->skipped = std::move(skipped);
  core_->seed = seed;
  core_->go_to(epoch, position);
}

DataLoader::Iterator::Iterator(std::unique_ptr<Run> run) : run_(std::move(run)), batch_(run_->next()) {}
DataLoader::Iterator::Iterator(Iterator&&) noexcept = default;
DataLoader::Iterator& DataLoader::Iterator::operator=(Iterator&&) noexcept = default;
DataLoader::Iterator::~Iterator() = default;

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  batch_.reset();  // its memory is free for the next one, also when that one throws
  batch_ = run_->next();
  return *this;
}

}  // namespace gradus::data

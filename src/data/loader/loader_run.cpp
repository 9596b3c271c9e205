#include "data/loader/loader_run.h"

#include <fmt/format.h>

#include <new>
#include <system_error>

#include "core/threads/parallel.h"
#include "data/loader/rethrow.h"
#include "gradus/autograd.h"
#include "gradus/core/error.h"
#include "gradus/core/memory.h"
#include "gradus/ops/pinning.h"

namespace gradus::data {

DataLoader::Run::Run(std::shared_ptr<Core> core)
    : core_(std::move(core)), seed_(core_->seed), epoch_(core_->epoch), first_(core_->position) {
  const DataLoaderOptions& options = core_->options;
  order_ = options.sampler->indices(seed_, epoch_);
  const std::int64_t size = core_->dataset->size();
  if (std::ssize(order_) != options.sampler->size()) {
    throw IndexError(
        fmt::format("DataLoader: the sampler promised {} indices and gave {}", options.sampler->size(), order_.size()));
  }
  for (const std::int64_t index : order_) {
    if (index < 0 || index >= size) {
      throw IndexError(fmt::format("DataLoader: need indices from 0 to {}, the sampler gave {}", size - 1, index));
    }
  }
  count_ = batches_of(std::ssize(order_) - first_, options.batch_size, options.drop_last);
  if (options.share.whole) {
    stride_ = options.share.num_replicas;
    const std::int64_t before = first_ / options.batch_size;  // batches of this epoch
    skipped_ = (options.share.rank + stride_ - before % stride_) % stride_;
    count_ = count_ > skipped_ ? (count_ - skipped_ - 1) / stride_ + 1 : 0;
  }
  const std::int64_t workers = std::min<std::int64_t>(options.num_workers, count_);
  if (workers > 0) {
    slots_.resize(static_cast<std::size_t>(std::min<std::int64_t>(count_, workers * options.prefetch_factor)));
    try {
      for (std::int64_t i = 0; i < workers; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      stop();
      throw Error(fmt::format("DataLoader: cannot start worker thread {} of {}: {}", workers_.size() + 1, workers,
                              error.what()));
    }
  }
  core_->current = this;
}

DataLoader::Run::~Run() {
  stop();
  if (core_->current == this) core_->current = nullptr;
}

void DataLoader::Run::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  room_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

std::int64_t DataLoader::Run::begin_of(std::int64_t number) const {
  return first_ + (skipped_ + number * stride_) * core_->options.batch_size;
}

std::int64_t DataLoader::Run::end_of(std::int64_t number) const {
  return std::min(std::ssize(order_), begin_of(number) + core_->options.batch_size);
}

std::unique_ptr<Batch> DataLoader::Run::next() {
  while (next_to_give_ < count_) {
    const std::int64_t number = next_to_give_;
    Made made = workers_.empty() ? make(number) : take();
    for (SkippedSample& sample : made.skipped) {
      if (core_->options.on_skip) core_->options.on_skip(sample);
      if (core_->known_skipped.insert(sample.index).second) core_->skipped.push_back(std::move(sample));
    }
    if (made.error) std::rethrow_exception(made.error);
    if (workers_.empty()) ++next_to_give_;
    if (core_->current == this) core_->position = end_of(number);
    // An empty share belongs to a batch of which others have more.
    const BatchShare& share = core_->options.share;
    if (made.batch.size() > 0 || (share.num_replicas > 1 && !share.whole))
      return std::make_unique<Batch>(std::move(made.batch));
  }
  if (core_->current == this) {
    core_->epoch = epoch_ + 1;
    core_->position = 0;
    core_->current = nullptr;
  }
  return nullptr;
}

// Waits for the next batch, and makes room for another.
DataLoader::Run::Made DataLoader::Run::take() {
  Made made;
  {
    std::unique_lock lock(mutex_);
    Made& slot = slots_[static_cast<std::size_t>(next_to_give_) % slots_.size()];
    ready_.wait(lock, [&] { return slot.ready; });
    made = std::exchange(slot, Made{});
    ++next_to_give_;
  }
  room_.notify_one();
  return made;
}

void DataLoader::Run::work() {
  const core::SerialScope serial;
  while (true) {
    std::int64_t number = 0;
    {
      std::unique_lock lock(mutex_);
      room_.wait(
          lock, [&] { return stop_ || next_to_make_ == count_ || next_to_make_ < next_to_give_ + std::ssize(slots_); });
      if (stop_ || next_to_make_ == count_) break;
      number = next_to_make_++;
    }
    Made made = make(number);
    made.ready = true;
    {
      const std::lock_guard lock(mutex_);
      slots_[static_cast<std::size_t>(number) % slots_.size()] = std::move(made);
    }
    ready_.notify_one();
  }
  // Others may wait for room that will not come.
  room_.notify_all();
}

DataLoader::Run::Made DataLoader::Run::make(std::int64_t number) const {
  Made made;
  const NoGrad guard;
  const std::int64_t begin = begin_of(number), size = end_of(number) - begin;
  const BatchShare& share = core_->options.share;
  const bool cut = !share.whole && (share.num_replicas > 1 || share.chunks > 0);
  // The bounds of this process's chunks.
  std::vector<std::int64_t> bounds{begin, begin + size};
  if (cut) {
    const std::int64_t all = share.chunks > 0 ? share.chunks : share.num_replicas;
    const std::int64_t last = all * (share.rank + 1) / share.num_replicas;
    bounds.clear();
    for (std::int64_t chunk = all * share.rank / share.num_replicas; chunk <= last; ++chunk)
      bounds.push_back(begin + size * chunk / all);
  }
  try {
    fill(std::span(order_).subspan(static_cast<std::size_t>(bounds.front()),
                                   static_cast<std::size_t>(bounds.back() - bounds.front())),
         bounds.front(), made);
    if (cut) made.batch.chunks = chunks_of(made, bounds);
    if (core_->options.pin_memory && is_available(core_->options.pin_memory_device)) {
      for (Tensor* x : {&made.batch.data, &made.batch.target})
        if (x->defined()) *x = pin_memory(*x, core_->options.pin_memory_device);
    }
  } catch (...) {
    made.error = std::current_exception();
  }
  return made;
}

// How many samples are left of each.
std::vector<std::int64_t> DataLoader::Run::chunks_of(const Made& made, std::span<const std::int64_t> bounds) {
  std::vector<std::int64_t> counts;
  for (std::size_t chunk = 0; chunk + 1 < bounds.size(); ++chunk) {
    counts.push_back(bounds[chunk + 1] - bounds[chunk]);
    for (const std::int64_t position : made.left_out)
      counts.back() -= position >= bounds[chunk] && position < bounds[chunk + 1] ? 1 : 0;
  }
  return counts;
}

void DataLoader::Run::fill(std::span<const std::int64_t> indices, std::int64_t first, Made& made) const {
  const DataLoaderOptions& options = core_->options;
  const Dataset& dataset = *core_->dataset;
  if (indices.empty()) return;
  if (!options.collate && !dataset.is_random()) {
    try {
      made.batch = dataset.get_batch(indices);
    } catch (const std::exception&) {  // one by one it shows which sample it is
      made.batch = {};
    }
    if (made.batch.data.defined()) {
      made.batch.indices.assign(indices.begin(), indices.end());
      return;
    }
  }
  std::vector<Sample> samples;
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < indices.size() && !stop_; ++i) {
    const std::int64_t position = first + static_cast<std::int64_t>(i);
    const SampleScope scope(seed_, epoch_, indices[i], options.sampler->repeats() ? position + 1 : 0);
    try {
      samples.push_back(dataset.get(indices[i]));
      kept.push_back(indices[i]);
    } catch (const std::exception& error) {
      const bool damaged = dynamic_cast<const IoError*>(&error) || dynamic_cast<const OutOfMemory*>(&error) ||
                           dynamic_cast<const std::bad_alloc*>(&error);
      if (options.skip_damaged && damaged) {
        made.skipped.push_back({indices[i], dataset.name(indices[i]), error.what()});
        made.left_out.push_back(position);
        continue;
      }
      std::rethrow_exception(with_context(fmt::format("DataLoader: {}: ", described(dataset, indices[i]))));
    }
  }
  if (samples.empty() || stop_) return;
  constexpr std::uint64_t kBatch = 0x6261746368;  // apart from the samples' numbers
  const SampleScope scope(mix_seed(seed_, kBatch), epoch_, first);
  try {
    made.batch = options.collate ? options.collate(std::move(samples)) : default_collate(std::move(samples));
  } catch (...) {
    std::rethrow_exception(
        with_context(fmt::format("DataLoader: {} samples from {} on: ", kept.size(), described(dataset, kept[0]))));
  }
  made.batch.indices = std::move(kept);
}

std::string DataLoader::Run::described(const Dataset& dataset, std::int64_t index) {
  const std::string name = dataset.name(index), number = fmt::format("sample {}", index);
  return name.empty() || name == number ? number : fmt::format("{} ({})", number, name);
}

}  // namespace gradus::data

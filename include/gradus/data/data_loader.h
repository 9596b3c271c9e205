// data::DataLoader: batches of a dataset, prepared ahead by worker threads.
//
//   data::DataLoader loader(dataset, {.batch_size = 64, .shuffle = true, .num_workers = 2, .seed = 1});
//   for (int epoch = 0; epoch < 10; ++epoch)
//     for (auto& [x, y] : loader) train(x, y);
//
// Names and defaults are those of torch.utils.data.DataLoader. Batches, order and random transforms depend on the seed
// and the epoch, and not on the number of workers. Workers are threads: they share the dataset, and the operations they
// call stay on one thread each, so that they leave the other cores to training.
#pragma once

#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gradus/data/batch_share.h>
#include <gradus/data/dataset.h>
#include <gradus/data/random.h>
#include <gradus/data/sampler.h>
#include <gradus/io/value.h>

namespace gradus::data {

// Makes a batch of at least one sample; `indices` is filled in by the loader.
using Collate = std::function<Batch(std::vector<Sample> samples)>;

// Stacks data and targets. ShapeError and DtypeError naming the first sample that differs from sample 0.
Batch default_collate(std::vector<Sample> samples);

// A sample that was left out, and why.
struct SkippedSample {
  std::int64_t index;
  std::string name;
  std::string error;
};

struct DataLoaderOptions {
  std::int64_t batch_size = 1;
  bool shuffle = false;
  AnySampler sampler = {};                 // instead of shuffle
  int num_workers = 0;                     // threads; 0: samples are made when they are asked for
  Collate collate = {};                    // default_collate; may draw from sample_generator(), and runs in the workers
  bool drop_last = false;                  // leave out the last batch if it is smaller
  int prefetch_factor = 2;                 // batches that each worker prepares ahead
  std::optional<std::uint64_t> seed = {};  // unset: drawn from default_generator()
  // Leave out samples whose get() throws IoError (files that are damaged or cannot be read), or for which there is no
  // memory. Their batch is smaller by them, and is left out when it has none left. The loader lists them (skipped())
  // and calls on_skip each time, in order and in the thread that iterates.
  bool skip_damaged = false;
  std::function<void(const SkippedSample&)> on_skip = {};
  // Put batches into pinned memory, from which x.to(device, {.non_blocking = true}) need not be waited for. Where
  // there is no such device this does nothing, as in PyTorch. Workers do it ahead.
  bool pin_memory = false;
  Device pin_memory_device = kCUDA;
  // Of several processes each makes its share of every batch; batch_size counts the samples of all of them, and so do
  // size() and position(): any number of processes can go on from a state. A share may have no samples, where a batch
  // has fewer than there are chunks: its data is undefined then.
  BatchShare share = {};
};

class DataLoader {
 public:
  class Iterator;

  // ValueError for a batch size or prefetch factor below 1, a negative number of workers, shuffle with a sampler, and a
  // share that does not exist.
  explicit DataLoader(AnyDataset dataset, DataLoaderOptions options = {});
  DataLoader(DataLoader&&) noexcept = default;
  DataLoader& operator=(DataLoader&&) noexcept = default;

  // Starts an epoch: the one that load_state_dict left off in, where it left off; else epoch(). An epoch that was not
  // run to its end counts as run.
  //
  // An exception of the dataset or of collate comes out of the call that would have given that batch, here or in the
  // iterator's ++, as the same kind of gradus::Error, with the sample's index and name put before its message; other
  // exceptions come as an Error with the original nested. It ends the iteration.
  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

  std::int64_t size() const;  // batches in an epoch, of which this process has a share
  const Dataset& dataset() const;
  std::uint64_t seed() const;

  // The epoch that runs, or is next. set_epoch makes the next begin() start that one, from its beginning.
  std::int64_t epoch() const;
  void set_epoch(std::int64_t epoch);

  // Samples of this epoch that were given out so far; the batch in the loop's hands counts.
  std::int64_t position() const;

  // Where it is: {"seed", "epoch", "position", "num_samples", "dataset_size", "skipped"}. Taken in a loop's body it
  // means that the batch in hand is done; a loader that loads it goes on with the next one, and returns the same
  // batches as if it had never stopped, whatever the number of workers. Batches that workers had prepared are made
  // again.
  io::Value state_dict() const;
  // ValueError, and nothing changes, for what is not such a state, or is one of a dataset or sampler of another size.
  void load_state_dict(const io::Value& state);

  // The samples that skip_damaged left out, each once, of all epochs that this loader or one whose state it loaded ran.
  const std::vector<SkippedSample>& skipped() const;

 private:
  struct Core;
  class Run;
  std::shared_ptr<Core> core_;
};

// Reads ahead while it lives; destroying it stops the workers. For one thread.
class DataLoader::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::input_iterator_tag;
  using value_type = Batch;
  using difference_type = std::ptrdiff_t;
  using pointer = Batch*;
  using reference = Batch&;

  Iterator(Iterator&&) noexcept;
  Iterator& operator=(Iterator&&) noexcept;
  ~Iterator();

  Batch& operator*() const { return *batch_; }
  Batch* operator->() const { return batch_.get(); }
  Iterator& operator++();
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& a, std::default_sentinel_t) { return a.batch_ == nullptr; }

 private:
  friend class DataLoader;
  explicit Iterator(std::unique_ptr<Run> run);
  std::unique_ptr<Run> run_;
  std::unique_ptr<Batch> batch_;  // null at the end
};

}  // namespace gradus::data

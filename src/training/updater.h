// Updates by the loss of a batch, in however many processes: what the commands train with.
//
// A process that is alone computes the whole batch at once. Several, and one that is asked for chunks, compute it chunk
// by chunk: the loss is called for each one of this process, and all processes get the loss of the batch and its
// gradient.
#pragma once

#include <gradus/data/batch_share.h>
#include <gradus/optim/optimizer.h>

#include <memory>
#include <optional>

#include "distributed/sums/chunks.h"

namespace gradus::distributed {
class Reducer;
}

namespace gradus::training {

// Of how many chunks a run makes its batches; 0: it does not.
std::int64_t chunks_of_run(std::int64_t asked);
// For the loaders of such a run.
data::BatchShare train_share(std::int64_t asked_chunks);
data::BatchShare test_share();

class Updater {
 public:
  // `networks` has all that training changes. ValueError for fewer chunks than processes.
  Updater(nn::Module& networks, std::int64_t asked_chunks);

  bool cuts() const { return reducer_ != nullptr; }
  distributed::ChunkedBatch chunks(std::int64_t batch_size) const;
  distributed::ChunkedBatch chunks(const data::Batch& batch) const;

  // The mean over a chunk's samples.
  using Loss = std::function<Tensor(const nn::Chunk&)>;
  // Whether an update by that loss is made; all processes must decide alike.
  using Accept = std::function<bool(double loss)>;
  struct Result {
    double loss;
    bool accepted, stepped;
  };
  // zero_grad, backward for the optimizer's parameters, step. Unset where no process has a sample.
  std::optional<Result> minimize(optim::Optimizer& optimizer, const distributed::ChunkedBatch& batch, const Loss& loss,
                                 const Accept& accept);
  // Adds the gradient of loss / parts; `call` is named in errors.
  std::optional<Result> backward(const std::string& call, optim::Optimizer& optimizer,
                                 const distributed::ChunkedBatch& batch, const Loss& loss, const Accept& accept,
                                 double parts);

  // DistributedError where the processes have different parameters or buffers.
  void check_same();

 private:
  std::shared_ptr<distributed::Reducer> reducer_;
};

}  // namespace gradus::training

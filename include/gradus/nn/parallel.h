// nn::DistributedDataParallel: one network trained by several processes, each with a share of every batch, as
// torch.nn.parallel.DistributedDataParallel.
//
//   distributed::init();
//   Net net;
//   nn::DistributedDataParallel ddp(net);     // rank 0's parameters and buffers go to all
//   optim::Adam optimizer(ddp.parameters());
//   data::DataLoader loader(dataset, {.batch_size = 256, .shuffle = true, .seed = 1, .share = ddp.batch_share()});
//   for (auto& [x, y] : loader)               // of this rank's samples
//     optimizer.minimize(cross_entropy(ddp(x), y));
//
// The gradients of all ranks are averaged in buckets while backward runs. Gradients that a pass does not compute are
// not sent: those of frozen parameters, of other optimizers under minimize, and of parameters that the loss uses on no
// rank. Gradients are complete when backward returns, so clipping and accumulation work as they do for one process.
#pragma once

#include <functional>
#include <memory>

#include <gradus/data/batch_share.h>
#include <gradus/data/dataset.h>
#include <gradus/nn/module.h>

namespace gradus::distributed {
class Reducer;
}

namespace gradus::nn {

struct DistributedDataParallelOptions {
  double bucket_cap_mb = 25;  // mebibytes that are sent at once, in (0, 512]
  // The number of chunks that backward_chunks cuts every batch into; at least one per rank. 0: one per rank.
  std::int64_t chunks = 0;
};

// A part of a global batch: samples begin ... begin + size - 1. The first of them is number `local` of the samples that
// this rank holds.
struct Chunk {
  std::int64_t index, begin, size, local;
};

// The part of DistributedDataParallel that does not depend on the network's type.
class DistributedModule : public Module {
 public:
  // A scope in which backward passes only add to the gradients of this process; the next pass outside of it sends what
  // has been added.
  class NoSync {
   public:
    explicit NoSync(std::shared_ptr<distributed::Reducer> reducer);
    ~NoSync();
    NoSync(const NoSync&) = delete;
    NoSync& operator=(const NoSync&) = delete;

   private:
    std::shared_ptr<distributed::Reducer> reducer_;
  };
  NoSync no_sync() const { return NoSync(reducer_); }

  // The backward pass of a batch, with the same bits for any number of processes, including one. The batch is cut into
  // `chunks` parts; `loss` is called for those of this rank, and returns the mean loss of a chunk. A chunk has the same
  // samples and draws the same random numbers wherever it runs; gradients are added in a fixed tree over the chunks,
  // and running averages of batch normalisation are updated with the chunks' statistics in order. Adds the gradient of
  // the mean over the batch to .grad, and returns that mean. All ranks must use the same seed for the default
  // generator.
  double backward_chunks(std::int64_t batch_size, const std::function<Tensor(const Chunk&)>& loss,
                         const BackwardOptions& options = {});
  // The same for this rank's share of a batch, as a loader with batch_share() gives it: `loss` is called for each of
  // its chunks, and returns the mean over its samples. Samples that the loader left out do not count. NaN, and nothing
  // changes, where no rank has any.
  double backward_chunks(const data::Batch& batch,
                         const std::function<Tensor(const Tensor& data, const Tensor& target)>& loss,
                         const BackwardOptions& options = {});
  // For loaders: this rank's chunks of every batch; whole batches in turn, to evaluate without duplicates.
  data::BatchShare batch_share() const;
  data::BatchShare evaluation_share() const;
  // The samples of a batch of that size that are in this rank's chunks: {the first, how many}.
  std::pair<std::int64_t, std::int64_t> local_samples(std::int64_t batch_size) const;

  // All ranks must have the same parameters and floating-point buffers, bit by bit; else DistributedError names one.
  void check_same() const;

 protected:
  DistributedModule() : Module("DistributedDataParallel") {}
  void connect(std::function<Module&()> module, const DistributedDataParallelOptions& options);
  void before_forward();

 private:
  std::shared_ptr<distributed::Reducer> reducer_;
};

template <class M>
class DistributedDataParallel : public DistributedModule {
 public:
  M module;
  // ValueError for options out of range, DistributedError where the ranks' networks or options differ.
  explicit DistributedDataParallel(M m, const DistributedDataParallelOptions& options = {})
      : module(add("module", std::move(m))) {
    connect([handle = module]() mutable -> Module& { return handle; }, options);
  }
  Tensor forward(const Tensor& x) override {
    before_forward();
    return module(x);
  }
};

namespace detail {
// The only child of a wrapper, which a copy of the wrapper has copied.
template <class M>
std::shared_ptr<M> wrapped(const Module& wrapper) {
  return std::dynamic_pointer_cast<M>(wrapper.state()->children.front().module);
}
[[noreturn]] void throw_no_module(const char* wrapper);
}  // namespace detail

// Of a network behind a pointer, as models::make returns it: `.module` is that pointer. ValueError for a null one.
template <class M>
class DistributedDataParallel<std::shared_ptr<M>> : public DistributedModule {
 public:
  std::shared_ptr<M> module;
  explicit DistributedDataParallel(std::shared_ptr<M> m, const DistributedDataParallelOptions& options = {})
      : module(std::move(m)) {
    if (!module) detail::throw_no_module("DistributedDataParallel");
    add_child("module", module);
    connect([handle = module]() -> Module& { return *handle; }, options);
  }
  DistributedDataParallel(const DistributedDataParallel& other)
      : DistributedModule(other), module(detail::wrapped<M>(*this)) {}
  Tensor forward(const Tensor& x) override {
    before_forward();
    return (*module)(x);
  }
};
template <class M>
struct DataParallel<std::shared_ptr<M>> : Module {
  std::shared_ptr<M> module;
  explicit DataParallel(std::shared_ptr<M> m) : Module("DataParallel"), module(std::move(m)) {
    if (!module) detail::throw_no_module("DataParallel");
    add_child("module", module);
  }
  DataParallel(const DataParallel& other) : Module(other), module(detail::wrapped<M>(*this)) {}
  Tensor forward(const Tensor& x) override { return (*module)(x); }
};

}  // namespace gradus::nn

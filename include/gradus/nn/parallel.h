// nn::DistributedDataParallel: one network on several processes, each with a share of every batch. As
// torch.nn.parallel.DistributedDataParallel.
//
//   distributed::init();
//   Net net;
//   nn::DistributedDataParallel ddp(net);     // rank 0's parameters and buffers go to all
//   optim::Adam optimizer(ddp.parameters());
//   for (auto& [x, y] : loader)               // of this rank's samples
//     optimizer.minimize(cross_entropy(ddp(x), y));
//
// The gradients of all ranks are averaged while backward runs, in buckets. What a pass does not compute is not sent:
// frozen parameters, those of other optimizers under minimize, those that the loss does not use on any rank. Gradients
// are complete when backward returns, so clipping, accumulation and everything else work as they do for one process.
#pragma once

#include <functional>
#include <memory>

#include <gradus/nn/module.h>

namespace gradus::distributed {
class Reducer;
}

namespace gradus::nn {

struct DistributedDataParallelOptions {
  double bucket_cap_mb = 25;  // how much is sent at once
  // Into how many chunks backward_chunks cuts every batch; at least one per rank. 0: one per rank.
  std::int64_t chunks = 0;
};

// A part of a global batch: samples begin ... begin + size - 1, which are local ... in what this rank holds of it.
struct Chunk {
  std::int64_t index, begin, size, local;
};

// What does not depend on the network's type.
class DistributedModule : public Module {
 public:
  // While it lives, passes backward of this process only add up; the next one outside of it sends what they left.
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

  // Backward of a batch with the same bits for any number of processes, one included. The batch is cut into `chunks`
  // parts; `loss` is called for those of this rank, and returns the mean over one. A chunk has the same samples and
  // draws the same random numbers wherever it runs; gradients are added in a fixed tree over the chunks, and running
  // averages of batch normalisation follow the chunks' statistics in order. Adds to .grad the gradient of the mean over
  // the batch, and returns that mean. All ranks must have seeded the default generator alike.
  double backward_chunks(std::int64_t batch_size, const std::function<Tensor(const Chunk&)>& loss,
                         const BackwardOptions& options = {});
  // Which samples of a batch of that size are in this rank's chunks: the first, and how many.
  std::pair<std::int64_t, std::int64_t> local_samples(std::int64_t batch_size) const;

  // Whether all ranks have the same parameters and buffers, bit by bit. DistributedError, which names what differs.
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

}  // namespace gradus::nn

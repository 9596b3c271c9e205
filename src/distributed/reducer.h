// What a DistributedDataParallel does: it watches passes backward, and has the gradients of all ranks averaged.
#pragma once

#include <gradus/nn/parallel.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "autograd/gradient_sink.h"
#include "distributed/connection/round.h"
#include "distributed/sums/buckets.h"
#include "distributed/sums/chunks.h"

namespace gradus::distributed {

class __attribute__((visibility("hidden"))) Reducer final : public gradus::detail::GradientSink {
 public:
  Reducer(std::function<nn::Module&()> module, const nn::DistributedDataParallelOptions& options);
  ~Reducer() override;
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  // Tensors that were put into the network since get rank 0's values.
  void refresh();
  void check_same();
  void pause() { ++paused_; }
  void go_on() { --paused_; }

  std::int64_t chunks() const { return parts_->leaves; }
  // Unset, and nothing has changed, where no rank has a sample. Where `accept` refuses the loss, which all ranks do
  // alike, gradients stay as they were; the running averages have seen the batch.
  std::optional<double> run_chunks(const ChunkedBatch& batch, const std::function<Tensor(const nn::Chunk&)>& loss,
                                   const BackwardOptions& options, const std::function<bool(double)>& accept = {});

  void begin(const std::function<gradus::detail::LeafUse(const gradus::detail::TensorImpl*)>& use) override;
  void complete(const gradus::detail::TensorImpl* leaf) override;
  void progress() override;
  void end() override;
  void failed(const char* what) noexcept override;

 private:
  friend class ChunkRun;
  // What a rank says of a tensor at the beginning of a pass.
  enum Bit : char { kAsked = 1, kUsed = 2, kFrozen = 4 };

  void take_tensors();
  void agree();  // on names, sizes and types, and on rank 0's values for those that are new
  std::string pass_name() const;
  bool changed(std::size_t buffer) const;
  // All ranks' bits: DistributedError where they ask for different gradients; else what any of them uses.
  std::vector<std::size_t> used_by_any(const std::function<std::string_view(int)>& bits_of);
  void plan();
  void ready(std::size_t tensor);
  void start(Bucket& bucket);
  char frozen_bit(std::size_t parameter) const;
  // A gradient or a buffer in the host's memory, as it is reduced; undefined where there is none.
  Tensor value(std::size_t tensor, Dtype dtype) const;
  void store(std::size_t tensor, const Tensor& value);
  // Gradients that only one rank keeps (ZeRO-2), in owned.cpp.
  void take_owners();
  std::string owners_text() const;  // in words, for all ranks to compare
  bool owned(std::size_t tensor) const { return owners_[tensor] >= 0; }
  bool owns(std::size_t tensor) const { return owners_[tensor] == rank(); }
  void set_aside();  // the sums of earlier passes, which must not be sent again
  void take_back();
  void check_no_sum(std::size_t parameter) const;
  void store_owned(std::size_t parameter);
  // Bucket number i, once those before it are started. Of buckets for single ranks only a few are under way at once.
  void start_next(std::size_t i);
  void wait_before(std::size_t i);
  void poll(Bucket& bucket);
  void wait_for(Bucket& bucket);
  void finish(Bucket& bucket);  // of single ranks: takes this rank's sums, and frees the rest
  static void copy(const Bucket& bucket, const Bucket::Piece& piece, const Tensor& to);
  std::vector<Tensor> collect(const std::vector<std::size_t>& order);  // undefined for what other ranks keep
  bool takes_sums(std::size_t tensor) const;  // whether its gradient is what sums can be copied to

  std::function<nn::Module&()> module_;
  std::int64_t bucket_bytes_;
  std::shared_ptr<const TreeParts> parts_;  // of chunks
  std::shared_ptr<const TreeParts> ranks_;  // one leaf each
  std::vector<Tensor> tensors_;             // parameters, then floating-point buffers
  std::vector<std::string> names_;
  std::size_t parameters_ = 0;
  std::vector<std::uint32_t> versions_;  // of buffers, when all ranks had the same
  std::unordered_map<const gradus::detail::TensorImpl*, std::size_t> index_;
  int paused_ = 0;
  bool in_chunks_ = false;
  std::int64_t pass_ = 0;

  // The pass that is running.
  bool active_ = false, planned_ = false;
  std::unique_ptr<Round> round_;
  std::uint32_t tag_ = 0;
  std::vector<char> ready_, unsent_;  // unsent_: added up without being sent
  std::vector<std::size_t> used_;
  std::vector<Bucket> buckets_;
  std::vector<int> owners_;           // by tensor; -1: all ranks get its sum
  std::vector<Tensor> sums_, aside_;  // of this rank's own
};

}  // namespace gradus::distributed

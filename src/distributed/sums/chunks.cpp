#include "distributed/sums/chunks.h"

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/data/random.h>
#include <gradus/nn/layers/sync_batch_norm.h>
#include <gradus/ops.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "distributed/reducer.h"
#include "kernels/dispatch/kernels.h"
#include "kernels/math.h"

namespace gradus::distributed {

namespace {

std::string bytes_of(const Tensor& x) {
  const Tensor row = x.detach().to(kCPU).contiguous();
  return {static_cast<const char*>(row.const_data_ptr()), static_cast<std::size_t>(row.numel() * row.element_size())};
}

Tensor tensor_of(const char*& bytes, const Tensor& like) {
  const Tensor x = empty(like.sizes(), {.dtype = like.dtype()});
  const auto size = static_cast<std::size_t>(x.numel() * x.element_size());
  std::memcpy(x.impl()->data, bytes, size);
  bytes += size;
  return x;
}

}  // namespace

ChunkedBatch chunks_of(std::int64_t batch_size, std::int64_t all) {
  ChunkedBatch batch{{}, batch_size};
  const Span part = part_of(all, rank(), size());
  const std::int64_t first = batch_size * part.begin / all;
  for (std::int64_t chunk = part.begin; chunk < part.end; ++chunk) {
    const std::int64_t begin = batch_size * chunk / all, end = batch_size * (chunk + 1) / all;
    batch.chunks.push_back({chunk, begin, end - begin, begin - first});
  }
  return batch;
}

ChunkedBatch chunks_of(const data::Batch& whole, std::int64_t all) {
  const Span part = part_of(all, rank(), size());
  if (std::ssize(whole.chunks) != part.size()) {
    throw ValueError(
        fmt::format("backward_chunks: the batch must be in the {} of {} chunks that rank {} computes, got "
                    "{}: give its loader .share = batch_share()",
                    part.size(), all, rank(), whole.chunks.size()));
  }
  ChunkedBatch batch;
  std::int64_t local = 0;
  for (std::int64_t chunk = part.begin; chunk < part.end; ++chunk) {
    const std::int64_t size = whole.chunks[static_cast<std::size_t>(chunk - part.begin)];
    batch.chunks.push_back({chunk, local, size, local});
    local += size;
  }
  if (local != whole.size())
    throw ValueError(fmt::format("backward_chunks: the batch has {} samples, its chunks {}", whole.size(), local));
  if (size() == 1) batch.total = local;
  return batch;
}

data::Batch chunk_of(const data::Batch& batch, const nn::Chunk& chunk) {
  if (chunk.size == batch.size()) return batch;
  data::Batch part;
  part.data = batch.data.narrow(0, chunk.local, chunk.size);
  if (batch.target.defined()) part.target = batch.target.narrow(0, chunk.local, chunk.size);
  const auto first = batch.indices.begin() + chunk.local;
  part.indices.assign(first, first + chunk.size);
  return part;
}

ChunkNorms::ChunkNorms(nn::Module& module) {
  for (nn::Module* each : module.modules()) {
    auto* norm = dynamic_cast<nn::RunningNorm*>(each);
    if (norm == nullptr || !norm->running_mean.defined() || !norm->is_training()) continue;
    norms_.push_back({norm, norm->running_mean.detach().clone(), norm->running_var.detach().clone(),
                      norm->num_batches_tracked.item<std::int64_t>(), dynamic_cast<nn::BatchNorm*>(each) != nullptr});
    bytes_ += sizeof(std::int64_t) +
              2 * static_cast<std::size_t>(norm->running_mean.numel() * norm->running_mean.element_size());
  }
}

// From zero: what is there afterwards is the chunk's own share.
void ChunkNorms::begin(std::int64_t chunk) {
  const NoGrad guard;
  for (Norm& norm : norms_) {
    norm.module->running_mean.zero_();
    norm.module->running_var.zero_();
    norm.module->num_batches_tracked.fill_(norm.count + (norm.counts ? chunk : 0));
  }
}

std::string ChunkNorms::end(std::int64_t chunk) {
  std::string all;
  for (const Norm& norm : norms_) {
    std::int64_t calls = norm.module->num_batches_tracked.item<std::int64_t>() - norm.count - chunk;
    if (!norm.counts) calls = norm.module->running_var.abs().sum().item() > 0;
    all.append(reinterpret_cast<const char*>(&calls), sizeof calls);
    all += bytes_of(norm.module->running_mean) + bytes_of(norm.module->running_var);
  }
  return all;
}

void ChunkNorms::restore() {
  const NoGrad guard;
  for (const Norm& norm : norms_) {
    norm.module->running_mean.copy_(norm.mean);
    norm.module->running_var.copy_(norm.var);
    norm.module->num_batches_tracked.fill_(norm.count);
  }
}

void ChunkNorms::finish(const std::vector<std::string>& chunks) {
  restore();
  const NoGrad guard;
  for (const std::string& chunk : chunks) {
    if (chunk.empty()) continue;
    const char* at = chunk.data();
    for (Norm& norm : norms_) {
      std::int64_t calls = 0;
      std::memcpy(&calls, at, sizeof calls);
      at += sizeof calls;
      const Device device = norm.mean.device();
      const Tensor mean = tensor_of(at, norm.mean).to(device), var = tensor_of(at, norm.var).to(device);
      if (calls == 0) continue;
      const auto n = static_cast<double>(norm.count), k = static_cast<double>(calls);
      const auto& momentum = norm.module->momentum();
      const double kept = momentum ? math::pow(1 - *momentum, k) : n / (n + k);
      norm.module->running_mean.mul_(kept).add_(mean);
      norm.module->running_var.mul_(kept).add_(var);
      if (norm.counts) norm.module->num_batches_tracked.fill_(norm.count += calls);
    }
  }
}

// One call of run_chunks: what it changes is put back where it throws.
class ChunkRun {
 public:
  ChunkRun(Reducer& reducer, const ChunkedBatch& batch, std::int64_t total)
      : reducer_(reducer), batch_(batch), total_(total), start_(default_generator()), norms_(reducer.module_()) {
    for (std::size_t i = 0; i < reducer.parameters_; ++i) {
      before_.push_back(reducer.tensors_[i].grad());
      reducer.tensors_[i].set_grad(Tensor());
    }
    sums_.resize(reducer.parameters_);
    reducer.take_owners();
    reducer_.in_chunks_ = true;
  }
  ~ChunkRun() {
    reducer_.in_chunks_ = false;
    if (done_) return;
    default_generator() = start_;
    norms_.restore();
    restore_gradients();
  }
  ChunkRun(const ChunkRun&) = delete;
  ChunkRun& operator=(const ChunkRun&) = delete;

  double run(const std::function<Tensor(const nn::Chunk&)>& loss, const BackwardOptions& options,
             const std::function<bool(double)>& accept);

 private:
  struct Partial {
    Span leaves;
    Tensor sum;  // in the host's memory; undefined: zero
  };
  void restore_gradients() {
    for (std::size_t i = 0; i < before_.size(); ++i) reducer_.tensors_[i].set_grad(before_[i]);
  }
  std::string run_one(const nn::Chunk& chunk, const std::function<Tensor(const nn::Chunk&)>& loss,
                      const BackwardOptions& options);
  void take_gradients(std::int64_t chunk);
  std::string bits(const BackwardOptions& options) const;
  void reduce(const std::vector<std::size_t>& used);
  double finish_norms(const std::vector<std::string>& all);
  void add_gradients(const std::vector<Tensor>& sums);

  Reducer& reducer_;
  const ChunkedBatch& batch_;
  const std::int64_t total_;
  const Generator start_;
  ChunkNorms norms_;
  std::vector<Tensor> before_;
  std::vector<std::vector<Partial>> sums_;  // by parameter, of nodes that are whole
  bool done_ = false;
};

// What all ranks are told of a chunk: whether it has samples, its share of the loss, and its norms' shares where it
// has.
std::string ChunkRun::run_one(const nn::Chunk& chunk, const std::function<Tensor(const nn::Chunk&)>& loss,
                              const BackwardOptions& options) {
  double value = 0;
  std::string norms;
  if (chunk.size > 0) {
    default_generator() =
        Generator(data::mix_seed(start_.seed(), start_.offset(), static_cast<std::uint64_t>(chunk.index) + 1));
    norms_.begin(chunk.index);
    const Tensor mean = loss(chunk);
    if (!mean.defined() || mean.numel() != 1)
      throw ValueError("backward_chunks: the loss of a chunk must be one number" +
                       (mean.defined() ? ", got sizes " + to_string(mean.sizes()) : std::string()));
    const double share = static_cast<double>(chunk.size) / static_cast<double>(total_);
    autograd::backward({mean}, {full(mean.sizes(), share, {.dtype = mean.dtype(), .device = mean.device()})}, options);
    value = mean.item() * share;
    norms = norms_.end(chunk.index);
  }
  take_gradients(chunk.index);
  const char used = chunk.size > 0 ? 1 : 0;
  return used + std::string(reinterpret_cast<const char*>(&value), sizeof value) + norms;
}

// Adds up the nodes of the tree that have become whole.
void ChunkRun::take_gradients(std::int64_t chunk) {
  const NoGrad guard;
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    Tensor& parameter = reducer_.tensors_[i];
    const Tensor grad = parameter.grad();
    parameter.set_grad(Tensor());
    std::vector<Partial>& stack = sums_[i];
    stack.push_back({{chunk, chunk + 1},
                     grad.defined() ? grad.detach().to(kCPU).to(sum_type(grad.dtype())).contiguous() : Tensor()});
    while (stack.size() > 1) {
      Partial &left = stack[stack.size() - 2], &right = stack.back();
      const Span both{left.leaves.begin, right.leaves.end};
      if (nodes_of(reducer_.chunks(), both).size() != 1) break;
      // Zeros are added like other numbers: it makes +0 of -0.
      if (left.sum.defined() || right.sum.defined()) {
        if (!left.sum.defined()) left.sum = zeros_like(right.sum);
        const Tensor other = right.sum.defined() ? right.sum : zeros_like(left.sum);
        combine(ReduceOp::Sum, left.sum.dtype(), left.sum.impl()->data, other.impl()->data, left.sum.numel());
      }
      left.leaves = both;
      stack.pop_back();
    }
  }
}

std::string ChunkRun::bits(const BackwardOptions& options) const {
  std::string all(reducer_.tensors_.size(), 0);
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    const Tensor& x = reducer_.tensors_[i];
    bool asked = x.requires_grad();
    if (!options.inputs.empty())
      asked = asked && std::any_of(options.inputs.begin(), options.inputs.end(),
                                   [&](const Tensor& input) { return input.is_same(x); });
    const bool used = std::any_of(sums_[i].begin(), sums_[i].end(), [](const Partial& p) { return p.sum.defined(); });
    all[i] = static_cast<char>((asked ? Reducer::kAsked : 0) | (used ? Reducer::kUsed : 0) | reducer_.frozen_bit(i));
  }
  return all;
}

void ChunkRun::reduce(const std::vector<std::size_t>& used) {
  Group* const g = group();
  reducer_.buckets_ = buckets_of(reducer_.tensors_, used, reducer_.bucket_bytes_, reducer_.owners_, size());
  const std::size_t nodes = reducer_.parts_->nodes[static_cast<std::size_t>(rank())].size();
  for (std::size_t i = 0; i < reducer_.buckets_.size(); ++i) {
    Bucket& bucket = reducer_.buckets_[i];
    reducer_.wait_before(i);
    bucket.reduction = std::make_unique<Reduction>(g, reducer_.parts_, bucket.dtype, bucket.size, ReduceOp::Sum, 1,
                                                   g ? g->take_tags() : 0, bucket.shares);
    for (const Bucket::Piece& piece : bucket.pieces) {
      for (std::size_t node = 0; node < nodes; ++node) {
        const Tensor& sum = sums_[piece.tensor][node].sum;
        const std::byte* from = sum.defined() ? sum.impl()->data + piece.from * element_size(bucket.dtype) : nullptr;
        bucket.reduction->put(node, piece.at, from, piece.count);
      }
      // A tensor's last piece is in the last of its buckets.
      if (piece.from + piece.count == reducer_.tensors_[piece.tensor].numel()) sums_[piece.tensor].clear();
    }
    bucket.reduction->start();
  }
  for (Bucket& bucket : reducer_.buckets_) {
    if (g) {
      reducer_.wait_for(bucket);
    } else {
      bucket.reduction->poll();
    }
  }
}

// The running averages of all chunks in order, and the loss.
double ChunkRun::finish_norms(const std::vector<std::string>& all) {
  std::vector<std::string> shares;
  std::string joined;
  for (const std::string& each : all) joined += each;
  double sum = 0;
  for (std::size_t at = 0; at < joined.size();) {
    const bool used = joined[at] != 0;
    double loss = 0;
    std::memcpy(&loss, joined.data() + at + 1, sizeof loss);
    sum += loss;
    at += 1 + sizeof loss;
    shares.push_back(joined.substr(at, used ? norms_.bytes() : 0));
    at += shares.back().size();
  }
  norms_.finish(shares);
  return sum;
}

void ChunkRun::add_gradients(const std::vector<Tensor>& sums) {
  const NoGrad guard;
  for (std::size_t i = 0; i < before_.size(); ++i) {
    Tensor& x = reducer_.tensors_[i];
    if (!sums[i].defined()) {
      x.set_grad(reducer_.owned(i) && !reducer_.owns(i) ? Tensor() : before_[i]);
      continue;
    }
    const Tensor sum = sums[i].to(x.dtype()).to(x.device());
    if (before_[i].defined()) {
      Tensor grad = before_[i].detach();
      grad.add_(sum);
      x.set_grad(grad);
    } else {
      x.set_grad(sum);
    }
  }
}

double ChunkRun::run(const std::function<Tensor(const nn::Chunk&)>& loss, const BackwardOptions& options,
                     const std::function<bool(double)>& accept) {
  Group* const g = group();
  std::string own;
  try {
    for (const nn::Chunk& chunk : batch_.chunks) own += run_one(chunk, loss, options);
  } catch (const std::exception& error) {
    abort(error.what());
    throw;
  }
  const std::string own_bits = bits(options);
  std::vector<std::string> all{own};
  std::vector<std::size_t> used;
  if (g == nullptr) {
    for (std::size_t i = sums_.size(); i-- > 0;) {
      if ((own_bits[i] & Reducer::kUsed) != 0) used.push_back(i);
    }
  } else {
    // What the bits of a sum depend on, beside the numbers.
    Round round(*g,
                fmt::format("{} in {} chunks, batch of {}, random numbers from {}:{}, instruction set {}{}",
                            reducer_.pass_name(), reducer_.chunks(), total_, start_.seed(), start_.offset(),
                            kernels(kCPU).variant(), reducer_.owners_text()),
                own_bits);
    round.wait();
    used = reducer_.used_by_any([&](int rank) { return round.of(rank); });
    all = gather_texts(*g, reducer_.pass_name() + ", losses", own);
  }
  const double sum = finish_norms(all);
  if (accept && !accept(sum)) {
    restore_gradients();
  } else {
    reduce(used);
    add_gradients(reducer_.collect(used));
  }
  reducer_.buckets_.clear();
  reducer_.sums_.assign(reducer_.tensors_.size(), Tensor());
  default_generator() = start_;
  default_generator().advance(1);
  for (std::size_t i = reducer_.parameters_; i < reducer_.tensors_.size(); ++i)
    reducer_.versions_[i] = reducer_.tensors_[i].version();
  ++reducer_.pass_;
  done_ = true;
  return sum;
}

std::optional<double> Reducer::run_chunks(const ChunkedBatch& batch,
                                          const std::function<Tensor(const nn::Chunk&)>& loss,
                                          const BackwardOptions& options, const std::function<bool(double)>& accept) {
  if (options.create_graph)
    throw ValueError("backward_chunks: create_graph is not possible, as gradients come from other processes");
  for (nn::Module* each : module_().modules()) {
    if (nn::SyncBatchNorm::is_synchronized(*each) && each->is_training()) {
      throw ValueError(
          "backward_chunks: SyncBatchNorm needs the ranks to compute the same layers at the same time; "
          "BatchNorm has the statistics of each chunk, for any number of ranks");
    }
  }
  refresh();
  for (std::size_t i = 0; i < parameters_; ++i) {
    if (!unsent_[i] || !tensors_[i].grad().defined()) continue;
    const std::string why = fmt::format(
        "backward_chunks: the gradient of '{}' has what no_sync added on rank {} alone; send that with a backward pass "
        "outside of no_sync, or call zero_grad() first",
        names_[i], rank());
    abort(why);
    throw ValueError(why);
  }
  std::int64_t total = batch.total.value_or(0);
  if (!batch.total) {
    std::int64_t own = 0;
    for (const nn::Chunk& chunk : batch.chunks) own += chunk.size;
    Round round(*group(), pass_name() + ", samples", {reinterpret_cast<const char*>(&own), sizeof own});
    round.wait();
    for (int rank = 0; rank < distributed::size(); ++rank) {
      std::int64_t theirs = 0;
      std::memcpy(&theirs, round.of(rank).data(), sizeof theirs);
      total += theirs;
    }
  }
  if (total == 0) return {};
  ChunkRun run(*this, batch, total);
  return run.run(loss, options, accept);
}

}  // namespace gradus::distributed

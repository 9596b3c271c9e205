// nn::DistributedModule: the public face of the reducer.
#include <fmt/format.h>
#include <gradus/distributed.h>
#include <gradus/nn/parallel.h>

#include <limits>

#include "distributed/reducer.h"

namespace gradus::nn {

DistributedModule::NoSync::NoSync(std::shared_ptr<distributed::Reducer> reducer) : reducer_(std::move(reducer)) {
  reducer_->pause();
}
DistributedModule::NoSync::~NoSync() { reducer_->go_on(); }

void DistributedModule::connect(std::function<Module&()> module, const DistributedDataParallelOptions& options) {
  reducer_ = std::make_shared<distributed::Reducer>(std::move(module), options);
}

void DistributedModule::before_forward() { reducer_->refresh(); }

double DistributedModule::backward_chunks(std::int64_t batch_size, const std::function<Tensor(const Chunk&)>& loss,
                                          const BackwardOptions& options) {
  if (batch_size < 1) throw ValueError(fmt::format("backward_chunks: need a batch of at least 1, got {}", batch_size));
  return *reducer_->run_chunks(distributed::chunks_of(batch_size, reducer_->chunks()), loss, options);
}

double DistributedModule::backward_chunks(const data::Batch& batch,
                                          const std::function<Tensor(const Tensor&, const Tensor&)>& loss,
                                          const BackwardOptions& options) {
  const auto of_chunk = [&](const Chunk& chunk) {
    const data::Batch part = distributed::chunk_of(batch, chunk);
    return loss(part.data, part.target);
  };
  return reducer_->run_chunks(distributed::chunks_of(batch, reducer_->chunks()), of_chunk, options)
      .value_or(std::numeric_limits<double>::quiet_NaN());
}

data::BatchShare DistributedModule::batch_share() const {
  return {.num_replicas = distributed::size(), .rank = distributed::rank(), .chunks = reducer_->chunks()};
}

data::BatchShare DistributedModule::evaluation_share() const {
  return {.num_replicas = distributed::size(), .rank = distributed::rank(), .whole = true};
}

std::pair<std::int64_t, std::int64_t> DistributedModule::local_samples(std::int64_t batch_size) const {
  const auto part = distributed::part_of(reducer_->chunks(), distributed::rank(), distributed::size());
  const std::int64_t begin = batch_size * part.begin / reducer_->chunks();
  return {begin, batch_size * part.end / reducer_->chunks() - begin};
}

void detail::throw_no_module(const char* wrapper) {
  throw ValueError(fmt::format("{}: needs a module, got a null pointer", wrapper));
}

void DistributedModule::check_same() const { reducer_->check_same(); }

}  // namespace gradus::nn

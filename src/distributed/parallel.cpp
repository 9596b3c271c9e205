// nn::DistributedModule: the public face of the reducer.
#include <gradus/nn/parallel.h>

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
  return reducer_->run_chunks(batch_size, loss, options);
}

std::pair<std::int64_t, std::int64_t> DistributedModule::local_samples(std::int64_t batch_size) const {
  const auto part = distributed::part_of(reducer_->chunks(), distributed::rank(), distributed::size());
  const std::int64_t begin = batch_size * part.begin / reducer_->chunks();
  return {begin, batch_size * part.end / reducer_->chunks() - begin};
}

void DistributedModule::check_same() const { reducer_->check_same(); }

}  // namespace gradus::nn

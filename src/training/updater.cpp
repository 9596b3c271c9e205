#include "training/updater.h"

#include <gradus/distributed.h>

#include "distributed/reducer.h"
#include "optim/engine/minimize.h"

namespace gradus::training {

std::int64_t chunks_of_run(std::int64_t asked) {
  return asked > 0 ? asked : distributed::size() > 1 ? distributed::size() : 0;
}

data::BatchShare train_share(std::int64_t asked_chunks) {
  return {.num_replicas = distributed::size(), .rank = distributed::rank(), .chunks = chunks_of_run(asked_chunks)};
}

data::BatchShare test_share() {
  return {.num_replicas = distributed::size(), .rank = distributed::rank(), .whole = true};
}

Updater::Updater(nn::Module& networks, std::int64_t asked_chunks) {
  const std::int64_t chunks = chunks_of_run(asked_chunks);
  if (chunks > 0) {
    reducer_ = std::make_shared<distributed::Reducer>([&networks]() -> nn::Module& { return networks; },
                                                      nn::DistributedDataParallelOptions{.chunks = chunks});
  }
}

distributed::ChunkedBatch Updater::chunks(std::int64_t batch_size) const {
  if (cuts()) return distributed::chunks_of(batch_size, reducer_->chunks());
  return {{{0, 0, batch_size, 0}}, batch_size};
}

distributed::ChunkedBatch Updater::chunks(const data::Batch& batch) const {
  return cuts() ? distributed::chunks_of(batch, reducer_->chunks()) : chunks(batch.size());
}

std::optional<Updater::Result> Updater::minimize(optim::Optimizer& optimizer, const distributed::ChunkedBatch& batch,
                                                 const Loss& loss, const Accept& accept) {
  if (!cuts()) {
    if (batch.total == 0) return {};
    const Tensor mean = loss(batch.chunks.front());
    const double value = mean.item();
    const bool accepted = accept(value);
    return Result{value, accepted, accepted && optimizer.minimize(mean)};
  }
  optimizer.zero_grad();
  auto result = backward(std::string(optimizer.name()) + ".minimize", optimizer, batch, loss, accept, 1);
  if (result && result->accepted) result->stepped = optimizer.step();
  return result;
}

std::optional<Updater::Result> Updater::backward(const std::string& call, optim::Optimizer& optimizer,
                                                 const distributed::ChunkedBatch& batch, const Loss& loss,
                                                 const Accept& accept, double parts) {
  if (!cuts()) {
    if (batch.total == 0) return {};
    const Tensor mean = loss(batch.chunks.front());
    const double value = mean.item();
    const bool accepted = accept(value);
    if (accepted) optim::backward_for(call, parts == 1 ? mean : mean / parts, optimizer.parameters());
    return Result{value, accepted, false};
  }
  BackwardOptions options;
  for (const Tensor& p : optimizer.parameters())
    if (p.requires_grad()) options.inputs.push_back(p);
  if (options.inputs.empty()) throw ValueError(call + ": none of its parameters requires a gradient");
  bool accepted = false;
  const auto share = [&](const nn::Chunk& chunk) { return parts == 1 ? loss(chunk) : loss(chunk) / parts; };
  const std::optional<double> value =
      reducer_->run_chunks(batch, share, options, [&](double sum) { return accepted = accept(sum * parts); });
  if (!value) return {};
  return Result{*value * parts, accepted, false};
}

void Updater::check_same() {
  if (cuts()) reducer_->check_same();
}

}  // namespace gradus::training

// One network, trained by several processes:
//
//   ./distributed                      alone
//   mpirun -n 4 ./distributed          four processes, the same bits
//
// Usage: distributed [STEPS]
#include <gradus/gradus.h>

#include <cstdio>
#include <cstdlib>

using namespace gradus;
namespace F = nn::functional;

struct Net : nn::Module {
  nn::Linear fc1 = add("fc1", nn::Linear(20, 64));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(64));
  nn::Dropout dropout = add("dropout", nn::Dropout(0.1));
  nn::Linear fc2 = add("fc2", nn::Linear(64, 3));
  Tensor forward(const Tensor& x) override { return fc2(dropout(relu(norm(fc1(x))))); }
};

// Each rank takes its share of every batch; the gradients are averaged while backward runs.
void train_averaging(int steps, const Tensor& x, const Tensor& y) {
  manual_seed(1);
  Net net;
  nn::DistributedDataParallel ddp(net);
  optim::Adam optimizer(ddp.parameters(), {.lr = 1e-2});
  const auto [begin, size] = ddp.local_samples(x.size(0));
  const Tensor own_x = x.narrow(0, begin, size), own_y = y.narrow(0, begin, size);
  for (int step = 0; step < steps; ++step) optimizer.minimize(F::cross_entropy(ddp(own_x), own_y));
  ddp.check_same();
}

// Every batch is cut into eight chunks, whichever process computes them.
double train_in_chunks(int steps, const Tensor& x, const Tensor& y) {
  manual_seed(1);
  Net net;
  nn::DistributedDataParallel ddp(net, {.chunks = 8});
  optim::Adam optimizer(ddp.parameters(), {.lr = 1e-2});
  double loss = 0;
  for (int step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    loss = ddp.backward_chunks(x.size(0), [&](const nn::Chunk& chunk) {
      return F::cross_entropy(ddp(x.narrow(0, chunk.begin, chunk.size)), y.narrow(0, chunk.begin, chunk.size));
    });
    optimizer.step();
  }
  ddp.check_same();
  return loss;
}

// The same, with the state of the optimizer and the gradients shared out.
void train_sharded(int steps, const Tensor& x, const Tensor& y) {
  manual_seed(1);
  Net net;
  nn::DistributedDataParallel ddp(net, {.bucket_cap_mb = 4});
  optim::ZeroRedundancyOptimizer<optim::AdamW> optimizer(ddp.parameters(), {.lr = 1e-2});
  optimizer.shard_gradients();
  optimizer.set_clipping({.max_norm = 1.0});
  const auto [begin, size] = ddp.local_samples(x.size(0));
  const Tensor own_x = x.narrow(0, begin, size), own_y = y.narrow(0, begin, size);
  for (int step = 0; step < steps; ++step) optimizer.minimize(F::cross_entropy(ddp(own_x), own_y));
  ddp.check_same();
}

// A loader makes each rank's samples; the state of the optimizer is shared out, and the moments of a batch are those of
// all ranks. Evaluation meets every sample once.
double train_from_a_loader(int epochs, const Tensor& x, const Tensor& y) {
  manual_seed(1);
  Net net;
  nn::SyncBatchNorm::convert_sync_batchnorm(net);
  nn::DistributedDataParallel ddp(net);
  optim::ZeroRedundancyOptimizer<optim::Adam> optimizer(ddp.parameters(), {.lr = 1e-2});
  const data::TensorDataset dataset(x, y);
  data::DataLoader train(
      dataset,
      {.batch_size = 16, .shuffle = true, .num_workers = 2, .drop_last = true, .seed = 1, .share = ddp.batch_share()});
  data::DataLoader test(dataset, {.batch_size = 16, .share = ddp.evaluation_share()});
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (auto& [own_x, own_y] : train) optimizer.minimize(F::cross_entropy(ddp(own_x), own_y));

  ddp.eval();
  const NoGrad guard;
  const Tensor right = zeros({1}, {.dtype = kInt64});
  for (auto& [own_x, own_y] : test) right.add_(eq(argmax(ddp(own_x), 1), own_y).sum());
  distributed::all_reduce(right);
  return right.item() / static_cast<double>(x.size(0));
}

int main(int argc, char** argv) try {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 50;
  distributed::init();
  std::printf("rank %d of %d (%s), %d threads\n", distributed::rank(), distributed::size(),
              distributed::backend().c_str(), get_num_threads());
  Generator data(7);
  const Tensor x = randn({64, 20}, {}, &data), y = randint(0, 3, {64}, {}, &data);
  train_averaging(steps, x, y);
  train_sharded(steps, x, y);
  const double loss = train_in_chunks(steps, x, y);
  const double accuracy = train_from_a_loader(steps / 5, x, y);
  if (distributed::rank() == 0) std::printf("accuracy %.3f\n", accuracy);
  if (distributed::rank() == 0) std::printf("loss %.17g\n", loss);  // for any number of processes
  distributed::finalize();
} catch (const std::exception& error) {
  std::fprintf(stderr, "distributed: %s\n", error.what());
  return 1;
}

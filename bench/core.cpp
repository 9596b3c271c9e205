// What one small operation costs, and one training step of the autoencoder.
//   build/release/bench/gradus_bench --benchmark_filter='Op|Autoencoder' --benchmark_repetitions=5
#include <benchmark/benchmark.h>
#include <gradus/gradus.h>

namespace {

using namespace gradus;
namespace F = nn::functional;

void OpAdd(benchmark::State& state) {
  const Tensor a = randn({16}), b = randn({16});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(OpAdd);

void OpAddRecorded(benchmark::State& state) {
  const Tensor a = randn({16}, {.requires_grad = true}), b = randn({16});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(OpAddRecorded);

void OpTimesNumber(benchmark::State& state) {
  const Tensor a = randn({16});
  for (auto _ : state) benchmark::DoNotOptimize(a * 0.5);
}
BENCHMARK(OpTimesNumber);

// Forward and backward of a chain of 100 operations.
void OpChainOf100(benchmark::State& state) {
  Tensor a = randn({16}, {.requires_grad = true});
  for (auto _ : state) {
    Tensor y = a;
    for (int i = 0; i < 100; ++i) y = y * a;
    a.zero_grad();
    y.sum().backward();
  }
}
BENCHMARK(OpChainOf100)->Unit(benchmark::kMicrosecond);

struct Training {
  models::AutoEncoder net{16, 7};
  Tensor messages, x;
  explicit Training(std::int64_t batch) : messages(randint(0, 16, {batch})), x(one_hot(messages, 16).to(kFloat32)) {
    set_flush_denormal(true);
  }
  Tensor loss() { return F::cross_entropy(net(x, 0.5), messages); }
};

// One step of joint training: noise, forward, backward, Adam.
void AutoencoderJoint(benchmark::State& state) {
  Training training(state.range(0));
  optim::Adam optimizer(training.net.parameters(), {.lr = 1e-3});
  for (auto _ : state) {
    optimizer.zero_grad();
    training.loss().backward();
    optimizer.step();
  }
}
BENCHMARK(AutoencoderJoint)->Arg(64)->Arg(512)->Arg(1024)->Unit(benchmark::kMicrosecond);

// The decoder alone, with gradients for its parameters only.
void AutoencoderDecoder(benchmark::State& state) {
  Training training(state.range(0));
  optim::Adam optimizer(training.net.decoder.parameters(), {.lr = 1e-3});
  for (auto _ : state) optimizer.minimize(training.loss());
}
BENCHMARK(AutoencoderDecoder)->Arg(64)->Arg(1024)->Unit(benchmark::kMicrosecond);

}  // namespace

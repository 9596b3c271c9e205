// Loops over the parameters of a network of 25.6 million: norms, clipping and moving averages.
#include <benchmark/benchmark.h>
#include <gradus/gradus.h>

namespace {

using namespace gradus;

// 161 tensors, of unequal sizes; together about 25.6 million elements.
std::vector<Tensor> gradients() {
  std::vector<Tensor> all;
  for (std::int64_t i = 1; i <= 161; ++i) all.push_back(full({i * 1963}, 1e-3));
  return all;
}

void report(benchmark::State& state, const std::vector<Tensor>& tensors, double bytes_per_element) {
  double elements = 0;
  for (const Tensor& x : tensors) elements += static_cast<double>(x.numel());
  state.counters["GB/s"] = benchmark::Counter(
      elements * bytes_per_element * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

void TotalNorm25M(benchmark::State& state) {
  const auto grads = gradients();
  for (auto _ : state) benchmark::DoNotOptimize(nn::utils::get_total_norm(grads));
  report(state, grads, 4);
}
BENCHMARK(TotalNorm25M)->Unit(benchmark::kMillisecond)->UseRealTime();

// The limit is above the norm in the first, so that nothing is scaled.
void ClipGradNorm25M(benchmark::State& state) {
  std::vector<Tensor> parameters;
  for (const Tensor& g : gradients()) {
    parameters.push_back(zeros(g.sizes(), {.requires_grad = true}));
    parameters.back().set_grad(g);
  }
  for (auto _ : state) nn::utils::clip_grad_norm_(parameters, state.range(0) != 0 ? 1e-3 : 1e9);
  report(state, parameters, state.range(0) != 0 ? 12 : 4);
}
BENCHMARK(ClipGradNorm25M)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

void Ema25M(benchmark::State& state) {
  auto averaged = gradients();
  const auto current = gradients();
  const auto update = optim::swa_utils::get_ema_multi_avg_fn(0.999);
  for (auto _ : state) update(averaged, current, 1);
  report(state, averaged, 12);
}
BENCHMARK(Ema25M)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

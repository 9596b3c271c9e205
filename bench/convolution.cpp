// What few_channels_is_best in src/kernels/cpu/conv/few_channels.cpp is decided by: row-major convolutions with stride
// 1, by our loops for few channels and by oneDNN.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/cpu/conv/few_channels.h"
#include "kernels/onednn/convolution.h"

namespace {

using gradus::cpu::Convolution;
using std::int64_t;
enum Way { kFewChannels, kOneDnn };
enum Operation { kForward, kBackwardData, kBackwardWeight };

template <Way way, Operation operation>
void convolution(benchmark::State& state) {
  Convolution c{.batch = 64, .in_channels = state.range(0), .out_channels = state.range(1)};
  for (const std::size_t d : {1, 2}) {
    c.in[d] = state.range(2);
    c.kernel[d] = state.range(3);
    c.padding[d] = state.range(4);
    c.out[d] = c.in[d] + 2 * c.padding[d] - c.kernel[d] + 1;
  }
  const auto floats = [](int64_t count) { return std::vector<float>(static_cast<std::size_t>(count), 0.5F); };
  std::vector<float> x = floats(c.batch * c.in_channels * Convolution::volume(c.in)), w = floats(c.weights());
  std::vector<float> y = floats(c.batch * c.out_channels * Convolution::volume(c.out));
  for (auto _ : state) {
    if constexpr (way == kFewChannels) {
      if constexpr (operation == kForward)
        gradus::cpu::few_channels_forward<float>(c, x.data(), w.data(), nullptr, y.data());
      if constexpr (operation == kBackwardData)
        gradus::cpu::few_channels_backward_data(c, y.data(), w.data(), x.data());
      if constexpr (operation == kBackwardWeight)
        gradus::cpu::few_channels_backward_weight(c, y.data(), x.data(), w.data());
    } else {
      if constexpr (operation == kForward) gradus::onednn::conv_forward(c, x.data(), w.data(), nullptr, y.data());
      if constexpr (operation == kBackwardData) gradus::onednn::conv_backward_data(c, y.data(), w.data(), x.data());
      if constexpr (operation == kBackwardWeight) gradus::onednn::conv_backward_weight(c, y.data(), x.data(), w.data());
    }
    benchmark::ClobberMemory();
  }
  state.counters["GFLOPS"] = benchmark::Counter(2e-9 * static_cast<double>(c.multiplications()),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"in", "out", "size", "kernel", "padding"})->Unit(benchmark::kMicrosecond)->UseRealTime();
  for (const auto& size : std::vector<std::vector<int64_t>>{{1, 6, 28, 5, 2},
                                                            {3, 6, 32, 5, 0},
                                                            {6, 16, 14, 5, 0},
                                                            {6, 16, 28, 5, 0},
                                                            {6, 6, 14, 5, 2},
                                                            {16, 6, 14, 3, 1},
                                                            {8, 16, 14, 3, 1},
                                                            {12, 12, 14, 3, 1},
                                                            {4, 16, 32, 3, 1},
                                                            {1, 16, 28, 3, 1},
                                                            {3, 16, 32, 3, 1},
                                                            {16, 16, 32, 3, 1},
                                                            {16, 16, 8, 3, 1},
                                                            {8, 8, 64, 3, 1},
                                                            {16, 16, 32, 1, 0},
                                                            {3, 16, 128, 3, 1},
                                                            {16, 3, 32, 3, 1}})
    bench->Args(size);
}

BENCHMARK_TEMPLATE(convolution, kFewChannels, kForward)->Apply(sizes);
BENCHMARK_TEMPLATE(convolution, kOneDnn, kForward)->Apply(sizes);
BENCHMARK_TEMPLATE(convolution, kFewChannels, kBackwardData)->Apply(sizes);
BENCHMARK_TEMPLATE(convolution, kOneDnn, kBackwardData)->Apply(sizes);
BENCHMARK_TEMPLATE(convolution, kFewChannels, kBackwardWeight)->Apply(sizes);
BENCHMARK_TEMPLATE(convolution, kOneDnn, kBackwardWeight)->Apply(sizes);

}  // namespace

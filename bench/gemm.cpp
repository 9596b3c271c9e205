// What src/kernels/dispatch/gemm.cpp is decided by: the same products by each of its ways, on one thread, and as it
// chooses.
#include <gradus/core/parallel.h>

#include <benchmark/benchmark.h>
#include <cblas.h>
#include <omp.h>

#include <utility>
#include <vector>

#include "kernels/cpu/product/direct_gemm.h"
#include "kernels/dispatch/gemm.h"
#include "kernels/onednn/gemm.h"

namespace {

using std::int64_t;
enum Way { kChosen, kDirect, kOneDnn, kBlas };

template <Way way>
void gemm(benchmark::State& state) {
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const bool ta = state.range(3) == 2, tb = state.range(3) == 1;
  const std::vector<float> a(static_cast<std::size_t>(m * k), 0.5F), b(static_cast<std::size_t>(k * n), 0.25F);
  std::vector<float> c(static_cast<std::size_t>(m * n));
  const int64_t lda = ta ? m : k, ldb = tb ? k : n;
  gradus::set_num_threads(1);
  omp_set_num_threads(1);
  for (auto _ : state) {
    if constexpr (way == kChosen) {
      gradus::cpu::gemm(ta, tb, m, n, k, 1.0F, a.data(), lda, b.data(), ldb, 0.0F, c.data(), n);
    } else if constexpr (way == kDirect) {
      gradus::cpu::direct_gemm(m, n, k, 1.0F, a.data(), ta ? 1 : lda, ta ? lda : 1, b.data(), tb ? 1 : ldb,
                               tb ? ldb : 1, 0.0F, c.data(), n);
    } else if constexpr (way == kOneDnn) {
      gradus::onednn::gemm(ta, tb, m, n, k, 1.0F, a.data(), lda, b.data(), ldb, 0.0F, c.data(), n);
    } else {
      const auto narrow = [](int64_t size) { return static_cast<int>(size); };
      cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, narrow(m), narrow(n),
                  narrow(k), 1.0F, a.data(), narrow(lda), b.data(), narrow(ldb), 0.0F, c.data(), narrow(n));
    }
    benchmark::ClobberMemory();
  }
  state.counters["GFLOPS"] =
      benchmark::Counter(2e-9 * static_cast<double>(m * n * k), benchmark::Counter::kIsIterationInvariantRate);
}

// Forms: 0 A B, 1 A B^T (a linear layer), 2 A^T B (its weight's gradient).
void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"m", "n", "k", "form"});
  for (int64_t size : {8, 16, 32, 64, 128, 512})
    for (int64_t form : {0, 1, 2}) bench->Args({size, size, size, form});
  for (int64_t batch : {64, 1024})
    for (auto [in, out] : {std::pair<int64_t, int64_t>{16, 128}, {128, 7}, {7, 128}, {128, 16}}) {
      bench->Args({batch, out, in, 1});
      bench->Args({batch, in, out, 0});
      bench->Args({out, in, batch, 2});
    }
  bench->Args({128, 256, 784, 1})->Args({4, 128, 128, 1})->Args({1, 1000, 2048, 1})->Args({2048, 1, 512, 0});
}

BENCHMARK_TEMPLATE(gemm, kChosen)->Apply(sizes);
BENCHMARK_TEMPLATE(gemm, kDirect)->Apply(sizes);
BENCHMARK_TEMPLATE(gemm, kOneDnn)->Apply(sizes);
BENCHMARK_TEMPLATE(gemm, kBlas)->Apply(sizes);

}  // namespace

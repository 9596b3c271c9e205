// What the machine can do: the bandwidth of a triad, Adam in one pass by hand, and products of matrices through
// oneDNN.
#include <omp.h>
#include <dnnl.hpp>

#include <cmath>
#include <cstring>
#include <memory>

#include "by_hand.h"
#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
using by_hand::in_threads, by_hand::kElements;

constexpr std::int64_t kSide = 2048;
constexpr double kFlops = 2.0 * kSide * kSide * kSide;

Case triad() {
  Tensor a = zeros({kElements}), b = ones({kElements}), c = ones({kElements});
  return {.step =
              [=] {
                float* out = a.data_ptr<float>();
                const float *x = b.data_ptr<float>(), *y = c.data_ptr<float>();
                in_threads([&](std::int64_t begin, std::int64_t end) {
                  by_hand::triad(out + begin, x + begin, y + begin, end - begin);
                });
              },
          .flops = 1,
          .bytes = 12.0 * kElements};
}

Case adam() {
  Tensor p = randn({kElements}), g = randn({kElements}) * 1e-3, m = zeros({kElements}), v = zeros({kElements});
  return {.step =
              [=, t = 0.0]() mutable {
                t += 1;
                const auto size = static_cast<float>(1e-3 / (1 - std::pow(0.9, t)));
                const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, t)));
                in_threads([&](std::int64_t begin, std::int64_t end) {
                  by_hand::adam(p.data_ptr<float>() + begin, g.data_ptr<float>() + begin, m.data_ptr<float>() + begin,
                                v.data_ptr<float>() + begin, end - begin, size, root);
                });
              },
          .flops = 1,
          .bytes = 28.0 * kElements};
}

// The weights lie as oneDNN likes them best.
Case onednn(dnnl::memory::data_type type) {
  using dnnl::memory;
  omp_set_num_threads(get_num_threads());
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const memory::dims sizes{kSide, kSide};
  const memory::desc rows(sizes, type, memory::format_tag::ab), any(sizes, type, memory::format_tag::any);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc description(engine, rows, any, rows);
#else
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(rows, any, rows), engine);
#endif
  const auto product = std::make_shared<dnnl::matmul>(description);
  const memory a(rows, engine), b(description.weights_desc(), engine), c(rows, engine);
  for (const memory& x : {a, b}) std::memset(x.get_data_handle(), 0, x.get_desc().get_size());
  const auto stream = std::make_shared<dnnl::stream>(engine);
  return {.step =
              [=] {
                product->execute(*stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
                stream->wait();
              },
          .flops = kFlops};
}

const bool added = add("limits", {{"triad", triad},
                                  {"adam-by-hand", adam},
                                  {"float32/onednn", [] { return onednn(dnnl::memory::data_type::f32); }},
                                  {"bfloat16/onednn", [] { return onednn(dnnl::memory::data_type::bf16); }}});

}  // namespace
}  // namespace suite

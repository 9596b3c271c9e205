// What a step of each optimizer costs, as the bandwidth that its rule needs at least: parameter and gradient read, the
// parameter written, state read and written, in float32. Beside it the machine's triad, and a loop for Adam by hand.
//   build/release/bench/gradus_bench --benchmark_filter='Step|Triad|ByHand' --benchmark_repetitions=5
#include <benchmark/benchmark.h>
#include <gradus/gradus.h>

#include <cmath>

namespace {

using namespace gradus;

constexpr std::int64_t kElements = 25'557'032;  // ResNet-50's

std::vector<Shape> resnet50() {
  std::vector<Shape> shapes;
  const auto convolution = [&](std::int64_t out, std::int64_t in, std::int64_t size) {
    shapes.insert(shapes.end(), {Shape{out, in, size, size}, Shape{out}, Shape{out}});  // with its batch norm
  };
  convolution(64, 3, 7);
  std::int64_t in = 64, width = 64;
  for (int blocks : {3, 4, 6, 3}) {
    for (int block = 0; block < blocks; ++block) {
      convolution(width, in, 1);
      convolution(width, width, 3);
      convolution(4 * width, width, 1);
      if (block == 0) convolution(4 * width, in, 1);
      in = 4 * width;
    }
    width *= 2;
  }
  shapes.insert(shapes.end(), {Shape{1000, 2048}, Shape{1000}});
  return shapes;
}

void set_rate(benchmark::State& state, double elements, double bytes_per_element) {
  state.counters["GB/s"] = benchmark::Counter(
      elements * bytes_per_element * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

template <class Options>
void step(benchmark::State& state, const std::vector<Shape>& shapes, const Options& options, int state_tensors) {
  std::vector<Tensor> parameters;
  double elements = 0;
  Generator generator(1);
  for (const Shape& shape : shapes) {
    parameters.push_back(randn(shape, {}, &generator).requires_grad_());
    parameters.back().set_grad(randn(shape, {}, &generator) * 1e-3);
    elements += static_cast<double>(parameters.back().numel());
  }
  optim::OptimizerOf<Options> optimizer(parameters, options);
  const Tensor loss = zeros({});
  const auto closure = [&] { return loss; };
  optimizer.step(closure);  // makes the state
  for (auto _ : state) optimizer.step(closure);
  set_rate(state, elements, 12 + 8 * state_tensors);
}

template <class Options>
void add(const std::string& name, int state_tensors, const Options& options = {}) {
  const auto layout = [&](const char* title, const std::vector<Shape>& shapes, benchmark::TimeUnit unit) {
    benchmark::RegisterBenchmark(("Step" + name + "/" + title).c_str(), step<Options>, shapes, options, state_tensors)
        ->Unit(unit)
        ->UseRealTime();
  };
  layout("ResNet50", resnet50(), benchmark::kMillisecond);
  layout("OneTensor", {Shape{kElements}}, benchmark::kMillisecond);
  layout("1000x1000", std::vector<Shape>(1000, Shape{1000}), benchmark::kMicrosecond);
}

// Adafactor keeps a tensor for vectors only, Muon and its fallback one or two.
const bool added = [] {
  add<optim::SGDOptions>("SGD", 0);
  add<optim::SGDOptions>("SGDMomentum", 1, {.momentum = 0.9});
  add<optim::AdamOptions>("Adam", 2);
  add<optim::AdamOptions>("AdamAMSGrad", 3, {.amsgrad = true});
  add<optim::AdamWOptions>("AdamW", 2);
  add<optim::NAdamOptions>("NAdam", 2);
  add<optim::RAdamOptions>("RAdam", 2);
  add<optim::AdamaxOptions>("Adamax", 2);
  add<optim::AdagradOptions>("Adagrad", 1);
  add<optim::AdadeltaOptions>("Adadelta", 2);
  add<optim::RMSpropOptions>("RMSprop", 1);
  add<optim::RMSpropOptions>("RMSpropFull", 3, {.momentum = 0.9, .centered = true});
  add<optim::RpropOptions>("Rprop", 2);
  add<optim::ASGDOptions>("ASGD", 1);
  add<optim::AdafactorOptions>("Adafactor", 0);
  add<optim::LionOptions>("Lion", 1);
  add<optim::MuonOptions>("Muon", 2, {.fallback = "auto"});
  add<optim::SGDScheduleFreeOptions>("SGDScheduleFree", 2);
  add<optim::AdamWScheduleFreeOptions>("AdamWScheduleFree", 3);
  add<optim::AdEMAMixOptions>("AdEMAMix", 3);
  add<optim::LBFGSOptions>("LBFGS", 2, {.lr = 1e-3, .max_iter = 1, .history_size = 2});
  return true;
}();

// Adam in one pass, as one would write it for one tensor.
#if defined(__x86_64__)
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
void adam_by_hand(float* p, const float* g, float* m, float* v, std::int64_t n, float step_size, float root) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] += 0.1F * (g[i] - m[i]);
    v[i] = 0.999F * v[i] + 0.001F * g[i] * g[i];
    p[i] -= step_size * m[i] / (std::sqrt(v[i]) * root + 1e-8F);
  }
}
#if defined(__x86_64__)
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
void triad(float* a, const float* b, const float* c, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) a[i] = b[i] + 0.5F * c[i];
}

template <class Body>
void in_threads(Body&& body) {
  const int threads = get_num_threads();
#pragma omp parallel for num_threads(threads)
  for (int i = 0; i < threads; ++i) body(kElements * i / threads, kElements * (i + 1) / threads);
}

void AdamByHand(benchmark::State& state) {
  Tensor p = randn({kElements}), g = randn({kElements}) * 1e-3, m = zeros({kElements}), v = zeros({kElements});
  float *pp = p.data_ptr<float>(), *gg = g.data_ptr<float>(), *mm = m.data_ptr<float>(), *vv = v.data_ptr<float>();
  double t = 0;
  for (auto _ : state) {
    t += 1;
    const auto size = static_cast<float>(1e-3 / (1 - std::pow(0.9, t)));
    const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, t)));
    in_threads([&](std::int64_t begin, std::int64_t end) {
      adam_by_hand(pp + begin, gg + begin, mm + begin, vv + begin, end - begin, size, root);
    });
  }
  set_rate(state, kElements, 28);
}
BENCHMARK(AdamByHand)->Unit(benchmark::kMillisecond)->UseRealTime();

void Triad(benchmark::State& state) {
  Tensor a = zeros({kElements}), b = randn({kElements}), c = randn({kElements});
  float *aa = a.data_ptr<float>(), *bb = b.data_ptr<float>(), *cc = c.data_ptr<float>();
  for (auto _ : state)
    in_threads([&](std::int64_t begin, std::int64_t end) { triad(aa + begin, bb + begin, cc + begin, end - begin); });
  set_rate(state, kElements, 12);
}
BENCHMARK(Triad)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

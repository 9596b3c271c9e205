// What a step of each optimizer costs, as the bandwidth that its rule needs at least: parameter and gradient read, the
// parameter written, state read and written, in float32. Beside it the machine's triad, and a loop for Adam by hand.
//   build/release/bench/gradus_bench --benchmark_filter='Step|Triad|ByHand' --benchmark_repetitions=5
#include <benchmark/benchmark.h>
#include <gradus/gradus.h>

#include <cmath>

#include "suite/by_hand.h"

namespace {

using namespace gradus;
using by_hand::in_threads, by_hand::kElements;

void set_rate(benchmark::State& state, double elements, double bytes_per_element) {
  state.counters["GB/s"] = benchmark::Counter(
      elements * bytes_per_element * static_cast<double>(state.iterations()) / 1e9, benchmark::Counter::kIsRate);
}

template <class Options>
void step(benchmark::State& state, const std::vector<Shape>& shapes, const Options& options, double state_tensors) {
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
void add(const std::string& name, double state_tensors, const Options& options = {}) {
  const auto layout = [&](const char* title, const std::vector<Shape>& shapes, benchmark::TimeUnit unit) {
    benchmark::RegisterBenchmark(("Step" + name + "/" + title).c_str(), step<Options>, shapes, options, state_tensors)
        ->Unit(unit)
        ->UseRealTime();
  };
  layout("ResNet50", by_hand::resnet50(), benchmark::kMillisecond);
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
  add<optim::AdamW8bitOptions>("AdamW8bit", 0.5);
  add<optim::LBFGSOptions>("LBFGS", 2, {.lr = 1e-3, .max_iter = 1, .history_size = 2});
  return true;
}();

void AdamByHand(benchmark::State& state) {
  Tensor p = randn({kElements}), g = randn({kElements}) * 1e-3, m = zeros({kElements}), v = zeros({kElements});
  float *pp = p.data_ptr<float>(), *gg = g.data_ptr<float>(), *mm = m.data_ptr<float>(), *vv = v.data_ptr<float>();
  double t = 0;
  for (auto _ : state) {
    t += 1;
    const auto size = static_cast<float>(1e-3 / (1 - std::pow(0.9, t)));
    const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, t)));
    in_threads([&](std::int64_t begin, std::int64_t end) {
      by_hand::adam(pp + begin, gg + begin, mm + begin, vv + begin, end - begin, size, root);
    });
  }
  set_rate(state, kElements, 28);
}
BENCHMARK(AdamByHand)->Unit(benchmark::kMillisecond)->UseRealTime();

void Triad(benchmark::State& state) {
  Tensor a = zeros({kElements}), b = randn({kElements}), c = randn({kElements});
  float *aa = a.data_ptr<float>(), *bb = b.data_ptr<float>(), *cc = c.data_ptr<float>();
  for (auto _ : state)
    in_threads(
        [&](std::int64_t begin, std::int64_t end) { by_hand::triad(aa + begin, bb + begin, cc + begin, end - begin); });
  set_rate(state, kElements, 12);
}
BENCHMARK(Triad)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

// What a step costs, and what makes it cheaper: threads, scopes, gradients for a part, FLOPs, memory. For
// docs/performance.md.
#include <gradus/gradus.h>

#include <cstdio>

using namespace gradus;

struct Net : nn::Module {
  nn::Sequential body = add("body", nn::Sequential(nn::Linear(64, 256), nn::ReLU(), nn::Linear(256, 256), nn::ReLU()));
  nn::Linear head = add("head", nn::Linear(256, 10));
  Tensor forward(const Tensor& x) override { return head(body(x)); }
};

int main() {
  manual_seed(1);
  set_num_threads(1);  // small networks: a thread costs more than it brings
  set_flush_denormal(true);

  Net net;
  nn::CrossEntropyLoss criterion;
  optim::Adam optimizer(net.parameters(), {.lr = 1e-3});
  optim::Adam head_alone(net.head.parameters(), {.lr = 1e-3});
  const Tensor x = randn({128, 64}), y = randint(0, 10, {128});

  std::int64_t all = 0, part = 0;
  {
    FlopCounter counter;
    optimizer.minimize(criterion(net(x), y));
    all = counter.total();
  }
  {
    FlopCounter counter;
    head_alone.minimize(criterion(net(x), y));  // no gradient is computed for the body
    part = counter.total();
  }
  std::printf("a step: %.1f MFLOPs, of the head alone: %.1f\n", static_cast<double>(all) / 1e6,
              static_cast<double>(part) / 1e6);

  // The body never changes, so its features can be computed once, and nothing is kept for backward.
  Tensor features;
  {
    InferenceMode guard;
    features = net.body(x);
  }
  features = features.clone();
  reset_peak_memory();
  for (int step = 0; step < 10; ++step) head_alone.minimize(criterion(net.head(features), y));

  const auto before = memory_stats().reserved_bytes;
  for (int step = 0; step < 10; ++step) optimizer.minimize(criterion(net(x), y));
  const auto stats = memory_stats();
  std::printf("in use %lld bytes, at most %lld, held for reuse %lld\n", static_cast<long long>(stats.current_bytes),
              static_cast<long long>(stats.peak_bytes), static_cast<long long>(stats.reserved_bytes));
  return part < all && stats.reserved_bytes == before ? 0 : 1;
}

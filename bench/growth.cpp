// The Gradus side of bench/growth: one training step whose size is one number.
//
//   gradus_growth AXIS SIZE THREADS SECONDS
//
// Prints {"ms": the median step, "mb": the memory of the process at most, less what it had before the network was
// made}.
#include <gradus/gradus.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace gradus;
namespace F = nn::functional;

double megabytes(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(field)) return std::stod(line.substr(field.size() + 1)) / 1024;
  return 0;
}

using Step = std::function<void()>;

template <class Net>
Step training(Net net, const Tensor& x, const Tensor& target) {
  auto optimizer = std::make_shared<optim::Adam>(net.parameters(), optim::AdamOptions{.lr = 1e-4});
  return [=]() mutable {
    optimizer->zero_grad();
    F::mse_loss(net(x), target).backward();
    optimizer->step();
  };
}

// LeNet's convolutions on 28 x 28 pictures.
Step batch(std::int64_t n) {
  nn::Sequential net(nn::Conv2d(1, 6, 5, {.padding = 2}), nn::ReLU(), nn::MaxPool2d(2), nn::Conv2d(6, 16, 5),
                     nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(), nn::Linear(400, 120), nn::ReLU(),
                     nn::Linear(120, 10));
  return training(net, randn({n, 1, 28, 28}), randn({n, 10}));
}

// Layers of 64 and ReLU, batch 32.
Step depth(std::int64_t layers) {
  nn::Sequential net;
  for (std::int64_t i = 0; i < layers; ++i) {
    net.append(nn::Linear(64, 64));
    net.append(nn::ReLU());
  }
  return training(net, randn({32, 64}), randn({32, 64}));
}

// Two square layers of `parameters` weights together, batch 16.
Step parameters(std::int64_t parameters) {
  const auto width = static_cast<std::int64_t>(std::sqrt(static_cast<double>(parameters) / 2));
  nn::Sequential net(nn::Linear(width, width), nn::ReLU(), nn::Linear(width, width));
  return training(net, randn({16, width}), randn({16, width}));
}

// Two layers of a transformer, 128 wide, 4 heads, one sequence.
Step length(std::int64_t n) {
  nn::TransformerEncoder net(
      nn::TransformerEncoderLayer(
          128, 4,
          {.dim_feedforward = 512, .dropout = 0, .activation = "gelu", .batch_first = true, .norm_first = true}),
      2);
  return training(net, randn({1, n, 128}), randn({1, n, 128}));
}

Step make(const std::string& axis, std::int64_t size) {
  if (axis == "batch") return batch(size);
  if (axis == "depth") return depth(size);
  if (axis == "parameters") return parameters(size);
  if (axis == "length") return length(size);
  throw std::invalid_argument("no axis is called " + axis);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return std::fputs("usage: gradus_growth AXIS SIZE THREADS SECONDS\n", stderr), 2;
  set_num_threads(std::stoi(argv[3]));
  using Clock = std::chrono::steady_clock;
  const double before = megabytes("VmRSS"), seconds = std::stod(argv[4]);
  const Step step = make(argv[1], std::stoll(argv[2]));
  step();
  std::vector<double> times;
  const auto begin = Clock::now();
  do {
    const auto start = Clock::now();
    step();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  } while (times.size() < 3 || std::chrono::duration<double>(Clock::now() - begin).count() < seconds);
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  std::printf("{\"ms\": %.6g, \"mb\": %.6g}\n", times[times.size() / 2], megabytes("VmHWM") - before);
}

// Modules on another device than the CPU: moving, training, and what a training step waits for.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/emulated/device.h"
#include "support/tested_device.h"

namespace gradus {
namespace {

const Device kTested = test::tested_device();

TEST(ModuleTo, MovesParametersBuffersAndGradients) {
  nn::Sequential net(nn::Linear(3, 4), nn::BatchNorm1d(4));
  const Tensor weight = net.parameters()[0];
  net(rand({5, 3})).sum().backward();
  const auto before = weight.to_vector<float>(), grad = weight.grad().to_vector<float>();
  net.to(kTested);
  for (const Tensor& p : net.parameters()) {
    EXPECT_EQ(p.device(), kTested);
    EXPECT_EQ(p.grad().device(), kTested);
    EXPECT_TRUE(p.is_leaf());
  }
  for (const Tensor& b : net.buffers()) EXPECT_EQ(b.device(), kTested);
  EXPECT_EQ(weight.to_vector<float>(), before);
  EXPECT_EQ(weight.grad().to_vector<float>(), grad);
  EXPECT_EQ(net(rand({5, 3}, {.device = kTested})).device(), kTested);
  EXPECT_THROW(net(rand({5, 3})), ValueError);
  if (!cuda::is_available()) {
    EXPECT_THROW(net.cuda(), ValueError);
  }
  EXPECT_EQ(weight.device(), kTested);
  net.to(kCPU);
  EXPECT_EQ(weight.to_vector<float>(), before);
}

TEST(ModuleTo, ChangesNothingWhereTheDeviceHasTooLittleMemory) {
  if (kTested.type != DeviceType::Emulated) GTEST_SKIP() << "the limit is the emulated device's";
  nn::Sequential net(nn::Linear(4, 4), nn::Linear(1000, 1000));
  emulated::set_limit(1 << 20);
  EXPECT_THROW(net.to(kTested), OutOfMemory);
  emulated::set_limit(0);
  for (const Tensor& p : net.parameters()) EXPECT_EQ(p.device(), kCPU);
}

// The course of a network that trains on a device, from one start: the losses of some steps, read at the end.
template <class Net, class Loss>
std::vector<double> course(Net& net, Device device, std::int64_t steps, const Loss& loss_of,
                           std::int64_t* waited = nullptr) {
  net.to(device);
  optim::Adam opt(net.parameters(), {.lr = 1e-2});
  std::vector<Tensor> losses;
  synchronize(device);
  const auto before = emulated::counters().synchronizations;
  for (std::int64_t i = 0; i < steps; ++i) {
    opt.zero_grad();
    const Tensor loss = loss_of(net, i);
    loss.backward();
    opt.step();
    losses.push_back(loss.detach());
  }
  if (waited != nullptr) *waited = emulated::counters().synchronizations - before;
  std::vector<double> values;
  for (const Tensor& loss : losses) values.push_back(loss.item());
  return values;
}

template <class Make, class Loss>
void trains_the_same(const Make& make, const Loss& loss_on, double tolerance = 2e-4) {
  auto here = make(), there = make();
  there.load_state_dict(here.state_dict());
  const auto loss = [&](Device device) {
    return [&loss_on, device](auto& net, std::int64_t i) { return loss_on(net, i, device); };
  };
  manual_seed(1);
  const auto expected = course(here, kCPU, 8, loss(kCPU));
  manual_seed(1);
  emulated::set_delays(100);
  std::int64_t waited = -1;
  const auto got = course(there, kTested, 8, loss(kTested), &waited);
  emulated::set_delays(0);
  EXPECT_EQ(waited, 0) << "a step waits for the device";
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i]))) << "step " << i;
  EXPECT_LT(expected.back(), expected.front());
}

Tensor labels(std::int64_t n, std::int64_t classes, Device device) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(i * i % classes);
  return tensor(values, {.device = device});
}

Tensor input(const Shape& sizes, std::int64_t seed, Device device) {
  Generator generator(static_cast<std::uint64_t>(seed));
  return randn(sizes, {.device = device}, &generator);
}

TEST(TrainingOnADevice, FullyConnected) {
  trains_the_same([] { return nn::Sequential(nn::Linear(20, 32), nn::ReLU(), nn::Dropout(0.2), nn::Linear(32, 5)); },
                  [](auto& net, std::int64_t, Device device) {
                    return nn::functional::cross_entropy(net(input({16, 20}, 3, device)), labels(16, 5, device));
                  });
}

TEST(TrainingOnADevice, Convolutions) {
  trains_the_same(
      [] {
        return nn::Sequential(nn::Conv2d(3, 8, 3, {.padding = 1}), nn::BatchNorm2d(8), nn::ReLU(), nn::MaxPool2d(2),
                              nn::Conv2d(8, 40, 3), nn::BatchNorm2d(40), nn::ReLU(), nn::AdaptiveAvgPool2d(1),
                              nn::Flatten(), nn::Linear(40, 4));
      },
      [](auto& net, std::int64_t, Device device) {
        return nn::functional::cross_entropy(net(input({8, 3, 12, 12}, 5, device)), labels(8, 4, device));
      },
      2e-3);
}

struct Tagger : nn::Module {
  nn::Embedding words = add("words", nn::Embedding(12, 6));
  nn::LSTM memory = add("memory", nn::LSTM(6, 8));
  nn::Linear out = add("out", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) { return out(memory(words(x)).first); }
  Tensor operator()(const Tensor& x) { return forward(x); }
};

TEST(TrainingOnADevice, EmbeddingsAndRecurrentLayers) {
  trains_the_same([] { return Tagger(); },
                  [](auto& net, std::int64_t, Device device) {
                    const Tensor x = labels(5 * 4, 12, device).view({5, 4});
                    return nn::functional::cross_entropy(net(x).reshape({20, 3}), labels(20, 3, device));
                  });
}

TEST(TrainingOnADevice, Transformer) {
  trains_the_same(
      [] {
        nn::TransformerEncoderLayer layer(8, 2, {.dim_feedforward = 16, .dropout = 0.0, .batch_first = true});
        return layer;
      },
      [](auto& net, std::int64_t, Device device) {
        return nn::functional::mse_loss(net(input({3, 6, 8}, 7, device)), input({3, 6, 8}, 8, device));
      },
      1e-3);
}

}  // namespace
}  // namespace gradus

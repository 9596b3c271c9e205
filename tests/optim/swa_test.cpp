// Averages of weights, against the recurrences written out.
#include <gradus/core/parallel.h>
#include <gradus/data.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/normalization.h>
#include <gradus/optim.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

using optim::swa_utils::AveragedModel;
using optim::swa_utils::get_ema_multi_avg_fn;
using optim::swa_utils::SWALR;

// With a buffer of each kind, and two parameters of different types.
struct Net : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(3, 5));
  nn::Parameter scale = add("scale", nn::Parameter(ones({2}, {.dtype = kFloat64})));
  nn::Buffer mean = add("mean", nn::Buffer(zeros({4})));
  nn::Buffer count = add("count", nn::Buffer(zeros({}, {.dtype = kInt64})));
  Tensor forward(const Tensor& x) override { return fc(x); }
};

// The network after t steps of something.
void set(Net& net, int t) {
  NoGrad guard;
  Generator generator(static_cast<std::uint64_t>(t));
  for (Tensor& p : net.parameters()) p.copy_(randn(p.sizes(), {}, &generator));
  net.mean.fill_(t);
  net.count.fill_(10 * t);
}

std::vector<double> numbers(const std::vector<Tensor>& tensors) {
  std::vector<double> all;
  for (const Tensor& x : tensors)
    for (double v : x.to_vector<double>()) all.push_back(v);
  return all;
}

TEST(AveragedModel, TheMeanAndTheMovingAverage) {
  for (double decay : {-1.0, 0.9, 0.3}) {  // -1: the mean
    for (bool buffers : {false, true}) {
      Net net;
      optim::swa_utils::AveragedModelOptions options{.use_buffers = buffers};
      if (decay >= 0) options.multi_avg_fn = get_ema_multi_avg_fn(decay);
      AveragedModel average(net, options);
      std::vector<double> expected;
      double mean = 0;
      for (int t = 0; t < 6; ++t) {
        set(net, t);
        average.update_parameters(net);
        const auto now = numbers(net.parameters());
        if (t == 0) expected = now;
        const double weight = decay >= 0 ? 1 - decay : 1.0 / (t + 1);
        for (std::size_t i = 0; i < now.size(); ++i) expected[i] += weight * (now[i] - expected[i]);
        mean += weight * (t - mean);
        EXPECT_EQ(average.n_averaged.item<std::int64_t>(), t + 1);
      }
      const auto got = numbers(average.module.parameters());
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
      EXPECT_NEAR(average.module.mean.to_vector<double>()[3], buffers ? mean : 5, 1e-6);
      if (!buffers) {
        EXPECT_EQ(average.module.count.item<std::int64_t>(), 50);
      }
      // The network that was shown is as it was, and the average is another one.
      EXPECT_EQ(net.mean.to_vector<double>()[0], 5);
      EXPECT_TRUE(equal(average(ones({1, 3})), average.module.fc(ones({1, 3}))));
    }
  }
}

TEST(AveragedModel, IntegerBuffersAreCutOff) {
  Net net;
  AveragedModel average(net, {.multi_avg_fn = get_ema_multi_avg_fn(0.75), .use_buffers = true});
  set(net, 1);  // count: 10
  average.update_parameters(net);
  set(net, 2);  // 10 + 0.25 * 10 = 12.5
  average.update_parameters(net);
  EXPECT_EQ(average.module.count.item<std::int64_t>(), 12);
}

TEST(AveragedModel, SavesAsPyTorch) {
  Net net;
  AveragedModel average(net, {.multi_avg_fn = get_ema_multi_avg_fn(0.5)});
  for (int t = 0; t < 3; ++t) {
    set(net, t);
    average.update_parameters(net);
  }
  EXPECT_EQ(average.state_dict().keys(),
            (std::vector<std::string>{"n_averaged", "module.scale", "module.mean", "module.count", "module.fc.weight",
                                      "module.fc.bias"}));
  Net other;
  AveragedModel resumed(other, {.multi_avg_fn = get_ema_multi_avg_fn(0.5)});
  resumed.load_state_dict(average.state_dict());
  set(net, 3);
  average.update_parameters(net);
  resumed.update_parameters(net);
  for (const auto& [name, tensor] : average.state_dict()) EXPECT_TRUE(equal(tensor, resumed.state_dict().at(name)));
}

TEST(AveragedModel, TheSameForAnyNumberOfThreads) {
  const int saved = get_num_threads();
  std::vector<std::vector<double>> results;
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    manual_seed(1);
    nn::Sequential net(nn::Linear(300, 300), nn::Linear(300, 7));
    AveragedModel average(net, {.multi_avg_fn = get_ema_multi_avg_fn(0.99)});
    for (int i = 0; i < 3; ++i) {
      average.update_parameters(net);
      NoGrad guard;
      for (Tensor& p : net.parameters()) p.mul_(1.5);
    }
    results.push_back(numbers(average.parameters()));
  }
  set_num_threads(saved);
  EXPECT_EQ(results[0], results[1]);
}

TEST(AveragedModel, RefusesAnotherNetwork) {
  nn::Sequential net(nn::Linear(2, 2)), wider(nn::Linear(2, 3)), deeper(nn::Linear(2, 2), nn::Linear(2, 2));
  AveragedModel average(net);
  average.update_parameters(net);
  const auto before = numbers(average.parameters());
  EXPECT_THROW(average.update_parameters(wider), ValueError);
  EXPECT_THROW(average.update_parameters(deeper), ValueError);
  EXPECT_EQ(numbers(average.parameters()), before);
  EXPECT_EQ(average.n_averaged.item<std::int64_t>(), 1);
  for (double bad : {-0.1, 1.1, std::nan(""), double{INFINITY}}) EXPECT_THROW(get_ema_multi_avg_fn(bad), ValueError);
}

TEST(AveragedModel, RefusesItsOwnAverage) {
  nn::Sequential net(nn::Linear(2, 2));
  AveragedModel average(net);
  EXPECT_THROW(average.update_parameters(average.module), ValueError);
  EXPECT_EQ(average.n_averaged.item<std::int64_t>(), 0);
}

TEST(Swalr, AnnealsFromWhereTheRateIs) {
  optim::SGD opt(ones({1}, {.requires_grad = true}), {.lr = 1});
  optim::lr_scheduler::ExponentialLR main(opt, {.gamma = 0.5});
  SWALR swa(opt, {.swa_lr = 0.05, .anneal_epochs = 4});
  main.step(2);  // 0.25
  std::vector<double> rates;
  for (int t = 1; t <= 6; ++t) {
    swa.step();
    rates.push_back(*opt.param_groups()[0].lr);
    const double there = (1 - std::cos(M_PI * std::min(t, 4) / 4)) / 2;
    EXPECT_NEAR(rates.back(), 0.05 * there + 0.25 * (1 - there), 1e-15);
  }
  SWALR line(opt, {.swa_lr = 1.05, .anneal_epochs = 2, .anneal_strategy = "linear"});
  line.step();
  EXPECT_DOUBLE_EQ(*opt.param_groups()[0].lr, 0.55);
  SWALR at_once(opt, {.swa_lr = 0.5, .anneal_epochs = 0});
  EXPECT_EQ(*opt.param_groups()[0].lr, 0.5);
  EXPECT_THROW(SWALR scheduler(opt), ValueError);
  EXPECT_THROW(SWALR(opt, {.swa_lr = 1, .anneal_epochs = -1}), ValueError);
  EXPECT_THROW(SWALR(opt, {.swa_lr = 1, .anneal_strategy = "other"}), ValueError);
}

TEST(UpdateBn, StatisticsAreTheMeansOverAllBatches) {
  manual_seed(4);
  nn::Sequential net{nn::Linear(3, 4), nn::BatchNorm1d(4, {.momentum = 0.0}), nn::ReLU(), nn::BatchNorm1d(4)};
  auto& first = *net.get_submodule("1").as<nn::BatchNorm1d>();
  const std::vector<Tensor> batches{randn({5, 3}), randn({7, 3}), randn({2, 3})};
  Tensor mean = zeros({4}), var = zeros({4});
  for (const Tensor& x : batches) {
    const NoGrad guard;
    const Tensor h = net.get_submodule("0")(x);
    mean.add_(h.mean(0) / 3);
    var.add_(gradus::var(h, 0) / 3);
  }
  net.eval();
  optim::swa_utils::update_bn(batches, net);
  EXPECT_TRUE(allclose(first.running_mean, mean, 1e-5, 1e-6));
  EXPECT_TRUE(allclose(first.running_var, var, 1e-5, 1e-6));
  EXPECT_EQ(first.num_batches_tracked.item<std::int64_t>(), 3);
  EXPECT_FALSE(net.is_training());
  // Loaders give batches, whose data it takes.
  const std::vector<double> kept = first.running_var.to_vector<double>();
  data::TensorDataset rows(randn({8, 3}), zeros({8}));
  data::DataLoader loader(rows, {.batch_size = 4});
  net.train();
  optim::swa_utils::update_bn(loader, net);
  EXPECT_TRUE(net.is_training());
  EXPECT_EQ(first.num_batches_tracked.item<std::int64_t>(), 2);
  EXPECT_NE(first.running_var.to_vector<double>(), kept);
}

TEST(UpdateBn, WhatThrowsOrIsFrozenChangesNothing) {
  manual_seed(5);
  nn::Sequential net{nn::BatchNorm1d(3), nn::BatchNorm1d(3)};
  auto& first = *net.get_submodule("0").as<nn::BatchNorm1d>();
  auto& second = *net.get_submodule("1").as<nn::BatchNorm1d>();
  EXPECT_THROW(optim::swa_utils::update_bn(std::vector<Tensor>{randn({4, 3}), randn({4, 2})}, net), Error);
  EXPECT_EQ(first.running_mean.to_vector<double>(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(first.num_batches_tracked.item<std::int64_t>(), 0);
  nn::freeze(second);
  optim::swa_utils::update_bn(std::vector<Tensor>{randn({4, 3})}, net);
  EXPECT_NE(first.running_mean.to_vector<double>(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(second.running_mean.to_vector<double>(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(second.running_var.to_vector<double>(), (std::vector<double>{1, 1, 1}));
}

}  // namespace
}  // namespace gradus

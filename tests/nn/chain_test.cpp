// Chains against the same modules one by one.
#include <gradus/autocast.h>
#include <gradus/autograd.h>
#include <gradus/core/memory.h>
#include <gradus/models/resnet.h>
#include <gradus/nn/chain.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/summary.h>
#include <gradus/optim.h>
#include <gradus/profiler.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <set>

#include "ops/image/packed_weights.h"

namespace gradus::test {
namespace {

struct Block : nn::Module {
  nn::Conv2d conv = add("conv", nn::Conv2d(32, 48, 3, {.padding = 1}));
  nn::BatchNorm2d bn = add("bn", nn::BatchNorm2d(48));
  nn::ReLU relu = add("relu", nn::ReLU(true));
  nn::Conv2d down = add("down", nn::Conv2d(32, 48, 1));

  Block() {
    const NoGrad guard;
    bn.running_mean.normal_(0, 0.1);
    bn.running_var.uniform_(0.5, 2);
    bn.weight.uniform_(0.5, 1.5);
    bn.bias.normal_();
  }
  Tensor forward(const Tensor& x) override { return nn::residual_chain(x, down(x), conv, bn, relu); }
  Tensor one_by_one(const Tensor& x) { return gradus::relu(bn(conv(x)) + down(x)); }
};

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item() / b.abs().max().item(); }

TEST(ChainTest, FrozenModulesGiveWhatTheyGiveOneByOne) {
  manual_seed(1);
  Block block;
  nn::freeze(block);
  const Tensor x = randn({3, 32, 9, 7});
  EXPECT_LT(distance(block(x), block.one_by_one(x)), 1e-5);
  EXPECT_FALSE(block(x).requires_grad());
  // Another batch, and again: from the weights that were kept.
  for (std::int64_t batch : {5, 3}) {
    const Tensor other = randn({batch, 32, 9, 7});
    EXPECT_LT(distance(block(other), block.one_by_one(other)), 1e-5);
  }
}

// What is written through a pointer changes no version: nothing is kept of memory that such a pointer has left.
TEST(ChainTest, WhatIsWrittenThroughPointersIsSeen) {
  manual_seed(2);
  for (int which = 0; which < 6; ++which) {
    Block block;
    nn::freeze(block);
    const NoGrad guard;
    const std::vector<Tensor> all{block.conv.weight, block.conv.bias,       block.bn.weight,
                                  block.bn.bias,     block.bn.running_mean, block.bn.running_var};
    const Tensor& changed = all[static_cast<std::size_t>(which)];
    const Tensor x = randn({2, 32, 6, 6}), before = block(x);
    float* pointer = changed.data_ptr<float>();  // kept by whoever asked for it
    for (int round = 0; round < 2; ++round) {
      block(x);
      for (std::int64_t i = 0; i < changed.numel(); ++i) pointer[i] = pointer[i] * 1.5f + 0.25f;
      const Tensor after = block(x);
      EXPECT_GT(distance(after, before), 1e-3) << which;
      EXPECT_LT(distance(after, block.one_by_one(x)), 1e-5) << which;
    }
  }
}

TEST(ChainTest, ReadingStepsAndCopiesLeaveWeightsKept) {
  manual_seed(2);
  nn::Conv2d conv(32, 48, 3);
  optim::Adam opt(conv.parameters());
  opt.minimize(conv(randn({1, 32, 6, 6})).sum());
  conv.requires_grad_(false);
  const NoGrad guard;
  const Tensor x = randn({2, 32, 6, 6});
  const Tensor weight = conv.weight;
  const auto kept = [&] { return ops::kept_weights(weight, {&weight, 1}) != nullptr; };
  conv(x);
  const bool served = kept();  // not on every machine
  EXPECT_EQ(conv.weight.const_data_ptr<float>(), conv.weight.const_data_ptr());
  conv.weight.to_vector<float>();
  conv.weight.detach().copy_(randn(conv.weight.sizes()));
  conv.load_state_dict(conv.state_dict());
  conv(x);
  EXPECT_EQ(kept(), served);
  conv.weight.data_ptr<float>();
  conv(x);
  EXPECT_FALSE(kept());
}

TEST(ChainTest, KeptWeightsSeeEveryChange) {
  manual_seed(2);
  Block block;
  nn::freeze(block);
  const Tensor x = randn({2, 32, 6, 6});
  Tensor before = block(x);
  const NoGrad guard;
  for (Tensor changed : {Tensor(block.conv.weight), Tensor(block.conv.bias), Tensor(block.bn.weight),
                         Tensor(block.bn.bias), Tensor(block.bn.running_mean), Tensor(block.bn.running_var)}) {
    changed.mul_(1.5).add_(0.25);
    const Tensor after = block(x);
    EXPECT_GT(distance(after, before), 1e-3);
    EXPECT_LT(distance(after, block.one_by_one(x)), 1e-5);
    before = after;
  }
}

TEST(ChainTest, TrainsAsTheModulesOneByOne) {
  manual_seed(3);
  Block block;
  Block other = nn::clone(block);
  const Tensor x = randn({4, 32, 8, 8});
  for (int step = 0; step < 2; ++step) {
    const Tensor y = block(x), z = other.one_by_one(x);
    EXPECT_LT(distance(y, z), 1e-5);
    block.zero_grad();
    other.zero_grad();
    sum(y * y).backward();
    sum(z * z).backward();
    const auto ours = block.named_parameters(), theirs = other.named_parameters();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      // The bias of a convolution before a normalisation has no influence: its gradient is rounding.
      if (ours[i].first == "conv.bias") continue;
      EXPECT_LT(distance(ours[i].second.grad(), theirs[i].second.grad()), 1e-3) << ours[i].first;
    }
    EXPECT_LT(distance(block.bn.running_var, other.bn.running_var), 1e-5);
  }
}

TEST(ChainTest, UnfrozenModulesTrainAgain) {
  manual_seed(4);
  Block block;
  nn::freeze(block);
  const Tensor x = randn({2, 32, 6, 6});
  static_cast<void>(block(x));
  nn::unfreeze(block);
  block.train();
  const Tensor y = block(x);
  ASSERT_TRUE(y.requires_grad());
  sum(y).backward();
  EXPECT_TRUE(block.conv.weight.grad().defined());
}

TEST(ChainTest, HooksSeeEachModule) {
  manual_seed(5);
  Block block;
  nn::freeze(block);
  int calls = 0;
  block.bn.register_forward_hook([&](nn::Module&, const Tensor&, const Tensor&) {
    ++calls;
    return Tensor();
  });
  const Tensor x = randn({2, 32, 6, 6});
  EXPECT_LT(distance(block(x), block.one_by_one(x)), 1e-5);
  EXPECT_EQ(calls, 2);
}

// A profiler sees the program that runs without it, and others each module by itself.
TEST(ChainTest, AProfilerSeesWhatRuns) {
  manual_seed(6);
  nn::Sequential net(nn::Conv2d(3, 32, 3), nn::BatchNorm2d(32), nn::ReLU(), nn::MaxPool2d(2));
  const Tensor x = randn({2, 3, 9, 9});
  const auto layers_of = [&](const auto& rows) {
    std::set<std::string> names;
    for (const auto& row : rows) names.insert(row.name);
    return names;
  };
  Profiler profiler;
  net(x);
  profiler.stop();
  EXPECT_EQ(layers_of(profiler.by_layer()),
            (std::set<std::string>{"0 (Conv2d)", "0 (Conv2d + BatchNorm2d + ReLU)", "3 (MaxPool2d)"}));
  const auto summary = nn::summary(net, {2, 3, 9, 9});
  EXPECT_EQ(summary.layers.size(), 5U);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes() || a.dtype() != b.dtype()) return false;
  return a.numel() == 0 || std::memcmp(a.contiguous().data_ptr(), b.contiguous().data_ptr(),
                                       static_cast<std::size_t>(a.numel() * a.element_size())) == 0;
}

// Linear layers and the rectifiers behind them, against the modules one by one: results and gradients, bit for bit.
TEST(ChainTest, RectifiedLayersGiveTheBitsOfTheModules) {
  manual_seed(7);
  for (const Dtype dtype : {kFloat32, kFloat64}) {
    for (const std::int64_t width : {5, 64, 400}) {
      nn::Sequential net(nn::Linear(40, width, {.dtype = dtype}), nn::LeakyReLU(0.2),
                         nn::Linear(width, width, {.bias = false, .dtype = dtype}), nn::ReLU(true),
                         nn::Linear(width, 20, {.dtype = dtype}), nn::LeakyReLU(-0.5),
                         nn::Linear(20, 8, {.dtype = dtype}), nn::LeakyReLU(0.0));
      nn::Sequential other = nn::clone(net);
      for (const Shape& sizes : {Shape{3, 40}, Shape{2, 50, 40}, Shape{0, 40}, Shape{40}}) {
        Tensor x = randn(sizes, {.dtype = dtype});
        if (x.numel() > 0) x.view({-1})[0].fill_(std::numeric_limits<double>::quiet_NaN());
        if (x.numel() > 40) x.view({-1})[41].fill_(-std::numeric_limits<double>::infinity());
        Tensor z = x.clone();
        x.requires_grad_();
        z.requires_grad_();
        const Tensor ours = net(x);
        Tensor theirs = z;
        for (std::size_t i = 0; i < other.size(); ++i) theirs = other[i](theirs);
        ASSERT_TRUE(same_bits(ours, theirs)) << width << ", " << to_string(sizes);
        net.zero_grad();
        other.zero_grad();
        sum(ours * ours).backward();
        sum(theirs * theirs).backward();
        EXPECT_TRUE(same_bits(x.grad(), z.grad()));
        for (std::size_t i = 0; i < net.parameters().size(); ++i) {
          EXPECT_TRUE(same_bits(net.parameters()[i].grad(), other.parameters()[i].grad())) << i;
        }
      }
    }
  }
}

// As in PyTorch, whose leaky_relu keeps its input.
TEST(ChainTest, ALeakyResultMayBeChangedInPlace) {
  manual_seed(10);
  nn::Sequential net(nn::Linear(4, 4), nn::LeakyReLU(0.2));
  const Tensor x = randn({3, 4});
  Tensor y = net(x);
  const Tensor wanted = autograd::grad({sum(y)}, {net.parameters()[0]}, {})[0];
  y = net(x);
  y.add_(5);
  EXPECT_TRUE(same_bits(autograd::grad({sum(y)}, {net.parameters()[0]})[0], wanted));
}

TEST(ChainTest, HooksSeeALayerAndItsRectifier) {
  manual_seed(8);
  nn::Sequential net(nn::Linear(4, 4), nn::ReLU());
  const Tensor x = randn({3, 4});
  Tensor seen;
  net[0].register_forward_hook([&](nn::Module&, const Tensor&, const Tensor& y) {
    seen = y.clone();
    return Tensor();
  });
  const Tensor y = net(x);
  ASSERT_TRUE(seen.defined());
  EXPECT_LT(seen.min().item(), 0);
  EXPECT_TRUE(same_bits(y, relu(seen)));
}

TEST(ChainTest, ADerivedRectifierIsAsked) {
  struct Own : nn::ReLU {
    Tensor forward(const Tensor& x) override { return x * 3; }
  };
  nn::Sequential net(nn::Linear(4, 4), Own());
  const Tensor x = randn({3, 4});
  EXPECT_TRUE(same_bits(net(x), net[0](x) * 3));
}

TEST(ChainTest, RectifiedLayersOfHalvesAreRoundedBetween) {
  manual_seed(9);
  nn::Sequential net(nn::Linear(64, 64), nn::LeakyReLU(0.3));
  const Tensor x = randn({32, 64});
  const Autocast halves(kBFloat16);
  EXPECT_TRUE(same_bits(net(x), net[1](net[0](x))));
}

TEST(ChainTest, ASequentialIsOne) {
  manual_seed(6);
  nn::Sequential net(nn::Conv2d(3, 32, 3), nn::BatchNorm2d(32), nn::ReLU(), nn::Conv2d(32, 32, 1));
  net.eval();
  const NoGrad guard;
  const Tensor x = randn({2, 3, 8, 8});
  EXPECT_LT(distance(net(x), net[3](net[2](net[1](net[0](x))))), 1e-5);
}

// A Sequential and its modules one by one give the same bits, forward and backward.
void expect_same(nn::Sequential& net, const Tensor& x) {
  const auto run = [&](bool one_by_one) {
    Tensor from = x.clone().requires_grad_(), y = from;
    if (one_by_one) {
      for (std::size_t i = 0; i < net.size(); ++i) y = net[i](y);
    } else {
      y = net(from);
    }
    net.zero_grad();
    sum(y * y).backward();
    std::vector<Tensor> found{y.detach(), from.grad().clone()};
    for (const Tensor& p : net.parameters()) found.push_back(p.grad().clone());
    return found;
  };
  const auto together = run(false), apart = run(true);
  for (std::size_t i = 0; i < together.size(); ++i) EXPECT_TRUE(equal(together[i], apart[i])) << i;
}

TEST(ChainTest, AReluBeforeMaxPoolingRunsInIt) {
  manual_seed(7);
  for (const bool inplace : {false, true}) {
    nn::Sequential net(nn::Conv2d(3, 6, 5), nn::ReLU(inplace), nn::MaxPool2d(2), nn::Conv2d(6, 32, 3),
                       nn::ReLU(inplace), nn::MaxPool2d(3, {.stride = 2, .padding = 1}));
    expect_same(net, randn({2, 3, 20, 21}));
  }
  nn::Sequential lines(nn::Conv1d(2, 3, 3), nn::ReLU(), nn::MaxPool1d(2));
  expect_same(lines, randn({2, 2, 20}));
  nn::Sequential space(nn::Conv3d(1, 2, 3), nn::ReLU(), nn::MaxPool3d(2));
  expect_same(space, randn({1, 1, 8, 8, 9}));
}

TEST(ChainTest, AReluBeforeMaxPoolingKeepsNoResult) {
  nn::Sequential net(nn::Conv2d(1, 1, 1), nn::ReLU(), nn::MaxPool2d(2));
  const Tensor x = randn({1, 1, 512, 512});
  const std::int64_t before = memory_stats().current_bytes;
  const Tensor y = net(x);
  EXPECT_LT(memory_stats().current_bytes - before, x.numel() * 4);
}

TEST(ChainTest, AReluInPlaceBeforeMaxPoolingChangesWhatItIsGiven) {
  manual_seed(8);
  nn::Sequential net(nn::ReLU(true), nn::MaxPool2d(2));
  Tensor x = randn({1, 1, 4, 4});
  const Tensor wanted = relu(x), y = net(x);
  EXPECT_TRUE(equal(x, wanted));
  EXPECT_TRUE(equal(y, max_pool2d(wanted, 2)));
}

TEST(ChainTest, HooksSeeAReluBeforeMaxPooling) {
  manual_seed(9);
  for (const std::size_t hooked : {0, 1, 2}) {
    nn::Sequential net(nn::Conv2d(1, 1, 1), nn::ReLU(true), nn::MaxPool2d(2));
    Tensor seen;
    net[hooked].register_forward_hook([&](nn::Module&, const Tensor&, const Tensor& y) {
      seen = y;
      return Tensor();
    });
    const NoGrad guard;
    const Tensor x = randn({1, 1, 6, 6}), y = net(x), first = seen;
    const Tensor rectified = relu(net[0](x));
    ASSERT_TRUE(first.defined());
    EXPECT_TRUE(equal(y, max_pool2d(rectified, 2)));
    // The convolution's result is the memory that the relu changes.
    EXPECT_TRUE(equal(first, hooked < 2 ? rectified : y)) << hooked;
  }
}

TEST(ChainTest, AShortcutIsAddedBeforeTheLastModule) {
  manual_seed(10);
  nn::ReLU relu;
  nn::MaxPool2d pool(2);
  const Tensor x = randn({1, 2, 6, 6}), shortcut = randn({1, 2, 6, 6});
  EXPECT_TRUE(equal(nn::residual_chain(x, shortcut, relu, pool), max_pool2d(gradus::relu(x) + shortcut, 2)));
}

}  // namespace
}  // namespace gradus::test

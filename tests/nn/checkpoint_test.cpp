// Recomputed activations give the bits of kept ones, in less memory.
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gradus/nn/checkpoint.h>

#include <gmock/gmock.h>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

nn::Sequential block() {
  return nn::Sequential(nn::Conv2d(4, 4, 3, {.padding = 1}), nn::BatchNorm2d(4), nn::ReLU(), nn::Dropout(0.3));
}

struct Net : nn::Module {
  nn::Sequential blocks = add("blocks", nn::Sequential(block(), block(), block()));
  nn::Linear fc = add("fc", nn::Linear(4, 2));
  Tensor forward(const Tensor& x) override { return fc(mean(blocks(x), {2, 3})); }
};

using Values = std::vector<std::vector<double>>;
Values trained(Net& net, int steps) {
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  manual_seed(7);
  Values all;
  for (int i = 0; i < steps; ++i) {
    const Tensor x = randn({3, 4, 6, 6}).requires_grad_();
    const Tensor loss = mean(square(net(x)));
    optimizer.zero_grad();
    loss.backward();
    all.push_back(x.grad().to_vector<double>());
    for (const Tensor& p : net.parameters()) all.push_back(p.grad().to_vector<double>());
    optimizer.step();
    all.push_back({loss.item(), randn({1}).item()});  // the generator stands where it should
  }
  for (const Tensor& b : net.buffers()) all.push_back(b.to_vector<double>());
  return all;
}

TEST(Checkpoint, GivesTheSameBitsWithDropoutAndStatistics) {
  manual_seed(1);
  Net kept;
  Net again = nn::clone(kept), of_all = nn::clone(kept);
  EXPECT_THAT(nn::recompute(again, "blocks.*"), ElementsAre("blocks.0", "blocks.1", "blocks.2"));
  EXPECT_THAT(nn::recompute(of_all, "blocks"), ElementsAre("blocks"));
  const Values wanted = trained(kept, 3);
  EXPECT_EQ(trained(again, 3), wanted);
  EXPECT_EQ(trained(of_all, 3), wanted);
  nn::keep_activations(again);
  EXPECT_TRUE(again.blocks[0].state()->hooks.empty());
}

TEST(Checkpoint, OfAFunctionOfSeveralInputs) {
  manual_seed(2);
  nn::Linear layer(3, 3);
  const Tensor a = randn({2, 3}).requires_grad_(), b = randn({2, 3}).requires_grad_();
  const auto fn = [&](const std::vector<Tensor>& x) { return tanh(layer(x[0]) * x[1]); };
  const auto run = [&](bool recomputes) {
    for (Tensor x : {a, b, Tensor(layer.weight), Tensor(layer.bias)}) x.zero_grad();
    const Tensor y = recomputes ? nn::checkpoint(layer, fn, {a, b}) : fn({a, b});
    y.sum().backward();
    return Values{y.to_vector<double>(), a.grad().to_vector<double>(), b.grad().to_vector<double>(),
                  layer.weight.grad().to_vector<double>(), layer.bias.grad().to_vector<double>()};
  };
  EXPECT_EQ(run(true), run(false));
  // Parameters alone, and gradients that somebody asks for.
  const Tensor y = nn::checkpoint(layer, a.detach());
  EXPECT_TRUE(equal(autograd::grad({y.sum()}, {layer.weight})[0],
                    autograd::grad({layer(a.detach()).sum()}, {layer.weight})[0]));
  // Without a gradient to compute nothing is kept.
  const NoGrad guard;
  EXPECT_FALSE(nn::checkpoint(layer, a).requires_grad());
}

TEST(Checkpoint, HooksOfParametersAreCalledOnceAndChangesAreSeen) {
  manual_seed(3);
  nn::Linear layer(3, 3);
  int calls = 0;
  Tensor weight = layer.weight;
  weight.register_hook([&](const Tensor& g) {
    ++calls;
    return g * 2;
  });
  const Tensor x = randn({2, 3});
  nn::checkpoint(layer, x).sum().backward();
  EXPECT_EQ(calls, 1);
  const Tensor doubled = weight.grad().clone();
  weight.zero_grad();
  layer(x).sum().backward();
  EXPECT_TRUE(equal(doubled, weight.grad()));
  const Tensor y = nn::checkpoint(layer, x).sum();
  {
    const NoGrad guard;
    weight.add_(1);
  }
  EXPECT_THAT(message_of([&] { y.backward(); }), HasSubstr("checkpoint"));
  const Tensor z = nn::checkpoint(layer, randn({2, 3}).requires_grad_()).sum();
  EXPECT_THAT(message_of([&] { z.backward({.create_graph = true}); }), HasSubstr("cannot be differentiated again"));
  EXPECT_THAT(message_of([&] { nn::recompute(layer, "fc"); }), HasSubstr("matches 'fc'"));
}

TEST(Checkpoint, InputsMayBeAbsent) {
  manual_seed(5);
  nn::Linear layer(3, 3);
  const auto part = [&](const std::vector<Tensor>& in) { return in[1].defined() ? in[1] : layer(in[0]); };
  const Tensor x = randn({2, 3}).requires_grad_();
  nn::checkpoint(layer, part, {x, Tensor()}).sum().backward();
  const auto got = x.grad().to_vector<float>();
  x.zero_grad();
  layer(x).sum().backward();
  EXPECT_EQ(got, x.grad().to_vector<float>());
  EXPECT_THROW(nn::checkpoint(layer, Tensor()), ValueError);
}

TEST(Checkpoint, KeepsLessMemory) {
  manual_seed(4);
  nn::Sequential net;
  for (int i = 0; i < 12; ++i)
    net.append(nn::Sequential(nn::Linear(64, 64), nn::GELU(), nn::Linear(64, 64), nn::Tanh()));
  const Tensor x = randn({512, 64});
  const auto held = [&] {
    const auto before = memory_stats().current_bytes;
    const Tensor y = net(x);
    const auto now = memory_stats().current_bytes;
    y.sum().backward();
    return now - before;
  };
  const auto kept = held();
  nn::recompute(net, "*");
  EXPECT_LT(held(), kept / 2);
}

}  // namespace
}  // namespace gradus

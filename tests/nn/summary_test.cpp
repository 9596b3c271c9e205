// What a summary counts, and that it leaves the network as it was.
#include <gradus/autograd.h>
#include <gradus/models/registry.h>
#include <gradus/nn.h>
#include <gradus/random.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gradus {
namespace {

using testing::HasSubstr;

nn::Sequential small_net() { return nn::Sequential(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 2)); }

TEST(Summary, CountsTheLayersOfANetwork) {
  nn::Sequential net = small_net();
  const nn::Summary s = nn::summary(net, {5, 4});
  ASSERT_EQ(s.layers.size(), 4U);
  EXPECT_EQ(s.total().type, "Sequential");
  EXPECT_EQ(s.total().parameters, 4 * 8 + 8 + 8 * 2 + 2);
  EXPECT_EQ(s.total().trainable, s.total().parameters);
  EXPECT_EQ(s.total().output, Shape({5, 2}));
  EXPECT_EQ(s.total().forward.multiply_adds, 5 * (4 * 8 + 8 * 2));
  EXPECT_EQ(s.total().forward.flops, 2 * s.total().forward.multiply_adds + 5 * 8);
  EXPECT_EQ(s.layer("0").parameters, 40);
  EXPECT_EQ(s.layer("0").forward.multiply_adds, 5 * 4 * 8);
  EXPECT_EQ(s.layer("0").output, Shape({5, 8}));
  EXPECT_EQ(s.layer("0").calls, 1);
  EXPECT_EQ(s.layer("1").forward.multiply_adds, 0);
  EXPECT_EQ(s.layer("1").forward.flops, 5 * 8);
  // Read x, weight and bias, write y: in float32.
  EXPECT_EQ(s.layer("0").forward.bytes, 4 * (5 * 4 + 8 * 4 + 8 + 5 * 8));
  // The first layer's input wants no gradient: weights of both layers, and the second's input.
  EXPECT_EQ(s.layer("0").backward.multiply_adds, 5 * 4 * 8);
  EXPECT_EQ(s.layer("2").backward.multiply_adds, 2 * 5 * 8 * 2);
  EXPECT_EQ(s.total().backward.multiply_adds, 5 * 4 * 8 + 2 * 5 * 8 * 2);
  // Kept: the input, and the result of ReLU, which is also the second layer's input.
  EXPECT_EQ(s.total().saved_bytes, 4 * (5 * 4 + 5 * 8));
  EXPECT_EQ(s.parameter_bytes, 4 * 58);
  EXPECT_EQ(s.gradient_bytes, 4 * 58);
  EXPECT_THROW(s.layer("3"), ValueError);
}

TEST(Summary, FrozenPartsCostNothingBackward) {
  nn::Sequential net = small_net();
  nn::freeze(net, "0.*");
  const nn::Summary head = nn::summary(net, {5, 4});
  EXPECT_EQ(head.total().trainable, 18);
  EXPECT_EQ(head.layer("0").backward.flops, 0);
  EXPECT_EQ(head.layer("2").backward.multiply_adds, 5 * 8 * 2);
  EXPECT_THAT(head.to_string(), HasSubstr("frozen"));
  nn::freeze(net);
  EXPECT_EQ(nn::summary(net, {5, 4}).total().backward.flops, 0);
  nn::unfreeze(net);
  EXPECT_EQ(nn::summary(net, {5, 4}, {.backward = false}).total().backward.flops, 0);
}

struct Noisy : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(3, 3));
  nn::Buffer mean = add("mean", nn::Buffer(zeros({3})));
  nn::Dropout drop = add("drop", nn::Dropout(0.5));
  Tensor forward(const Tensor& x) override {
    const Tensor y = drop(fc(x + randn({3}))) * 2;
    if (is_training()) {
      const NoGrad guard;
      mean.copy_(y.detach().mean(0));
    }
    return y;
  }
};

TEST(Summary, LeavesEverythingAsItWas) {
  manual_seed(5);
  Noisy net;
  net.drop.eval();  // beside a network that trains
  const Tensor weight = net.fc.weight.detach().clone();
  const Generator before = default_generator();
  const nn::Summary s = nn::summary(net, {4, 3}, {.train = true});
  EXPECT_EQ(default_generator(), before);
  EXPECT_TRUE(net.is_training());
  EXPECT_FALSE(net.drop.is_training());
  EXPECT_TRUE(equal(net.mean, zeros({3})));
  EXPECT_TRUE(equal(net.fc.weight, weight));
  EXPECT_FALSE(net.fc.weight.grad().defined());
  // What runs in no module of its own is the network's.
  EXPECT_GT(s.total().forward.flops, s.layer("fc").forward.flops + s.layer("drop").forward.flops);
  EXPECT_EQ(s.buffers, 3);
}

TEST(Summary, TakesAnyCall) {
  nn::Bilinear net(2, 3, 4);
  const nn::Summary s = nn::summary(net, [&] { return net(ones({5, 2}), ones({5, 3})); });
  EXPECT_EQ(s.total().output, Shape({5, 4}));
  EXPECT_GT(s.total().forward.multiply_adds, 0);
  EXPECT_THROW(nn::summary(net, {5, -1}), ValueError);
  EXPECT_THROW(nn::summary(net, {5, 2}), ValueError);  // no forward of one tensor
}

TEST(Summary, ALayerUsedTwiceCountsTwiceAndHasItsParametersOnce) {
  struct Twice : nn::Module {
    nn::Linear fc = add("fc", nn::Linear(4, 4));
    Tensor forward(const Tensor& x) override { return fc(fc(x)); }
  } net;
  const nn::Summary s = nn::summary(net, {1, 4});
  EXPECT_EQ(s.layer("fc").calls, 2);
  EXPECT_EQ(s.layer("fc").forward.multiply_adds, 2 * 16);
  EXPECT_EQ(s.total().parameters, 20);
}

TEST(Summary, PrintsATable) {
  nn::Sequential net = small_net();
  const std::string text = nn::summary(net, {5, 4}).to_string();
  EXPECT_THAT(text, HasSubstr("Linear"));
  EXPECT_THAT(text, HasSubstr("[5, 8]"));
  EXPECT_THAT(text, HasSubstr("parameters  58 (58 trainable)"));
  EXPECT_THAT(nn::summary(net, {5, 4}).to_string(0), testing::Not(HasSubstr("Linear")));
}

}  // namespace
}  // namespace gradus

// Initial values do not depend on the order in which the compiler makes the arguments of a call.
#include <gradus/autograd.h>
#include <gradus/models/resnet.h>
#include <gradus/nn.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace gradus {
namespace {

std::uint64_t position() { return default_generator().offset(); }

void expect_same(const nn::Module& a, const nn::Module& b) {
  const nn::StateDict x = a.state_dict(), y = b.state_dict();
  ASSERT_EQ(x.size(), y.size());
  for (const auto& [name, tensor] : x) EXPECT_TRUE(equal(tensor, y.at(name))) << name;
}

#define EXPECT_ONE_ORDER(Container, ...)        \
  do {                                          \
    manual_seed(3);                             \
    rand({5});                                  \
    const nn::Container in_braces{__VA_ARGS__}; \
    const std::uint64_t end = position();       \
    manual_seed(3);                             \
    rand({5});                                  \
    const nn::Container in_round(__VA_ARGS__);  \
    EXPECT_EQ(position(), end);                 \
    expect_same(in_braces, in_round);           \
  } while (false)

struct Block : nn::Module {
  nn::Conv2d conv = add("conv", nn::Conv2d(3, 4, 3));
  nn::Linear fc = add("fc", nn::Linear(4, 2));
  Block() {
    nn::init::kaiming_normal_(conv.weight);
    nn::init::trunc_normal_(fc.weight, 0, 1, -0.5, 0.5);
    nn::init::zeros_(fc.bias);
  }
};

struct Noise : nn::Module {
  nn::Parameter sigma = add("sigma", nn::Parameter(randn({3})));
};

TEST(DrawOrder, BracesAndParenthesesGiveTheSameNetwork) {
  EXPECT_ONE_ORDER(Sequential, nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2));
  EXPECT_ONE_ORDER(Sequential, nn::Conv2d(1, 2, 3), nn::BatchNorm2d(2), nn::Dropout(0.5), nn::ConvTranspose2d(2, 1, 3));
  EXPECT_ONE_ORDER(Sequential, nn::Embedding(5, 3, {.padding_idx = 1}), nn::LSTM(3, 4), nn::Bilinear(2, 3, 4));
  EXPECT_ONE_ORDER(Sequential, nn::MultiheadAttention(4, 2), nn::GRUCell(2, 3), nn::TransformerEncoderLayer(4, 2, {}));
  EXPECT_ONE_ORDER(ModuleList, nn::Linear(3, 4), nn::Linear(4, 2), nn::Linear(2, 2), nn::Linear(2, 1));
  EXPECT_ONE_ORDER(Sequential, models::BasicBlock(4, 4, 1), models::BasicBlock(4, 4, 1));
}

TEST(DrawOrder, HoldsForContainersInContainers) {
  EXPECT_ONE_ORDER(Sequential, nn::Sequential(nn::Linear(3, 4), nn::Linear(4, 4)),
                   nn::Sequential(nn::Linear(4, 5), nn::Sequential(nn::Linear(5, 5), nn::ReLU(), nn::Linear(5, 2))),
                   nn::Linear(2, 1));
}

TEST(DrawOrder, HoldsForModulesThatDrawAgainByInit) {
  EXPECT_ONE_ORDER(Sequential, Block(), Block(), nn::Linear(2, 2));
  EXPECT_ONE_ORDER(ModuleList, nn::Linear(2, 2), nn::Sequential(Block(), Block()), Block());
}

TEST(DrawOrder, IsTheOrderOfOneAfterTheOther) {
  manual_seed(4);
  nn::Linear first(3, 4), second(4, 2);
  manual_seed(4);
  nn::Sequential net(nn::Linear(3, 4), nn::Linear(4, 2));
  expect_same(nn::Sequential{first, second}, net);
}

TEST(DrawOrder, NamedModulesKeepTheirValues) {
  manual_seed(5);
  nn::Linear first(3, 4), second(4, 2);
  const Tensor one = first.weight.clone(), two = second.weight.clone();
  const std::uint64_t end = position();
  const nn::Sequential copied(second, first);
  EXPECT_TRUE(equal(first.weight, one));
  const nn::Sequential moved(std::move(second), std::move(first));
  EXPECT_EQ(position(), end);
  EXPECT_TRUE(equal(moved.get_parameter("1.weight"), one));
  EXPECT_TRUE(equal(moved.get_parameter("0.weight"), two));
}

// Which may be all that happened since: what a pointer wrote is not drawn anew.
TEST(DrawOrder, KeepsWhatWasWrittenThroughAPointer) {
  manual_seed(5);
  nn::Linear first(2, 2), second(2, 2), backbone(2, 2);
  first.weight.data_ptr<float>()[0] = 7;
  const nn::Sequential net(backbone, std::move(second), std::move(first));
  EXPECT_EQ(net.get_parameter("2.weight").index({0, 0}).item<float>(), 7);
}

TEST(DrawOrder, VariablesStayVariables) {
  struct Scale : nn::Module {
    double by = 1;
    Tensor forward(const Tensor& x) override { return x * by; }
  } scale;
  nn::Sequential net(scale, nn::ReLU());
  scale.by = 3;
  EXPECT_EQ(net(ones({1})).item<float>(), 3);
}

TEST(DrawOrder, StandsBesideRegisteredModules) {
  manual_seed(6);
  nn::Sequential net{nn::Linear(3, 3)};
  const nn::Linear a(3, 4), b(4, 2);
  manual_seed(6);
  nn::Sequential again{nn::Linear(3, 3)};
  const nn::Sequential mixed(again[0], nn::Linear(3, 4), nn::Linear(4, 2));
  EXPECT_TRUE(equal(mixed.get_parameter("0.weight"), net.get_parameter("0.weight")));
  EXPECT_TRUE(equal(mixed.get_parameter("1.weight"), a.weight));
  EXPECT_TRUE(equal(mixed.get_parameter("2.bias"), b.bias));
}

// Either the compiler works from left to right, or the call says that it does not.
template <class F>
void expect_in_order_or_refused(const nn::Module& in_order, F&& make) {
  manual_seed(7);
  try {
    expect_same(in_order, make());
  } catch (const ValueError& error) {
    EXPECT_NE(std::string(error.what()).find("write braces, Sequential{...}"), std::string::npos) << error.what();
  }
}

TEST(DrawOrder, AGeneratorOfTheCallerMayBeGone) {
  const auto layer = [](std::uint64_t seed) {
    nn::Linear made(4, 4);
    Generator own(seed);
    nn::init::normal_(made.weight, 0, 1, &own);
    return made;
  };
  EXPECT_ONE_ORDER(Sequential, layer(1), layer(2), layer(3));
}

TEST(DrawOrder, IsRefusedWhereValuesCannotBeDrawnAnew) {
  manual_seed(7);
  expect_in_order_or_refused(nn::Sequential{Noise(), Noise()}, [] { return nn::Sequential(Noise(), Noise()); });
  manual_seed(7);
  expect_in_order_or_refused(nn::Sequential{nn::Linear(2, 2), Noise()},
                             [] { return nn::Sequential(nn::Linear(2, 2), Noise()); });
  const auto scaled = [] {
    nn::Linear layer(2, 2);
    NoGrad guard;
    layer.weight.mul_(2);
    return layer;
  };
  manual_seed(7);
  expect_in_order_or_refused(nn::Sequential{scaled(), scaled()}, [&] { return nn::Sequential(scaled(), scaled()); });
}

}  // namespace
}  // namespace gradus

// Networks by name.
#include <gradus/models/autoencoder.h>
#include <gradus/models/registry.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/summary.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::HasSubstr;

TEST(Registry, EveryNetworkTakesItsUsualInput) {
  std::set<std::string> names;
  for (const models::ModelInfo& info : models::list()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.about.empty());
    if (info.input.numel() > 10000) continue;  // minutes under a sanitizer
    const auto net = models::make(info.name);
    Shape sizes{2};
    for (const std::int64_t size : info.input) sizes.push_back(size);
    const NoGrad guard;
    net->eval();
    EXPECT_EQ((*net)(zeros(sizes)).size(0), 2) << info.name;
  }
}

TEST(Registry, OptionsReachTheNetwork) {
  const auto net = models::make("autoencoder", {{"messages", 4}, {"uses", 2}});
  const auto* autoencoder = net->as<models::AutoEncoder>();
  ASSERT_NE(autoencoder, nullptr);
  EXPECT_EQ(autoencoder->messages, 4);
  EXPECT_EQ(autoencoder->uses, 2);
}

TEST(Registry, MistakesAreNamedWithWhatWasMeant) {
  EXPECT_EQ(message_of<ValueError>([] { models::make("autoenocder"); }),
            "models::make: there is no model 'autoenocder'; did you mean 'autoencoder'?");
  EXPECT_THAT(message_of<ValueError>([] { models::info("x"); }), HasSubstr("there are autoencoder, "));
  EXPECT_EQ(message_of<ValueError>([] {
              models::make("autoencoder", {{"message", 4}});
            }),
            "models::make: autoencoder has no option 'message'; did you mean 'messages'?");
  EXPECT_EQ(message_of<ValueError>([] {
              models::make("autoencoder", {{"messages", 4.5}});
            }),
            "models::make: autoencoder: option messages needs an integer, got a number");
  EXPECT_EQ(message_of<ValueError>([] {
              models::make("autoencoder", {{"messages", "4"}});
            }),
            "models::make: autoencoder: option messages needs an integer, got a text");
  EXPECT_THAT(message_of<ValueError>([] {
                models::make("autoencoder", {{"messages", 1}});
              }),
              HasSubstr("at least 2 messages"));
}

nn::Summary costs(const std::string& name) {
  const auto net = models::make(name);
  Shape sizes{1};
  for (const std::int64_t size : models::info(name).input) sizes.push_back(size);
  return nn::summary(*net, sizes, {.backward = false});
}

// As torchvision publishes them with its weights: `num_params`, and `_ops`, which are 10^9 multiply-adds.
TEST(Registry, CostsOfKnownNetworksAreThePublishedOnes) {
  struct Published {
    const char* name;
    std::int64_t parameters;
    double giga_multiply_adds;
  };
  for (const Published& known :
       {Published{"resnet18", 11'689'512, 1.814}, Published{"resnet34", 21'797'672, 3.664},
        Published{"resnet50", 25'557'032, 4.089}, Published{"resnet101", 44'549'160, 7.801},
        Published{"resnet152", 60'192'808, 11.514}, Published{"alexnet", 61'100'840, 0.714},
        Published{"vgg11", 132'863'336, 7.609}, Published{"vgg16", 138'357'544, 15.470},
        Published{"mobilenet_v2", 3'504'872, 0.301}, Published{"vit_b_16", 86'567'656, 17.564}}) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    if (known.parameters > 20'000'000) continue;  // minutes
#endif
    const nn::Summary summary = costs(known.name);
    EXPECT_EQ(summary.total().parameters, known.parameters) << known.name;
    EXPECT_NEAR(static_cast<double>(summary.total().forward.multiply_adds) * 1e-9, known.giga_multiply_adds, 0.0005)
        << known.name;
    EXPECT_EQ(summary.total().output, Shape({1, 1000})) << known.name;
  }
}

TEST(Registry, CostsOfSmallNetworksAreThoseCountedByHand) {
  const auto linear = [](std::vector<std::int64_t> widths) {
    std::pair<std::int64_t, std::int64_t> cost;
    for (std::size_t i = 1; i < widths.size(); ++i) {
      cost.first += (widths[i - 1] + 1) * widths[i];
      cost.second += widths[i - 1] * widths[i];
    }
    return cost;
  };
  const auto expect = [](const char* name, std::pair<std::int64_t, std::int64_t> cost) {
    const nn::Summary summary = costs(name);
    EXPECT_EQ(summary.total().parameters, cost.first) << name;
    EXPECT_EQ(summary.total().forward.multiply_adds, cost.second) << name;
  };
  expect("gan_generator", linear({100, 256, 256, 784}));
  expect("gan_discriminator", linear({784, 256, 256, 1}));
  const auto there = linear({16, 128, 7}), back = linear({7, 128, 16});
  expect("autoencoder", {there.first + back.first, there.second + back.second});
  // The 62,006 parameters of PyTorch's tutorial.
  expect("lenet", {62'006, 28 * 28 * 6 * 75 + 10 * 10 * 16 * 150 + linear({400, 120, 84, 10}).second});
}

// Of a type that the caller does not see: alone, in a container, and again.
TEST(Registry, NetworksCanBeCloned) {
  for (const char* name : {"lenet", "autoencoder"}) {
    const auto net = models::make(name);
    const auto copy = nn::clone(*net), again = nn::clone(*copy);
    EXPECT_EQ(copy->to_string(), net->to_string());
    ASSERT_EQ(copy->parameters().size(), net->parameters().size());
    const NoGrad guard;
    net->parameters()[0].zero_();
    EXPECT_FALSE(equal(copy->parameters()[0], net->parameters()[0])) << name;
    EXPECT_TRUE(equal(copy->parameters()[0], again->parameters()[0])) << name;
  }
  const auto net = models::make("lenet");
  nn::Sequential with_head(*net, nn::Linear(10, 3));
  nn::Sequential copy = nn::clone(with_head);
  EXPECT_FALSE(copy[0].is_same(with_head[0]));
  EXPECT_TRUE(equal(copy.parameters()[0], with_head.parameters()[0]));
  const Tensor x = rand({2, 3, 32, 32});
  EXPECT_TRUE(equal(copy(x), with_head(x)));
  const auto first = nn::clone(with_head[0].get());
  EXPECT_TRUE(equal((*first)(x), (*net)(x)));
}

TEST(Registry, AModuleOfAnUnknownTypeSaysWhyItCannotBeCloned) {
  const std::shared_ptr<nn::Module> made = std::make_shared<nn::Linear>(3, 4), shared = nn::share(nn::Linear(3, 4));
  EXPECT_EQ(nn::clone(*shared)->parameters().size(), 2U);
  try {
    nn::clone(*made);
    FAIL() << "cloned";
  } catch (const ValueError& e) {
    EXPECT_NE(std::string(e.what()).find("nn::share keeps the type"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace gradus

// What load_state_dict takes beside the exact names and sizes.
#include <gmock/gmock.h>
#include <gradus/nn.h>
#include <gradus/ops.h>
#include <gtest/gtest.h>

#include "support/message.h"

namespace gradus::nn {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

struct Tied : Module {
  Embedding embed = add("embed", Embedding(5, 3));
  Linear decoder = add("decoder", Linear(3, 5, {.bias = false}));
  Tied() { decoder.weight = embed.weight; }
};

TEST(StateDict, IsUsedAsAPythonDict) {
  const nn::Linear layer(3, 2);
  nn::StateDict dict = layer.state_dict();
  dict["weight"] = zeros({2, 3});
  dict["extra"] = ones({1});
  EXPECT_EQ(dict.keys(), (std::vector<std::string>{"weight", "bias", "extra"}));
  const nn::StateDict& read = dict;
  EXPECT_TRUE(equal(read["weight"], zeros({2, 3})));
  EXPECT_THROW(read["weigth"], ValueError);
  EXPECT_TRUE(equal(dict.pop("extra"), ones({1})));
  EXPECT_THROW(dict.pop("extra"), ValueError);
  EXPECT_EQ(dict.size(), 2U);
  EXPECT_THROW(dict["weigth"].sizes(), Error);
}

TEST(LoadStateDict, OneOfTwoTiedNamesIsEnough) {
  for (const char* name : {"embed.weight", "decoder.weight"}) {
    Tied net;
    const LoadReport report = net.load_state_dict({{name, full({5, 3}, 7)}});
    EXPECT_THAT(report.loaded, ElementsAre("embed.weight", "decoder.weight"));
    EXPECT_EQ(net.embed.weight.detach().min().item(), 7);
    EXPECT_TRUE(net.decoder.weight.is_same(net.embed.weight));
  }
  Tied net;
  EXPECT_THAT(message_of<ValueError>([&] { net.load_state_dict({}); }), HasSubstr("missing"));
}

// Files of PyTorch before 0.4 have one element where there are no dimensions today, and the other way round.
TEST(LoadStateDict, OneElementFitsWithAndWithoutADimension) {
  BatchNorm1d norm(2);
  StateDict dict = norm.state_dict();
  dict.set("num_batches_tracked", tensor(std::vector<std::int64_t>{9}));
  norm.load_state_dict(dict);
  EXPECT_EQ(norm.state_dict().at("num_batches_tracked").item<std::int64_t>(), 9);
  EXPECT_EQ(norm.state_dict().at("num_batches_tracked").dim(), 0);
  Linear one(1, 1);
  one.load_state_dict({{"weight", full({1, 1}, 2)}, {"bias", full({}, 3)}});
  EXPECT_EQ(one.bias.detach().to_vector<double>(), std::vector<double>{3});
  EXPECT_THAT(message_of<ValueError>([&] {
                one.load_state_dict({{"weight", full({1}, 2)}, {"bias", full({1}, 3)}});
              }),
              HasSubstr("weight: [1, 1] in the module, [1] in the dict"));
}

TEST(LoadStateDict, ReportsWhatANetworkCannotTakeWithoutRefusing) {
  Linear net(2, 1);
  StateDict dict = net.state_dict();
  dict.set("_extra_state", ones({4}));
  dict.set("epoch", zeros({0}));
  const LoadReport report = net.load_state_dict(dict);
  EXPECT_THAT(report.unexpected, ElementsAre("_extra_state", "epoch"));
  EXPECT_EQ(report.loaded.size(), 2u);
  dict.set("scale", ones({1}));
  EXPECT_THAT(message_of<ValueError>([&] { net.load_state_dict(dict); }),
              HasSubstr("unexpected: _extra_state, epoch, scale"));
}

}  // namespace
}  // namespace gradus::nn

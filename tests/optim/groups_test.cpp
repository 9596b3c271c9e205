// Groups by pattern, and several optimizers as one.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

using Names = std::vector<std::string>;

struct Net : nn::Module {
  nn::Sequential features = add("features", nn::Sequential(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 4)));
  nn::Linear classifier = add("classifier", nn::Linear(4, 2));
  Tensor forward(const Tensor& x) override { return classifier(features(x)); }
};

Names names(const optim::Params& params) {
  Names result;
  for (const auto& [name, tensor] : params) result.push_back(name);
  return result;
}

TEST(Groups, FollowPatterns) {
  Net net;
  optim::SGD opt(optim::groups<optim::SGD>(net, {{"features.*", {.lr = 1e-5}}, {"classifier.*", {.lr = 1e-2}}}),
                 {.momentum = 0.9});
  ASSERT_EQ(opt.param_groups().size(), 2U);
  EXPECT_EQ(opt.param_groups()[0].lr, 1e-5);
  EXPECT_EQ(opt.param_groups()[1].lr, 1e-2);
  EXPECT_EQ(opt.param_groups()[1].momentum, 0.9);
  EXPECT_EQ(opt.group_name(0), "features.*");
  EXPECT_EQ(names(opt.group_params(1)), (Names{"classifier.weight", "classifier.bias"}));
}

TEST(Groups, TheFirstMatchWins) {
  Net net;
  const auto groups =
      optim::groups<optim::AdamW>(net, {{"*.bias", {.weight_decay = 0.0, .name = "no decay"}}, {"*", {}}});
  EXPECT_EQ(names(groups[0].params), (Names{"features.0.bias", "features.2.bias", "classifier.bias"}));
  EXPECT_EQ(names(groups[1].params), (Names{"features.0.weight", "features.2.weight", "classifier.weight"}));
  EXPECT_EQ(groups[0].name, "no decay");
}

TEST(Groups, SayWhatBecomesOfTheRest) {
  Net net;
  EXPECT_NE(message_of([&] {
              optim::groups<optim::SGD>(net, {{"features", {}}});
            }).find("no pattern matches 'classifier.weight', 'classifier.bias'"),
            std::string::npos);
  EXPECT_EQ(optim::groups<optim::SGD>(net, {{"features", {}}}, optim::Unmatched::leave).size(), 1U);
  const auto groups = optim::groups<optim::SGD>(net, {{"features", {.lr = 1}}}, optim::Unmatched::group);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_FALSE(groups[1].lr.has_value());
  EXPECT_EQ(names(groups[1].params), (Names{"classifier.weight", "classifier.bias"}));
}

TEST(Groups, RefusePatternsWithoutEffect) {
  Net net;
  EXPECT_NE(message_of([&] {
              optim::groups<optim::SGD>(net, {{"*", {}}, {"head.*", {}}});
            }).find("'head.*' matches none"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              optim::groups<optim::SGD>(net, {{"*", {}}, {"features", {}}});
            }).find("an earlier pattern"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              optim::groups<optim::SGD>(net, {{"*", {.params = net.parameters()}}});
            }).find("params"),
            std::string::npos);
  EXPECT_THROW(optim::groups<optim::SGD>(optim::Params(), {{"*", {}}}), ValueError);
}

// One group per layer, one per parameter, or one for all: the same bits.
TEST(Groups, RegroupingChangesNoBit) {
  const auto train = [](const std::function<optim::Adam(Net&)>& make) {
    manual_seed(5);
    Net net;
    optim::Adam opt = make(net);
    for (int i = 0; i < 20; ++i) opt.minimize(square(net(randn({4, 3}))).sum());
    std::vector<double> all;
    for (const Tensor& p : net.parameters())
      for (double x : p.detach().to_vector<double>()) all.push_back(x);
    return all;
  };
  const auto whole = train([](Net& net) { return optim::Adam(net.parameters(), {.weight_decay = 0.1}); });
  EXPECT_EQ(whole, train([](Net& net) {
              return optim::Adam(optim::groups<optim::Adam>(net, {{"classifier", {}}, {"*.bias", {}}, {"*", {}}}),
                                 {.weight_decay = 0.1});
            }));
  EXPECT_EQ(whole, train([](Net& net) {
              std::vector<optim::AdamOptions> groups;
              for (const Tensor& p : net.parameters()) groups.insert(groups.begin(), {.params = p});
              return optim::Adam(groups, {.weight_decay = 0.1});
            }));
}

class SetTest : public ::testing::Test {
 protected:
  void SetUp() override { manual_seed(2); }
  Tensor loss() { return square(net(x)).sum(); }
  Net net;
  Tensor x = ones({2, 3});
};

TEST_F(SetTest, StepsAsOne) {
  Net other = nn::clone(net);
  optim::SGD a(net.features.parameters(), {.lr = 0.1}), b(net.classifier.parameters(), {.lr = 0.1});
  optim::SGD whole(other.parameters(), {.lr = 0.1});
  optim::Set set({{"features", a}, {"classifier", b}}, net);
  EXPECT_EQ(set.size(), 2U);
  EXPECT_EQ(&set["classifier"], &b);
  EXPECT_EQ(set.parameters().size(), 6U);
  for (int i = 0; i < 3; ++i) {
    set.minimize(loss());
    whole.minimize(square(other(x)).sum());
  }
  set.zero_grad();
  EXPECT_FALSE(net.classifier.weight.grad().defined());
  loss().backward();
  set.step();
  whole.minimize(square(other(x)).sum());
  for (const auto& [name, p] : net.named_parameters()) EXPECT_TRUE(equal(p, other.get_parameter(name))) << name;
  EXPECT_THROW(set["head"], ValueError);
}

TEST_F(SetTest, ClipsAsOne) {
  optim::SGD a(net.features.parameters()), b(net.classifier.parameters());
  optim::Set set({{"a", a}, {"b", b}});
  loss().backward();
  const double before = set.clip_grad_norm_(0.5).item();
  EXPECT_GT(before, 0.5);
  double square_sum = 0;
  for (const Tensor& p : net.parameters()) square_sum += square(p.grad()).sum().item();
  EXPECT_NEAR(std::sqrt(square_sum), 0.5, 1e-4);
}

TEST_F(SetTest, EachParameterIsOwnedOnce) {
  optim::SGD features(net.features.parameters()), all(net.parameters());
  EXPECT_NE(message_of([&] {
              optim::Set set({{"features", features}}, net);
            }).find("'classifier.bias' is in none"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              optim::Set set({{"features", features}, {"all", all}}, net);
            }).find("'features.0.weight' is in 'features' and in 'all'"),
            std::string::npos);
  EXPECT_NO_THROW(optim::Set({{"features", features}, {"all", all}}, net, optim::Ownership::any));
  nn::freeze(net.classifier);
  EXPECT_NO_THROW(optim::Set({{"features", features}}, net));
  EXPECT_THROW(optim::Set({}), ValueError);
  EXPECT_THROW(optim::Set({{"", all}}), ValueError);
  EXPECT_THROW(optim::Set({{"a", all}, {"b", all}}), ValueError);
}

TEST_F(SetTest, SavesAndLoadsAllOrNothing) {
  optim::SGD a(net.features.named_parameters(), {.lr = 0.1, .momentum = 0.9});
  optim::Adam b(net.classifier.named_parameters(), {.lr = 0.1});
  optim::Set set({{"a", a}, {"b", b}}, net);
  set.minimize(loss());
  auto saved = set.state_dict();
  set.minimize(loss());
  const Tensor momentum = a.state_of(net.features.parameters()[0], "momentum_buffer").clone();

  auto broken = saved;
  broken["b"].params["weight"].tensors["exp_avg"] = zeros({9});
  EXPECT_THROW(set.load_state_dict(broken), ValueError);
  EXPECT_TRUE(equal(a.state_of(net.features.parameters()[0], "momentum_buffer"), momentum));
  EXPECT_EQ(a.steps_of(net.features.parameters()[0]), 2);
  set.load_state_dict(saved);
  EXPECT_EQ(a.steps_of(net.features.parameters()[0]), 1);
  EXPECT_EQ(b.steps_of(net.classifier.weight), 1);
  saved["c"] = saved["b"];
  EXPECT_THROW(set.load_state_dict(saved), ValueError);
  saved.erase("c");
  saved.erase("a");
  EXPECT_THROW(set.load_state_dict(saved), ValueError);
}

}  // namespace
}  // namespace gradus

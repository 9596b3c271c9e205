#include <gradus/gradus.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gradus {
namespace {

using Names = std::vector<std::string>;

// Normalises by running statistics, as batch normalisation does.
struct Running : nn::Module {
  nn::Parameter weight = add("weight", nn::Parameter(ones({3})));
  nn::Buffer mean = add("mean", nn::Buffer(zeros({3})));
  Tensor forward(const Tensor& x) override {
    if (is_training()) {
      const NoGrad guard;
      mean.copy_(lerp(mean, x.mean(0), 0.1));
    }
    return (x - mean) * weight;
  }
};

struct Net : nn::Module {
  nn::Sequential features = add("features", nn::Sequential(nn::Linear(3, 3), Running(), nn::Dropout(0.5)));
  nn::Linear head = add("head", nn::Linear(3, 2));
  Tensor forward(const Tensor& x) override { return head(features(x)); }
};

std::vector<double> bits(const Tensor& x) { return x.detach().to_vector<double>(); }

TEST(Pattern, MatchesNamesAndWhatLiesInThem) {
  EXPECT_TRUE(matches("features", "features.0.weight"));
  EXPECT_TRUE(matches("features.*", "features.0.weight"));
  EXPECT_TRUE(matches("*.bias", "features.0.bias"));
  EXPECT_TRUE(matches("features.[0-2]", "features.1.bias"));
  EXPECT_TRUE(matches("*", "x"));
  EXPECT_FALSE(matches("feature", "features.0.weight"));
  EXPECT_FALSE(matches("features.?", "features"));
  EXPECT_FALSE(matches("", "x"));
  EXPECT_FALSE(matches("*.bias", "bias"));
}

TEST(Freeze, StopsGradientsStatisticsAndDropoutThroughTrain) {
  manual_seed(1);
  Net net;
  nn::freeze(net.features);
  net.train();
  EXPECT_TRUE(net.is_training());
  EXPECT_FALSE(net.features.is_training());
  const Tensor x = randn({8, 3});
  const Tensor mean = net.get_submodule("features.1").buffers()[0];
  const Tensor before = net(x);
  EXPECT_EQ(bits(net(x)), bits(before));  // no dropout
  EXPECT_EQ(bits(mean), (std::vector<double>{0, 0, 0}));
  before.sum().backward();
  for (const auto& [name, p] : net.named_parameters()) {
    const bool frozen = name.starts_with("features");
    EXPECT_EQ(is_frozen(p), frozen) << name;
    EXPECT_EQ(p.requires_grad(), !frozen) << name;
    EXPECT_EQ(p.grad().defined(), !frozen) << name;
  }
  nn::unfreeze(net.features);
  EXPECT_TRUE(net.features.is_training());
  net(x);
  EXPECT_NE(bits(mean), (std::vector<double>{0, 0, 0}));
}

TEST(Freeze, LiesAboveRequiresGradAndTrain) {
  Net net;
  net.features.get_parameter("0.bias").requires_grad_(false);
  nn::freeze(net);
  net.requires_grad_(true);  // remembered, without effect
  net.features.get_parameter("0.weight").requires_grad_(false);
  net.eval();
  for (const Tensor& p : net.parameters()) EXPECT_FALSE(p.requires_grad());
  nn::unfreeze(net);
  EXPECT_FALSE(net.is_training());
  for (const auto& [name, p] : net.named_parameters()) EXPECT_EQ(p.requires_grad(), name != "features.0.weight");
}

TEST(Freeze, TakesPatterns) {
  Net net;
  EXPECT_EQ(nn::freeze(net, "features.0"), (Names{"features.0.weight", "features.0.bias"}));
  EXPECT_TRUE(is_frozen(net.get_submodule("features.0")));
  EXPECT_FALSE(is_frozen(net.features));
  nn::freeze(net, "features.1.weight");  // now all parameters of `features` are: its statistics and dropout follow
  EXPECT_TRUE(is_frozen(net.features));
  EXPECT_TRUE(is_frozen(net.get_submodule("features.1")));
  EXPECT_TRUE(is_frozen(net.get_submodule("features.2")));
  EXPECT_FALSE(is_frozen(net));

  nn::freeze(net);
  EXPECT_EQ(nn::unfreeze(net, "*.bias"), (Names{"features.0.bias", "head.bias"}));
  EXPECT_FALSE(is_frozen(net));
  EXPECT_FALSE(is_frozen(net.features));
  EXPECT_FALSE(is_frozen(net.head));
  EXPECT_TRUE(is_frozen(net.get_submodule("features.1")));
  // Unfreezing a part by its own handle is seen by the whole at the next train().
  nn::freeze(net);
  nn::unfreeze(net.head);
  net.train();
  EXPECT_FALSE(is_frozen(net));
  EXPECT_TRUE(is_frozen(net.features));
  EXPECT_THROW(nn::freeze(net, "nothing.*"), ValueError);
  EXPECT_THROW(freeze(Tensor()), ValueError);
  EXPECT_THROW(freeze(tensor({1, 2})), ValueError);
  EXPECT_THROW(freeze(net.head.weight * 2), ValueError);
}

TEST(Freeze, AGraphRecordedBeforeGivesNoGradient) {
  Net net;
  net.eval();
  const Tensor loss = net(ones({2, 3})).sum();
  nn::freeze(net.head);
  loss.backward();
  EXPECT_FALSE(net.head.weight.grad().defined());
  EXPECT_TRUE(net.get_parameter("features.0.weight").grad().defined());
}

TEST(Freeze, IsRecordedInStateDictsAndKeptByClones) {
  Net net;
  nn::freeze(net, "features");
  const nn::StateDict dict = net.state_dict();
  ASSERT_TRUE(dict.frozen.has_value());
  EXPECT_EQ(*dict.frozen, (Names{"features", "features.0", "features.0.weight", "features.0.bias", "features.1",
                                 "features.1.weight", "features.2"}));
  Net other;
  nn::freeze(other.head);
  other.load_state_dict(dict);
  EXPECT_TRUE(is_frozen(other.head.weight));
  other.load_state_dict(dict, {.freezing = true});
  EXPECT_EQ(nn::frozen_names(other), *dict.frozen);
  EXPECT_EQ(nn::frozen_names(nn::clone(net)), *dict.frozen);
  Net copy = nn::clone(net);
  nn::unfreeze(copy);
  EXPECT_TRUE(copy.get_parameter("features.0.weight").requires_grad());
  EXPECT_TRUE(is_frozen(net.features));
}

TEST(Freeze, MomentumSurvives) {
  Net net;
  net.eval();
  optim::SGD opt(net.parameters(), {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
  const Tensor x = ones({2, 3}), w = net.head.weight;
  const auto step = [&] {
    opt.zero_grad();
    square(net(x)).sum().backward();
    opt.step();
  };
  step();
  const auto weight = bits(w), momentum = bits(opt.state_of(w, "momentum_buffer"));
  nn::freeze(net.head);
  step();
  net.head.weight.set_grad(ones_like(w));  // not even so
  opt.step();
  EXPECT_EQ(bits(w), weight);
  EXPECT_EQ(bits(opt.state_of(w, "momentum_buffer")), momentum);
  EXPECT_EQ(opt.steps_of(w), 1);
  EXPECT_EQ(opt.steps_of(net.get_parameter("features.0.weight")), 3);
  nn::unfreeze(net.head);
  step();
  EXPECT_EQ(opt.steps_of(w), 2);
  EXPECT_NE(bits(w), weight);
}

// Under any sequence of steps, freezes and unfreezes, a frozen parameter and its state keep their bits.
RC_GTEST_PROP(Freeze, KeepsTheBitsOfParametersAndState, ()) {
  manual_seed(*rc::gen::inRange<std::uint64_t>(0, 1000));
  Net net;
  optim::Adam opt(net.parameters(), {.lr = 0.01, .weight_decay = 0.1, .amsgrad = *rc::gen::arbitrary<bool>()});
  const Tensor x = randn({4, 3});
  const auto parameters = net.named_parameters();
  for (const int action : *rc::gen::container<std::vector<int>>(20, rc::gen::inRange(0, 8))) {
    const auto& [name, p] = parameters[*rc::gen::inRange<std::size_t>(0, parameters.size())];
    if (action == 0) nn::freeze(net, name);
    if (action == 1) nn::unfreeze(net, name);
    if (action == 2) net.train(*rc::gen::arbitrary<bool>());
    if (action == 3) opt.zero_grad(*rc::gen::arbitrary<bool>());
    if (action < 4) continue;
    std::vector<std::pair<Tensor, std::vector<std::vector<double>>>> kept;
    const auto all_bits = [&](const Tensor& q) {
      std::vector<std::vector<double>> all{bits(q)};
      for (const char* key : {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}) {
        const Tensor state = opt.state_of(q, key);
        all.push_back(state.defined() ? bits(state) : std::vector<double>());
      }
      return all;
    };
    for (const auto& [other, q] : parameters)
      if (is_frozen(q)) kept.emplace_back(q, all_bits(q));
    const Tensor loss = square(net(x)).sum();
    if (loss.requires_grad()) loss.backward();
    opt.step();
    for (const auto& [q, before] : kept) RC_ASSERT(all_bits(q) == before);
  }
}

}  // namespace
}  // namespace gradus

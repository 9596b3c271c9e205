// What modules of less common activations, layers and losses print, refuse and draw.
#include <gradus/autograd.h>
#include <gradus/gradus.h>

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "support/message.h"
#include "support/paths.h"

namespace gradus {
namespace {

namespace F = nn::functional;
using test::message_of;
using testing::HasSubstr;

Tensor integers(std::initializer_list<std::int64_t> values) { return tensor(std::vector<std::int64_t>(values)); }

TEST(FurtherModules, PrintAsInPyTorch) {
  const std::map<std::string, std::string> printed{
      {"selu", nn::SELU().to_string()},
      {"selu_inplace", nn::SELU(true).to_string()},
      {"mish", nn::Mish().to_string()},
      {"mish_inplace", nn::Mish(true).to_string()},
      {"hardswish", nn::Hardswish(true).to_string()},
      {"hardsigmoid", nn::Hardsigmoid(true).to_string()},
      {"celu", nn::CELU().to_string()},
      {"celu_inplace", nn::CELU(0.5, true).to_string()},
      {"threshold", nn::Threshold(0.1, 20).to_string()},
      {"threshold_inplace", nn::Threshold(1, 2.5, true).to_string()},
      {"rrelu", nn::RReLU().to_string()},
      {"rrelu_inplace", nn::RReLU(0.1, 0.2, true).to_string()},
      {"softsign", nn::Softsign().to_string()},
      {"tanhshrink", nn::Tanhshrink().to_string()},
      {"softshrink", nn::Softshrink().to_string()},
      {"hardshrink", nn::Hardshrink(0.25).to_string()},
      {"softmin", nn::Softmin(1).to_string()},
      {"softmax2d", nn::Softmax2d().to_string()},
      {"glu", nn::GLU().to_string()},
      {"alpha_dropout", nn::AlphaDropout().to_string()},
      {"feature_alpha_dropout", nn::FeatureAlphaDropout(0.2).to_string()},
      {"unfold", nn::Unfold(2, {.dilation = {1, 2}}).to_string()},
      {"fold", nn::Fold({4, 5}, 2, {.padding = 1}).to_string()},
      {"lp_pool1d", nn::LPPool1d(2, 3).to_string()},
      {"lp_pool2d", nn::LPPool2d(1.5, {2, 3}, {.stride = Spatial<2>{2, 1}, .ceil_mode = true}).to_string()},
      {"lp_pool3d", nn::LPPool3d(2, 3).to_string()},
      {"local_response_norm", nn::LocalResponseNorm(5).to_string()},
      {"channel_shuffle", nn::ChannelShuffle(2).to_string()},
      {"ranking", nn::MarginRankingLoss().to_string()},
      {"hinge", nn::HingeEmbeddingLoss().to_string()},
      {"soft_margin", nn::SoftMarginLoss().to_string()},
      {"multi_margin", nn::MultiMarginLoss().to_string()},
      {"multilabel", nn::MultiLabelMarginLoss().to_string()},
      {"multilabel_soft", nn::MultiLabelSoftMarginLoss().to_string()},
      {"poisson", nn::PoissonNLLLoss().to_string()},
      {"distance", nn::TripletMarginWithDistanceLoss().to_string()},
      {"parameter_dict", nn::ParameterDict().to_string()},
      {"elu_inplace", nn::ELU(0.5, true).to_string()},
      {"silu_inplace", nn::SiLU(true).to_string()},
      {"dropout_inplace", nn::Dropout(0.5, true).to_string()},
      {"dropout3d_inplace", nn::Dropout3d(0.5, true).to_string()},
      {"fractional2d", nn::FractionalMaxPool2d(2, {.output_ratio = 0.5}).to_string()},
      {"fractional3d", nn::FractionalMaxPool3d(2, {.output_size = Spatial<3>(3)}).to_string()},
      {"adaptive", nn::AdaptiveLogSoftmaxWithLoss(8, 9, {3, 6}, {.div_value = 2, .head_bias = true}).to_string()},
      {"cross_map", nn::CrossMapLRN2d(4).to_string()},
      {"cross_map_k", nn::CrossMapLRN2d(4, 0.1, 0.5, 2.0).to_string()},
      {"embedding_all",
       nn::Embedding(4, 3, {.padding_idx = -1, .max_norm = 1.5, .norm_type = 1, .scale_grad_by_freq = true})
           .to_string()},
      {"embedding_bag_all",
       nn::EmbeddingBag(4, 3, {.padding_idx = 1, .max_norm = 1.5, .norm_type = 1, .scale_grad_by_freq = true})
           .to_string()},
      {"parameter_list", nn::Sequential(nn::ParameterList({ones({2}), ones({2, 1}, {.dtype = kFloat64})})).to_string()},
      {"parameter_list_one", nn::ParameterList({ones({})}).to_string()},
      {"parameter_dict_two",
       nn::ParameterDict({{"a", ones({2, 3})}, {"b", ones({1}, {.dtype = kBFloat16})}}).to_string()},
      {"parameter_dict_one", nn::ParameterDict({{"a", ones({2, 3}, {.dtype = kFloat64})}}).to_string()},
  };
  const auto all = nlohmann::json::parse(std::ifstream(test::source_path("tests/traces/further_layers.json")));
  ASSERT_EQ(printed.size(), all["prints"].size());
  for (const auto& recorded : all["prints"]) EXPECT_EQ(recorded["repr"], printed.at(recorded["name"]));
}

template <class M>
void expect_in_place(M module, M plain) {
  const Tensor x = tensor(std::vector<float>{-4, -1, 0, 0.5, 2, 7}), y = x.clone();
  const Tensor wanted = plain(x), got = module(y);
  EXPECT_TRUE(equal(got, wanted)) << plain;
  EXPECT_EQ(got.data_ptr<float>(), y.data_ptr<float>()) << plain;
  EXPECT_NE(wanted.data_ptr<float>(), x.data_ptr<float>()) << plain;
}

TEST(FurtherModules, WorkInPlaceOnRequest) {
  expect_in_place(nn::SELU(true), nn::SELU());
  expect_in_place(nn::Mish(true), nn::Mish());
  expect_in_place(nn::Hardswish(true), nn::Hardswish());
  expect_in_place(nn::Hardsigmoid(true), nn::Hardsigmoid());
  expect_in_place(nn::CELU(2, true), nn::CELU(2));
  expect_in_place(nn::ELU(2, true), nn::ELU(2));
  expect_in_place(nn::SiLU(true), nn::SiLU());
  expect_in_place(nn::Threshold(0.4, 9, true), nn::Threshold(0.4, 9));
  nn::RReLU drops(0.1, 0.2, true), plain(0.1, 0.2);
  drops.eval();
  plain.eval();
  expect_in_place(drops, plain);
  Tensor a = tensor(std::vector<double>{-1, 2}, {.dtype = kFloat64}), b = a.clone();
  a.requires_grad_();
  b.requires_grad_();
  Tensor twice = a * 2;
  mish_(twice).sum().backward();
  mish(b * 2).sum().backward();
  EXPECT_TRUE(equal(a.grad(), b.grad()));
}

template <class M>
void expect_drops_in_place(M module, M plain, const Shape& sizes) {
  const Tensor x = ones(sizes), y = x.clone();
  manual_seed(3);
  const Tensor wanted = plain(x);
  manual_seed(3);
  const Tensor got = module(y);
  EXPECT_TRUE(equal(got, wanted)) << plain;
  EXPECT_TRUE(equal(y, wanted)) << plain;
  EXPECT_FALSE(equal(x, wanted)) << plain;
  module.eval();
  const Tensor leaf = ones(sizes).requires_grad_();
  EXPECT_TRUE(equal(module(leaf), leaf)) << "as it changes nothing, a leaf is no mistake";
}

TEST(FurtherModules, DropInPlaceOnRequest) {
  expect_drops_in_place(nn::Dropout(0.5, true), nn::Dropout(0.5), {40});
  expect_drops_in_place(nn::Dropout1d(0.5, true), nn::Dropout1d(0.5), {4, 5, 3});
  expect_drops_in_place(nn::Dropout2d(0.5, true), nn::Dropout2d(0.5), {4, 5, 3, 2});
  expect_drops_in_place(nn::Dropout3d(0.5, true), nn::Dropout3d(0.5), {4, 5, 3, 2, 1});
  expect_drops_in_place(nn::AlphaDropout(0.5, true), nn::AlphaDropout(0.5), {40});
  expect_drops_in_place(nn::FeatureAlphaDropout(0.5, true), nn::FeatureAlphaDropout(0.5), {4, 5, 3});
  const Tensor leaf = ones({40}).requires_grad_();
  EXPECT_THROW(nn::Dropout(0.5, true)(leaf), AutogradError);
  const Tensor twice = leaf * 2;
  Tensor dropped = twice;
  dropout_(dropped, 0.5).sum().backward();
  EXPECT_TRUE(equal(leaf.grad(), dropped.detach()));
}

// As PyTorch's feature dropout, with the channels in dimension 1, or 0 where there is no batch.
TEST(FurtherModules, DropoutOfChannelsTakesOtherRanks) {
  const auto whole = [](const Tensor& y, int dims) {  // whether what these dimensions count is dropped as one
    const Tensor rows = flatten(y, dims);
    return equal(amax(rows, {-1}), amin(rows, {-1}));
  };
  EXPECT_TRUE(whole(dropout2d(ones({6, 7, 5}), 0.5), 2));
  EXPECT_TRUE(whole(dropout3d(ones({20, 7, 5, 3}), 0.5), 1));
  EXPECT_TRUE(whole(dropout3d(ones({6, 7, 5}), 0.5), 2));
  EXPECT_EQ(dropout2d(ones({20, 30}), 0.5).sizes(), (Shape{20, 30}));
  EXPECT_FALSE(whole(dropout3d(ones({20, 30}), 0.5), 1));
  EXPECT_THAT(message_of([&] { dropout2d(ones({3})); }), HasSubstr("at least 2 dimensions, got [3]"));
  EXPECT_THAT(message_of([&] { dropout3d(ones({3})); }), HasSubstr("at least 2 dimensions, got [3]"));
  EXPECT_THAT(message_of([&] { dropout1d(ones({2, 3, 4, 5})); }), HasSubstr("one less without a batch"));
}

TEST(FurtherModules, AdaptiveMaxPoolsReturnIndices) {
  nn::AdaptiveMaxPool2d pool(2);
  const auto [y, at] = pool.forward_with_indices(arange(9, {.dtype = kFloat32}).view({1, 3, 3}));
  EXPECT_TRUE(equal(y, tensor({{{4.0, 5.0}, {7.0, 8.0}}})));
  EXPECT_TRUE(equal(at, tensor({{{4, 5}, {7, 8}}})));
}

TEST(FurtherModules, FractionalPools) {
  const auto [y, at] = F::fractional_max_pool2d_with_indices(ones({2, 5, 5}), 3, {.output_size = Spatial<2>(2)});
  EXPECT_TRUE(equal(y, ones({2, 2, 2})));
  EXPECT_TRUE(equal(at, tensor({{{0, 2}, {10, 12}}, {{0, 2}, {10, 12}}})));
  nn::FractionalMaxPool3d pool(1, {.output_ratio = {0.5, 1.0 / 3, 0.9}});
  EXPECT_EQ(pool(rand({4, 3, 6, 6, 6})).sizes(), (Shape{4, 3, 3, 2, 5}));
  EXPECT_EQ(F::fractional_max_pool2d(zeros({0, 3, 5, 5}), 2, {.output_size = Spatial<2>{2, 3}}).sizes(),
            (Shape{0, 3, 2, 3}));
  const Tensor x = zeros({1, 5, 5});
  const auto size = [](std::int64_t n) { return FractionalPoolArguments<2>{.output_size = Spatial<2>(n)}; };
  EXPECT_THAT(message_of([&] { F::fractional_max_pool2d(x, 3, {}); }), HasSubstr("one of output_size and"));
  EXPECT_THAT(message_of([&] { F::fractional_max_pool2d(x, 3, size(4)); }), HasSubstr("got 3 for in 5 and out 4"));
  EXPECT_THROW(F::fractional_max_pool2d(x, 0, size(2)), ValueError);
  EXPECT_THROW(F::fractional_max_pool2d(x, 1, size(0)), ValueError);
  EXPECT_THROW(F::fractional_max_pool2d(x, 1, {.output_ratio = 1.5}), ValueError);
  EXPECT_THROW(F::fractional_max_pool2d(x[0], 1, size(2)), ShapeError);
  EXPECT_THROW(F::fractional_max_pool2d(x.to(kInt64), 1, size(2)), DtypeError);
  EXPECT_THROW(F::fractional_max_pool2d(x, 1, {.output_size = Spatial<2>(2), .random_samples = zeros({1, 2})}),
               ShapeError);
  EXPECT_THROW(nn::FractionalMaxPool2d(2, {}), ValueError);
  EXPECT_THROW(nn::FractionalMaxPool2d(2, {.output_ratio = 1.0}), ValueError);
}

TEST(FurtherModules, AdaptiveSoftmax) {
  nn::AdaptiveLogSoftmaxWithLoss net(8, 20, {4, 10, 15}, {.div_value = 2});
  const Tensor x = randn({64, 8});
  const Tensor all = net.log_prob(x);
  EXPECT_TRUE(allclose(all.exp().sum({1}), ones({64}), 1e-4));
  EXPECT_TRUE(equal(net.predict(x), argmax(all, 1)));
  const Tensor target = randint(0, 20, {64});
  const auto result = net(x, target);
  EXPECT_TRUE(allclose(result.output, gather(all, 1, unsqueeze(target, 1)).squeeze(1), 1e-4, 1e-5));
  EXPECT_EQ(result.loss.item(), mean(-result.output).item());
  EXPECT_EQ(net(x[0], target[0]).output.sizes(), Shape{});
  EXPECT_EQ(net.cutoffs(), (std::vector<std::int64_t>{4, 10, 15, 20}));
  EXPECT_EQ(net.named_parameters()[3].first, "tail.1.0.weight");
  EXPECT_THAT(message_of([&] { net(x, target + 1 + 19); }), HasSubstr("targets must be in [0, 19]"));
  EXPECT_THROW(net(x, target - 20), IndexError);
  EXPECT_THROW(net(x, narrow(target, 0, 0, 3)), ShapeError);
  EXPECT_THROW(net(x, target.view({8, 8})), ShapeError);
  EXPECT_THROW(net(narrow(x, 1, 0, 7), target), ShapeError);
  EXPECT_THROW(net(x, target.to(kFloat32)), DtypeError);
  for (const std::vector<std::int64_t>& cutoffs :
       std::vector<std::vector<std::int64_t>>{{}, {0, 4}, {4, 4}, {5, 1, 15}, {5, 20}})
    EXPECT_THROW(nn::AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs), ValueError);
}

TEST(FurtherModules, RefuseWhatPyTorchRefuses) {
  const Tensor x = zeros({3, 3});
  EXPECT_THAT(message_of([&] { glu(x); }), HasSubstr("dimension 1 must be even, got [3, 3]"));
  EXPECT_THAT(message_of([&] { glu(zeros({})); }), HasSubstr("glu: needs a dimension"));
  EXPECT_THAT(message_of([&] { celu(x, 0); }), HasSubstr("alpha must not be 0"));
  EXPECT_THAT(message_of([&] { softshrink(x, -1); }), HasSubstr("lambd must be at least 0, got -1"));
  EXPECT_THAT(message_of([&] { rrelu(x, 1, 0.5); }), HasSubstr("lower must be at most upper, got 1.0"));
  EXPECT_THAT(message_of([&] { alpha_dropout(x, 1.5, true); }), HasSubstr("p must be in [0, 1], got 1.5"));
  EXPECT_THAT(message_of([&] { feature_alpha_dropout(zeros({3}), 0.5, true); }), HasSubstr("at least 2 dimensions"));
  EXPECT_THAT(message_of([&] {
                nn::Softmax2d net;
                net(x);
              }),
              HasSubstr("[C, H, W], got [3, 3]"));
  EXPECT_THAT(message_of([&] { threshold(x.to(kUInt8), 300, 0); }), HasSubstr("300"));
  EXPECT_THAT(message_of([&] {
                unfold(zeros({1, 1, 2, 2}), 3);
              }),
              HasSubstr("kernel_size [3, 3] and dilation [1, 1] fits"));
  EXPECT_THAT(message_of([&] { unfold(zeros({1, 1, 2, 2}), 0); }), HasSubstr("must be positive"));
  EXPECT_THAT(message_of([&] { unfold(x, 2); }), HasSubstr("needs [N, C, H, W] or [C, H, W], got [3, 3]"));
  EXPECT_THAT(message_of([&] { fold(zeros({2, 7, 4}), 3, 2); }), HasSubstr("a multiple of 4, 4], got [2, 7, 4]"));
  EXPECT_THAT(message_of([&] { fold(zeros({2, 8, 5}), 3, 2); }), HasSubstr("got [2, 8, 5]"));
  EXPECT_THAT(message_of([&] { lp_pool2d(zeros({1, 1, 2, 2}), 0, 2); }), HasSubstr("norm_type must not be 0"));
  EXPECT_THAT(message_of([&] { local_response_norm(x, 2); }), HasSubstr("at least 3 dimensions, got [3, 3]"));
  EXPECT_THAT(message_of([&] { channel_shuffle(zeros({1, 3, 2}), 2); }), HasSubstr("got 2 groups and 3 channels"));
}

TEST(FurtherModules, LossesNameWrongTargets) {
  const Tensor x = zeros({2, 3});
  EXPECT_THAT(message_of([&] {
                F::multi_margin_loss(x, integers({0, 3}));
              }),
              HasSubstr("must be in [0, 3), got 3 at position 1"));
  EXPECT_THAT(message_of([&] { F::multi_margin_loss(x, integers({-1, 0})); }), HasSubstr("got -1 at position 0"));
  EXPECT_THAT(message_of([&] { F::multi_margin_loss(x, integers({0})); }),
              HasSubstr("must be [2] class indices, got [1]"));
  EXPECT_THAT(message_of([&] { F::multi_margin_loss(x, zeros({2})); }), HasSubstr("must hold integers"));
  EXPECT_THAT(message_of([&] { F::multi_margin_loss(x, integers({0, 1}), {.p = 3}); }), HasSubstr("1 or 2, got 3"));
  EXPECT_THAT(message_of([&] {
                F::multi_margin_loss(x, integers({0, 1}), {.weight = ones({2})});
              }),
              HasSubstr("weight must be [3]"));
  EXPECT_THAT(message_of([&] {
                F::multi_margin_loss(zeros({2, 0}), integers({0, 1}));
              }),
              HasSubstr("at least one class"));
  EXPECT_THAT(message_of([&] { F::multilabel_margin_loss(x[0], integers({0, -1, 3})); }), HasSubstr("[-1, 3), got 3"));
  EXPECT_THAT(message_of([&] { F::multilabel_margin_loss(x[0], integers({0, -2, 1})); }), HasSubstr("got -2"));
  EXPECT_THAT(message_of([&] { F::multilabel_margin_loss(x, integers({0, 1, 2})); }), HasSubstr("the same sizes"));
  EXPECT_THAT(message_of([&] { F::margin_ranking_loss(x, x, ones({3})); }), HasSubstr("got [2, 3], [2, 3] and [3]"));
  EXPECT_THAT(message_of([&] { F::hinge_embedding_loss(x, ones({3})); }), HasSubstr("hinge_embedding_loss: input and"));
  EXPECT_THAT(message_of([&] { F::soft_margin_loss(x, x, {.reduction = "batchmean"}); }),
              HasSubstr("None, Mean or Sum"));
  EXPECT_THAT(message_of([&] { F::triplet_margin_with_distance_loss(x, x, x, {.margin = 0}); }), HasSubstr("above 0"));
  EXPECT_THAT(message_of([&] { F::triplet_margin_with_distance_loss(x, x, x[0]); }), HasSubstr("number of dimensions"));
}

TEST(FurtherModules, LossesOfNothing) {
  const Tensor none = zeros({0, 3}), labels = zeros({0, 3}, {.dtype = kInt64});
  const Tensor classes = zeros({0}, {.dtype = kInt64});
  EXPECT_EQ(F::multi_margin_loss(none, classes, {.reduction = "none"}).sizes(), Shape({0}));
  EXPECT_EQ(F::multi_margin_loss(none, classes, {.reduction = "sum"}).item(), 0);
  EXPECT_TRUE(std::isnan(F::multi_margin_loss(none, classes).item()));
  EXPECT_EQ(F::multilabel_margin_loss(none, labels, {.reduction = "sum"}).item(), 0);
  EXPECT_EQ(F::multilabel_soft_margin_loss(none, none, {.reduction = "sum"}).item(), 0);
  EXPECT_EQ(F::soft_margin_loss(none, none, {.reduction = "sum"}).item(), 0);
  // No label at all: nothing to rank.
  EXPECT_EQ(F::multilabel_margin_loss(ones({2, 3}), full({2, 3}, -1, {.dtype = kInt64})).item(), 0);
  // Where PyTorch overflows.
  EXPECT_EQ(F::soft_margin_loss(tensor(std::vector<float>{-200}), ones({1})).item(), 200);
}

TEST(FurtherModules, RandomActivationsHaveTheirDistribution) {
  manual_seed(1);
  const Tensor x = randn({40000});
  nn::RReLU leaky;
  const Tensor y = leaky(x), slopes = (y / x).masked_select(x < 0);
  EXPECT_GE(slopes.min().item(), 0.1249);
  EXPECT_LE(slopes.max().item(), 0.3334);
  EXPECT_NEAR(slopes.mean().item(), (0.125 + 1.0 / 3) / 2, 0.003);
  EXPECT_TRUE(equal(y.masked_select(x > 0), x.masked_select(x > 0)));
  leaky.eval();
  EXPECT_TRUE(equal(leaky(x), leaky_relu(x, (0.125 + 1.0 / 3) / 2)));
  EXPECT_EQ(rrelu(x.to(kBFloat16), 0.1, 0.3, true).dtype(), kBFloat16);

  nn::AlphaDropout alpha(0.3);
  const Tensor dropped = alpha(x);
  EXPECT_NEAR(dropped.mean().item(), 0, 0.03);
  EXPECT_NEAR(dropped.std().item(), 1, 0.03);
  const Tensor channels = nn::FeatureAlphaDropout(0.5)(ones({10, 20, 7}));
  EXPECT_TRUE(equal(channels, channels.select(2, 0).unsqueeze(2).expand({10, 20, 7})));
  EXPECT_EQ(alpha_dropout(ones({5}), 1, true).abs().max().item(), 0);  // as in PyTorch
  alpha.eval();
  EXPECT_TRUE(equal(alpha(x), x));
  EXPECT_TRUE(equal(alpha_dropout(x), x)) << "training is false unless it is asked for";
}

TEST(FurtherModules, GumbelSoftmaxSamples) {
  manual_seed(2);
  const Tensor logits = log(tensor(std::vector<float>{0.5, 0.3, 0.2})).expand({20000, 3});
  const Tensor hard = gumbel_softmax(logits, 0.5, true);
  EXPECT_TRUE(equal(hard.sum(1).round(), ones({20000})));
  EXPECT_NEAR(hard.select(1, 0).mean().item(), 0.5, 0.02);
  EXPECT_NEAR(hard.select(1, 2).mean().item(), 0.2, 0.02);
  Generator one(3), two(3);
  Tensor x = randn({4, 5}), w = randn({4, 5});
  x.requires_grad_();
  const auto gradient = [&](bool straight, Generator* generator) {
    return autograd::grad({(gumbel_softmax(x, 0.5, straight, 1e-10, 0, generator) * w).sum()}, {x})[0];
  };
  EXPECT_TRUE(equal(gradient(true, &one), gradient(false, &two))) << "the hard sample has the soft one's gradient";
  EXPECT_EQ(gumbel_softmax(zeros({0, 3}), 1, true).sizes(), Shape({0, 3}));
}

TEST(FurtherModules, ParameterDictHoldsByName) {
  nn::ParameterDict dict({{"a", ones({2})}, {"b", zeros({3})}});
  struct Net : nn::Module {
    nn::ParameterDict weights = add("weights", nn::ParameterDict());
  } net;
  net.weights.set("left", ones({2, 2}));
  EXPECT_EQ(net.state_dict().at("weights.left").sizes(), Shape({2, 2}));
  EXPECT_TRUE(dict["a"].requires_grad());
  dict.set("a", full({4}, 5.0));
  EXPECT_EQ(dict["a"].sizes(), Shape({4}));
  EXPECT_EQ(dict.keys(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(dict.items()[1].first, "b");
  EXPECT_EQ(dict.values().size(), 2u);
  EXPECT_EQ(dict.pop("a").sizes(), Shape({4}));
  EXPECT_FALSE(dict.contains("a"));
  EXPECT_EQ(dict.parameters().size(), 1u);
  EXPECT_THAT(message_of([&] { dict["a"]; }), HasSubstr("no parameter is named 'a'"));
  EXPECT_THAT(message_of([&] { dict.pop("c"); }), HasSubstr("no parameter is named 'c'"));
  EXPECT_THAT(message_of([&] { dict.set("x.y", ones({1})); }), HasSubstr("x.y"));
}

TEST(FurtherModules, ConvolutionsTakeTheirNormalisation) {
  manual_seed(4);
  nn::Conv2d conv(3, 4, 3, {.padding = 1, .bias = false});
  nn::BatchNorm2d bn(4);
  EXPECT_THAT(message_of([&] { nn::utils::fuse_conv_bn_eval(conv, bn); }), HasSubstr("must be in evaluation"));
  const Tensor x = randn({2, 3, 5, 5});
  for (int i = 0; i < 3; ++i) bn(conv(x) * 3 + 1);
  conv.eval();
  bn.eval();
  const std::uint64_t drawn = default_generator().offset();
  nn::Conv2d fused = nn::utils::fuse_conv_bn_eval(conv, bn);
  EXPECT_EQ(default_generator().offset(), drawn) << "a fused layer draws no random numbers";
  EXPECT_TRUE(allclose(fused(x), bn(conv(x)), 1e-4, 1e-5));
  EXPECT_TRUE(fused.bias.defined());
  EXPECT_FALSE(conv.bias.defined());
  nn::BatchNorm2d other(5);
  other.eval();
  EXPECT_THAT(message_of([&] { nn::utils::fuse_conv_bn_eval(conv, other); }), HasSubstr("4 channels, got 5"));
}

}  // namespace
}  // namespace gradus

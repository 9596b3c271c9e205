// Less common activations, layers and losses against PyTorch's: tests/traces/further_layers.json.
#include <gradus/autograd.h>
#include <gradus/gradus.h>

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/gradcheck.h"
#include "support/paths.h"

namespace gradus {
namespace {

namespace F = nn::functional;
using nlohmann::json;
using nn::Reduction;
using Tensors = std::vector<Tensor>;
using Function = std::function<Tensor(const Tensors&)>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const json& trace() {
  static const json all = json::parse(std::ifstream(test::source_path("tests/traces/further_layers.json")));
  return all;
}

Shape shape(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }
std::vector<double> numbers(const json& list) {
  std::vector<double> all;
  for (const json& j : list) all.push_back(j.is_string() ? std::stod(j.get<std::string>()) : j.get<double>());
  return all;
}
Tensor array(const json& j) { return tensor(numbers(j["data"]), shape(j["shape"]), {.dtype = kFloat64}); }

Tensor integers(const std::vector<std::int64_t>& values, const Shape& sizes) { return reshape(tensor(values), sizes); }
// -1 at every third place, else 1; and 0, 1, 2, 3 again and again.
Tensor signs(const Shape& sizes) {
  const Tensor n = arange(0, sizes.numel(), 1, {.dtype = kInt64});
  return reshape(where(remainder(n, full_like(n, 3)) == 0, full_like(n, -1), ones_like(n)), sizes).to(kFloat64);
}
Tensor counts(const Shape& sizes) {
  const Tensor n = arange(0, sizes.numel(), 1, {.dtype = kInt64});
  return reshape(remainder(n, full_like(n, 4)), sizes).to(kFloat64);
}

Tensor classes() { return integers({1, 0, 4, 2}, {4}); }
Tensor labels() {
  return integers({3, 0, -1, 1, 2, 4, -1, 4, 4, 4, -1, 0, 1, 2, 3, 0, 1, 2, 3, 4, 2, 2, -1, 0, 0}, {5, 5});
}
Tensor weight() { return tensor(std::vector<double>{0.5, 1, 2, 0.25, 3}, {.dtype = kFloat64}); }

const std::map<std::string, std::function<Tensor(const Tensor&)>>& pointwise() {
  static const std::map<std::string, std::function<Tensor(const Tensor&)>> all{
      {"selu", F::selu},
      {"celu", [](const Tensor& x) { return F::celu(x); }},
      {"celu_2", [](const Tensor& x) { return F::celu(x, 2); }},
      {"celu_negative", [](const Tensor& x) { return F::celu(x, -0.5); }},
      {"mish", F::mish},
      {"hardswish", F::hardswish},
      {"hardsigmoid", F::hardsigmoid},
      {"softsign", F::softsign},
      {"tanhshrink", F::tanhshrink},
      {"softshrink", [](const Tensor& x) { return F::softshrink(x); }},
      {"softshrink_0", [](const Tensor& x) { return F::softshrink(x, 0); }},
      {"softshrink_1", [](const Tensor& x) { return F::softshrink(x, 0.1); }},
      {"hardshrink", [](const Tensor& x) { return F::hardshrink(x); }},
      {"hardshrink_1", [](const Tensor& x) { return F::hardshrink(x, 0.1); }},
      {"threshold", [](const Tensor& x) { return F::threshold(x, 0.1, 20.0); }},
      {"rrelu", [](const Tensor& x) { return F::rrelu(x); }},
  };
  return all;
}

const std::map<std::string, Function>& functions() {
  const auto of = [](auto fn) { return [fn](const Tensors& x) { return fn(x[0]); }; };
  static const std::map<std::string, Function> all{
      {"glu", of([](const Tensor& x) { return F::glu(x); })},
      {"glu_0", of([](const Tensor& x) { return nn::GLU(0)(x); })},
      {"softmin", of([](const Tensor& x) { return nn::Softmin(1)(x); })},
      {"softmax2d", of([](const Tensor& x) { return nn::Softmax2d()(x); })},
      {"softmax2d_one", of([](const Tensor& x) { return nn::Softmax2d()(x); })},
      {"lrn", of([](const Tensor& x) { return nn::LocalResponseNorm(3)(x); })},
      {"lrn_line", of([](const Tensor& x) { return F::local_response_norm(x, 2, 0.1, 0.5, 2); })},
      {"lrn_block", of([](const Tensor& x) { return F::local_response_norm(x, 5, 0.3, 1.5, 1); })},
      {"lp_pool1d", of([](const Tensor& x) { return nn::LPPool1d(2, 3)(x); })},
      {"lp_pool1d_inf", of([](const Tensor& x) { return F::lp_pool1d(x, kInfinity, 3, 1); })},
      {"lp_pool1d_minus_inf", of([](const Tensor& x) { return F::lp_pool1d(x, -kInfinity, 2); })},
      {"lp_pool2d", of([](const Tensor& x) {
         return nn::LPPool2d(2, {2, 3}, {.stride = Spatial<2>{2, 1}})(x);
       })},
      {"lp_pool2d_ceil", of([](const Tensor& x) { return nn::LPPool2d(1.5, 2, {.ceil_mode = true})(exp(x)); })},
      {"lp_pool3d", of([](const Tensor& x) { return nn::LPPool3d(4, 2)(x); })},
      {"unfold", of([](const Tensor& x) { return nn::Unfold(3)(x); })},
      {"unfold_all", of([](const Tensor& x) {
         return nn::Unfold({2, 3}, {.dilation = {1, 2}, .padding = {1, 0}, .stride = {2, 1}})(x);
       })},
      {"unfold_one", of([](const Tensor& x) { return F::unfold(x, 2, 1, 1); })},
      {"fold", of([](const Tensor& x) {
         return nn::Fold({4, 5}, 2)(x);
       })},
      {"fold_all", of([](const Tensor& x) {
         return nn::Fold({5, 6}, {2, 3}, {.dilation = {1, 2}, .padding = {1, 0}, .stride = {2, 1}})(x);
       })},
      {"fold_one", of([](const Tensor& x) { return F::fold(x, 3, 2); })},
      {"channel_shuffle", of([](const Tensor& x) { return nn::ChannelShuffle(2)(x); })},
      {"ranking",
       [](const Tensors& x) {
         return nn::MarginRankingLoss()(x[0], x[1], signs({3, 4}));
       }},
      {"ranking_margin",
       [](const Tensors& x) {
         return F::margin_ranking_loss(x[0], x[1], signs({3, 4}), {.margin = 0.5, .reduction = "none"});
       }},
      {"ranking_sum",
       [](const Tensors& x) {
         return F::margin_ranking_loss(x[0], x[1], signs({5}), {.margin = 0.25, .reduction = "sum"});
       }},
      {"hinge", of([](const Tensor& x) {
         return nn::HingeEmbeddingLoss()(x, signs({3, 4}));
       })},
      {"hinge_zero", of([](const Tensor& x) {
         return F::hinge_embedding_loss(x, signs({3, 4}) * counts({3, 4}), {.margin = 0.5, .reduction = "none"});
       })},
      {"hinge_sum",
       of([](const Tensor& x) { return F::hinge_embedding_loss(x, signs({7}), {.margin = 0.2, .reduction = "sum"}); })},
      {"soft_margin", of([](const Tensor& x) {
         return nn::SoftMarginLoss()(x, signs({3, 4}));
       })},
      {"soft_margin_none", of([](const Tensor& x) {
         return F::soft_margin_loss(9 * x, signs({3, 4}), {.reduction = "none"});
       })},
      {"multi_margin", of([](const Tensor& x) { return nn::MultiMarginLoss()(x, classes()); })},
      {"multi_margin_2", of([](const Tensor& x) {
         return F::multi_margin_loss(x, classes(), {.p = 2, .margin = 0.5, .weight = weight(), .reduction = "none"});
       })},
      {"multi_margin_sum", of([](const Tensor& x) {
         return F::multi_margin_loss(x, classes(), {.margin = 2, .weight = weight(), .reduction = "sum"});
       })},
      {"multi_margin_one", of([](const Tensor& x) { return F::multi_margin_loss(x, integers({2}, {})); })},
      {"multilabel", of([](const Tensor& x) { return nn::MultiLabelMarginLoss()(x, labels()); })},
      {"multilabel_none",
       of([](const Tensor& x) { return F::multilabel_margin_loss(x, labels(), {.reduction = "none"}); })},
      {"multilabel_one",
       of([](const Tensor& x) { return F::multilabel_margin_loss(x, labels()[0], {.reduction = "sum"}); })},
      {"multilabel_soft", of([](const Tensor& x) {
         return nn::MultiLabelSoftMarginLoss()(x, (counts({4, 5}) > 1).to(kFloat64));
       })},
      {"multilabel_soft_weight", of([](const Tensor& x) {
         return F::multilabel_soft_margin_loss(x, (counts({4, 5}) > 1).to(kFloat64),
                                               {.weight = weight(), .reduction = "none"});
       })},
      {"poisson", of([](const Tensor& x) {
         return nn::PoissonNLLLoss()(x, counts({3, 4}));
       })},
      {"poisson_full", of([](const Tensor& x) {
         return F::poisson_nll_loss(x, counts({3, 4}), {.full = true, .reduction = "none"});
       })},
      {"poisson_rate", of([](const Tensor& x) {
         return F::poisson_nll_loss(x * x, counts({3, 4}),
                                    {.log_input = false, .full = true, .eps = 1e-3, .reduction = "sum"});
       })},
      {"distance", [](const Tensors& x) { return nn::TripletMarginWithDistanceLoss()(x[0], x[1], x[2]); }},
      {"distance_cosine",
       [](const Tensors& x) {
         const auto cosine = [](const Tensor& a, const Tensor& b) { return 1 - F::cosine_similarity(a, b); };
         return F::triplet_margin_with_distance_loss(
             x[0], x[1], x[2],
             {.distance_function = cosine, .margin = 0.5, .swap = true, .reduction = Reduction::None});
       }},
  };
  return all;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& wanted, double relative,
                 const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool same = std::isnan(wanted[i]) ? std::isnan(got[i]) : got[i] == wanted[i];
    EXPECT_TRUE(same || std::abs(got[i] - wanted[i]) <= relative * std::abs(wanted[i]) + relative * 1e-3)
        << what << ", element " << i << ": " << got[i] << ", PyTorch's " << wanted[i];
  }
}

TEST(FurtherLayersOfPyTorch, ActivationsAtSpecialValues) {
  ASSERT_EQ(pointwise().size(), trace()["pointwise"].size());
  const std::vector<double> at = numbers(trace()["x"]);
  for (const json& recorded : trace()["pointwise"]) {
    const std::string name = recorded["name"];
    const auto& fn = pointwise().at(name);
    for (const auto& [dtype, unit] : {std::pair{kFloat64, 0x1p-45}, {kBFloat16, 0x1p-7}, {kFloat16, 0x1p-10}}) {
      const Tensor x = tensor(at, {.dtype = dtype});
      const Tensor y = fn(x);
      EXPECT_EQ(y.dtype(), dtype) << name;
      expect_near(y.to_vector<double>(), numbers(recorded[to_string(dtype)]), unit, name + " of " + to_string(dtype));
    }
    Tensor x = tensor(at, {.dtype = kFloat64});
    x.requires_grad_();
    fn(x).sum().backward();
    // PyTorch's slope of hardsigmoid is 1/6 as a float.
    expect_near(x.grad().to_vector<double>(), numbers(recorded["grad"]), name == "hardsigmoid" ? 0x1p-24 : 0x1p-45,
                "the gradient of " + name);
  }
}

TEST(FurtherLayersOfPyTorch, FunctionsAndTheirGradients) {
  ASSERT_EQ(functions().size(), trace()["functions"].size());
  for (const json& recorded : trace()["functions"]) {
    SCOPED_TRACE(recorded["name"].get<std::string>());
    const Function& fn = functions().at(recorded["name"]);
    Tensors x;
    for (std::size_t i = 0; i < recorded["inputs"].size(); ++i)
      x.push_back(test::uniform("x" + std::to_string(i), shape(recorded["inputs"][i])).requires_grad_());
    const Tensor y = fn(x), wanted = array(recorded["output"]);
    ASSERT_EQ(y.sizes(), wanted.sizes());
    EXPECT_TRUE(allclose(y.detach(), wanted, 1e-11, 1e-12)) << y << wanted;
    sum(y * test::uniform("y", y.sizes())).backward();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Tensor g = array(recorded["grads"][i]);
      EXPECT_TRUE(allclose(x[i].grad(), g, 1e-10, 1e-12)) << i << x[i].grad() << g;
    }
    EXPECT_TRUE(test::gradgradcheck(fn, x)) << "second gradient";
  }
}

TEST(FurtherLayers, IntegersDoNotTakeFractionsInPlace) {
  const Tensor x = tensor({1, 2});
  EXPECT_THROW(nn::Mish(true)(x), DtypeError);
  EXPECT_THROW(nn::LeakyReLU(0.1, true)(x), DtypeError);
  EXPECT_TRUE(equal(x, tensor({1, 2})));
}

TEST(FurtherLayers, AFrozenConvolutionStaysFrozenWhenItIsFused) {
  nn::Conv2d conv(2, 3, 1, {.bias = false});
  nn::BatchNorm2d norm(3);
  conv.eval();
  norm.eval();
  conv.requires_grad_(false);
  const nn::Conv2d fused = nn::utils::fuse_conv_bn_eval(conv, norm);
  EXPECT_FALSE(fused.weight.requires_grad());
  EXPECT_FALSE(fused.bias.requires_grad());
}

}  // namespace
}  // namespace gradus

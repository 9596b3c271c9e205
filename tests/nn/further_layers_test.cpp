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

Tensor index() { return integers({1, 3, 1, 0, 1, 3}, {2, 3}); }
Tensor samples(const Shape& sizes) {
  return reshape(arange(sizes.numel(), {.dtype = kFloat64}) / sizes.numel(), sizes);
}
nn::AdaptiveLogSoftmaxWithLoss adaptive() {
  nn::AdaptiveLogSoftmaxWithLoss net(8, 9, {3, 6}, {.div_value = 2, .head_bias = true, .dtype = kFloat64});
  const NoGrad guard;
  int i = 0;
  for (const Tensor& p : net.parameters()) p.copy_(test::uniform("w" + std::to_string(i++), p.sizes()));
  return net;
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
      {"fractional2d", of([](const Tensor& x) {
         return F::fractional_max_pool2d(x, 2, {.output_size = Spatial<2>{3, 4}, .random_samples = samples({2, 4, 2})});
       })},
      {"fractional2d_ratio", of([](const Tensor& x) {
         return nn::FractionalMaxPool2d({2, 3}, {.output_ratio = {0.5, 0.7}, .random_samples = samples({1, 3, 2})})(x);
       })},
      {"fractional3d", of([](const Tensor& x) {
         return F::fractional_max_pool3d(x, {2, 1, 3},
                                         {.output_size = Spatial<3>{2, 3, 2}, .random_samples = samples({2, 2, 3})});
       })},
      {"pdist", of([](const Tensor& x) { return F::pdist(x); })},
      {"pdist_1", of([](const Tensor& x) { return F::pdist(x, 1.5); })},
      {"cross", [](const Tensors& x) { return cross(x[0], x[1], 1); }},
      {"cross_last", [](const Tensors& x) { return linalg::cross(x[0], x[1]); }},
      {"lerp", [](const Tensors& x) { return lerp(x[0], x[1], x[2]); }},
      {"entr", of([](const Tensor& x) { return special::entr(x * x); })},
      {"ndtr", of([](const Tensor& x) { return special::ndtr(x); })},
      {"xlog1py", [](const Tensors& x) { return special::xlog1py(x[0], x[1] * x[1]); }},
      {"multigammaln", of([](const Tensor& x) { return special::multigammaln(x + 3, 3); })},
      {"adaptive", of([](const Tensor& x) {
         return adaptive()(x, tensor({0, 8, 4, 7, 2})).output;
       })},
      {"adaptive_log_prob", of([](const Tensor& x) { return adaptive().log_prob(x); })},
      {"embedding_freq",
       of([](const Tensor& w) { return F::embedding(index(), w, {.padding_idx = 0, .scale_grad_by_freq = true}); })},
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

// PyTorch's gradient of it is not that of its value; the values are.
TEST(FurtherLayers, CrossMapNormalisation) {
  const std::map<int, std::vector<double>> recorded{{1,
                                                     {0.14693236701030155, 0.3999447104691341, 0.575560014246967,
                                                      0.6748727521186424, 0.7207428786637229, 0.7346161460169096}},
                                                    {3,
                                                     {0.14309679486060323, 0.39331933415237097, 0.5661501493783082,
                                                      0.6661270050863194, 0.7134256429463964, 0.9518933589294638}},
                                                    {4,
                                                     {0.1444395938073316, 0.40508764621129645, 0.6007700896633059,
                                                      0.7282367874841741, 0.8001883259923084, 1.0553114662955656}}};
  const Tensor x = arange(1, 13, 1, {.dtype = kFloat64}).view({1, 6, 1, 2}) / 4;
  for (const auto& [size, values] : recorded) {
    nn::CrossMapLRN2d net(size, 0.5, 0.75, 2);
    const Tensor y = net(x);
    EXPECT_TRUE(allclose(y[{0, Slice{}, 0, 0}], tensor(values, {.dtype = kFloat64}), 1e-12, 0)) << size << y;
    EXPECT_TRUE(test::gradcheck([&](const Tensors& at) { return net(at[0]); }, {x.clone().requires_grad_()})) << size;
  }
  EXPECT_THROW(nn::CrossMapLRN2d(0), ValueError);
  EXPECT_THROW(nn::CrossMapLRN2d(3)(x[0]), ShapeError);
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

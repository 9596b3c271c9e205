// Further losses, operations and the transformer's decoder against PyTorch's: tests/traces/further.json.
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gradus/nn/layers/transformer_decoder.h>
#include <gradus/nn/loss/further_losses.h>
#include <gradus/ops/further.h>

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/gradcheck.h"
#include "support/message.h"
#include "support/paths.h"

namespace gradus {
namespace {

namespace F = nn::functional;
using nlohmann::json;
using test::message_of;
using testing::HasSubstr;
using Tensors = std::vector<Tensor>;

const json& trace() {
  static const json all = json::parse(std::ifstream(test::source_path("tests/traces/further.json")));
  return all;
}

Shape shape(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }
Tensor array(const json& j) {
  return tensor(j["data"].get<std::vector<double>>(), shape(j["shape"]), {.dtype = kFloat64});
}
std::vector<double> numbers(const json& j) { return j.get<std::vector<double>>(); }

Tensor integers(std::initializer_list<std::int64_t> values) { return tensor(std::vector<std::int64_t>(values)); }
Tensor padded() { return reshape(integers({1, 2, 2, 3, 3, 1, 0, 0, 2, 0, 0, 0}), {3, 4}); }

std::function<Tensor(const Tensors&)> ctc(const nn::CtcOptions& o, const Tensor& targets = padded(),
                                          std::int64_t first = 7) {
  return [=](const Tensors& x) {
    return F::ctc_loss(log_softmax(x[0], -1), targets, integers({first, 5, 6}), integers({4, 2, 0}), o);
  };
}

Tensor positive(const Tensor& x) { return x * x + 0.1; }

Tensor bag_index() { return integers({4, 1, 5, 0, 1, 3, 4}); }
std::function<Tensor(const Tensors&)> bags(const EmbeddingBagArguments& o) {
  return [=](const Tensors& x) { return embedding_bag(bag_index(), x[0], integers({0, 3, 3, 5}), o); };
}

using Functions = std::map<std::string, std::function<Tensor(const Tensors&)>>;
Functions functions() {
  return {
      {"prelu", [](const Tensors& x) { return prelu(x[0], x[1]); }},
      {"prelu_one", [](const Tensors& x) { return prelu(x[0], x[1]); }},
      {"pairwise_distance", [](const Tensors& x) { return pairwise_distance(x[0], x[1]); }},
      {"pairwise_distance_1", [](const Tensors& x) { return pairwise_distance(x[0], x[1], 1, 1e-3, true); }},
      {"cdist", [](const Tensors& x) { return cdist(x[0], x[1]); }},
      {"cdist_1", [](const Tensors& x) { return cdist(x[0], x[1], 1); }},
      {"cumprod", [](const Tensors& x) { return cumprod(x[0], 1); }},
      {"median", [](const Tensors& x) { return median(x[0], 1).first; }},
      {"atan2", [](const Tensors& x) { return atan2(x[0], x[1]); }},
      {"bag_mean", bags({})},
      {"bag_sum", bags({.mode = "sum", .padding_idx = 1})},
      {"bag_mean_padded", bags({.padding_idx = -5})},
      {"bag_max", bags({.mode = "max", .padding_idx = 4})},
      {"bag_last",
       [](const Tensors& x) {
         return embedding_bag(bag_index(), x[0], integers({0, 3, 7}), {.mode = "sum", .include_last_offset = true});
       }},
      {"bag_rows",
       [](const Tensors& x) {
         return embedding_bag(reshape(narrow(bag_index(), 0, 0, 6), {2, 3}), x[0], Tensor(), {.mode = "max"});
       }},
      {"bag_weights",
       [](const Tensors& x) {
         return embedding_bag(bag_index(), x[0], integers({0, 3, 3, 5}), {.mode = "sum", .per_sample_weights = x[1]});
       }},
      {"unpool1d",
       [](const Tensors& x) {
         const auto [y, at] = max_pool1d_with_indices(x[0], 2);
         return max_unpool1d(y, at, 2);
       }},
      {"unpool2d",
       [](const Tensors& x) {
         const auto [y, at] = nn::MaxPool2d(2).forward_with_indices(x[0]);
         return nn::MaxUnpool2d(2)(y, at, {2, 3, 5, 7});
       }},
      {"unpool2d_strided",
       [](const Tensors& x) {
         const auto [y, at] = max_pool2d_with_indices(x[0], 3, 2, 1);
         return max_unpool2d(y, at, 3, 2, 1, {6, 7});
       }},
      {"unpool3d",
       [](const Tensors& x) {
         const auto [y, at] = max_pool3d_with_indices(x[0], {2, 1, 2});
         return max_unpool3d(y, at, {2, 1, 2});
       }},
      {"adaptive_indices",
       [](const Tensors& x) {
         return adaptive_max_pool2d_with_indices(x[0], {2, 3}).second.to(kFloat64) + x[0].sum() * 0;
       }},
      {"triplet", [](const Tensors& x) { return F::triplet_margin_loss(x[0], x[1], x[2]); }},
      {"triplet_all",
       [](const Tensors& x) {
         return F::triplet_margin_loss(
             x[0], x[1], x[2], {.margin = 0.5, .p = 1, .eps = 1e-3, .swap = true, .reduction = nn::Reduction::None});
       }},
      {"gaussian", [](const Tensors& x) { return F::gaussian_nll_loss(x[0], x[1], positive(x[2])); }},
      {"gaussian_full",
       [](const Tensors& x) {
         return F::gaussian_nll_loss(x[0], x[1], positive(x[2]),
                                     {.full = true, .eps = 0.5, .reduction = nn::Reduction::Sum});
       }},
      {"ctc", ctc({})},
      {"ctc_none", ctc({.blank = 4, .reduction = nn::Reduction::None})},
      {"ctc_flat", ctc({.reduction = nn::Reduction::Sum}, integers({1, 2, 2, 3, 3, 1}))},
      {"ctc_short", ctc({.zero_infinity = true}, padded(), 4)},
  };
}

TEST(Further, FunctionsAreThoseOfPyTorch) {
  const Functions all = functions();
  ASSERT_EQ(all.size(), trace()["functions"].size());
  for (const json& recorded : trace()["functions"]) {
    SCOPED_TRACE(recorded["name"].get<std::string>());
    const auto& fn = all.at(recorded["name"]);
    Tensors x;
    for (std::size_t i = 0; i < recorded["inputs"].size(); ++i)
      x.push_back(test::uniform("x" + std::to_string(i), shape(recorded["inputs"][i])).requires_grad_());
    const Tensor y = fn(x), wanted = array(recorded["output"]);
    ASSERT_EQ(y.sizes(), wanted.sizes());
    EXPECT_TRUE(allclose(y.detach(), wanted, 1e-10, 1e-12)) << y << wanted;
    sum(y * test::uniform("y", y.sizes())).backward();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Tensor g = array(recorded["grads"]["x" + std::to_string(i)]);
      EXPECT_TRUE(allclose(x[i].grad(), g, 1e-9, 1e-11)) << i << x[i].grad() << g;
    }
    // The bounds of variances and of what cannot be have no part in the gradients, which differences would see.
    if (recorded["name"] != "ctc_short" && recorded["name"] != "median" && recorded["name"] != "gaussian_full") {
      EXPECT_TRUE(test::gradgradcheck(fn, x)) << "second gradient";
    }
  }
}

TEST(Further, CtcOfWhatDoesNotFitIsInfinite) {
  const Tensor x = test::uniform("x0", {7, 3, 5});
  const Tensor y = ctc({.reduction = nn::Reduction::None}, padded(), 4)({x});
  EXPECT_TRUE(std::isinf(y.to_vector<double>()[0]));
  const auto call = [&](const Tensor& targets, const Tensor& in, const Tensor& out, std::int64_t blank = 0) {
    return message_of([&] { F::ctc_loss(x, targets, in, out, {.blank = blank}); });
  };
  const Tensor in = integers({7, 7, 7}), out = integers({4, 2, 0});
  EXPECT_THAT(call(padded(), integers({8, 7, 7}), out), HasSubstr("integers from 0 to 7, got 8"));
  EXPECT_THAT(call(padded(), in, integers({5, 2, 0})), HasSubstr("target_lengths must be 3 integers from 0 to 4"));
  EXPECT_THAT(call(padded() + 3, in, out), HasSubstr("targets must be classes, 0 to 4, got 5"));
  EXPECT_THAT(call(padded(), in, out, 5), HasSubstr("blank must be a class"));
  EXPECT_THAT(call(integers({1, 2, 3}), in, out), HasSubstr("target_lengths must be 3 integers from 0 to 3"));
  EXPECT_THAT(call(integers({1, 2, 3, 1, 2}), in, integers({3, 1, 0})), HasSubstr("must sum to the 5 targets"));
  EXPECT_THAT(call(reshape(padded(), {6, 2}), in, out), HasSubstr("one row for each of the 3 samples, got [6, 2]"));
  EXPECT_THAT(
      message_of([&] {
        F::ctc_loss(zeros({7, 0, 5}), integers({1, 2}), zeros({0}, {.dtype = kInt64}), zeros({0}, {.dtype = kInt64}));
      }),
      HasSubstr("must sum to the 2 targets"));
  EXPECT_THAT(message_of([&] {
                F::ctc_loss(zeros({7, 0, 5}), reshape(integers({1, 2}), {1, 2}), zeros({0}, {.dtype = kInt64}),
                            zeros({0}, {.dtype = kInt64}));
              }),
              HasSubstr("one row for each of the 0 samples, got [1, 2]"));
  EXPECT_THAT(message_of([&] { F::gaussian_nll_loss(x, x, full_like(x, -1)); }), HasSubstr("must not be negative"));
  EXPECT_THAT(message_of([&] { F::triplet_margin_loss(x, x, x, {.margin = 0}); }), HasSubstr("margin must be above 0"));
  EXPECT_THAT(message_of([&] { F::triplet_margin_loss(x, x, x, {.margin = -1e-9}); }), HasSubstr("got -1e-09"));
}

template <class M, class Call>
void replay(const std::string& name, M module, Call call) {
  SCOPED_TRACE(name);
  for (const json& recorded : trace()["modules"]) {
    if (recorded["name"] != name) continue;
    EXPECT_EQ(recorded["repr"], module.to_string());
    const nn::StateDict dict = module.state_dict();
    EXPECT_EQ(dict.size(), recorded["state"].size());
    for (const auto& [key, s] : recorded["state"].items()) EXPECT_EQ(dict.at(key).sizes(), shape(s)) << key;
    module.to(kFloat64);
    test::fill(module);
    std::vector<nn::NamedTensor> named;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string x = "x" + std::to_string(i);
      named.emplace_back(x, test::uniform(x, shape(recorded["inputs"][i])).requires_grad_());
    }
    const Tensor y = call(module, named[0].second, named[1].second);
    test::expect_sketch(y, numbers(recorded["output"]), 1e-12, "output");
    sum(y * test::uniform("y", y.sizes())).backward();
    for (const auto& p : module.named_parameters()) named.push_back(p);
    EXPECT_EQ(named.size(), recorded["grads"].size());
    for (const auto& [key, t] : named) test::expect_sketch(t.grad(), numbers(recorded["grads"][key]), 1e-11, key);
    return;
  }
  FAIL() << "there is no case " << name;
}

TEST(Further, TransformersDecode) {
  using Layer = nn::TransformerDecoderLayer;
  const Tensor causal = triu(ones({4, 4}, {.dtype = kBool}), 1);
  Tensor pad = zeros({2, 5}, {.dtype = kBool});
  pad[{0, 4}] = true;
  replay("decoder_layer", Layer(8, 2, {.dim_feedforward = 16, .dropout = 0}),
         [](auto& m, const Tensor& a, const Tensor& b) { return m(a, b); });
  replay(
      "decoder_layer_first",
      Layer(8, 2, {.dim_feedforward = 16, .dropout = 0, .activation = "gelu", .batch_first = true, .norm_first = true}),
      [&](auto& m, const Tensor& a, const Tensor& b) {
        return m(a, b, {.tgt_mask = causal, .memory_key_padding_mask = pad});
      });
  replay("decoder",
         nn::TransformerDecoder(Layer(8, 2, {.dim_feedforward = 16, .dropout = 0, .bias = false}), 2, nn::LayerNorm(8)),
         [&](auto& m, const Tensor& a, const Tensor& b) { return m(a, b, {.tgt_mask = causal}); });
  replay("transformer",
         nn::Transformer({.d_model = 8,
                          .nhead = 2,
                          .num_encoder_layers = 2,
                          .num_decoder_layers = 1,
                          .dim_feedforward = 16,
                          .dropout = 0}),
         [&](auto& m, const Tensor& a, const Tensor& b) {
           return m(a, b, {}, {.tgt_mask = nn::Transformer::generate_square_subsequent_mask(4, kFloat64)});
         });
  nn::Transformer net({.d_model = 4, .nhead = 1, .num_encoder_layers = 1, .num_decoder_layers = 1});
  EXPECT_THAT(message_of([&] { net(randn({2, 1, 4}), randn({2, 1, 5})); }), HasSubstr("of 4 features"));
}

TEST(FurtherLayers, PReLUTrainsItsSlope) {
  nn::PReLU net;
  EXPECT_EQ(net.to_string(), "PReLU(num_parameters=1)");
  const Tensor x = tensor(std::vector<float>{-2, 3});
  EXPECT_EQ(net(x).to_vector<double>(), (std::vector<double>{-0.5, 3}));
  net(x).sum().backward();
  EXPECT_EQ(net.weight.grad().item(), -2);
  EXPECT_EQ(nn::PReLU(3, 0.5).weight.to_vector<double>(), (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_THAT(message_of([] { nn::PReLU none(0); }), HasSubstr("num_parameters must be at least 1, got 0"));
}

TEST(FurtherLayers, EmbeddingBagIsTheFunctionWithATable) {
  manual_seed(2);
  nn::EmbeddingBag net(6, 3, {.mode = "sum", .padding_idx = -5});
  EXPECT_EQ(net.to_string(), "EmbeddingBag(6, 3, mode='sum', padding_idx=1)");
  EXPECT_EQ(net.weight[1].abs().max().item(), 0);
  const Tensor y = net(bag_index(), integers({0, 3, 3, 5}));
  EXPECT_EQ(y.sizes(), Shape({4, 3}));
  EXPECT_TRUE(allclose(y[0], net.weight[4] + net.weight[5]));
  EXPECT_EQ(y[1].abs().max().item(), 0);
  y.sum().backward();
  EXPECT_EQ(net.weight.grad()[1].abs().max().item(), 0);
  EXPECT_EQ(net.weight.grad()[4].to_vector<double>(), (std::vector<double>{2, 2, 2}));
}

TEST(FurtherLayers, EmbeddingBagRefusesAndTakesOddBags) {
  const Tensor w = randn({6, 3}), at = bag_index();
  const auto error = [&](const Tensor& input, const Tensor& offsets, const EmbeddingBagArguments& o = {}) {
    return message_of([&] { embedding_bag(input, w, offsets, o); });
  };
  EXPECT_THAT(error(at, integers({1, 3})), HasSubstr("must begin with 0, got 1"));
  EXPECT_THAT(error(at, integers({0, 4, 3})), HasSubstr("must not fall, got 4 before 3"));
  EXPECT_THAT(error(at, integers({0, 8})), HasSubstr("at most 7, the input's length, got 8"));
  EXPECT_THAT(error(at, Tensor()), HasSubstr("needs offsets"));
  EXPECT_THAT(error(reshape(at, {7, 1}), integers({0})), HasSubstr("takes no offsets"));
  EXPECT_THAT(error(at, integers({0}), {.mode = "min"}), HasSubstr("got 'min'"));
  EXPECT_THAT(error(at, integers({0}), {.per_sample_weights = ones({7})}), HasSubstr("need the mode 'sum'"));
  EXPECT_THAT(error(at, integers({0}), {.mode = "sum", .per_sample_weights = ones({6})}),
              HasSubstr("must have the input's sizes"));
  EXPECT_THAT(error(at, integers({0}), {.padding_idx = 6}), HasSubstr("padding_idx must be in [-6, 5], got 6"));
  EXPECT_THAT(error(at, Tensor(tensor(std::vector<std::int64_t>{})), {.include_last_offset = true}),
              HasSubstr("at least one offset"));
  EXPECT_THAT(error(at.to(kFloat32), integers({0})), HasSubstr("must be of integers"));
  for (const char* mode : {"sum", "mean", "max"}) {
    const Tensor none = tensor(std::vector<std::int64_t>{});
    EXPECT_EQ(embedding_bag(none, w, integers({0, 0}), {.mode = mode}).to_vector<double>(), std::vector<double>(6))
        << mode;
    EXPECT_EQ(embedding_bag(none, w, none, {.mode = mode}).sizes(), Shape({0, 3})) << mode;
    EXPECT_EQ(embedding_bag(integers({2, 2}), w, integers({0}), {.mode = mode, .padding_idx = 2}).abs().max().item(), 0)
        << mode;
  }
}

TEST(FurtherLayers, IndicesOfMaximaInEitherLayout) {
  manual_seed(3);
  const Tensor x = randn({2, 8, 6, 6});
  const auto [y, at] = max_pool2d_with_indices(x, 2);
  EXPECT_EQ(gather(reshape(x, {2, 8, 36}), 2, reshape(at, {2, 8, 9})).to_vector<double>(), y.to_vector<double>());
  const Tensor last = permute(permute(x, {0, 2, 3, 1}).contiguous(), {0, 3, 1, 2});
  EXPECT_EQ(max_pool2d_with_indices(last, 2).second.to_vector<std::int64_t>(), at.to_vector<std::int64_t>());
  EXPECT_EQ(max_pool2d_with_indices(last, 2).first.to_vector<double>(), y.to_vector<double>());
  EXPECT_THAT(message_of([&] {
                max_unpool2d(y, at, 2, {}, 0, {9, 6});
              }),
              HasSubstr("within a stride of 6 in dimension 2, got 9"));
  EXPECT_THAT(message_of([&] { max_unpool2d(y, narrow(at, 0, 0, 1), 2); }),
              HasSubstr("indices must have the sizes of x"));
  EXPECT_THAT(message_of([&] { max_unpool2d(y, at.to(kInt32), 2); }), HasSubstr("indices must be int64"));
  EXPECT_THROW(max_unpool2d(y, at + 30, 2), IndexError);
  EXPECT_THAT(message_of([&] { max_unpool2d(y[0][0], at, 2); }), HasSubstr("need x of 4 dimensions"));
}

TEST(FurtherLayers, Distances) {
  const Tensor a = randn({4, 3}), b = randn({4, 3});
  EXPECT_EQ(nn::PairwiseDistance(1, 1e-3, true)(a, b).to_vector<double>(),
            pairwise_distance(a, b, 1, 1e-3, true).to_vector<double>());
  EXPECT_EQ(nn::CosineSimilarity(0)(a, b).to_vector<double>(), F::cosine_similarity(a, b, 0).to_vector<double>());
}

}  // namespace
}  // namespace gradus

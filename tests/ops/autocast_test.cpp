// Which operations take 16 bits in the scope of an Autocast, which ones float32, and what their gradients are.
#include <gradus/autocast.h>

#include <cmath>

#include <gradus/nn.h>
#include <gradus/ops.h>
#include <gradus/ops/attention.h>
#include <gradus/ops/convolution.h>
#include <gradus/ops/normalization.h>
#include <gradus/ops/products.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include "support/tested_device.h"

namespace gradus {
namespace {

using Function = std::function<Tensor(const Tensor& x, const Tensor& w)>;

// x [4, 6] and w [6, 6].
const std::vector<std::pair<const char*, Function>>& products() {
  static const std::vector<std::pair<const char*, Function>> all{
      {"mm", [](auto& x, auto& w) { return mm(x, w); }},
      {"matmul", [](auto& x, auto& w) { return matmul(x, w); }},
      {"bmm",
       [](auto& x, auto& w) {
         return bmm(x.view({1, 4, 6}), w.view({1, 6, 6}));
       }},
      {"addmm", [](auto& x, auto& w) { return addmm(w[0], x, w); }},
      {"baddbmm",
       [](auto& x, auto& w) {
         return baddbmm(w[0], x.view({1, 4, 6}), w.view({1, 6, 6}));
       }},
      {"linear", [](auto& x, auto& w) { return linear(x, w, w[0]); }},
      {"conv1d",
       [](auto& x, auto& w) {
         return conv1d(x.view({4, 1, 6}), w.view({12, 1, 3}), w.view({36})[Slice{0, 12}]);
       }},
      {"conv2d",
       [](auto& x, auto& w) {
         return conv2d(x.view({2, 3, 2, 2}), w.view({3, 3, 2, 2}), w[0][Slice{0, 3}]);
       }},
      {"conv_transpose2d",
       [](auto& x, auto& w) {
         return conv_transpose2d(x.view({2, 3, 2, 2}), w.view({3, 3, 2, 2}), w[0][Slice{0, 3}]);
       }},
      {"attention", [](auto& x, auto& w) {
         return scaled_dot_product_attention(x.view({1, 4, 6}), w.view({1, 6, 6}), w.view({1, 6, 6}));
       }}};
  return all;
}

TEST(Autocasting, ProductsTakeTheScopesTypeAndGradientsStayFloat32) {
  for (const Device device : {kCPU, test::tested_device()}) {
    for (const Dtype dtype : {kFloat16, kBFloat16}) {
      for (const auto& [name, function] : products()) {
        SCOPED_TRACE(std::string(name) + " " + to_string(dtype) + " " + to_string(device));
        manual_seed(5);
        const Tensor x = randn({4, 6}).to(device).requires_grad_(), w = randn({6, 6}).to(device).requires_grad_();
        const auto exact = [&](const Tensor& t) { return t.detach().to(dtype).to(kFloat64).requires_grad_(); };
        const Tensor x64 = exact(x), w64 = exact(w);
        Tensor y;
        {
          const Autocast scope(dtype);
          EXPECT_EQ(get_autocast_dtype(), dtype);
          y = function(x, w);
          // float64 is left alone, and the other 16 bits become these.
          EXPECT_EQ(function(x64, w64).dtype(), kFloat64);
          const Dtype other = dtype == kFloat16 ? kBFloat16 : kFloat16;
          EXPECT_EQ(function(x.detach().to(other), w.detach()).dtype(), dtype);
        }
        EXPECT_EQ(y.dtype(), dtype);
        const Tensor want = function(x64, w64);
        const double step = dtype == kFloat16 ? 2e-3 : 2e-2;
        EXPECT_TRUE(allclose(y.cpu().to(kFloat64), want.cpu(), step, step));
        y.to(kFloat32).sum().backward();
        want.sum().backward();
        ASSERT_EQ(x.grad().dtype(), kFloat32);
        ASSERT_EQ(w.grad().dtype(), kFloat32);
        EXPECT_TRUE(allclose(x.grad().cpu().to(kFloat64), x64.grad().cpu(), 4 * step, 4 * step));
        EXPECT_TRUE(allclose(w.grad().cpu().to(kFloat64), w64.grad().cpu(), 4 * step, 4 * step));
      }
    }
  }
}

TEST(Autocasting, LossesTakeFloat32) {
  using namespace nn::functional;
  const Tensor p = rand({4, 3}), target = tensor({0, 1, 2, 1}), sign = tensor({1.0, -1.0, 1.0, -1.0}), t = rand({4, 3});
  const std::vector<std::function<Tensor(const Tensor&)>> losses{
      [&](auto& x) { return cross_entropy(x, target); },
      [&](auto& x) { return nll_loss(x, target); },
      [&](auto& x) { return mse_loss(x, t); },
      [&](auto& x) { return l1_loss(x, t); },
      [&](auto& x) { return smooth_l1_loss(x, t); },
      [&](auto& x) { return huber_loss(x, t); },
      [&](auto& x) { return kl_div(x, t); },
      [&](auto& x) { return binary_cross_entropy(x, t); },
      [&](auto& x) { return binary_cross_entropy_with_logits(x, t); },
      [&](auto& x) { return cosine_embedding_loss(x, t, sign); },
      [&](auto& x) { return poisson_nll_loss(x, t); },
      [&](auto& x) { return soft_margin_loss(x, t); }};
  for (std::size_t i = 0; i < losses.size(); ++i) {
    SCOPED_TRACE(i);
    for (const Dtype dtype : {kFloat16, kBFloat16}) {
      const Tensor x = p.to(dtype);
      const Tensor want = losses[i](x.to(kFloat32));
      for (const Dtype of_scope : {kFloat16, kBFloat16}) {
        const Autocast scope(of_scope);
        const Tensor loss = losses[i](x);
        EXPECT_EQ(loss.dtype(), kFloat32);
        EXPECT_EQ(loss.item(), want.item());
      }
    }
  }
}

TEST(Autocasting, LayersKeepTheirParametersInFloat32) {
  for (const Device device : {kCPU, test::tested_device()}) {
    for (const Dtype dtype : {kFloat16, kBFloat16}) {
      SCOPED_TRACE(std::string(to_string(dtype)) + " " + to_string(device));
      manual_seed(6);
      nn::Sequential net(nn::Conv2d(3, 32, 3, {.padding = 1}), nn::BatchNorm2d(32), nn::ReLU(), nn::MaxPool2d(2),
                         nn::Conv2d(32, 32, 3, {.padding = 1}), nn::GroupNorm(4, 32), nn::GELU(),
                         nn::AdaptiveAvgPool2d(1), nn::Flatten(), nn::Linear(32, 8), nn::LayerNorm({8}),
                         nn::RMSNorm({8}), nn::Linear(8, 3));
      nn::LSTM lstm(3, 4);
      net.to(device);
      lstm.to(device);
      const Tensor x = randn({2, 3, 8, 8}).to(device);
      Tensor y;
      {
        const Autocast scope(dtype);
        y = net(x);
        EXPECT_EQ(y.dtype(), dtype);
        y = lstm(y.unsqueeze(0)).first;
        EXPECT_EQ(y.dtype(), dtype);
      }
      y.to(kFloat32).sum().backward();
      for (const auto& [name, p] : net.named_parameters()) {
        ASSERT_TRUE(p.grad().defined()) << name;
        EXPECT_EQ(p.grad().dtype(), kFloat32) << name;
        EXPECT_TRUE(isfinite(p.grad()).all().item<bool>()) << name;
      }
      // As in inference, where normalisations are folded into convolutions.
      net.eval();
      const NoGrad guard;
      const Tensor want = net(x).cpu();
      const Autocast scope(dtype);
      const Tensor got = net(x).cpu();
      EXPECT_EQ(got.dtype(), dtype);
      EXPECT_TRUE(allclose(got.to(kFloat32), want, 0.1, 0.1)) << got << want;
    }
  }
}

TEST(Autocasting, ScopesNestAndRecomputationTakesTheTypeOfItsScope) {
  EXPECT_FALSE(is_autocast_enabled());
  EXPECT_EQ(get_autocast_dtype(), kBFloat16);
  nn::Linear layer(4, 4);
  const Tensor x = randn({2, 4}).requires_grad_();
  Dtype seen = kFloat32;
  {
    const Autocast outer(kFloat16);
    {
      const Autocast inner(kBFloat16);
      EXPECT_EQ(mm(x, x.t()).dtype(), kBFloat16);
      const Autocast off(kFloat16, false);
      EXPECT_FALSE(is_autocast_enabled());
      EXPECT_EQ(mm(x, x.t()).dtype(), kFloat32);
    }
    EXPECT_TRUE(is_autocast_enabled());
    EXPECT_EQ(get_autocast_dtype(), kFloat16);
    const Tensor y = nn::checkpoint(layer,
                                    [&](const std::vector<Tensor>& in) {
                                      const Tensor z = layer(in[0]);
                                      seen = z.dtype();
                                      return z;
                                    },
                                    {x});
    EXPECT_EQ(y.dtype(), kFloat16);
    seen = kFloat32;
    const Autocast off(kBFloat16, false);
    y.to(kFloat32).sum().backward();
  }
  EXPECT_EQ(seen, kFloat16);
  EXPECT_EQ(get_autocast_dtype(), kBFloat16);
  EXPECT_THROW(Autocast wrong(kFloat32), DtypeError);
  EXPECT_THROW(Autocast wrong(kFloat64, false), DtypeError);
  EXPECT_FALSE(is_autocast_enabled());
}

// float16 ends at 65504: what a product exceeds becomes infinite, forwards and backwards, and bfloat16's does not.
TEST(Autocasting, Float16OverflowsAndBFloat16DoesNot) {
  const Tensor x = full({1, 1}, 300.0).requires_grad_();
  for (const Dtype dtype : {kFloat16, kBFloat16}) {
    x.zero_grad();
    const Autocast scope(dtype);
    EXPECT_EQ(std::isinf(mm(x, x).item()), dtype == kFloat16);
    (mm(x, ones({1, 1})).to(kFloat32) * 1e6).sum().backward();
    EXPECT_EQ(std::isinf(x.grad().item()), dtype == kFloat16);
  }
}

}  // namespace
}  // namespace gradus

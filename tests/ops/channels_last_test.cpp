// The layout that convolutions choose, and what keeps it: values and gradients against the same in float64, which is
// computed row-major.
#include <gradus/autocast.h>
#include <gradus/autograd.h>
#include <gradus/flops.h>
#include <gradus/ops.h>
#include <gradus/ops/convolution.h>
#include <gradus/ops/normalization.h>
#include <gradus/ops/pooling.h>
#include <gradus/ops/resampling.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include "core/layout.h"
#include "ops/norm/batch_norm.h"

namespace gradus::test {
namespace {

Tensor channels_last(const Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2}); }

// Largest difference over the largest value.
double distance(const Tensor& got, const Tensor& wanted) {
  const Tensor exact = wanted.detach().to(kFloat64);
  return (got.detach().to(kFloat64) - exact).abs().max().item() / (exact.abs().max().item() + 1e-30);
}

using Network = std::function<Tensor(const std::vector<Tensor>&)>;

// Values and gradients of `fn` in `dtype` against float64.
void expect_same(const Network& fn, const std::vector<Tensor>& inputs, Dtype dtype, double tolerance) {
  const auto run = [&](Dtype type, const Tensor& g) {
    std::vector<Tensor> xs;
    for (const Tensor& x : inputs) {
      // Rounded for both: a relu must not open where the other one closes.
      const Tensor rounded = x.dim() < 2 ? x.detach() : x.detach().to(dtype);
      xs.push_back(rounded.to(type == kBFloat16 && x.dim() < 2 ? kFloat32 : type).contiguous().clone());
      if (!x.is_contiguous() && detail::is_channels_last(x)) xs.back() = channels_last(xs.back());
      xs.back().requires_grad_();
    }
    const Tensor y = fn(xs);
    std::vector<Tensor> all{y};
    const Tensor weights = g.defined() ? g.to(y.dtype()) : randn(y.sizes()).to(y.dtype());
    for (const Tensor& gx : autograd::grad({y}, xs, {weights})) all.push_back(gx);
    all.push_back(weights);
    return all;
  };
  const auto got = run(dtype, Tensor());
  const auto wanted = run(kFloat64, got.back());
  for (std::size_t i = 0; i + 1 < got.size(); ++i) {
    ASSERT_EQ(to_string(got[i].sizes()), to_string(wanted[i].sizes()));
    EXPECT_LT(distance(got[i], wanted[i]), tolerance) << (i == 0 ? "value" : "gradient of input " + std::to_string(i));
  }
}

double tolerance_of(Dtype dtype) { return dtype == kFloat32 ? 2e-5 : 3e-2; }

class ChannelsLast : public testing::TestWithParam<Dtype> {};
std::string type_name(const testing::TestParamInfo<Dtype>& type) { return to_string(type.param); }
INSTANTIATE_TEST_SUITE_P(Types, ChannelsLast, testing::Values(kFloat32, kBFloat16), type_name);

TEST_P(ChannelsLast, ConvolutionsOfAllKinds) {
  manual_seed(1);
  struct Case {
    Shape x, w;
    std::int64_t stride, padding, dilation, groups;
  };
  for (const Case& c :
       {Case{{2, 3, 9, 11}, {32, 3, 7, 7}, 2, 3, 1, 1}, Case{{3, 32, 7, 7}, {64, 32, 1, 1}, 1, 0, 1, 1},
        Case{{2, 32, 9, 8}, {48, 32, 3, 3}, 2, 1, 1, 1}, Case{{2, 32, 9, 9}, {32, 32, 3, 3}, 1, 2, 2, 1},
        Case{{2, 64, 6, 6}, {64, 32, 3, 3}, 1, 1, 1, 2}, Case{{2, 32, 8, 8}, {32, 1, 3, 3}, 1, 1, 1, 32},
        Case{{20, 33, 5, 5}, {37, 33, 3, 3}, 1, 1, 1, 1}}) {
    SCOPED_TRACE(to_string(c.x) + " " + to_string(c.w));
    const auto fn = [&](const std::vector<Tensor>& x) {
      return conv2d(x[0], x[1], x[2], c.stride, c.padding, c.dilation, c.groups);
    };
    const std::vector<Tensor> inputs{randn(c.x), randn(c.w) * 0.1, randn({c.w[0]})};
    expect_same(fn, inputs, GetParam(), tolerance_of(GetParam()));
    expect_same(fn, {channels_last(inputs[0]), inputs[1], inputs[2]}, GetParam(), tolerance_of(GetParam()));
  }
}

// Many weights on few positions: their gradients are products of matrices.
TEST_P(ChannelsLast, ConvolutionsWithAWindowOfOnePosition) {
  manual_seed(12);
  for (const std::int64_t stride : {1, 2}) {
    for (const auto& [ins, outs] : {std::pair<std::int64_t, std::int64_t>{1024, 512}, {512, 1024}}) {
      const Network conv = [=](const std::vector<Tensor>& x) { return conv2d(x[0], x[1], Tensor(), {stride}); };
      expect_same(conv, {channels_last(randn({3, ins, 5, 6})), randn({outs, ins, 1, 1})}, GetParam(),
                  tolerance_of(GetParam()));
    }
  }
}

TEST_P(ChannelsLast, TransposedAndDeepConvolutions) {
  manual_seed(2);
  expect_same([](const std::vector<Tensor>& x) { return conv_transpose2d(x[0], x[1], x[2], 2, 1, 1); },
              {randn({2, 32, 5, 6}), randn({32, 48, 3, 3}) * 0.1, randn({48})}, GetParam(), tolerance_of(GetParam()));
  expect_same([](const std::vector<Tensor>& x) { return conv3d(x[0], x[1], x[2], 1, 1); },
              {randn({2, 32, 4, 5, 3}), randn({32, 32, 3, 3, 3}) * 0.1, randn({32})}, GetParam(),
              tolerance_of(GetParam()));
}

TEST_P(ChannelsLast, BatchNormalisationWithWhatFollows) {
  manual_seed(3);
  for (const Shape& sizes : {Shape{2, 32, 3, 5}, Shape{4, 67, 9, 9}, Shape{1, 2048, 2, 2}}) {
    const Tensor x = channels_last(randn(sizes) * 2 + 1), r = channels_last(randn(sizes));
    const Tensor w = rand({sizes[1]}) + 0.5, b = randn({sizes[1]}), mean = randn({sizes[1]}),
                 var = rand({sizes[1]}) + 1;
    for (const bool relu : {false, true}) {
      for (const bool adds : {false, true}) {
        for (const bool training : {true, false}) {
          SCOPED_TRACE(to_string(sizes) + " relu " + std::to_string(relu) + " adds " + std::to_string(adds) +
                       " training " + std::to_string(training));
          expect_same(
              [&](const std::vector<Tensor>& in) {
                const Dtype type = in[1].dtype();
                return ops::batch_norm(in[0], mean.to(type).clone(), var.to(type).clone(), in[1], in[2], training, 0.1,
                                       1e-5, {.residual = adds ? in[3] : Tensor(), .relu = relu}) +
                       (adds ? 0 * in[0] : 0 * in[3]);
              },
              {x, w, b, r}, GetParam(), GetParam() == kFloat32 ? 2e-4 : 6e-2);
        }
      }
    }
  }
}

TEST(ChannelsLastNorm, SecondGradientsAreThoseOfTheParts) {
  manual_seed(4);
  const Tensor x0 = randn({2, 32, 3, 3}), r0 = randn({2, 32, 3, 3}), w0 = rand({32}) + 0.5, b0 = randn({32});
  const auto second = [&](bool fused) {
    Tensor x = (fused ? channels_last(x0) : x0.to(kFloat64)).detach().requires_grad_();
    Tensor r = (fused ? channels_last(r0) : r0.to(kFloat64)).detach().requires_grad_();
    Tensor w = w0.to(x.dtype()).detach().clone().requires_grad_();
    Tensor b = b0.to(x.dtype()).detach().clone().requires_grad_();
    const Tensor y = ops::batch_norm(x, Tensor(), Tensor(), w, b, true, 0.1, 1e-5, {.residual = r, .relu = true});
    const Tensor gx = autograd::grad({sum(y * y)}, {x}, {}, {.create_graph = true})[0];
    return autograd::grad({sum(gx * gx)}, {x, w, r});
  };
  const auto got = second(true), wanted = second(false);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_LT(distance(got[i], wanted[i]), 1e-3) << i;
}

TEST_P(ChannelsLast, Pooling) {
  manual_seed(5);
  const Tensor x = channels_last(randperm(2 * 40 * 9 * 7).reshape({2, 40, 9, 7}).to(kFloat32) * 1e-3);
  // Places of maxima must not move with the rounding of the input.
  const Tensor in = GetParam() == kFloat32 ? x : channels_last(x.to(kBFloat16).to(kFloat32));
  if (GetParam() == kFloat32) {
    expect_same([](const std::vector<Tensor>& v) { return max_pool2d(v[0], 3, Spatial<2>(2), 1); }, {in}, GetParam(),
                1e-6);
  } else {
    const Tensor y = max_pool2d(in.to(kBFloat16), 3, Spatial<2>(2), 1);
    EXPECT_EQ(distance(y, max_pool2d(in.contiguous(), 3, Spatial<2>(2), 1)), 0);
  }
  expect_same([](const std::vector<Tensor>& v) { return avg_pool2d(v[0], 3, Spatial<2>(2), 1); }, {in}, GetParam(),
              tolerance_of(GetParam()));
  expect_same(
      [](const std::vector<Tensor>& v) {
        return adaptive_avg_pool2d(v[0], {1, 1});
      },
      {in}, GetParam(), tolerance_of(GetParam()));
}

// What lies between the two halves of a U-Net.
TEST_P(ChannelsLast, JoiningAndResizing) {
  manual_seed(9);
  const Tensor a = channels_last(randn({2, 5, 4, 3})), b = channels_last(randn({2, 16, 4, 3}));
  for (const std::string_view mode : {"nearest", "bilinear", "bicubic"}) {
    expect_same(
        [&](const std::vector<Tensor>& v) {
          const Tensor joined = cat(std::vector<Tensor>{v[0], v[1]}, 1);
          return interpolate(joined, {.scale_factor = {2}, .mode = mode}) * 2 + interpolate(joined, {.size = {8, 6}});
        },
        {a, b}, GetParam(), tolerance_of(GetParam()));
  }
  expect_same(
      [](const std::vector<Tensor>& v) {
        return cat(std::vector<Tensor>{v[0], v[0], v[1]}, 1);
      },
      {a, b}, GetParam(), tolerance_of(GetParam()));
  expect_same(
      [](const std::vector<Tensor>& v) {
        return cat(std::vector<Tensor>{v[0], v[0]}, 2);
      },
      {a}, GetParam(), tolerance_of(GetParam()));

  const Tensor x = a.to(GetParam()).requires_grad_(), y = b.to(GetParam()).requires_grad_();
  const Tensor z = cat(std::vector<Tensor>{x, y}, 1);
  EXPECT_TRUE(detail::is_channels_last(z) && !z.is_contiguous());
  for (const Tensor& g : autograd::grad({sum(square(z))}, {x, y})) EXPECT_TRUE(detail::is_channels_last(g));
  EXPECT_TRUE(detail::is_channels_last(interpolate(z, {.scale_factor = {2}, .mode = "bilinear"})));
  // Where the parts disagree, the result is row-major.
  EXPECT_TRUE(cat(std::vector<Tensor>{x, y.contiguous()}, 1).is_contiguous());
}

TEST(ChannelsLastLayout, LeakyReluInPlaceKeepsNoCopyOfItsInput) {
  manual_seed(10);
  const Tensor x = channels_last(randn({2, 8, 4, 3})).requires_grad_();
  FlopCounter counter;
  const auto in_place = [&](double slope) {
    Tensor y = x * 3;
    leaky_relu_(y, slope);
    return autograd::grad({sum(y * y)}, {x})[0];
  };
  const Tensor gradient = in_place(0.2);
  EXPECT_EQ(counter.by_operation().count("clone"), 0u);
  const auto wanted = [&](double slope) { return autograd::grad({sum(square(leaky_relu(x * 3, slope)))}, {x})[0]; };
  EXPECT_TRUE(allclose(gradient, wanted(0.2)));
  EXPECT_TRUE(allclose(in_place(0), wanted(0)));
  EXPECT_TRUE(allclose(in_place(-0.5), wanted(-0.5)));  // the result does not tell the sign of the input
}

TEST(ChannelsLastLayout, FollowsTheTensorFromLayerToLayer) {
  manual_seed(6);
  const Tensor x = randn({2, 3, 16, 16});
  Tensor y = conv2d(x, randn({32, 3, 3, 3}), Tensor(), 1, 1);
  if (y.is_contiguous()) GTEST_SKIP() << "no channels-last convolution on this machine";
  for (const auto& layer : std::vector<std::function<Tensor(const Tensor&)>>{
           [](const Tensor& t) { return relu(t); }, [](const Tensor& t) { return t + t * 2; },
           [](const Tensor& t) { return batch_norm(t, Tensor(), Tensor(), Tensor(), Tensor(), true); },
           [](const Tensor& t) { return max_pool2d(t, 2); }, [](const Tensor& t) { return t.to(kBFloat16); },
           [](const Tensor& t) { return avg_pool2d(t, 2); }}) {
    y = layer(y);
    EXPECT_TRUE(detail::is_channels_last(y));
  }
}

TEST(ChannelsLastLayout, IsNoMatterForViews) {
  manual_seed(7);
  const Tensor w = randn({32, 3, 3, 3}).requires_grad_();
  const Tensor y = conv2d(randn({2, 3, 5, 5}), w);
  const auto values = y.to_vector<float>();
  EXPECT_EQ(y.view({2, -1}).to_vector<float>(), values);
  EXPECT_EQ(y.to_vector<float>(), values);
  EXPECT_TRUE(y.is_contiguous());
  sum(y.view({2, -1})).backward();
  EXPECT_TRUE(w.grad().defined());

  // Where another handle sees the memory, it must go on seeing it.
  const Tensor z = conv2d(randn({2, 3, 5, 5}), w.detach());
  if (z.is_contiguous()) GTEST_SKIP() << "no channels-last convolution on this machine";
  const Tensor other = z.detach();
  EXPECT_THROW(z.view({2, -1}), ShapeError);
  EXPECT_EQ(z.reshape({2, -1}).to_vector<float>(), other.to_vector<float>());
}

TEST(AutocastTest, ProductsAreInBFloat16AndParametersKeepTheirPrecision) {
  manual_seed(8);
  Tensor w = randn({32, 3, 3, 3}).requires_grad_(), m = randn({32, 10}).requires_grad_();
  const Tensor x = randn({2, 3, 6, 6});
  Tensor y, z;
  {
    const Autocast scope;
    EXPECT_TRUE(is_autocast_enabled());
    y = conv2d(x, w);
    EXPECT_EQ(y.dtype(), kBFloat16);
    z = matmul(mean(y, {2, 3}), m);
    EXPECT_EQ(z.dtype(), kBFloat16);
    const Autocast off(kBFloat16, false);
    EXPECT_EQ(conv2d(x, w).dtype(), kFloat32);
  }
  EXPECT_FALSE(is_autocast_enabled());
  sum(z.to(kFloat32)).backward();
  EXPECT_EQ(w.grad().dtype(), kFloat32);
  EXPECT_EQ(m.grad().dtype(), kFloat32);
  EXPECT_LT(distance(z, matmul(mean(conv2d(x, w), {2, 3}), m)), 3e-2);
  EXPECT_THROW(Autocast wrong(kFloat32), DtypeError);
}

}  // namespace
}  // namespace gradus::test

// Max pooling, and that of a ReLU, against their definitions, for windows of any size and place, in both layouts.
#include <gradus/autograd.h>
#include <gradus/ops.h>
#include <gradus/ops/pooling.h>
#include <gradus/random.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/image/pooling.h"

namespace gradus::test {
namespace {

struct Axis {
  std::int64_t size, kernel, stride, padding, dilation, out;
};

Axis any_axis() {
  Axis a{};
  a.kernel = *rc::gen::inRange<std::int64_t>(1, 4);
  a.stride = *rc::gen::inRange<std::int64_t>(1, 4);
  a.dilation = *rc::gen::inRange<std::int64_t>(1, 3);
  const std::int64_t reach = (a.kernel - 1) * a.dilation + 1;
  a.padding = *rc::gen::inRange<std::int64_t>(0, std::min(a.kernel, reach) / 2 + 1);
  a.size = *rc::gen::inRange<std::int64_t>(reach, reach + 40);
  a.out = (a.size + 2 * a.padding - reach) / a.stride + 1;
  return a;
}

// The first of the largest elements of a window, or its last NaN.
std::int64_t place_of_max(const std::vector<float>& x, std::int64_t plane, const Axis& h, const Axis& w, std::int64_t r,
                          std::int64_t c) {
  float best = -std::numeric_limits<float>::infinity();
  std::int64_t found = -1;
  for (std::int64_t i = 0; i < h.kernel; ++i) {
    for (std::int64_t j = 0; j < w.kernel; ++j) {
      const std::int64_t y = r * h.stride - h.padding + i * h.dilation, z = c * w.stride - w.padding + j * w.dilation;
      if (y < 0 || z < 0 || y >= h.size || z >= w.size) continue;
      const std::int64_t at = (plane * h.size + y) * w.size + z;
      const float value = x[static_cast<std::size_t>(at)];
      if (found >= 0 && !(value > best) && !std::isnan(value)) continue;
      best = value;
      found = at;
    }
  }
  return found;
}

RC_GTEST_PROP(Pooling, MaxPoolTakesTheFirstLargestOfEachWindow, ()) {
  const std::int64_t batch = *rc::gen::inRange<std::int64_t>(1, 3), channels = *rc::gen::inRange<std::int64_t>(1, 20);
  const Axis h = any_axis(), w = any_axis();
  // Few different values, so that windows have ties; and some that are not numbers.
  std::vector<float> values(static_cast<std::size_t>(batch * channels * h.size * w.size));
  const auto odd = *rc::gen::inRange<unsigned>(1, 1000);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const unsigned hash = (static_cast<unsigned>(i) * 2654435761U + odd * 40503U) >> 20;
    values[i] = hash % 50 == 0 ? std::nanf("") : static_cast<float>(hash % 7) - 3;
  }
  const bool of_relu = *rc::gen::arbitrary<bool>();
  std::vector<float> wanted, gradient(values.size());
  for (std::int64_t plane = 0; plane < batch * channels; ++plane) {
    for (std::int64_t r = 0; r < h.out; ++r) {
      for (std::int64_t c = 0; c < w.out; ++c) {
        const auto at = static_cast<std::size_t>(place_of_max(values, plane, h, w, r, c));
        const bool closed = of_relu && values[at] <= 0;
        wanted.push_back(closed ? 0 : values[at]);
        if (!closed) gradient[at] += static_cast<float>(wanted.size() % 5);
      }
    }
  }
  const Shape out{batch, channels, h.out, w.out};
  const Tensor g =
      (remainder(arange(1, static_cast<std::int64_t>(wanted.size()) + 1), tensor(5))).to(kFloat32).view(out);
  const Tensor plain = tensor(values).view({batch, channels, h.size, w.size});
  const bool by_channels = *rc::gen::arbitrary<bool>();
  for (const Dtype dtype : {kFloat32, kFloat64, kBFloat16}) {
    Tensor x = plain.to(dtype);
    if (by_channels) x = x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
    x = x.detach().requires_grad_();
    const auto pool = [&](const auto& f) {
      return f(x, Spatial<2>{h.kernel, w.kernel}, Spatial<2>{h.stride, w.stride}, Spatial<2>{h.padding, w.padding},
               Spatial<2>{h.dilation, w.dilation}, false);
    };
    const Tensor y = of_relu ? pool(ops::max_pool_of_relu<2>) : pool(max_pool2d);
    RC_ASSERT(to_string(y.sizes()) == to_string(out));
    const Tensor gx = autograd::grad({y}, {x}, {g.to(dtype)})[0];
    const std::vector<float> got = y.detach().to(kFloat32).contiguous().to_vector<float>();
    const std::vector<float> back = gx.to(kFloat32).contiguous().to_vector<float>();
    for (std::size_t i = 0; i < wanted.size(); ++i)
      RC_ASSERT(got[i] == wanted[i] || (std::isnan(got[i]) && std::isnan(wanted[i])));
    RC_ASSERT(back == gradient);
  }
}

// The gradient of a gradient takes nothing from what the ReLU closed.
TEST(Pooling, ThatOfAReluHasTheSameSecondGradients) {
  manual_seed(1);
  for (const Dtype dtype : {kFloat32, kFloat64}) {
    for (const bool by_channels : {false, true}) {
      Tensor x = randn({2, 9, 12, 11}).to(dtype);
      if (by_channels) x = x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
      const Tensor g = randn({2, 9, 6, 5}).to(dtype);
      const auto gradients = [&](const auto& pool) {
        Tensor from = x.detach().requires_grad_(), given = g.detach().requires_grad_();
        const Tensor gx = autograd::grad({pool(from)}, {from}, {given}, {.create_graph = true})[0];
        return std::pair(gx.detach(), autograd::grad({sum(gx * x)}, {given})[0]);
      };
      const auto [first, second] =
          gradients([](const Tensor& z) { return ops::max_pool_of_relu<2>(z, 2, {}, 0, 1, false); });
      const auto [first_apart, second_apart] = gradients([](const Tensor& z) { return max_pool2d(relu(z), 2); });
      EXPECT_TRUE(equal(first, first_apart));
      EXPECT_TRUE(equal(second, second_apart));
      EXPECT_FALSE(equal(second, zeros_like(second)));
    }
  }
}

TEST(Pooling, ARowOfNaNAndInfinityStays) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const Tensor x = tensor(std::vector<float>{-inf, -inf, inf, -1, nan, -1, -0.0F, -1}).view({1, 1, 8});
  const Tensor y = max_pool1d(x, 2), z = ops::max_pool_of_relu<1>(x, 2, {}, 0, 1, false);
  const std::vector<float> plain = y.to_vector<float>(), of_relu = z.to_vector<float>();
  EXPECT_EQ(plain[0], -inf);
  EXPECT_EQ(of_relu[0], 0);
  EXPECT_EQ(of_relu[1], inf);
  EXPECT_TRUE(std::isnan(plain[2]) && std::isnan(of_relu[2]));
  EXPECT_EQ(of_relu[3], 0);
  EXPECT_FALSE(std::signbit(of_relu[3]));
}

// As PyTorch: -inf, and no gradient. A wide dilation can step over a small input.
TEST(MaxPool, AWindowOfPaddingAlone) {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor small = arange(6).to(kFloat32).reshape({1, 2, 3}).requires_grad_();
  const Tensor none = max_pool1d(small, 2, 2, 1, 4, true);
  EXPECT_EQ(none.to_vector<float>(), (std::vector<float>{-inf, -inf}));
  EXPECT_EQ(max_pool2d(arange(9).to(kFloat32).reshape({1, 1, 3, 3}), 2, 1, 1, 4).to_vector<float>(),
            std::vector<float>{-inf});
  // Columns -1 and 3 of three, then 0 and 4: the second window has an element.
  const Tensor x = tensor({5.0f, -7.0f, 2.0f, 9.0f}).reshape({1, 1, 1, 4}).requires_grad_();
  const Tensor y = max_pool2d(x, Spatial<2>{2, 2}, 1, Spatial<2>{1, 1}, Spatial<2>{2, 4});
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{-inf, -inf}));
  const Tensor z = max_pool1d(x.reshape({1, 1, 4}), 2, 3, 1, 6, true);
  EXPECT_EQ(z.sizes(), (Shape{1, 1, 1}));
  none.sum().backward();
  EXPECT_EQ(small.grad().to_vector<float>(), std::vector<float>(6, 0));
  EXPECT_EQ(
      ops::max_pool_of_relu<1>(tensor({-1.0f, -2.0f, 3.0f}).reshape({1, 1, 3}), 2, 1, 1, 4, false).to_vector<float>(),
      std::vector<float>{-inf});
}

}  // namespace
}  // namespace gradus::test

// float16, int8 and int16 are types to store in: operations give what the wider type gives, rounded or cut.
#include <cmath>

#include <gradus/autocast.h>
#include <gradus/ops.h>
#include <gradus/ops/attention.h>
#include <gradus/ops/convolution.h>
#include <gradus/ops/normalization.h>
#include <gradus/ops/pooling.h>
#include <gradus/random.h>

#include <gmock/gmock.h>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

using Function = std::function<Tensor(const Tensor& x, const Tensor& y)>;

TEST(StorageTypes, HalvesComputeInFloat32) {
  manual_seed(3);
  const Tensor a = randn({6, 6}), b = randn({6, 6});
  const std::vector<std::pair<const char*, Function>> functions{
      {"add", [](auto& x, auto& y) { return x + y; }},
      {"mul", [](auto& x, auto& y) { return x * y; }},
      {"number", [](auto& x, auto&) { return x * 3.1 + 1; }},
      {"exp", [](auto& x, auto&) { return exp(x); }},
      {"sum", [](auto& x, auto&) { return sum(x); }},
      {"mean", [](auto& x, auto&) { return mean(x, 1); }},
      {"var", [](auto& x, auto&) { return x.var(0); }},
      {"max", [](auto& x, auto&) { return amax(x, 1); }},
      {"matmul", [](auto& x, auto& y) { return matmul(x, y); }},
      {"bmm",
       [](auto& x, auto& y) {
         return bmm(x.view({1, 6, 6}), y.view({1, 6, 6}));
       }},
      {"linear", [](auto& x, auto& y) { return linear(x, y, y[0]); }},
      {"softmax", [](auto& x, auto&) { return softmax(x, 1); }},
      {"layer_norm", [](auto& x, auto& y) { return layer_norm(x, {6}, y[0], y[1]); }},
      {"rms_norm", [](auto& x, auto& y) { return rms_norm(x, {6}, y[0], 1e-5); }},
      {"batch_norm", [](auto& x, auto& y) { return batch_norm(x, {}, {}, y[0], y[1], true); }},
      {"conv2d",
       [](auto& x, auto& y) {
         return conv2d(x.view({1, 1, 6, 6}), y.view({4, 1, 3, 3}));
       }},
      {"max_pool2d",
       [](auto& x, auto&) {
         return max_pool2d(x.view({1, 1, 6, 6}), 2);
       }},
      {"avg_pool2d",
       [](auto& x, auto&) {
         return avg_pool2d(x.view({1, 1, 6, 6}), 2);
       }},
      {"cumsum", [](auto& x, auto&) { return cumsum(x, 0); }},
      {"prod", [](auto& x, auto&) { return prod(x, 0); }},
      {"sort", [](auto& x, auto&) { return sort(x, 1).first; }},
      {"where", [](auto& x, auto& y) { return where(x > y, x, y); }},
      {"cat",
       [](auto& x, auto& y) {
         return cat({x, y}, 0);
       }},
      {"norm", [](auto& x, auto&) { return norm(x); }},
      {"gather",
       [](auto& x, auto&) {
         return gather(x, 1, zeros({6, 2}, {.dtype = kInt64}));
       }},
      {"clamp", [](auto& x, auto&) { return clamp(x, -0.5, 0.5); }}};
  for (const Dtype dtype : {kFloat16, kBFloat16}) {
    for (const auto& [name, function] : functions) {
      SCOPED_TRACE(std::string(name) + " " + to_string(dtype));
      const Tensor x = a.to(dtype).requires_grad_(), y = b.to(dtype);
      const Tensor x32 = x.detach().to(kFloat32).requires_grad_(), y32 = y.to(kFloat32);
      const Tensor result = function(x, y), expected = function(x32, y32);
      ASSERT_EQ(result.dtype(), dtype);
      EXPECT_TRUE(allclose(result.to(kFloat32), expected.to(dtype).to(kFloat32), 0.02, 0.02)) << result << expected;
      result.sum().backward();
      expected.sum().backward();
      ASSERT_EQ(x.grad().dtype(), dtype);
      EXPECT_TRUE(allclose(x.grad().to(kFloat32), x32.grad(), 0.05, 0.05)) << x.grad() << x32.grad();
    }
  }
  // One operation rounds once.
  const Tensor x = a.to(kFloat16), y = b.to(kFloat16);
  EXPECT_TRUE(equal(x * y, (x.to(kFloat32) * y.to(kFloat32)).to(kFloat16)));
  EXPECT_TRUE(equal(exp(x), exp(x.to(kFloat32)).to(kFloat16)));
}

TEST(StorageTypes, RandomHalvesStayBelowTheEnd) {
  for (const Dtype dtype : {kFloat16, kBFloat16}) {
    const Tensor x = rand({100000}, {.dtype = dtype}), y = empty({100000}, {.dtype = dtype}).uniform_(0.1, 0.3);
    EXPECT_LT(x.max().item(), 1);
    EXPECT_GE(x.min().item(), 0);
    EXPECT_LT(y.max().item(), 0.3);
    EXPECT_GE(y.min().item(), 0.1);
  }
}

TEST(StorageTypes, HalvesInChannelsLast) {
  manual_seed(4);
  const Tensor x = randn({2, 8, 8, 32}).permute({0, 3, 1, 2}), w = randn({32, 32, 3, 3}) * 0.1;
  const Tensor half = x.to(kFloat16), half_w = w.to(kFloat16), g = ones({32}, {.dtype = kFloat16});
  const auto close = [](const Tensor& a, const Tensor& b) { return allclose(a.to(kFloat32), b, 0.01, 0.02); };
  const Tensor x32 = half.to(kFloat32), w32 = half_w.to(kFloat32);
  EXPECT_TRUE(close(conv2d(half, half_w), conv2d(x32, w32)));
  EXPECT_TRUE(close(max_pool2d(half, 2), max_pool2d(x32, 2)));
  EXPECT_TRUE(close(avg_pool2d(half, 2), avg_pool2d(x32, 2)));
  EXPECT_TRUE(close(batch_norm(half, {}, {}, g, g, true), batch_norm(x32, {}, {}, ones({32}), ones({32}), true)));
}

TEST(StorageTypes, SmallIntegersWrapAround) {
  const Tensor x = tensor({100, -128, 7, -7}, {.dtype = kInt8});
  const auto values = [](const Tensor& y) {
    EXPECT_EQ(y.dtype(), kInt8);
    return y.to_vector<std::int32_t>();
  };
  EXPECT_THAT(values(x * 3), ElementsAre(44, -128, 21, -21));
  EXPECT_THAT(values(x + 200), ElementsAre(44, 72, -49, -63));
  EXPECT_THAT(values(-x), ElementsAre(-100, -128, -7, 7));
  EXPECT_THAT(values(abs(x)), ElementsAre(100, -128, 7, 7));
  EXPECT_THAT(values(floor_divide(x, tensor({2, -1, 2, 2}, {.dtype = kInt8}))), ElementsAre(50, -128, 3, -4));
  EXPECT_THAT(values(remainder(x, tensor({3, 3, 3, 3}, {.dtype = kInt8}))), ElementsAre(1, 1, 1, 2));
  EXPECT_THAT(values(pow(tensor({5, 10}, {.dtype = kInt8}), 3)), ElementsAre(125, -24));
  EXPECT_THAT(values(matmul(ones({2, 2}, {.dtype = kInt8}), full({2, 1}, 100, {.dtype = kInt8})).flatten()),
              ElementsAre(-56, -56));
  EXPECT_THAT(values(sort(x).first), ElementsAre(-128, -7, 7, 100));
  EXPECT_EQ(x.max().item<std::int32_t>(), 100);
  EXPECT_EQ(argmin(x).item<std::int64_t>(), 1);
  EXPECT_EQ(sum(x).dtype(), kInt64);
  EXPECT_EQ(sum(x).item<std::int64_t>(), -28);
  EXPECT_EQ((x / 2).dtype(), kFloat32);
  EXPECT_TRUE(equal(x > 6, tensor({true, false, true, false})));
  EXPECT_TRUE(equal(x < 300, tensor({true, true, true, true})));
  EXPECT_THAT(values(scatter_add(x, 0, tensor({0, 0}), tensor({100, 1}, {.dtype = kInt8}))),
              ElementsAre(-55, -128, 7, -7));
  EXPECT_EQ(tensor({300, -300}, {.dtype = kInt16}).to_string(), "tensor([ 300, -300], dtype=torch.int16)");
}

TEST(Numbers, ThatATypeCannotHoldAreRefused) {
  const Tensor m = tensor({0, 1}), u = zeros({2}, {.dtype = kUInt8});
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message_of([&] { Tensor(u).fill_(256); }), "fill_: uint8 cannot hold 256");
  EXPECT_EQ(message_of([&] { masked_fill(m, m == 0, -inf); }), "masked_fill: int64 cannot hold -inf");
  EXPECT_EQ(message_of([&] { full({2}, 1e30, {.dtype = kInt32}); }), "full: int32 cannot hold 1e+30");
  EXPECT_EQ(message_of([&] { full({2}, nan, {.dtype = kInt64}); }), "full: int64 cannot hold nan");
  EXPECT_EQ(message_of([&] { full({2}, 1e6, {.dtype = kFloat16}); }), "full: float16 cannot hold 1e+06");
  EXPECT_EQ(message_of([&] { tensor(300, {.dtype = kInt8}); }), "tensor: int8 cannot hold 300");
  EXPECT_EQ(message_of([&] { add(u, u, 300); }), "add: uint8 cannot hold 300");
  EXPECT_EQ(message_of([&] { pow(u, 300); }), "pow: uint8 cannot hold 300");
  EXPECT_TRUE(equal(u, zeros({2}, {.dtype = kUInt8})));
  // As PyTorch has them: modulo, infinite, wrapping.
  EXPECT_THAT(Tensor(u).fill_(-1).to_vector<std::uint8_t>(), ElementsAre(255, 255));
  EXPECT_TRUE(std::isinf(full({1}, inf).item()));
  EXPECT_TRUE(std::isinf(tensor(1e300).item()));
  EXPECT_THAT((zeros({2}, {.dtype = kUInt8}) + 300).to_vector<std::uint8_t>(), ElementsAre(44, 44));
}

TEST(Creation, TakesVectorsOfTruthValues) {
  const std::vector<bool> values{true, false, true, true};
  EXPECT_TRUE(equal(tensor(values), tensor({true, false, true, true})));
  EXPECT_EQ(tensor(values).dtype(), kBool);
  EXPECT_TRUE(equal(tensor(values, {2, 2}), tensor({{true, false}, {true, true}})));
  EXPECT_EQ(tensor(values, {.dtype = kFloat32}).sum().item(), 3);
  EXPECT_EQ(ones({2}).version(), 0u);
}

TEST(EmptyTensors, AreContiguous) {
  const Tensor x = zeros({2, 3, 4, 5})[{Slice{}, Slice{}, Slice{}, 1}][{Slice{1, 1}}];
  EXPECT_EQ(x.sizes(), (Shape{0, 3, 4}));
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_EQ(x.view({0, 12}).sizes(), (Shape{0, 12}));
  EXPECT_TRUE(zeros({3, 0}).t().is_contiguous());
  EXPECT_FALSE(zeros({3, 2}).t().is_contiguous());
}

// PyTorch's attention of halves has scores and weights in float32: the result is the exact one, rounded.
TEST(StorageTypes, AttentionOfHalvesIsRoundedOnce) {
  manual_seed(4);
  const Tensor q = randn({2, 3, 40, 16}) * 2, k = randn({2, 3, 40, 16}), v = randn({2, 3, 40, 16}),
               bias = randn({40, 40});
  for (const Dtype dtype : {kBFloat16, kFloat16}) {
    const auto half = [&](const Tensor& x) { return x.to(dtype); };
    const auto exact = [&](const Tensor& x) { return x.to(dtype).to(kFloat64); };
    const double step = dtype == kBFloat16 ? 1.0 / 256 : 1.0 / 2048;
    for (const Tensor& mask : {Tensor(), bias, bias > 0}) {
      const bool added = mask.defined() && mask.dtype() != kBool;
      const Tensor y = scaled_dot_product_attention(half(q), half(k), half(v), added ? half(mask) : mask);
      const Tensor want = scaled_dot_product_attention(exact(q), exact(k), exact(v), added ? exact(mask) : mask);
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_TRUE(allclose(y.to(kFloat64), want, step, 2e-5)) << to_string(dtype);
    }
  }
  // Under autocast, too, where a product by itself would be rounded to bfloat16.
  const Autocast scope;
  const Tensor y = scaled_dot_product_attention(q, k, v);
  EXPECT_EQ(y.dtype(), kBFloat16);
  EXPECT_TRUE(is_autocast_enabled());
  const auto exact = [](const Tensor& x) { return x.to(kBFloat16).to(kFloat64); };
  EXPECT_TRUE(allclose(y.to(kFloat64), scaled_dot_product_attention(exact(q), exact(k), exact(v)), 1.0 / 256, 2e-5));
}

TEST(StorageTypes, AttentionUnderAutocastTakesBothTypes) {
  const Tensor q = randn({1, 2, 5, 8}), k = randn({1, 2, 5, 8}), v = randn({1, 2, 5, 8}).to(kBFloat16);
  const Tensor mask = where(randn({5, 5}) > 0, zeros({5, 5}), full({5, 5}, -1.0));
  const Autocast scope(kBFloat16);
  const Tensor y = scaled_dot_product_attention(q, k, v, mask);
  EXPECT_EQ(y.dtype(), kBFloat16);
  const Tensor same = scaled_dot_product_attention(q.to(kBFloat16), k.to(kBFloat16), v, mask.to(kBFloat16));
  EXPECT_TRUE(equal(y, same));
}

}  // namespace
}  // namespace gradus

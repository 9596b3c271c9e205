// The kernels of GPUs where the table of operations does not reach: sizes beyond one block, one piece or one tile, and
// what an index may hold. On the emulated device, or on GRADUS_TEST_DEVICE.
#include <gmock/gmock.h>
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/dispatch/kernels.h"
#include "support/tested_device.h"

namespace gradus {
namespace {

using test::tested_device;

Tensor numbers(const Shape& sizes, std::uint64_t seed = 1, Dtype dtype = kFloat64) {
  Generator generator(seed);
  return randn(sizes, {.dtype = dtype}, &generator);
}
Tensor there(const Tensor& x) { return x.to(tested_device()); }

void expect_near(const Tensor& got, const Tensor& expected, double tolerance = 1e-10) {
  ASSERT_EQ(to_string(got.sizes()), to_string(expected.sizes()));
  const auto a = got.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_TRUE(std::abs(a[i] - b[i]) <= tolerance * (1 + std::abs(b[i])) || (std::isnan(a[i]) && std::isnan(b[i])) ||
                a[i] == b[i])
        << "element " << i << ": " << a[i] << ", the CPU's " << b[i];
}

TEST(GpuKernels, ConvertAllTypesAsTheCpuDoes) {
  const std::vector<Dtype> types{kBool, kUInt8, kInt8, kInt16, kInt32, kInt64, kFloat16, kBFloat16, kFloat32, kFloat64};
  const Tensor values = tensor({0.0, 1.0, -1.0, 2.5, -2.5, 100.0, 127.0, -128.0, 3.14159, 1e-3});
  for (const Dtype from : types) {
    for (const Dtype to : types) {
      const Tensor x = (from == kUInt8 || from == kBool ? abs(values) : values).to(from);
      // A negative fraction is no number of an unsigned type: what becomes of it is nobody's promise.
      const Tensor y = to == kUInt8 && is_floating_point(from) ? abs(x) : x;
      EXPECT_EQ(there(y).to(to).to_vector<double>(), y.to(to).to_vector<double>())
          << to_string(from) << " to " << to_string(to);
    }
  }
}

TEST(GpuKernels, RoundTo16BitsAsTheCpuDoes) {
  std::vector<float> values{0.0f,
                            -0.0f,
                            65504,
                            65519,
                            65520,
                            1e-8f,
                            6e-8f,
                            3.0e38f,
                            1.0f + 0x1p-8f,
                            1.0f + 0x1p-11f,
                            std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()};
  for (int i = 0; i < 1000; ++i) values.push_back(std::ldexp(1.0f + static_cast<float>(i) / 1000, i % 60 - 30));
  const Tensor x = tensor(values);
  for (const Dtype dtype : {kFloat16, kBFloat16})
    expect_near(there(x).to(dtype).to(kFloat32), x.to(dtype).to(kFloat32), 0);
}

TEST(GpuKernels, ReduceLongRowsAndColumnsInPieces) {
  for (const Shape& sizes :
       {Shape{40000}, Shape{3, 17000}, Shape{1300, 5}, Shape{2, 700, 3}, Shape{0, 4}, Shape{4, 0}}) {
    const Tensor x = numbers(sizes);
    for (int dim = 0; dim < x.dim(); ++dim) {
      expect_near(there(x).sum(dim), x.sum(dim));
      expect_near(cumsum(there(x), dim), cumsum(x, dim));
      if (x.size(dim) == 0) continue;
      expect_near(amax(there(x), {dim}), amax(x, {dim}), 0);
      expect_near(argmin(there(x), dim), argmin(x, dim), 0);
      expect_near(softmax(there(x), dim), softmax(x, dim));
      expect_near(var(there(x), {dim}), var(x, {dim}));
    }
  }
  const Tensor whole = arange(70001);
  EXPECT_EQ(there(whole).sum().item<std::int64_t>(), whole.sum().item<std::int64_t>());
}

TEST(GpuKernels, LetNanWinMaximaWhereverItStands) {
  for (const std::int64_t at : {0, 300, 16383, 16384, 29999}) {
    Tensor x = numbers({30000});
    x.narrow(0, at, 1).fill_(std::numeric_limits<double>::quiet_NaN());
    EXPECT_TRUE(std::isnan(amax(there(x)).item())) << at;
    EXPECT_EQ(argmax(there(x)).item<std::int64_t>(), at);
  }
}

TEST(GpuKernels, MultiplyBeyondATile) {
  const Tensor a = numbers({130, 70}), b = numbers({70, 67}, 2);
  expect_near(mm(there(a), there(b)), mm(a, b));
  expect_near(mm(there(a.t().contiguous()).t(), there(b.t().contiguous()).t()), mm(a, b));
  const Tensor c = numbers({130, 67}, 3);
  expect_near(addmm(there(c), there(a), there(b), 0.5, -2), addmm(c, a, b, 0.5, -2));
  const Tensor p = numbers({5, 3, 66}), q = numbers({5, 66, 65}, 2);
  expect_near(bmm(there(p), there(q)), bmm(p, q));
  // Integers wrap around; 17 does not divide the depth of a tile.
  const Tensor i = (arange(3 * 17) * 100000007).view({3, 17}), j = (arange(17 * 2) * 900000011).view({17, 2});
  for (const Dtype dtype : {kInt64, kInt32, kUInt8})
    EXPECT_EQ(mm(there(i.to(dtype)), there(j.to(dtype))).to_vector<std::int64_t>(),
              mm(i.to(dtype), j.to(dtype)).to_vector<std::int64_t>());
  EXPECT_EQ(mm(there(zeros({2, 0})), there(zeros({0, 3}))).to_vector<float>(), std::vector<float>(6, 0));
}

TEST(GpuKernels, ConvolveAsTheCpuDoes) {
  struct Case {
    Shape x, w;
    std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  };
  const std::vector<Case> cases{
      {.x = {3, 5, 9, 8}, .w = {6, 5, 3, 3}, .padding = 1},
      {.x = {2, 4, 11, 7}, .w = {8, 2, 3, 2}, .stride = 2, .padding = 1, .groups = 2},
      {.x = {2, 6, 8, 8}, .w = {6, 1, 3, 3}, .padding = 2, .dilation = 2, .groups = 6},
      {.x = {4, 3, 5, 5}, .w = {7, 3, 1, 1}},
      {.x = {2, 3, 6, 6}, .w = {4, 3, 3, 3}, .stride = 3},
  };
  for (const Case& one : cases) {
    const Tensor x = numbers(one.x), w = numbers(one.w, 2), b = numbers({one.w[0]}, 3);
    const auto all = [&](Device device) {
      std::vector<Tensor> inputs;
      for (const Tensor& t : {x, w, b}) inputs.push_back(t.detach().to(device).requires_grad_());
      const Tensor y = conv2d(inputs[0], inputs[1], inputs[2], one.stride, one.padding, one.dilation, one.groups);
      auto found = autograd::grad({(sin(y)).sum()}, inputs);
      found.push_back(y.detach());
      return found;
    };
    const auto got = all(tested_device()), expected = all(kCPU);
    for (std::size_t k = 0; k < got.size(); ++k) expect_near(got[k], expected[k]);
  }
}

TEST(GpuKernels, SortStably) {
  Tensor x = remainder(arange(3 * 1001) * 7919, tensor(50)).view({3, 1001}).to(kFloat32);
  x.narrow(1, 500, 1).fill_(std::numeric_limits<float>::quiet_NaN());
  for (const bool descending : {false, true}) {
    const auto [values, places] = sort(there(x), 1, descending);
    const auto [expected, at] = sort(x, 1, descending);
    EXPECT_EQ(places.to_vector<std::int64_t>(), at.to_vector<std::int64_t>());
    expect_near(values, expected, 0);
  }
  EXPECT_EQ(topk(there(x), 5, 1).second.to_vector<std::int64_t>(), topk(x, 5, 1).second.to_vector<std::int64_t>());
}

TEST(GpuKernels, AddRowsInTheOrderOfTheIndex) {
  // In float32, so that another order would be other bits.
  const Tensor values = numbers({3000, 4}, 1, kFloat32) * 1000, index = remainder(arange(3000) * 7919, tensor(11));
  const Tensor y = numbers({11, 4}, 2, kFloat32);
  EXPECT_EQ(index_add(there(y), 0, there(index), there(values)).to_vector<float>(),
            index_add(y, 0, index, values).to_vector<float>());
  EXPECT_EQ(
      scatter_add(there(zeros({11})), 0, there(index), there(values.select(1, 0).contiguous())).to_vector<float>(),
      scatter_add(zeros({11}), 0, index, values.select(1, 0).contiguous()).to_vector<float>());
}

TEST(GpuKernels, ReadAndWriteNothingBeyondAnIndexThatIsWrong) {
  const Tensor x = there(ones({4, 3})), index = there(tensor({0, 9, -9, 3}));
  const auto said = [&](const std::function<Tensor()>& call, const std::string& message) {
    const Tensor y = call();
    try {
      y.cpu();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const IndexError& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr(message));
    }
    synchronize(tested_device());  // said once, and the device goes on
    EXPECT_EQ(ones({2}, {.device = tested_device()}).sum().item(), 2);
  };
  said([&] { return index_select(x, 0, index); }, "index_select: index must be in [0, 4), got 9 at position [1]");
  said([&] { return gather(x, 0, index.view({4, 1})); }, "gather: index must be in");
  said([&] { return scatter_add(x, 0, index.view({4, 1}), there(ones({4, 1}))); }, "got 9");
  said([&] { return index_add(x, 0, index, x); }, "got 9");
  said([&] { return nn::functional::cross_entropy(x, index); }, "class indices must be in [0, 3) or ignore_index -100");
  // The first of two is the one that is told.
  said(
      [&] {
        index_select(x, 0, there(tensor({0, 7})));
        return index_select(x, 0, index);
      },
      "got 7 at position [1]");
}

TEST(GpuKernels, DrawTheCpusNumbers) {
  for (const std::int64_t n : {1, 15, 16, 17, 63, 64, 65, 1000, 4097}) {
    for (const Dtype dtype : {kFloat32, kFloat64}) {
      Generator a(7), b(7);
      const TensorOptions here{.dtype = dtype}, elsewhere{.dtype = dtype, .device = tested_device()};
      EXPECT_EQ(rand({n}, here, &a).to_vector<double>(), rand({n}, elsewhere, &b).to_vector<double>()) << n;
      EXPECT_EQ(randn({n}, here, &a).to_vector<double>(), randn({n}, elsewhere, &b).to_vector<double>()) << n;
    }
    Generator a(8), b(8);
    EXPECT_EQ(randint(-5, 1000, {n}, {}, &a).to_vector<std::int64_t>(),
              randint(-5, 1000, {n}, {.device = tested_device()}, &b).to_vector<std::int64_t>());
    EXPECT_EQ(randperm(n, {}, &a).to_vector<std::int64_t>(),
              randperm(n, {.device = tested_device()}, &b).to_vector<std::int64_t>());
  }
}

TEST(GpuKernels, NormalizeAsTheCpuDoes) {
  for (const Shape& sizes : {Shape{600, 5}, Shape{3, 4, 70, 40}, Shape{2, 6, 5, 5}}) {
    const Tensor x = numbers(sizes) * 3 + 100;
    const auto all = [&](Device device) {
      const Tensor in = x.detach().to(device).requires_grad_();
      const std::int64_t channels = sizes[1];
      const Tensor w = numbers({channels}, 4).to(device).requires_grad_(), b = numbers({channels}, 5).to(device);
      const Tensor y = batch_norm(in, Tensor(), Tensor(), w, b, true);
      auto found = autograd::grad({sin(y).sum()}, {in, w});
      found.push_back(y.detach());
      return found;
    };
    const auto got = all(tested_device()), expected = all(kCPU);
    for (std::size_t k = 0; k < got.size(); ++k) expect_near(got[k], expected[k], 1e-8);
  }
}

}  // namespace
}  // namespace gradus

// Reductions: what a table of gradients cannot say. Accuracy, layouts, types, special values, errors.
#include <gradus/autograd.h>
#include <gradus/core/parallel.h>
#include <gradus/ops.h>
#include <gradus/random.h>

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace gradus {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Small whole numbers, whose sums are exact in any order and any type.
Tensor counted(const Shape& sizes, Dtype dtype) {
  std::vector<double> values(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>((i * 7 + 3) % 11) - 5;
  return tensor(values, sizes, {.dtype = dtype});
}

// Element by element, as a definition would.
std::vector<double> plain_sum(const Tensor& x, const std::vector<bool>& reduced) {
  const Shape sizes = x.sizes();
  Shape kept = sizes;
  for (int i = 0; i < sizes.rank(); ++i)
    if (reduced[static_cast<std::size_t>(i)]) kept[i] = 1;
  const Shape strides = contiguous_strides(kept);
  std::vector<double> out(static_cast<std::size_t>(kept.numel()));
  const std::vector<double> values = x.to_vector<double>();
  for (std::int64_t flat = 0; flat < x.numel(); ++flat) {
    std::int64_t rest = flat, to = 0;
    for (int i = sizes.rank() - 1; i >= 0; --i) {
      if (kept[i] != 1) to += rest % sizes[i] * strides[i];
      rest /= sizes[i];
    }
    out[static_cast<std::size_t>(to)] += values[static_cast<std::size_t>(flat)];
  }
  return out;
}

TEST(Sum, EverySetOfDimsInEveryLayout) {
  const Shape orders[] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
  for (Dtype dtype : {kFloat32, kFloat64, kInt64}) {
    for (const Shape& sizes : {Shape{3, 4, 2, 5}, Shape{1, 70, 1, 3}, Shape{2, 1, 9, 130}}) {
      for (const Shape& order : orders) {
        const Tensor x = counted(sizes, dtype).permute(order);
        for (unsigned mask = 1; mask < 16; ++mask) {
          Dims dims;
          std::vector<bool> reduced(4);
          for (int i = 0; i < 4; ++i) {
            if ((mask >> i & 1u) == 0) continue;
            dims.push_back(i - 4);
            reduced[static_cast<std::size_t>(i)] = true;
          }
          EXPECT_EQ(sum(x, dims).to_vector<double>(), plain_sum(x, reduced)) << to_string(x.sizes()) << to_string(dims);
          EXPECT_EQ(sum(x, dims, true).dim(), 4);
          EXPECT_TRUE(sum(x, dims).is_contiguous());
        }
      }
    }
  }
}

TEST(Sum, GapsAndBroadcastInputs) {
  const Tensor x = counted({6, 10}, kFloat64);
  const Tensor part = slice(x, 1, 2, 9, 3);
  EXPECT_EQ(sum(part, 1).to_vector<double>(), plain_sum(part, {false, true}));
  const Tensor wide = expand(x.narrow(0, 2, 1), {5, 10});
  EXPECT_EQ(sum(wide, 0).to_vector<double>(), plain_sum(wide, {true, false}));
}

TEST(Sum, LongAndNarrow) {
  for (Dtype dtype : {kFloat32, kFloat64, kInt64}) {
    for (const Shape& sizes : {Shape{300001}, Shape{2, 140001}, Shape{140001, 2}, Shape{1031, 513}, Shape{5000, 63},
                               Shape{700, 65}, Shape{129, 1}, Shape{4099, 1027}}) {
      const Tensor x = counted(sizes, dtype);
      std::vector<bool> first(static_cast<std::size_t>(sizes.rank())), last = first;
      first.front() = true;
      last.back() = true;
      EXPECT_EQ(sum(x, 0).to_vector<double>(), plain_sum(x, first)) << to_string(sizes);
      EXPECT_EQ(sum(x, -1).to_vector<double>(), plain_sum(x, last)) << to_string(sizes);
    }
  }
}

TEST(Sum, ErrorsGrowSlowly) {
  // A running float32 sum of these is off by several per cent.
  const std::int64_t n = 1 << 24;
  const Tensor x = full({n}, 0.1f);
  const double exact = static_cast<double>(0.1f) * static_cast<double>(n);
  EXPECT_NEAR(sum(x).item() / exact, 1, 1e-6);
  EXPECT_NEAR(sum(x.view({n / 4, 4}), 0).select(0, 0).item() / (exact / 4), 1, 1e-6);
  EXPECT_NEAR(sum(x.view({n / 1024, 1024}), 0).select(0, 5).item() / (exact / 1024), 1, 1e-6);
}

TEST(Sum, BitsDoNotDependOnThreads) {
  const Tensor x = sin(arange(3'000'000)), rows = x.view({300, 10000}), columns = x.view({100000, 30});
  const auto results = [&] {
    return std::vector<Tensor>{sum(x), sum(rows, 1), sum(rows, 0), sum(columns, 0), norm(x), prod(rows + 1, 1)};
  };
  const int before = get_num_threads();
  set_num_threads(1);
  const std::vector<Tensor> one = results();
  set_num_threads(3);
  const std::vector<Tensor> three = results();
  set_num_threads(before);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(equal(one[i], three[i])) << i;
}

TEST(Sum, Types) {
  EXPECT_EQ(sum(tensor({true, true, false})).dtype(), kInt64);
  EXPECT_EQ(sum(tensor({true, true, false})).item<std::int64_t>(), 2);
  EXPECT_EQ(sum(full({300}, 200, {.dtype = kUInt8})).item<std::int64_t>(), 60000);
  EXPECT_EQ(sum(tensor({1.5, 2.0}), {}, false, kInt64).item<std::int64_t>(), 3);
  EXPECT_EQ(sum(tensor({1, 2}), {}, false, kFloat32).dtype(), kFloat32);
  const Tensor half = sum(ones({300}, {.dtype = kBFloat16}));
  EXPECT_EQ(half.dtype(), kBFloat16);
  EXPECT_EQ(half.item(), 300);
}

TEST(Sum, Empty) {
  EXPECT_EQ(sum(zeros({0, 3})).item(), 0);
  EXPECT_EQ(sum(zeros({0, 3}), 0).to_vector<double>(), std::vector<double>(3));
  EXPECT_EQ(sum(zeros({0, 3}), 1).sizes(), Shape{0});
  EXPECT_TRUE(std::isnan(mean(zeros({0, 3})).item()));
  EXPECT_EQ(sum(tensor(3.0), 0).item(), 3);
}

TEST(Sum, Errors) {
  EXPECT_THROW(sum(zeros({2, 3}), {0, -2}), ShapeError);
  EXPECT_THROW(sum(zeros({2, 3}), 2), IndexError);
  EXPECT_THROW(mean(tensor({1, 2})), DtypeError);
  EXPECT_THROW(var(tensor({1, 2})), DtypeError);
  EXPECT_THROW(var(zeros({2}), {}, kNan), ValueError);
}

TEST(Sum, Gradient) {
  Tensor x = counted({2, 3, 4}, kFloat64).requires_grad_();
  (sum(x, {0, 2}) * tensor({1.0, 2.0, 3.0}, {.dtype = kFloat64})).sum().backward();
  const std::vector<double> once(4, 1), twice(4, 2), thrice(4, 3);
  for (int i : {0, 1}) {
    EXPECT_EQ(x.grad().select(0, i).select(0, 0).to_vector<double>(), once);
    EXPECT_EQ(x.grad().select(0, i).select(0, 1).to_vector<double>(), twice);
    EXPECT_EQ(x.grad().select(0, i).select(0, 2).to_vector<double>(), thrice);
  }
  x.zero_grad();
  mean(x, 1, true).sum().backward();
  for (double slope : x.grad().to_vector<double>()) EXPECT_DOUBLE_EQ(slope, 1.0 / 3);
}

TEST(Std, OfEqualHugeAndTinyValues) {
  for (const double value : {0.1, -300.7, 1e10, 1e30, 1e-30}) {
    const Tensor x = full({37, 53}, value);
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{1}}) {
      EXPECT_EQ(max(std(x, dims)).item(), 0) << value;
      EXPECT_EQ(max(var(x, dims)).item(), 0) << value;
    }
  }
  std::vector<double> values;
  for (int i = 0; i < 200; ++i) values.push_back(std::sin(i * 1.7) + 0.3);
  const Tensor plain = tensor(values, {10, 4, 5}, {.dtype = kFloat64});
  for (const double scale : {1e19, 1e30, 1e36, 1e-19, 1e-30, 1e-36}) {
    const Tensor x = (plain * scale).to(kFloat32).requires_grad_();
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{1}, Dims{0, 2}}) {
      const Tensor wanted = std(plain, dims), got = std(x, dims);
      EXPECT_LT(max(abs(got.to(kFloat64) / scale - wanted)).item(), 1e-6) << scale;
      const Tensor leaf = plain.detach().requires_grad_();
      const Tensor slope = autograd::grad({sum(std(leaf, dims))}, {leaf})[0];
      EXPECT_LT(max(abs(autograd::grad({sum(got)}, {x})[0].to(kFloat64) - slope)).item(), 1e-6) << scale;
    }
    for (const double p : {2.0, 3.0, 0.5}) {
      if (p < 1 && (scale > 1e35 || scale < 1e-35)) continue;
      EXPECT_NEAR(norm(x, p, {1}).to(kFloat64)[3][2].item() / scale / norm(plain, p, {1})[3][2].item(), 1, 1e-5)
          << scale << " " << p;
    }
  }
  // The square itself is beyond float32, or a number of it that is infinite.
  EXPECT_EQ(var(tensor({1e30, -1e30})).item(), kInf);
  EXPECT_TRUE(std::isnan(std(tensor({1.0, kInf})).item()));
  const Tensor infinite = tensor({kInf, 1.0}).requires_grad_();
  EXPECT_EQ(autograd::grad({var(infinite)}, {infinite})[0][1].item(), -kInf);
  EXPECT_EQ(norm(tensor({1.0, -kInf})).item(), kInf);
  EXPECT_TRUE(std::isnan(norm(tensor({1.0, kNan})).item()));
}

TEST(Std, OfMuchBesideALargeMean) {
  manual_seed(8);
  const Tensor x = rand({300'000}, {.dtype = kFloat64}) + 1e4;
  EXPECT_NEAR(std(x.to(kFloat32)).item() / std(x.to(kFloat32).to(kFloat64)).item(), 1, 1e-6);
}

TEST(AnyAll, OfUint8AreUint8) {
  const Tensor u = tensor({0, 3, 200}).to(kUInt8);
  for (const Tensor& y : {any(u), all(u, 0), any(u.reshape({1, 3}), 1), all(empty({0}, {.dtype = kUInt8}))})
    EXPECT_EQ(y.dtype(), kUInt8);
  EXPECT_EQ(any(u).item<int>(), 1);
  EXPECT_EQ(all(u).item<int>(), 0);
  EXPECT_EQ(all(empty({0}, {.dtype = kUInt8})).item<int>(), 1);
  EXPECT_EQ(any(u.to(kInt64)).dtype(), kBool);
}

}  // namespace
}  // namespace gradus

// softmax, log_softmax, logsumexp, norm: extreme values, every row length, layouts, errors.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

using Doubles = std::vector<double>;

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor waves(const Shape& sizes, Dtype dtype) {
  Doubles values(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 6 * std::sin(static_cast<double>(i) * 1.7);
  return tensor(values, sizes, {.dtype = dtype});
}

// The largest distance of softmax and log_softmax from their definitions, along `dim`.
double distance(const Tensor& x, int dim) {
  std::int64_t inner = 1;
  for (int i = dim + 1; i < x.dim(); ++i) inner *= x.sizes()[i];
  const std::int64_t n = x.sizes()[dim];
  const Doubles in = x.to_vector<double>(), p = softmax(x, dim).to_vector<double>(),
                logs = log_softmax(x, dim).to_vector<double>();
  double worst = 0;
  for (std::int64_t i = 0; i < x.numel() / n; ++i) {
    const auto at = [&](std::int64_t r) {
      return static_cast<std::size_t>(i / inner * n * inner + i % inner + r * inner);
    };
    double total = 0;
    for (std::int64_t r = 0; r < n; ++r) total += std::exp(in[at(r)]);
    for (std::int64_t r = 0; r < n; ++r) {
      const double log = in[at(r)] - std::log(total);
      worst = std::max({worst, std::abs(p[at(r)] - std::exp(log)), std::abs(logs[at(r)] - log)});
    }
  }
  return worst;
}

TEST(Softmax, EveryLengthAndLayout) {
  for (std::int64_t n : {1, 2, 7, 16, 33, 64, 65, 300, 1024, 1025, 5000}) {
    EXPECT_LT(distance(waves({5, n}, kFloat32), 1), 4e-6) << n;
    EXPECT_LT(distance(waves({5, n}, kFloat64), 1), 1e-13) << n;
    EXPECT_LT(distance(waves({n, 3}, kFloat64), 0), 1e-13) << n;
    EXPECT_LT(distance(waves({3, n}, kFloat64).t(), 1), 1e-13) << n;
  }
  EXPECT_LT(distance(waves({2, 9, 300}, kFloat64), 1), 1e-13);
  EXPECT_LT(distance(waves({2001, 3}, kFloat64), 1), 1e-13);
}

TEST(Softmax, ExtremeValues) {
  const Tensor far = tensor({1e4, -1e4, 1e4});
  EXPECT_EQ(softmax(far, 0).to_vector<double>(), (Doubles{0.5, 0, 0.5}));
  EXPECT_EQ(log_softmax(tensor({1000.0, 0.0}), 0).to_vector<double>(), (Doubles{0, -1000}));
  EXPECT_EQ(softmax(tensor({-kInf, 1.0}), 0).to_vector<double>(), (Doubles{0, 1}));
  for (double p : softmax(tensor({std::nan(""), 1.0, 2.0}), 0).to_vector<double>()) EXPECT_TRUE(std::isnan(p));
  EXPECT_EQ(softmax(tensor(3.0), 0).item(), 1);
  EXPECT_EQ(softmax(zeros({0, 3}), 0).sizes(), (Shape{0, 3}));
  EXPECT_EQ(softmax(zeros({3, 0}), 1).sizes(), (Shape{3, 0}));
  EXPECT_EQ(softmax(zeros({2}, {.dtype = kBFloat16}), 0).dtype(), kBFloat16);
  EXPECT_THROW(softmax(zeros({2, 3}), 2), IndexError);
  EXPECT_THROW(log_softmax(tensor({1, 2}), 0), DtypeError);
}

TEST(LogSumExp, InfinitiesAndTypes) {
  EXPECT_EQ(logsumexp(tensor({1000.0, 1000.0}), 0).item<float>(), 1000 + std::log(2.0f));
  EXPECT_EQ(logsumexp(tensor({-kInf, -kInf}), 0).item(), -kInf);
  EXPECT_EQ(logsumexp(tensor({kInf, 0.0}), 0).item(), kInf);
  EXPECT_EQ(logsumexp(zeros({0, 2}), 0).to_vector<double>(), (Doubles{-kInf, -kInf}));
  EXPECT_EQ(logsumexp(tensor({1, 2}), 0).dtype(), kFloat32);
  Tensor x = tensor({{-kInf, 0.0}, {-kInf, -kInf}}).requires_grad_();
  logsumexp(x, 1).sum().backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Doubles{0, 1, 0, 0}));
}

TEST(Norm, Values) {
  const Tensor x = tensor({{3.0, -4.0}, {0.0, 0.0}});
  EXPECT_EQ(norm(x).item(), 5);
  EXPECT_EQ(norm(x, 1, 1).to_vector<double>(), (Doubles{7, 0}));
  EXPECT_EQ(norm(x, 0).item(), 2);
  EXPECT_EQ(norm(x, kInf, 1, true).to_vector<double>(), (Doubles{4, 0}));
  EXPECT_EQ(norm(x, -kInf).item(), 0);
  EXPECT_EQ(norm(tensor({1.0, 1.0}), 0.5).item(), 4);
  EXPECT_EQ(norm(zeros({0})).item(), 0);
  EXPECT_THROW(norm(zeros({0}), kInf), ShapeError);
  EXPECT_THROW(norm(zeros({0}), -1), ShapeError);
  EXPECT_THROW(norm(tensor({1, 2})), DtypeError);
  EXPECT_THROW(norm(x, std::nan("")), ValueError);
}

TEST(Norm, ZeroIsTheSubgradientAtZero) {
  for (double p : {0.5, 1.0, 1.5, 2.0, 3.0, kInf, -kInf, -1.0}) {
    Tensor x = zeros({2}).requires_grad_();
    norm(x, p).backward();
    EXPECT_EQ(x.grad().to_vector<double>(), (Doubles{0, 0})) << p;
  }
  Tensor x = tensor({3.0, -3.0}).requires_grad_();
  norm(x, kInf).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Doubles{0.5, -0.5}));
}

}  // namespace
}  // namespace gradus

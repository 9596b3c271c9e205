// Operations of gradus/ops/mathematics.h, choice.h, products.h and statistics.h against PyTorch's:
// tests/traces/mathematics.json; and what that cannot hold.
#include <gradus/autocast.h>
#include <gradus/autograd.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/products.h>
#include <gradus/ops/statistics.h>

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "ops/mathematics_calls.h"
#include "support/message.h"
#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;
using test::message_of;
using test::Tensors;
using testing::HasSubstr;

double number_of(const json& j) {
  if (j.is_boolean()) return j.get<bool>() ? 1 : 0;
  if (!j.is_string()) return j.get<double>();
  const std::string s = j.get<std::string>();
  const double inf = std::numeric_limits<double>::infinity();
  return s == "nan" ? std::numeric_limits<double>::quiet_NaN() : s == "inf" ? inf : -inf;
}

Dtype dtype_of(const json& entry) {
  const std::string name = entry.value("dtype", "float64");
  for (Dtype d : {kBool, kUInt8, kInt8, kInt16, kInt32, kInt64, kFloat16, kBFloat16, kFloat32, kFloat64})
    if (to_string(d) == name) return d;
  throw ValueError("no type " + name);
}

// Integers by way of integers, as float64 does not hold all of them.
Tensor array(const json& entry) {
  const Dtype dtype = dtype_of(entry);
  const Shape sizes(entry["shape"].get<std::vector<std::int64_t>>());
  if (is_integral(dtype) && dtype != kBool) {
    return tensor(entry["data"].get<std::vector<std::int64_t>>(), sizes).to(dtype);
  }
  std::vector<double> values;
  for (const json& j : entry["data"]) values.push_back(number_of(j));
  return tensor(values, sizes, {.dtype = kFloat64}).to(dtype);
}

double tolerance(Dtype dtype) {
  switch (dtype) {
    case kFloat64:
      return 4e-13;
    case kFloat32:
      return 2e-6;
    case kFloat16:
      return 2e-3;
    case kBFloat16:
      return 1e-2;
    default:
      return 0;
  }
}

void expect_same(const Tensor& y, const json& entry, const std::string& label, double slack = 1) {
  const Tensor want = array(entry);
  EXPECT_STREQ(to_string(y.dtype()), to_string(want.dtype())) << label;
  ASSERT_EQ(to_string(y.sizes()), to_string(want.sizes())) << label;
  if (is_integral(want.dtype())) {
    EXPECT_EQ(y.to(kInt64).to_vector<std::int64_t>(), want.to(kInt64).to_vector<std::int64_t>()) << label;
    return;
  }
  const auto got = y.to_vector<double>(), expected = want.to_vector<double>();
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double a = got[i], b = expected[i];
    if (std::isnan(b) ? std::isnan(a) : a == b && std::signbit(a) == std::signbit(b)) continue;
    EXPECT_LE(std::abs(a - b), slack * tolerance(want.dtype()) * std::max(std::abs(b), 0.1))
        << label << ", element " << i << ": " << a << ", PyTorch " << b;
  }
}

std::string described(const json& c) {
  std::string text = c["call"];
  for (const json& x : c["inputs"]) text += " " + x.value("dtype", "float64") + x["shape"].dump();
  return text;
}

TEST(Mathematics, GivesPyTorchsValuesTypesGradientsAndErrors) {
  const json all = json::parse(std::ifstream(test::source_path("tests/traces/mathematics.json")));
  std::set<std::string> seen;
  for (const json& c : all["cases"]) {
    const std::string label = described(c);
    seen.insert(c["call"]);
    const test::Call& call = test::mathematics_calls().at(c["call"]);
    Tensors xs;
    for (const json& x : c["inputs"]) {
      xs.push_back(array(x));
      if (xs.back().is_floating_point()) xs.back().requires_grad_();
    }
    if (c.contains("error")) {
      EXPECT_THROW(call(xs), Error) << label;
      continue;
    }
    Tensors ys;
    EXPECT_NO_THROW(ys = call(xs)) << label;
    EXPECT_EQ(ys.size(), c["outputs"].size()) << label;
    if (ys.size() != c["outputs"].size()) continue;
    for (std::size_t i = 0; i < ys.size(); ++i)
      expect_same(ys[i], c["outputs"][i], label, label.find("polygamma") == 0 ? 1e4 : 1);
    if (!c.contains("grads")) continue;
    Tensors wanted;
    for (const Tensor& x : xs)
      if (x.requires_grad()) wanted.push_back(x);
    Tensors grads(wanted.size());
    if (ys[0].requires_grad()) {
      const Tensor weights = reshape(arange(1, ys[0].numel() + 1, 1, {.dtype = ys[0].dtype()}), ys[0].sizes());
      grads = autograd::grad({ys[0]}, wanted, {weights}, {.allow_unused = true});
    }
    // PyTorch computes the derivatives of the gamma function to some 9 digits.
    const double slack = std::string(c["call"]).find("gamma") != std::string::npos ? 1e4 : 5;
    for (std::size_t i = 0, next = 0; i < xs.size(); ++i) {
      if (!xs[i].requires_grad()) continue;
      const Tensor g = grads[next].defined() ? grads[next] : zeros_like(xs[i]);
      ++next;
      if (c["grads"][i].is_null()) continue;
      expect_same(g, c["grads"][i], "gradient " + std::to_string(i) + " of " + label, slack);
    }
  }
  EXPECT_EQ(seen.size(), test::mathematics_calls().size());
}

TEST(Mathematics, ErrorsNameTheCallTheRuleAndTheValues) {
  const Tensor x = ones({2, 3}), whole = tensor({1, 2, 3});
  EXPECT_THAT(message_of([&] { mv(x, ones({2})); }), HasSubstr("mv: need [m, k] and [k], got [2, 3] and [2]"));
  EXPECT_THAT(message_of([&] { quantile(x, 1.5); }), HasSubstr("quantile: q must be in [0, 1]"));
  EXPECT_THAT(message_of([&] { quantile(x, 0.5, 0, false, "cubic"); }),
              HasSubstr("midpoint or nearest, got \"cubic\""));
  EXPECT_THAT(message_of([&] { kthvalue(x, 4); }), HasSubstr("kthvalue: k must be in [1, 3] along dimension 1"));
  EXPECT_THAT(message_of([&] { div(x, x, "up"); }), HasSubstr("rounding_mode must be trunc or floor, got \"up\""));
  EXPECT_THAT(message_of([&] { matrix_power(ones({2, 2}), -1); }), HasSubstr("n must be at least 0, got -1"));
  EXPECT_THAT(message_of([&] { linalg::multi_dot({x}); }), HasSubstr("multi_dot: needs at least two tensors, got 1"));
  EXPECT_THAT(message_of([&] { linalg::multi_dot({x, ones({3}), ones({3})}); }), HasSubstr("got [3] at position 1"));
  EXPECT_THAT(message_of([&] { fmod(whole, 0); }), HasSubstr("fmod: an integer divisor is zero"));
  EXPECT_THAT(message_of([&] { frac(whole); }), HasSubstr("frac: needs a floating-point tensor, got int64"));
  EXPECT_THAT(message_of([&] { x ^ x; }), HasSubstr("bitwise_xor: needs integers or truth values"));
  EXPECT_THAT(message_of([&] { histc(x, 0); }), HasSubstr("histc: bins must be positive, got 0"));
  EXPECT_THAT(message_of([&] { histc(x, 4, 2, 1); }), HasSubstr("min not above max"));
  EXPECT_THAT(message_of([&] { bincount(whole, {}, -1); }), HasSubstr("minlength must be at least 0, got -1"));
  EXPECT_THAT(message_of([&] { renorm(x, 0, 0, 1); }), HasSubstr("renorm: p must be positive"));
  EXPECT_THAT(message_of([&] { polygamma(-1, x); }), HasSubstr("polygamma: n must be in [0, 170], got -1"));
  EXPECT_THAT(message_of([&] { logit(x, 2); }), HasSubstr("logit: eps must be in [0, 1]"));
  EXPECT_THAT(message_of([&] { addmv(ones({3}), x, ones({3})); }), HasSubstr("addmv"));
  EXPECT_THAT(message_of([&] { tensordot(x, x, 3); }), HasSubstr("tensordot: dims must be in [0, 2]"));
  EXPECT_THAT(message_of([&] { tensordot(x, x, {0, -2}, {0, 1}); }), HasSubstr("is named twice"));
  EXPECT_THAT(message_of([&] { isclose(x, x, -1); }), HasSubstr("isclose: tolerances must not be negative"));
}

// What a mask has left out adds nothing, and its gradient is 0, where PyTorch's is NaN.
TEST(Mathematics, LogCumSumExpPassesOverMinusInfinity) {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = tensor({-inf, -inf, 1.0, -inf, 2.0}, {.dtype = kFloat64}).requires_grad_();
  const Tensor y = logcumsumexp(x, 0);
  sum(y.narrow(0, 2, 3)).backward();
  const auto g = x.grad().to_vector<double>();
  const double share = 1 / (1 + std::exp(1.0));
  EXPECT_EQ(g[0], 0);
  EXPECT_EQ(g[1], 0);
  EXPECT_NEAR(g[2], 2 + share, 1e-14);
  EXPECT_EQ(g[3], 0);
  EXPECT_NEAR(g[4], 1 - share, 1e-14);
}

TEST(Mathematics, OtherNamesAreTheSameFunctions) {
  const Tensor x = tensor({-1.5, 0.25, 2.0}), y = tensor({2.0, -0.5, 2.0});
  EXPECT_TRUE(equal(subtract(x, y, 2), sub(x, y, 2)));
  EXPECT_TRUE(equal(multiply(x, 3), x * 3));
  EXPECT_TRUE(equal(divide(x, y, "floor"), floor_divide(x, y)));
  EXPECT_TRUE(equal(true_divide(x, y), x / y));
  EXPECT_TRUE(equal(absolute(x), abs(x)));
  EXPECT_TRUE(equal(negative(x), -x));
  EXPECT_TRUE(equal(clip(x, -1, 1), clamp(x, -1, 1)));
  EXPECT_TRUE(equal(fix(x), trunc(x)));
  EXPECT_TRUE(equal(arctan2(x, y), atan2(x, y)));
  EXPECT_TRUE(equal(trapz(x, 2.0), trapezoid(x, 2.0)));
  EXPECT_TRUE(equal(xlogy(x, 2.0), x * log(tensor(2.0))));
  EXPECT_TRUE(equal(chain_matmul({ones({2, 3})}), ones({2, 3})));
  EXPECT_TRUE(equal(float_power(2, tensor({3, -1})), tensor({8.0, 0.5}, {.dtype = kFloat64})));
  const Tensor bits = tensor({1, 6, -2});
  EXPECT_TRUE(equal(~bits, bitwise_not(bits)));
  EXPECT_TRUE(equal(bits ^ 3, bitwise_xor(bits, tensor(3))));
  EXPECT_TRUE(equal(bitwise_left_shift(bits, 2), bits * 4));
  EXPECT_TRUE(equal(~tensor({true, false}), tensor({false, true})));
}

TEST(Mathematics, TheAbscissasOfTrapezoidBroadcast) {
  const Tensor y = arange(12).view({2, 3, 2}).to_float();
  const Tensor x = tensor({{0.0, 1.0}, {1.0, 3.0}, {2.0, 5.0}});
  EXPECT_TRUE(equal(trapezoid(y, x, 1), tensor({{4.0, 12.0}, {16.0, 36.0}})));
  EXPECT_TRUE(equal(trapezoid(y, x, -2), trapezoid(y, x, 1)));
  EXPECT_TRUE(equal(cumulative_trapezoid(y, x, 1)[{1, 0}], tensor({7.0, 16.0})));
  EXPECT_TRUE(equal(trapezoid(y, tensor({{0.0}, {1.0}, {3.0}}), 1), tensor({{7.0, 10.0}, {25.0, 28.0}})));
  EXPECT_THAT(message_of([&] { trapezoid(y, x, 0); }), HasSubstr("trapezoid: x of sizes [3, 2] does not fit y"));
  EXPECT_THAT(message_of([&] { trapezoid(y, x.t(), 1); }), HasSubstr("trapezoid"));
}

// As PyTorch's, where the bounds are in the wrong order.
TEST(Mathematics, LogitWithAnEpsilonAboveAHalf) {
  const Tensor x = tensor({0.2, 0.5, 0.9, 0.7}, {.dtype = kFloat64, .requires_grad = true});
  const Tensor y = logit(x, 0.7);
  const double high = std::log(0.7 / 0.3);
  const std::vector<double> expected{high, high, -high, -high};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(y.to_vector<double>()[i], expected[i], 1e-12) << i;
  y.sum().backward();
  EXPECT_TRUE(equal(x.grad(), zeros_like(x)));
  EXPECT_TRUE(isnan(logit(tensor({std::numeric_limits<double>::quiet_NaN()}), 0.7)).item<bool>());
}

// Where exp(x), x * x or 2^28 are beyond what the short formula holds.
TEST(Mathematics, HyperbolicFunctionsHoldAtTheEndsOfTheirRange) {
  for (double x : {1e-300, 1e-8, 0.3, 19.99, 20.01, 700.0, 710.0}) {
    const Tensor t = tensor({x, -x}, {.dtype = kFloat64});
    const auto s = sinh(t).to_vector<double>(), c = cosh(t).to_vector<double>();
    EXPECT_NEAR(s[0] / std::sinh(x), 1, 4e-15) << x;
    EXPECT_EQ(s[1], -s[0]);
    EXPECT_NEAR(c[1] / std::cosh(x), 1, 4e-15) << x;
  }
  for (double x : {1e-300, 1e-8, 0.3, 2.68e8, 2.69e8, 1e200, 1e308}) {
    const Tensor t = tensor({x}, {.dtype = kFloat64});
    EXPECT_NEAR(asinh(t).item() / std::asinh(x), 1, 4e-15) << x;
    EXPECT_NEAR(acosh(t + 1).item(), std::acosh(x + 1), 4e-15 * std::max(1.0, std::acosh(x + 1))) << x;
    EXPECT_NEAR(hypot(t, t).item() / std::hypot(x, x), 1, 4e-15) << x;
  }
}

TEST(Mathematics, SpecialFunctionsHoldOverTheirRange) {
  for (Dtype dtype : {kFloat32, kFloat64}) EXPECT_TRUE(equal(lgamma(tensor({1, 2}).to(dtype)), zeros({2}).to(dtype)));
  for (double x = -5.93; x < 27; x += 0.137) {
    const Tensor t = tensor({x}, {.dtype = kFloat64});
    EXPECT_NEAR(erfc(t).item() / std::erfc(x), 1, 2e-14) << x;
    EXPECT_NEAR(lgamma(t).item(), std::lgamma(x), 2e-14 * std::max(1.0, std::abs(std::lgamma(x)))) << x;
    const double y = std::erf(x);
    if (std::abs(y) == 1) continue;
    EXPECT_NEAR(std::erf(erfinv(tensor({y}, {.dtype = kFloat64})).item()), y, 2e-15) << x;
  }
}

// A divisor beside a tensor has the tensor's type, in which it may be zero: the process died of SIGFPE.
TEST(Mathematics, ADivisorThatBecomesZeroIsRefused) {
  const Tensor bytes = tensor({3, 4}).to(kUInt8), ints = tensor({3, 4}).to(kInt32);
  EXPECT_THROW(fmod(bytes, tensor(256)), ValueError);
  EXPECT_THROW(fmod(ints, tensor(std::int64_t{1} << 32)), ValueError);
  EXPECT_THROW(div(bytes, tensor(256), "trunc"), ValueError);
  EXPECT_THROW(remainder(bytes, tensor(256)), ValueError);
  EXPECT_THROW(floor_divide(bytes, tensor(256)), ValueError);
}

TEST(Mathematics, NanToNumTakesNumbersBeyondTheType) {
  EXPECT_EQ(nan_to_num(tensor({std::nan("")}), 1e300).item(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(nan_to_num(tensor({std::nan("")}).half(), -1e5).item(), -std::numeric_limits<double>::infinity());
}

TEST(Mathematics, QuotientsByNumbersAreRounded) {
  EXPECT_TRUE(equal(div(tensor({-7, 7}), 2, "floor"), tensor({-4, 3})));
  EXPECT_TRUE(equal(divide(tensor({-7, 7}), 2, "trunc"), tensor({-3, 3})));
  EXPECT_TRUE(equal(div(tensor({-7.0, 7.0}), 2, "trunc"), tensor({-3.0, 3.0})));
}

TEST(Mathematics, NumbersBesideIntegersKeepTheirValue) {
  const Tensor bytes = tensor({1, 2}).to(kUInt8);
  EXPECT_TRUE(equal(copysign(bytes, -1), tensor({-1.0, -2.0})));
  EXPECT_TRUE(equal(copysign(bytes.to(kInt8), -300), tensor({-1.0, -2.0})));
  EXPECT_TRUE(allclose(xlogy(-1, bytes), tensor({0.0, -std::log(2.0)})));
  EXPECT_TRUE(allclose(xlogy(bytes, 300), tensor({std::log(300.0), 2 * std::log(300.0)})));
}

TEST(Mathematics, AMaskedLogarithmOfZeroHasNoGradient) {
  const Tensor x = tensor({1.0, 2.0}, {.requires_grad = true});
  where(tensor({false, true}), xlogy(x, tensor({0.0, 2.0})), zeros({2})).sum().backward();
  EXPECT_TRUE(allclose(x.grad(), tensor({0.0, std::log(2.0)})));
}

TEST(Mathematics, SumsOfHalvesAreRoundedOnce) {
  const auto half = [](double x) { return tensor({x}).to(kFloat16); };
  EXPECT_EQ(addcmul(half(1), half(300), half(300), 1e-4).item(), 10);
  EXPECT_NEAR(addcdiv(half(1), half(60000), half(0.1), 1e-4).item(), 61, 0.1);
  const Tensor row = tensor({{60000.0, 60000.0}}).to(kFloat16);
  EXPECT_NEAR(renorm(row, 2, 0, 5).select(1, 0).item(), 3.537, 0.01);
}

TEST(Mathematics, ProductsWorkUnderAutocast) {
  const Tensor a = rand({2, 3, 4}), b = rand({2, 4, 5}), c = rand({2, 3, 5}), m = rand({3, 4}), v = rand({4});
  const Autocast scope(kBFloat16);
  EXPECT_EQ(baddbmm(c, a, b).dtype(), kBFloat16);
  EXPECT_EQ(addbmm(c[0], a, b).dtype(), kBFloat16);
  EXPECT_EQ(addmv(rand({3}), m, v).dtype(), kFloat32);
  EXPECT_EQ(mv(m, v).dtype(), kFloat32);
  EXPECT_EQ(vdot(v, v).dtype(), kFloat32);
}

}  // namespace
}  // namespace gradus

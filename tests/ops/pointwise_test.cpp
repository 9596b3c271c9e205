// Element-wise functions against PyTorch at special values, their types, and the rules of changing in place.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;
using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

json load(const std::string& name) {
  std::ifstream in(test::source_path("tests/traces/" + name));
  EXPECT_TRUE(in.good()) << name;
  return json::parse(in);
}

double number_of(const json& j) {
  if (j.is_boolean()) return j.get<bool>() ? 1 : 0;
  if (!j.is_string()) return j.get<double>();
  const std::string s = j.get<std::string>();
  const double inf = std::numeric_limits<double>::infinity();
  return s == "nan" ? std::numeric_limits<double>::quiet_NaN() : s == "inf" ? inf : -inf;
}

std::vector<double> numbers(const json& list) {
  std::vector<double> v;
  for (const json& j : list) v.push_back(number_of(j));
  return v;
}

Dtype dtype_of(const std::string& name) {
  for (Dtype d : {kBool, kUInt8, kInt32, kInt64, kBFloat16, kFloat32, kFloat64})
    if (to_string(d) == name) return d;
  throw ValueError("no type " + name);
}

double option(const json& options, const char* name, double fallback) {
  return options.contains(name) ? number_of(options[name]) : fallback;
}

Tensor call_unary(const std::string& op, const Tensor& x, const json& o = json::object()) {
  static const std::map<std::string, Unary> plain = {
      {"neg", neg},           {"abs", abs},
      {"sign", sign},         {"floor", floor},
      {"ceil", ceil},         {"round", round},
      {"exp", exp},           {"expm1", expm1},
      {"log", log},           {"log1p", log1p},
      {"log2", log2},         {"log10", log10},
      {"sqrt", sqrt},         {"rsqrt", rsqrt},
      {"square", square},     {"reciprocal", reciprocal},
      {"sin", sin},           {"cos", cos},
      {"tan", tan},           {"atan", atan},
      {"tanh", tanh},         {"erf", erf},
      {"relu", relu},         {"silu", silu},
      {"sigmoid", sigmoid},   {"logsigmoid", logsigmoid},
      {"isnan", isnan},       {"isinf", isinf},
      {"isfinite", isfinite}, {"logical_not", logical_not},
  };
  if (op == "leaky_relu") return leaky_relu(x, option(o, "negative_slope", 0.01));
  if (op == "elu") return elu(x, option(o, "alpha", 1));
  if (op == "gelu") return gelu(x, o.contains("approximate") ? "tanh" : "none");
  if (op == "softplus") return softplus(x, option(o, "beta", 1), option(o, "threshold", 20));
  if (op == "pow") return pow(x, option(o, "exponent", 1));
  if (op == "clamp") {
    const auto bound = [&](const char* key) {
      return o.contains(key) ? std::optional<double>(number_of(o[key])) : std::nullopt;
    };
    return clamp(x, bound("min"), bound("max"));
  }
  return plain.at(op)(x);
}

Tensor call_binary(const std::string& op, const Tensor& a, const Tensor& b) {
  static const std::map<std::string, Binary> plain = {
      {"mul", mul},
      {"div", div},
      {"pow", pow},
      {"maximum", maximum},
      {"minimum", minimum},
      {"remainder", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(remainder)},
      {"floor_divide", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(floor_divide)},
      {"div_floor", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(floor_divide)},
      {"eq", eq},
      {"ne", ne},
      {"lt", lt},
      {"le", le},
      {"gt", gt},
      {"ge", ge},
      {"logical_and", logical_and},
      {"logical_or", logical_or},
      {"logical_xor", logical_xor},
  };
  if (op == "add") return add(a, b);
  if (op == "sub") return sub(a, b);
  if (op == "lerp") return lerp(a, b, 0.25);
  if (op == "where") return where(tensor({true, false}), a, b);
  return plain.at(op)(a, b);
}

// Relative, with `atol` for results that are small differences of numbers near 1. `zeros`: whether they must have the
// same sign.
void expect_close(const Tensor& got, const json& want, double rtol, const std::string& label, double atol = 1e-36,
                  bool zeros = false) {
  const auto values = got.to_vector<double>();
  const auto expected = numbers(want);
  ASSERT_EQ(values.size(), expected.size()) << label;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = values[i], y = expected[i];
    bool same = std::isnan(y) ? std::isnan(x) : x == y || std::abs(x - y) <= rtol * std::abs(y) + atol;
    if (zeros && x == 0 && y == 0) same = std::signbit(x) == std::signbit(y);
    EXPECT_TRUE(same) << label << " at " << i << ": " << x << ", PyTorch: " << y;
  }
}

double tolerance(Dtype dtype) { return dtype == kFloat32 ? 2e-6 : 1e-14; }

TEST(Pointwise, FunctionsOfOneAgreeAtSpecialValues) {
  for (const json recorded = load("pointwise.json"); const json& entry : recorded["unary"]) {
    const std::string op = entry["op"];
    const std::string label = op + entry["options"].dump() + " " + entry["dtype"].get<std::string>();
    const Dtype dtype = dtype_of(entry["dtype"]);
    const Tensor x = tensor(numbers(entry["points"]), {.dtype = dtype, .requires_grad = true});
    const Tensor y = call_unary(op, x, entry["options"]);
    // expm1' = y + 1, tanh' = 1 - y^2 and gelu's 1 + erf lose digits where they nearly vanish, here and in PyTorch.
    const bool cancels = op == "gelu" || op == "expm1" || op == "tanh";
    const double atol = cancels ? (dtype == kFloat32 ? 1e-7 : 4e-16) : 1e-36;
    expect_close(y, entry["output"], tolerance(dtype), label, op == "gelu" ? atol : 1e-36, op != "gelu");
    ASSERT_EQ(entry.contains("grad"), y.requires_grad()) << label;
    if (!entry.contains("grad")) continue;
    y.backward(ones_like(y));
    // rsqrt, which stands for the power -0.5, is NaN at -inf and so is its derivative; PyTorch's derivative is -0.
    if (op == "pow" && number_of(entry["options"]["exponent"]) == -0.5) {
      EXPECT_TRUE(std::isnan(y.to_vector<double>()[24]) && std::isnan(x.grad().to_vector<double>()[24])) << label;
      NoGrad guard;
      x.grad().select(0, 24).fill_(-0.0);
    }
    expect_close(x.grad(), entry["grad"], 4 * tolerance(dtype), "gradient of " + label, atol);
  }
}

TEST(Pointwise, FunctionsOfTwoAgreeAtSpecialValues) {
  const json trace = load("pointwise.json");
  const std::vector<double> operands = numbers(trace["operands"]);
  std::vector<double> lefts, rights;
  for (double a : operands) {
    for (double b : operands) {
      lefts.push_back(a);
      rights.push_back(b);
    }
  }
  for (const json& entry : trace["binary"]) {
    const std::string label = entry["op"].get<std::string>() + " " + entry["dtype"].get<std::string>();
    const Dtype dtype = dtype_of(entry["dtype"]);
    const Tensor a = tensor(lefts, {.dtype = dtype, .requires_grad = true});
    const Tensor b = tensor(rights, {.dtype = dtype, .requires_grad = true});
    const Tensor y = call_binary(entry["op"], a, b);
    expect_close(y, entry["output"], tolerance(dtype), label);
    if (!entry.contains("grad_a")) {
      EXPECT_FALSE(y.requires_grad()) << label;
      continue;
    }
    y.backward(ones_like(y));
    expect_close(a.grad(), entry["grad_a"], 4 * tolerance(dtype), "gradient of the left of " + label);
    expect_close(b.grad(), entry["grad_b"], 4 * tolerance(dtype), "gradient of the right of " + label);
  }
}

std::vector<std::int64_t> integers(const json& list) { return list.get<std::vector<std::int64_t>>(); }

TEST(Pointwise, IntegersWrapAndRoundAsInPyTorch) {
  for (const json recorded = load("pointwise.json"); const json& entry : recorded["integers"]) {
    const std::string op = entry["op"], label = op + " " + entry["dtype"].get<std::string>();
    std::vector<std::int64_t> want;
    for (const json& j : entry["output"]) want.push_back(j.is_boolean() ? j.get<bool>() : j.get<std::int64_t>());
    const TensorOptions options{.dtype = dtype_of(entry["dtype"])};
    const Tensor a = tensor(integers(entry["a"]), options);
    const Tensor y =
        entry.contains("b") ? call_binary(op, a, tensor(integers(entry["b"]), options)) : call_unary(op, a);
    EXPECT_EQ(y.to_vector<std::int64_t>(), want) << label;
  }
  EXPECT_THROW(remainder(tensor({1, 2}), tensor({1, 0})), ValueError);
  EXPECT_THROW(floor_divide(tensor({1, 2}), tensor({0, 1})), ValueError);
  EXPECT_THROW(pow(tensor({2}), -1), ValueError);
}

// --- result types ---------------------------------------------------------------------------------------------------

Tensor operand(const json& spec) {
  return ones(spec[0] == "tensor" ? Shape{2} : Shape{}, {.dtype = dtype_of(spec[1])});
}

Scalar python_number(const json& spec) {
  if (spec[1] == "bool") return true;
  return spec[1] == "int64" ? Scalar(2) : Scalar(2.0);
}

Tensor with_python_number(const std::string& op, const Tensor& a, const Scalar& b) {
  if (op == "add") return a + b;
  if (op == "sub") return a - b;
  if (op == "mul") return a * b;
  if (op == "div") return a / b;
  if (op == "lt") return a < b;
  if (op == "eq") return a == b;
  if (op == "pow") return pow(a, b);
  return call_binary(op, a, number(b, a));
}

std::string type_or_error(const std::function<Tensor()>& call) {
  try {
    return to_string(call().dtype());
  } catch (const Error&) {
    return "error";
  }
}

TEST(Promotion, OfTwoOperandsIsPyTorchs) {
  const json trace = load("promotion.json");
  int seen = 0;
  for (const auto& [op, table] : trace["binary"].items()) {
    if (op == "div_trunc") continue;
    for (std::size_t i = 0; i < trace["lefts"].size(); ++i) {
      for (std::size_t j = 0; j < trace["rights"].size(); ++j) {
        const json &left = trace["lefts"][i], &right = trace["rights"][j];
        const bool is_number = right[0] == "number";
        if (op == "maximum" && is_number) continue;  // ours takes tensors only
        const auto call = [&, op = op] {
          return is_number ? with_python_number(op, operand(left), python_number(right))
                           : call_binary(op, operand(left), operand(right));
        };
        EXPECT_EQ(table[i][j], type_or_error(call)) << op << " of " << left << " and " << right;
        ++seen;
      }
    }
  }
  EXPECT_GT(seen, 2000);
}

TEST(Promotion, InPlaceKeepsTheTypeOrRefuses) {
  const json trace = load("promotion.json");
  for (std::size_t i = 0; i < trace["lefts"].size(); ++i) {
    for (std::size_t j = 0; j < trace["rights"].size(); ++j) {
      const json &left = trace["lefts"][i], &right = trace["rights"][j];
      const json& want = trace["accumulate"][i][j];
      if (left[0] == "scalar_tensor" && right[0] == "tensor") continue;  // the sizes do not fit
      const auto call = [&] {
        Tensor a = operand(left);
        return right[0] == "number" ? a.add_(python_number(right)) : a.add_(operand(right));
      };
      EXPECT_EQ(want, type_or_error(call)) << left << " += " << right;
    }
  }
}

TEST(Promotion, OfFunctionsOfOneIsPyTorchs) {
  const json trace = load("promotion.json");
  for (const char* op : {"exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "abs", "neg", "sign", "sin", "cos", "tanh",
                         "sigmoid", "erf", "relu"}) {
    for (std::size_t i = 0; i < trace["dtypes"].size(); ++i) {
      const Tensor x = ones({2}, {.dtype = dtype_of(trace["dtypes"][i])});
      EXPECT_EQ(trace["unary"][op][i], type_or_error([&] { return call_unary(op, x); }))
          << op << " of " << to_string(x.dtype());
    }
  }
}

TEST(Promotion, TruthValuesStayTruthValues) {
  const Tensor t = tensor({true, true, false});
  const Tensor both = t + tensor({true, false, false});
  EXPECT_EQ(both.dtype(), kBool);
  EXPECT_EQ(both.to(kInt64).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 1, 0}));
  EXPECT_EQ((t + true).to(kInt64).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 1, 1}));
  EXPECT_THROW(t - t, DtypeError);
  EXPECT_THROW(t - true, DtypeError);
}

// --- in place -------------------------------------------------------------------------------------------------------

TEST(InPlace, DerivativesSeeTheValuesFromBefore) {
  const Tensor x = tensor({-2.0, 0.5, 3.0}, {.dtype = kFloat64, .requires_grad = true});
  Tensor y = x * 2;
  y.clamp_(-1, 2).mul_(x);
  y.backward(ones_like(y));
  EXPECT_EQ(y.to_vector<double>(), (std::vector<double>{2, 0.5, 6}));
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{-1, 2, 2}));
}

TEST(InPlace, OperandsThatOverlapTheResultAreReadFirst) {
  Tensor square = arange(9, {.dtype = kFloat32}).view({3, 3});
  square.add_(square.t());
  EXPECT_EQ(square.to_vector<float>(), (std::vector<float>{0, 4, 8, 4, 8, 12, 8, 12, 16}));
  Tensor line = ones({2000});
  line.narrow(0, 1, 1999).add_(line.narrow(0, 0, 1999));
  EXPECT_EQ(line.sum().item<double>(), 1 + 2 * 1999);
}

TEST(InPlace, CopyReadsASourceThatOverlapsFirst) {
  Tensor square = arange(9, {.dtype = kFloat32}).view({3, 3});
  square.copy_(square.t());
  EXPECT_EQ(square.to_vector<float>(), (std::vector<float>{0, 3, 6, 1, 4, 7, 2, 5, 8}));
  Tensor line = arange(2000);
  line.narrow(0, 1, 1999).copy_(line.narrow(0, 0, 1999));
  EXPECT_EQ(line[0].item<int>(), 0);
  EXPECT_TRUE(equal(line.narrow(0, 1, 1999), arange(1999)));
}

TEST(InPlace, RefusesWhatWouldChangeTheKind) {
  Tensor whole = tensor({1, 2});
  EXPECT_THROW(whole.mul_(0.5), DtypeError);
  EXPECT_THROW(whole.div_(2), DtypeError);
  EXPECT_THROW(whole.clamp_(0.5, {}), DtypeError);
  EXPECT_THROW(whole.add_(tensor({{1, 2}, {3, 4}})), ShapeError);
  EXPECT_EQ(whole.to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_THROW(ones({2}, {.requires_grad = true}).relu_(), AutogradError);
  EXPECT_EQ(whole.add_(3).relu_().version(), 2u);
}

// --- selection ------------------------------------------------------------------------------------------------------

TEST(Selection, WhereBroadcastsAndSendsGradientsHome) {
  const Tensor condition = tensor({true, false, true});
  const Tensor a = tensor({{1.0}, {2.0}}, {.dtype = kFloat64, .requires_grad = true});
  const Tensor b = tensor({10.0, 20.0, 30.0}, {.requires_grad = true});
  const Tensor y = where(condition, a, b);
  EXPECT_EQ(y.dtype(), kFloat64);
  EXPECT_EQ(y.to_vector<double>(), (std::vector<double>{1, 20, 1, 2, 20, 2}));
  // An infinite gradient must not leak as NaN into the side that was not chosen.
  y.backward(full_like(y, std::numeric_limits<double>::infinity()));
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(a.grad().to_vector<double>(), (std::vector<double>{inf, inf}));
  EXPECT_EQ(b.grad().dtype(), kFloat32);
  EXPECT_EQ(b.grad().to_vector<double>(), (std::vector<double>{0, inf, 0}));
  EXPECT_EQ(where(condition.to(kUInt8), a, b).to_vector<double>(), y.to_vector<double>());
  EXPECT_THROW(where(tensor({1.0, 0.0, 1.0}), a, b), DtypeError);
  EXPECT_THROW(where(tensor({true, false}), a, b), ShapeError);
}

TEST(Selection, ClampKnowsIntegersAndRefusesNonsense) {
  const Tensor x = tensor({-5, 0, 9});
  EXPECT_EQ(clamp(x, -1, 4).dtype(), kInt64);
  EXPECT_EQ(clamp(x, -1, 4).to_vector<std::int64_t>(), (std::vector<std::int64_t>{-1, 0, 4}));
  EXPECT_EQ(clamp(x, 0.5).dtype(), kFloat32);
  EXPECT_EQ(clamp(x, {}, 1e30).to_vector<std::int64_t>(), (std::vector<std::int64_t>{-5, 0, 9}));
  EXPECT_EQ(clamp(x.to(kUInt8), -5, 300).to_vector<int>(), (std::vector<int>{251, 0, 9}));
  EXPECT_THROW(clamp(x.to(kInt8), -500, -300), ValueError);
  EXPECT_THROW(clamp(x.to(kInt8), 128), ValueError);
  EXPECT_THROW(x.to(kUInt8).clamp_({}, -1), ValueError);
  EXPECT_THROW(clamp(x, {}, {}), ValueError);
  EXPECT_THROW(clamp(x, std::nan(""), {}), ValueError);
}

TEST(Power, OfIntegersHasAGradientOfTheExponentsType) {
  const Tensor exponent = tensor(-2.5, {.dtype = kFloat64, .requires_grad = true});
  for (const Tensor& base : {tensor(3, {.dtype = kUInt8}), tensor({3, 3})}) {
    const Tensor y = pow(base, exponent.expand(base.sizes()));
    EXPECT_EQ(y.dtype(), kFloat64);
    exponent.set_grad({});
    y.sum().backward();
    EXPECT_NEAR(exponent.grad().item(), static_cast<double>(base.numel()) * std::pow(3.0, -2.5) * std::log(3.0), 1e-15);
  }
}

TEST(Comparison, OfNumbersDoesNotRoundThem) {
  const Tensor x = tensor({0, 1, 255}, {.dtype = kUInt8});
  EXPECT_EQ((x < 300).to(kInt64).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 1, 1}));
  EXPECT_EQ((x > 0.5).to(kInt64).to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 1}));
  EXPECT_EQ((-1 < x).to(kInt64).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 1, 1}));
}

TEST(Comparison, EqualAndAllclose) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Tensor x = tensor({1.0, inf, -inf});
  EXPECT_TRUE(equal(x, x.clone()));
  EXPECT_FALSE(equal(x, x.to(kFloat64)));
  EXPECT_FALSE(equal(x, x.view({1, 3})));
  EXPECT_FALSE(equal(tensor({nan}), tensor({nan})));
  EXPECT_TRUE(equal(ones({0}), ones({0})));
  EXPECT_TRUE(allclose(x, tensor({1.0 + 1e-6, inf, -inf})));
  EXPECT_FALSE(allclose(x, tensor({1.0 + 1e-4, inf, -inf})));
  EXPECT_FALSE(allclose(x, tensor({1.0, inf, inf})));
  EXPECT_FALSE(allclose(x, tensor({1.0, 1e30, -inf})));
  EXPECT_FALSE(allclose(tensor({nan}), tensor({nan})));
  EXPECT_TRUE(allclose(tensor({nan}), tensor({nan}), 1e-5, 1e-8, true));
}

// A bound that the type does not hold is the nearest number that it does, for values and slopes alike.
TEST(Hardtanh, HasTheBoundsOfItsType) {
  for (const Dtype dtype : {kFloat64, kFloat32, kBFloat16}) {
    const Tensor x = tensor({-2.0, -0.25, 0.25, 2.0, 5.0}, {.dtype = dtype}).requires_grad_();
    Tensor y = x * 1.0;
    hardtanh_(y, -0.3, 0.7);
    sum(y + hardtanh(x, -0.3, 0.7)).backward();
    EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 2, 2, 0, 0})) << to_string(dtype);
  }
  const Tensor whole = hardtanh(tensor({-5, -1, 3, 9}), -2.7, 4);
  EXPECT_EQ(whole.dtype(), kInt64);
  EXPECT_EQ(whole.to_vector<std::int64_t>(), (std::vector<std::int64_t>{-2, -1, 3, 4}));
  EXPECT_EQ(relu6(tensor({0, 6, 200}, {.dtype = kUInt8})).dtype(), kUInt8);
  EXPECT_THROW(hardtanh(tensor({1}, {.dtype = kUInt8}), -1, 1), ValueError);
}

// The slope has a step at 0, whose own slope counts as 0 there, as in PyTorch.
TEST(Elu, HasNoSecondSlopeAtZero) {
  const Tensor x = tensor({-0.0, 0.0, -1.0}, {.dtype = kFloat64}).requires_grad_();
  const Tensor g = autograd::grad({sum(elu(x, 0.5))}, {x}, {}, {.create_graph = true})[0];
  const auto second = autograd::grad({sum(g)}, {x})[0].to_vector<double>();
  EXPECT_EQ(second[0], 0);
  EXPECT_EQ(second[1], 0);
  EXPECT_NEAR(second[2], 0.5 * std::exp(-1.0), 1e-12);
}

}  // namespace
}  // namespace gradus

// Element-wise functions against PyTorch at special values, their types, and the rules of changing in place.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include <gtest/gtest.h>

#include <fstream>
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
      {"remainder", remainder},
      {"floor_divide", floor_divide},
      {"div_floor", floor_divide},
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

// Relative, but for numbers near the smallest. `zeros`: whether they must have the same sign.
void expect_close(const Tensor& got, const json& want, double rtol, const std::string& label, bool zeros = false) {
  const auto values = got.to_vector<double>();
  const auto expected = numbers(want);
  ASSERT_EQ(values.size(), expected.size()) << label;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = values[i], y = expected[i];
    bool same = std::isnan(y) ? std::isnan(x) : x == y || std::abs(x - y) <= rtol * std::abs(y) + 1e-36;
    if (zeros && x == 0 && y == 0) same = std::signbit(x) == std::signbit(y);
    EXPECT_TRUE(same) << label << " at " << i << ": " << x << ", PyTorch: " << y;
  }
}

double tolerance(Dtype dtype) { return dtype == kFloat32 ? 2e-6 : 1e-14; }

TEST(Pointwise, FunctionsOfOneAgreeAtSpecialValues) {
  for (const json& entry : load("pointwise.json")["unary"]) {
    const std::string op = entry["op"];
    const std::string label = op + entry["options"].dump() + " " + entry["dtype"].get<std::string>();
    const Dtype dtype = dtype_of(entry["dtype"]);
    const Tensor x = tensor(numbers(entry["points"]), {.dtype = dtype, .requires_grad = true});
    const Tensor y = call_unary(op, x, entry["options"]);
    expect_close(y, entry["output"], tolerance(dtype), label, true);
    ASSERT_EQ(entry.contains("grad"), y.requires_grad()) << label;
    if (!entry.contains("grad")) continue;
    y.backward(ones_like(y));
    expect_close(x.grad(), entry["grad"], 4 * tolerance(dtype), "gradient of " + label);
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

}  // namespace
}  // namespace gradus

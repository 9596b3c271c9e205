// Rows: functions of one element, activations, softmax.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

const Domain kPositive{0.3, 2.5};
const Domain kBendsAtZero{-2, 2, {0}};
const Domain kBetweenIntegers{-2.9, 2.9, {-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5}};

Row scaled(Row row, double scale, double ulps = 16) {
  row.scale = scale;
  row.ulps = ulps;
  return row;
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

std::vector<double> softmax_of(const std::vector<double>& x) {
  std::vector<double> y;
  double highest = -1e300, total = 0;
  for (double v : x) highest = std::max(highest, v);
  for (double v : x) total += std::exp(v - highest);
  for (double v : x) y.push_back(std::exp(v - highest) / total);
  return y;
}

std::vector<double> log_softmax_of(const std::vector<double>& x) {
  std::vector<double> y = softmax_of(x);
  for (double& v : y) v = std::log(v);
  return y;
}

Row softmax_row(const std::string& name, Tensor (*fn)(const Tensor&, std::int64_t), int dim,
                std::function<std::vector<double>(const std::vector<double>&)> reference) {
  return {.name = name,
          .fn = [=](const Inputs& x) { return fn(x[0], dim); },
          .cases = {{{3, 4}}, {{2, 3, 4}}, {{0, 3}}, {{3, 0}}, {{1, 1}}},
          .reference = along(dim, reference),
          .domains = {{-3, 3}},
          .lengths =
              [](std::int64_t n) {
                return Sizes{{3, n}};
              },
          .ulps = 32,
          .scale = name == "softmax" ? 0.0 : 8.0};
}

void add_activations(Rows& rows) {
  rows.push_back(unary_row(
      "relu", relu, [](double x) { return std::max(x, 0.0); }, kBendsAtZero));
  rows.push_back(unary_row(
      "leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); }, [](double x) { return x > 0 ? x : 0.2 * x; },
      kBendsAtZero));
  rows.push_back(unary_row(
      "hardtanh", [](const Tensor& x) { return hardtanh(x, -0.5, 1); },
      [](double x) { return std::min(std::max(x, -0.5), 1.0); }, {-2, 2, {-0.5, 1}}));
  rows.push_back(unary_row("relu6", relu6, [](double x) { return std::min(std::max(x, 0.0), 6.0); }, {-8, 8, {0, 6}}));
  rows.push_back(unary_row(
      "elu", [](const Tensor& x) { return elu(x, 1.5); }, [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); },
      kBendsAtZero));
  rows.push_back(
      scaled(unary_row(
                 "gelu", [](const Tensor& x) { return gelu(x); }, [](double x) { return x * normal_cdf(x); }, {-4, 4}),
             1));
  rows.push_back(
      scaled(unary_row(
                 "gelu tanh", [](const Tensor& x) { return gelu(x, "tanh"); },
                 [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); },
                 {-4, 4}),
             1));
  rows.push_back(unary_row("silu", silu, [](double x) { return x * sigmoid_of(x); }, {-6, 6}));
  rows.push_back(unary_row("sigmoid", sigmoid, sigmoid_of, {-6, 6}));
  rows.push_back(
      scaled(unary_row("logsigmoid", logsigmoid, [](double x) { return -std::log1p(std::exp(-x)); }, {-6, 6}), 0));
  rows.push_back(scaled(unary_row(
                            "softplus", [](const Tensor& x) { return softplus(x); },
                            [](double x) { return std::log1p(std::exp(x)); }, {-6, 6}),
                        0));
  rows.push_back(scaled(unary_row(
                            "softplus beta", [](const Tensor& x) { return softplus(x, 2, 3); },
                            [](double x) { return x * 2 > 3 ? x : std::log1p(std::exp(2 * x)) / 2; }, {-3, 3, {1.5}}),
                        0));
  rows.push_back(softmax_row("softmax", softmax, -1, softmax_of));
  rows.push_back(softmax_row("softmax over the first dimension", softmax, 0, softmax_of));
  rows.push_back(softmax_row("log_softmax", log_softmax, -1, log_softmax_of));
  rows.push_back(softmax_row("log_softmax over the first dimension", log_softmax, 0, log_softmax_of));
}

}  // namespace

void add_function_rows(Rows& rows) {
  rows.push_back(unary_row("neg", neg, [](double x) { return -x; }));
  rows.push_back(unary_row(
      "abs", abs, [](double x) { return std::abs(x); }, kBendsAtZero));
  rows.push_back(unary_row(
      "sign", sign, [](double x) { return double((x > 0) - (x < 0)); }, kBendsAtZero));
  rows.push_back(unary_row(
      "floor", floor, [](double x) { return std::floor(x); }, kBetweenIntegers));
  rows.push_back(unary_row(
      "ceil", ceil, [](double x) { return std::ceil(x); }, kBetweenIntegers));
  rows.push_back(unary_row(
      "round", round, [](double x) { return std::nearbyint(x); }, kBetweenIntegers));
  rows.push_back(unary_row("exp", exp, [](double x) { return std::exp(x); }, {-5, 5}));
  rows.push_back(unary_row("expm1", expm1, [](double x) { return std::expm1(x); }));
  rows.push_back(scaled(unary_row(
                            "log", log, [](double x) { return std::log(x); }, kPositive),
                        0));
  rows.push_back(unary_row("log1p", log1p, [](double x) { return std::log1p(x); }, {-0.7, 2}));
  rows.push_back(scaled(unary_row(
                            "log2", log2, [](double x) { return std::log2(x); }, kPositive),
                        0));
  rows.push_back(scaled(unary_row(
                            "log10", log10, [](double x) { return std::log10(x); }, kPositive),
                        0));
  rows.push_back(unary_row(
      "sqrt", sqrt, [](double x) { return std::sqrt(x); }, kPositive));
  rows.push_back(unary_row(
      "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, kPositive));
  rows.push_back(unary_row("square", square, [](double x) { return x * x; }));
  rows.push_back(
      unary_row("reciprocal", reciprocal, [](double x) { return 1 / x; }, {-2, 2, {0, 0.1, -0.1, 0.2, -0.2}}));
  rows.push_back(scaled(unary_row("sin", sin, [](double x) { return std::sin(x); }, {-4, 4}), 0));
  rows.push_back(scaled(unary_row("cos", cos, [](double x) { return std::cos(x); }, {-4, 4}), 0));
  rows.push_back(unary_row("tan", tan, [](double x) { return std::tan(x); }, {-1.2, 1.2}));
  rows.push_back(unary_row("atan", atan, [](double x) { return std::atan(x); }));
  rows.push_back(unary_row("tanh", tanh, [](double x) { return std::tanh(x); }));
  rows.push_back(unary_row("erf", erf, [](double x) { return std::erf(x); }));
  rows.push_back(unary_row(
      "clamp", [](const Tensor& x) { return clamp(x, -0.5, 1); },
      [](double x) { return std::min(std::max(x, -0.5), 1.0); }, {-2, 2, {-0.5, 1}}));
  rows.push_back(unary_row(
      "clamp from below", [](const Tensor& x) { return clamp(x, 0.3); }, [](double x) { return std::max(x, 0.3); },
      {-2, 2, {0.3}}));
  rows.push_back(unary_row(
      "clamp from above", [](const Tensor& x) { return clamp(x, {}, 0.3); }, [](double x) { return std::min(x, 0.3); },
      {-2, 2, {0.3}}));
  add_activations(rows);
}

}  // namespace gradus::test

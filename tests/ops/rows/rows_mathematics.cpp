#include "ops/rows/rows_mathematics.h"

#include <gradus/ops/choice.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/special.h>

#include <algorithm>
#include <cmath>

namespace gradus::test {

namespace {

const Domain kInside{-0.9, 0.9};
const Domain kFromOne{1.2, 4};
const Domain kPositive{0.3, 2.5};
const Domain kBendsAtZero{-2, 2, {0}};
const Domain kBetweenIntegers{-2.9, 2.9, {-2, -1, 0, 1, 2}};

Row scaled(Row row, double scale, double ulps = 32) {
  row.scale = scale;
  row.ulps = ulps;
  return row;
}

Row steps(Row row) {
  row.differentiable = false;
  return row;
}

Row values_elsewhere(Row row) {
  row.reference = nullptr;
  return row;
}

double sinc_of(double x) { return std::sin(M_PI * x) / (M_PI * x); }

void add_angles(Rows& rows) {
  rows.push_back(unary_row(
      "asin", asin, [](double x) { return std::asin(x); }, kInside));
  rows.push_back(unary_row(
      "acos", acos, [](double x) { return std::acos(x); }, kInside));
  rows.push_back(unary_row("sinh", sinh, [](double x) { return std::sinh(x); }, {-3, 3}));
  rows.push_back(unary_row("cosh", cosh, [](double x) { return std::cosh(x); }, {-3, 3}));
  rows.push_back(unary_row("asinh", asinh, [](double x) { return std::asinh(x); }, {-3, 3}));
  rows.push_back(unary_row(
      "acosh", acosh, [](double x) { return std::acosh(x); }, kFromOne));
  rows.push_back(unary_row(
      "atanh", atanh, [](double x) { return std::atanh(x); }, kInside));
  rows.push_back(unary_row("deg2rad", deg2rad, [](double x) { return x * M_PI / 180; }));
  rows.push_back(unary_row("rad2deg", rad2deg, [](double x) { return x * 180 / M_PI; }));
  rows.push_back(scaled(unary_row("sinc", sinc, sinc_of, kBendsAtZero), 1));
  rows.push_back(binary_row(
      "hypot", hypot, [](double a, double b) { return std::hypot(a, b); }, kBendsAtZero, kBendsAtZero));
}

void add_torch_special(Rows& rows) {
  rows.push_back(scaled(unary_row(
                            "entr", special::entr, [](double x) { return -x * std::log(x); }, kPositive),
                        1));
  rows.push_back(
      scaled(unary_row("ndtr", special::ndtr, [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }), 1));
  rows.push_back(scaled(
      binary_row(
          "xlog1py", special::xlog1py, [](double x, double y) { return x * std::log1p(y); }, kPositive, kPositive),
      1));
  rows.push_back(
      scaled(unary_row(
                 "multigammaln", [](const Tensor& x) { return special::multigammaln(x, 2); },
                 [](double x) { return std::lgamma(x) + std::lgamma(x - 0.5) + std::log(M_PI) / 2; }, kFromOne),
             4, 64));
}

void add_logarithms(Rows& rows) {
  rows.push_back(unary_row("exp2", exp2, [](double x) { return std::exp2(x); }));
  rows.push_back(scaled(
      binary_row("logaddexp", logaddexp, [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); }), 1));
  rows.push_back(scaled(
      binary_row("logaddexp2", logaddexp2, [](double a, double b) { return std::log2(std::exp2(a) + std::exp2(b)); }),
      1));
  rows.push_back(scaled(unary_row(
                            "logit", [](const Tensor& x) { return logit(x); },
                            [](double x) { return std::log(x / (1 - x)); }, {0.1, 0.9}),
                        1));
  rows.push_back(scaled(unary_row(
                            "logit eps", [](const Tensor& x) { return logit(x, 0.25); },
                            [](double x) {
                              const double z = std::min(std::max(x, 0.25), 0.75);
                              return std::log(z / (1 - z));
                            },
                            {0.1, 0.9, {0.25, 0.75}}),
                        1));
  rows.push_back(scaled(binary_row(
                            "xlogy", [](const Tensor& x, const Tensor& y) { return xlogy(x, y); },
                            [](double x, double y) { return x * std::log(y); }, {}, kPositive),
                        1));
  rows.push_back(binary_row(
      "float_power", [](const Tensor& a, const Tensor& b) { return float_power(a, b); },
      [](double a, double b) { return std::pow(a, b); }, kPositive, {}));
}

void add_special(Rows& rows) {
  rows.push_back(scaled(unary_row("erfc", erfc, [](double x) { return std::erfc(x); }, {-3, 5}), 0, 64));
  rows.push_back(values_elsewhere(unary_row("erfinv", erfinv, nullptr, kInside)));
  rows.push_back(scaled(unary_row("lgamma", lgamma, [](double x) { return std::lgamma(x); }, {0.2, 12}), 1));
  rows.push_back(scaled(unary_row(
                            "lgamma negative", lgamma, [](double x) { return std::lgamma(x); }, kBetweenIntegers),
                        1, 256));
  rows.push_back(scaled(values_elsewhere(unary_row("digamma", digamma, nullptr, {0.3, 12})), 1, 64));
  rows.push_back(scaled(
      values_elsewhere(unary_row("polygamma", [](const Tensor& x) { return polygamma(2, x); }, nullptr, {0.5, 12})), 1,
      256));
}

void add_parts(Rows& rows) {
  rows.push_back(unary_row(
      "trunc", trunc, [](double x) { return std::trunc(x); }, kBetweenIntegers));
  rows.push_back(scaled(unary_row(
                            "frac", frac, [](double x) { return x - std::trunc(x); }, kBetweenIntegers),
                        1));
  rows.push_back(scaled(binary_row(
                            "fmod", [](const Tensor& a, const Tensor& b) { return fmod(a, b); },
                            [](double a, double b) { return std::fmod(a, b); }, {1.1, 1.9}, {0.77, 0.92}),
                        1));
  rows.push_back(binary_row(
      "copysign", [](const Tensor& a, const Tensor& b) { return copysign(a, b); },
      [](double a, double b) { return std::copysign(a, b); }, kBendsAtZero, kBendsAtZero));
  rows.push_back(steps(unary_row("signbit", signbit, [](double x) { return std::signbit(x) ? 1.0 : 0.0; })));
  rows.push_back({.name = "addcmul",
                  .fn = [](const Inputs& x) { return addcmul(x[0], x[1], x[2], -0.5); },
                  .cases = elementwise_cases(3),
                  .reference = pointwise([](const double* x) { return x[0] - 0.5 * x[1] * x[2]; }),
                  .lengths = vectors(3),
                  .scale = 1});
  rows.push_back({.name = "addcdiv",
                  .fn = [](const Inputs& x) { return addcdiv(x[0], x[1], x[2], 2); },
                  .cases = elementwise_cases(3),
                  .reference = pointwise([](const double* x) { return x[0] + 2 * x[1] / x[2]; }),
                  .domains = {{}, {}, kPositive},
                  .lengths = vectors(3),
                  .scale = 4});
  rows.push_back({.name = "div trunc",
                  .fn = [](const Inputs& x) { return div(x[0], x[1], "trunc"); },
                  .cases = elementwise_cases(2),
                  .reference = pointwise([](const double* x) { return std::trunc(x[0] / x[1]); }),
                  .domains = {{1.1, 1.9}, {0.77, 0.92}},
                  .differentiable = false});
}

void add_choice(Rows& rows) {
  rows.push_back(unary_row(
      "where number", [](const Tensor& x) { return where(x > 0, x, 0.5) + where(x > 0, -1.0, x * 3); },
      [](double x) { return x > 0 ? x - 1 : 0.5 + x * 3; }, kBendsAtZero));
  const Domain low{-2, -0.1}, high{0.1, 2};
  for (const bool second : {true, false}) {
    const std::string variant = second ? "" : " the other way";
    const Domain a = second ? low : high, b = second ? high : low;
    rows.push_back(binary_row(
        "fmax" + variant, fmax, [](double x, double y) { return std::fmax(x, y); }, a, b));
    rows.push_back(binary_row(
        "fmin" + variant, fmin, [](double x, double y) { return std::fmin(x, y); }, a, b));
  }
  rows.push_back(steps(binary_row("heaviside", heaviside, [](double x, double y) { return x == 0 ? y : x > 0; })));
  rows.push_back(unary_row(
      "nan_to_num", [](const Tensor& x) { return nan_to_num(x); }, [](double x) { return x; }));
  rows.push_back(steps(binary_row(
      "isclose", [](const Tensor& a, const Tensor& b) { return isclose(a, b, 0, 1); },
      [](double a, double b) { return double(std::abs(a - b) <= 1); }, {-2, -1.5}, {-0.9, 2})));
  rows.push_back(steps(unary_row("isposinf", isposinf, [](double) { return 0.0; })));
  rows.push_back(steps(unary_row("isneginf", isneginf, [](double) { return 0.0; })));
}

// Of what the numbers are cut to.
void add_bits(Rows& rows) {
  const auto cut = [](double x) { return static_cast<std::int64_t>(x); };
  const auto row = [&](const char* name, Tensor (*fn)(const Tensor&, const Tensor&), auto reference) {
    rows.push_back(steps(binary_row(
        name, [fn](const Tensor& a, const Tensor& b) { return fn(a.to(kInt64), b.to(kInt64)); },
        [=](double a, double b) { return static_cast<double>(reference(cut(a), cut(b))); }, {-200, 200}, {1.1, 8.9})));
  };
  using Int = std::int64_t;
  row("bitwise_and", bitwise_and, [](Int a, Int b) { return a & b; });
  row("bitwise_or", bitwise_or, [](Int a, Int b) { return a | b; });
  row("bitwise_xor", bitwise_xor, [](Int a, Int b) { return a ^ b; });
  row("bitwise_left_shift", bitwise_left_shift, [](Int a, Int b) { return a * (Int(1) << b); });
  row("bitwise_right_shift", bitwise_right_shift, [](Int a, Int b) { return a >> b; });
  rows.push_back(steps(unary_row(
      "bitwise_not", [](const Tensor& x) { return bitwise_not(x.to(kInt64)); },
      [=](double x) { return static_cast<double>(~cut(x)); }, {-200, 200})));
}

}  // namespace

void add_mathematics_rows(Rows& rows) {
  add_angles(rows);
  add_logarithms(rows);
  add_torch_special(rows);
  add_special(rows);
  add_parts(rows);
  add_choice(rows);
  add_bits(rows);
}

}  // namespace gradus::test

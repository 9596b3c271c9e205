// Rows: arithmetic, comparison and selection, with two or three inputs.
#include <algorithm>
#include <cmath>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

const Domain kPositive{0.3, 2.5};
const Domain kApartFromZero{-2, 2, {0, 0.1, -0.1, 0.2, -0.2}};

Row constant(Row row) {
  row.differentiable = false;
  return row;
}

Row scaled(Row row, double scale) {
  row.scale = scale;
  return row;
}

// A comparison of tensors and one with a number.
void add_comparison(Rows& rows, const char* name, Tensor (*fn)(const Tensor&, const Tensor&),
                    Tensor (*with_number)(const Tensor&, const Scalar&),
                    std::function<bool(double, double)> reference) {
  rows.push_back(constant(binary_row(name, fn, reference)));
  rows.push_back(constant(unary_row(
      std::string(name) + " number", [with_number](const Tensor& x) { return with_number(x, 0.5); },
      [reference](double x) { return reference(x, 0.5); }, {-2, 2, {0.5}})));
}

void add_logic(Rows& rows) {
  const Domain bits{-1, 1, {0}};
  const auto positive = [](const Tensor& x) { return gt(x, 0); };
  rows.push_back(constant(binary_row(
      "logical_and", [=](const Tensor& a, const Tensor& b) { return logical_and(positive(a), b); },
      [](double a, double b) { return a > 0 && b != 0; }, bits, bits)));
  rows.push_back(constant(binary_row(
      "logical_or", [=](const Tensor& a, const Tensor& b) { return logical_or(positive(a), positive(b)); },
      [](double a, double b) { return a > 0 || b > 0; }, bits, bits)));
  rows.push_back(constant(binary_row(
      "logical_xor", [=](const Tensor& a, const Tensor& b) { return logical_xor(positive(a), positive(b)); },
      [](double a, double b) { return (a > 0) != (b > 0); }, bits, bits)));
  rows.push_back(constant(unary_row(
      "logical_not", [=](const Tensor& x) { return logical_not(positive(x)); }, [](double x) { return !(x > 0); },
      bits)));
  // log gives numbers, NaN and (at 0) infinity.
  const auto special = [](const Tensor& x) { return log(mul(x, floor(x).abs())); };
  const auto special_value = [](double x) { return std::log(x * std::abs(std::floor(x))); };
  const Domain around{-2, 3, {0, 1, -1, 2, -2, 3}};
  rows.push_back(constant(unary_row(
      "isnan", [=](const Tensor& x) { return isnan(special(x)); },
      [=](double x) { return std::isnan(special_value(x)); }, around)));
  rows.push_back(constant(unary_row(
      "isinf", [=](const Tensor& x) { return isinf(special(x)); },
      [=](double x) { return std::isinf(special_value(x)); }, around)));
  rows.push_back(constant(unary_row(
      "isfinite", [=](const Tensor& x) { return isfinite(special(x)); },
      [=](double x) { return std::isfinite(special_value(x)); }, around)));
}

void add_with_number(Rows& rows) {
  rows.push_back(
      scaled(unary_row(
                 "add number", [](const Tensor& x) { return add(x, 1.5); }, [](double x) { return x + 1.5; }),
             2));
  rows.push_back(
      scaled(unary_row(
                 "sub number", [](const Tensor& x) { return sub(x, 1.5); }, [](double x) { return x - 1.5; }),
             2));
  rows.push_back(
      scaled(unary_row(
                 "sub from number", [](const Tensor& x) { return sub(1.5, x); }, [](double x) { return 1.5 - x; }),
             2));
  rows.push_back(unary_row(
      "mul number", [](const Tensor& x) { return mul(x, -2.5); }, [](double x) { return x * -2.5; }));
  rows.push_back(unary_row(
      "div by number", [](const Tensor& x) { return div(x, 2.5); }, [](double x) { return x / 2.5; }));
  rows.push_back(unary_row(
      "div of number", [](const Tensor& x) { return div(2.5, x); }, [](double x) { return 2.5 / x; }, kApartFromZero));
  for (double p : {3.0, 2.0, 1.0, 0.5, -1.0, -0.5, 2.5, 0.0}) {
    rows.push_back(unary_row(
        "pow number " + std::to_string(p), [p](const Tensor& x) { return pow(x, p); },
        [p](double x) { return std::pow(x, p); }, kPositive));
  }
  rows.push_back(unary_row(
      "pow number, negative base", [](const Tensor& x) { return pow(x, 3); }, [](double x) { return x * x * x; },
      {-2, -0.2}));
}

}  // namespace

void add_arithmetic_rows(Rows& rows) {
  rows.push_back(scaled(
      binary_row(
          "add", [](const Tensor& a, const Tensor& b) { return add(a, b); }, [](double a, double b) { return a + b; }),
      2));
  rows.push_back(scaled(binary_row(
                            "add alpha", [](const Tensor& a, const Tensor& b) { return add(a, b, -1.5); },
                            [](double a, double b) { return a - 1.5 * b; }),
                        4));
  rows.push_back(scaled(
      binary_row(
          "sub", [](const Tensor& a, const Tensor& b) { return sub(a, b); }, [](double a, double b) { return a - b; }),
      2));
  rows.push_back(scaled(binary_row(
                            "sub alpha", [](const Tensor& a, const Tensor& b) { return sub(a, b, 2.5); },
                            [](double a, double b) { return a - 2.5 * b; }),
                        6));
  rows.push_back(binary_row("mul", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(mul),
                            [](double a, double b) { return a * b; }));
  rows.push_back(binary_row(
      "div", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(div), [](double a, double b) { return a / b; }, {},
      kApartFromZero));
  rows.push_back(
      constant(binary_row("floor_divide", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(floor_divide),
                          [](double a, double b) { return std::floor(a / b); }, {-2, 2}, {0.61, 0.64})));
  rows.push_back(
      scaled(binary_row("remainder", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(remainder),
                        [](double a, double b) { return a - b * std::floor(a / b); }, {0.1, 1.9}, {2.1, 2.9}),
             2));
  rows.push_back(
      scaled(binary_row("remainder negative divisor", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(remainder),
                        [](double a, double b) { return a - b * std::floor(a / b); }, {3.1, 3.9}, {-2.9, -2.1}),
             4));
  rows.push_back(binary_row("pow", static_cast<Tensor (*)(const Tensor&, const Tensor&)>(pow),
                            [](double a, double b) { return std::pow(a, b); }, kPositive, {-2, 2}));
  rows.push_back(binary_row("maximum", maximum, [](double a, double b) { return std::max(a, b); }));
  rows.push_back(binary_row("minimum", minimum, [](double a, double b) { return std::min(a, b); }));
  rows.push_back(scaled(binary_row(
                            "lerp", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.3); },
                            [](double a, double b) { return a + 0.3 * (b - a); }),
                        2));
  rows.push_back(scaled(binary_row(
                            "lerp beyond half", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.8); },
                            [](double a, double b) { return a + 0.8 * (b - a); }),
                        2));
  rows.push_back({.name = "where",
                  .fn = [](const Inputs& x) { return where(gt(x[0].detach(), 0), x[1], mul(x[2], x[0])); },
                  .cases = elementwise_cases(3),
                  .reference = pointwise([](const double* x) { return x[0] > 0 ? x[1] : x[2] * x[0]; }),
                  .domains = {{-2, 2, {0}}, {}},
                  .lengths = vectors(3)});
  add_comparison(rows, "eq", eq, eq, [](double a, double b) { return a == b; });
  add_comparison(rows, "ne", ne, ne, [](double a, double b) { return a != b; });
  add_comparison(rows, "lt", lt, lt, [](double a, double b) { return a < b; });
  add_comparison(rows, "le", le, le, [](double a, double b) { return a <= b; });
  add_comparison(rows, "gt", gt, gt, [](double a, double b) { return a > b; });
  add_comparison(rows, "ge", ge, ge, [](double a, double b) { return a >= b; });
  add_logic(rows);
  add_with_number(rows);
}

}  // namespace gradus::test

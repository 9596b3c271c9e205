// Rows: gradus/ops/activation.h and gradus/ops/folding.h. Values of the latter are compared with PyTorch's in
// tests/nn/further_layers_test.cpp.
#include <gradus/ops/activation.h>
#include <gradus/ops/folding.h>

#include <algorithm>
#include <cmath>

#include "ops/rows/rows_further.h"

namespace gradus::test {

namespace {

Row scaled(Row row, double scale) {
  row.scale = scale;
  return row;
}

double scaled_elu(double x, double alpha, double scale) {
  return scale * (x > 0 ? x : alpha * std::expm1(x / (scale == 1 ? alpha : 1)));
}
double ramp(double x) { return std::min(std::max(x + 3, 0.0), 6.0) / 6; }
double shrunk(double x, double by) { return x > by ? x - by : x < -by ? x + by : 0; }

void add_pointwise(Rows& rows) {
  const Domain bends{-2, 2, {0}}, steep{-5, 5, {-3, 3}};
  rows.push_back(unary_row(
      "selu", selu, [](double x) { return scaled_elu(x, 1.6732632423543772, 1.0507009873554805); }, bends));
  rows.push_back(unary_row(
      "celu", [](const Tensor& x) { return celu(x, 1.5); }, [](double x) { return scaled_elu(x, 1.5, 1); }, bends));
  rows.push_back(
      scaled(unary_row("mish", mish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, {-6, 6}), 1));
  rows.push_back(scaled(unary_row(
                            "hardswish", hardswish, [](double x) { return x * ramp(x); }, steep),
                        8));
  rows.push_back(scaled(unary_row("hardsigmoid", hardsigmoid, ramp, steep), 4));
  rows.push_back(unary_row(
      "softsign", softsign, [](double x) { return x / (1 + std::abs(x)); }, bends));
  rows.push_back(scaled(unary_row("tanhshrink", tanhshrink, [](double x) { return x - std::tanh(x); }), 2));
  rows.push_back(scaled(unary_row(
                            "softshrink", [](const Tensor& x) { return softshrink(x, 0.7); },
                            [](double x) { return shrunk(x, 0.7); }, {-2, 2, {-0.7, 0.7}}),
                        2));
  rows.push_back(unary_row(
      "hardshrink", [](const Tensor& x) { return hardshrink(x); }, [](double x) { return std::abs(x) > 0.5 ? x : 0; },
      {-2, 2, {-0.5, 0.5}}));
  rows.push_back(unary_row(
      "threshold", [](const Tensor& x) { return threshold(x, 0.3, -7); }, [](double x) { return x > 0.3 ? x : -7; },
      {-2, 2, {0.3}}));
}

// What draws numbers, which are others in another type.
Row drawn_row(const std::string& name, Function fn, std::vector<Sizes> cases, Domain domain = {}) {
  return {.name = name, .fn = std::move(fn), .cases = std::move(cases), .domains = {domain}, .ulps = 1e8, .scale = 1};
}

void add_drawn(Rows& rows) {
  rows.push_back(unary_row(
      "rrelu", [](const Tensor& x) { return rrelu(x, 0.1, 0.3); }, [](double x) { return x > 0 ? x : 0.2 * x; },
      {-2, 2, {0}}));
  rows.push_back(drawn_row("rrelu in training",
                           [](const Inputs& x) {
                             Generator generator(7);
                             return rrelu(x[0], 0.1, 0.3, true, &generator);
                           },
                           elementwise_cases(1), {-2, 2, {0}}));
  rows.push_back(drawn_row("gumbel_softmax",
                           [](const Inputs& x) {
                             Generator generator(7);
                             return gumbel_softmax(x[0], 0.7, false, 1e-10, 1, &generator);
                           },
                           {{{3, 4}}, {{0, 3}}, {{1, 1}}}));
  const auto dropped = [&](const std::string& name, auto fn) {
    rows.push_back(drawn_row(name,
                             [fn](const Inputs& x) {
                               Generator generator(5);
                               return fn(x[0], 0.4, true, &generator) * 1;
                             },
                             {{{3, 4}}, {{2, 3, 2}}, {{0, 2}}, {{1, 1}}}));
  };
  dropped("alpha_dropout", alpha_dropout);
  dropped("feature_alpha_dropout", feature_alpha_dropout);
}

}  // namespace

void add_activation_rows(Rows& rows) {
  add_pointwise(rows);
  add_drawn(rows);
  rows.push_back({.name = "glu",
                  .fn =
                      [](const Inputs& x) {
                        return glu(cat({x[0], x[1]}, 0), 0);
                      },
                  .cases = {{{3, 4}, {3, 4}}, {{0, 3}, {0, 3}}, {{1}, {1}}},
                  .reference = pointwise([](const double* x) { return x[0] / (1 + std::exp(-x[1])); }),
                  .lengths = vectors(2)});
  rows.push_back({.name = "softmin",
                  .fn = [](const Inputs& x) { return softmin(x[0], 1); },
                  .cases = {{{3, 4}}, {{0, 3}}, {{3, 0}}, {{1, 1}}},
                  .reference = along(1,
                                     [](std::vector<double> v) {
                                       double total = 0;
                                       for (double& e : v) total += e = std::exp(-e);
                                       for (double& e : v) e /= total;
                                       return v;
                                     }),
                  .ulps = 32});
}

void add_folding_rows(Rows& rows) {
  const auto add = [&](const std::string& name, std::function<Tensor(const Tensor&)> fn, std::vector<Sizes> cases,
                       Domain domain = {}) {
    rows.push_back({.name = name,
                    .fn = [fn = std::move(fn)](const Inputs& x) { return fn(x[0]); },
                    .cases = std::move(cases),
                    .domains = {domain},
                    .ulps = 64,
                    .scale = 4});
  };
  const Domain positive{0.3, 2.5};
  add("unfold", [](const Tensor& x) { return unfold(x, {2, 1}, 1, {1, 0}, {1, 2}); }, {{{2, 2, 3, 4}}, {{0, 1, 2, 2}}});
  add("unfold of one", [](const Tensor& x) { return unfold(x, 1); }, {{{1, 1, 1}}});
  add("fold", [](const Tensor& x) { return fold(x, {3, 4}, 2, 1, {1, 0}); }, {{{2, 8, 12}}, {{0, 4, 12}}});
  add("fold of one", [](const Tensor& x) { return fold(x, 1, 1); }, {{{1, 1}}});
  add(
      "lp_pool1d", [](const Tensor& x) { return lp_pool1d(x, 3, 2, 1); }, {{{2, 3, 4}}, {{0, 1, 2}}}, positive);
  add(
      "lp_pool1d of one", [](const Tensor& x) { return lp_pool1d(x, 2, 1); }, {{{1, 1, 1}}}, positive);
  add(
      "lp_pool2d", [](const Tensor& x) { return lp_pool2d(x, 2, 2); }, {{{2, 1, 4, 4}}, {{0, 1, 2, 2}}}, positive);
  add(
      "lp_pool2d of one", [](const Tensor& x) { return lp_pool2d(x, 2, 1); }, {{{1, 1, 1, 1}}}, positive);
  add(
      "lp_pool3d", [](const Tensor& x) { return lp_pool3d(x, 2, 2); }, {{{2, 1, 2, 2, 2}}, {{0, 1, 2, 2, 2}}},
      positive);
  add(
      "lp_pool3d of one", [](const Tensor& x) { return lp_pool3d(x, 2, 1); }, {{{1, 1, 1, 1, 1}}}, positive);
  add("local_response_norm", [](const Tensor& x) { return local_response_norm(x, 3, 0.5) * 1; },
      {{{2, 4, 3}}, {{2, 3, 2, 2}}, {{0, 2, 2}}, {{1, 1, 1}}});
  add("channel_shuffle", [](const Tensor& x) { return channel_shuffle(x, 2); }, {{{2, 4, 3}}, {{0, 2, 2}}});
  add("channel_shuffle by one", [](const Tensor& x) { return channel_shuffle(x, 1) * 1; }, {{{1, 1, 1}}});
}

}  // namespace gradus::test

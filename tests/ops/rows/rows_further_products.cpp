// Rows of gradus/ops/products.h. Values are in mathematics_test.cpp too; references here are other ways to the same.
#include <gradus/ops/products.h>

#include "ops/rows/rows_mathematics.h"

namespace gradus::test {

namespace {

double product_sum(const Plain& a, const Plain& b, std::size_t at_a, std::size_t step_a, std::size_t at_b,
                   std::size_t step_b, std::int64_t n) {
  double total = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(n); ++k)
    total += a.values[at_a + k * step_a] * b.values[at_b + k * step_b];
  return total;
}

// Input 0 plus the product of a matrix, input 1, and a vector, input 2.
Plain matrix_times_vector(const std::vector<Plain>& x, std::size_t first) {
  const Plain &m = x[first], &v = x[first + 1];
  Plain y = make_plain({m.sizes[0]});
  const auto n = static_cast<std::size_t>(m.sizes[1]);
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    y.values[i] = product_sum(m, v, i * n, 1, 0, 1, m.sizes[1]);
    if (first == 1) y.values[i] += x[0].values[i];
  }
  return y;
}

Plain kron_of(const std::vector<Plain>& x) {
  const Shape &a = x[0].sizes, &b = x[1].sizes;
  Plain y = make_plain({a[0] * b[0], a[1] * b[1]});
  std::size_t i = 0;
  for (const Position& p : positions(y.sizes)) {
    y.values[i++] = x[0].values[static_cast<std::size_t>(flat_index(a, {p[0] / b[0], p[1] / b[1]}))] *
                    x[1].values[static_cast<std::size_t>(flat_index(b, {p[0] % b[0], p[1] % b[1]}))];
  }
  return y;
}

Row made(const std::string& name, Function fn, std::vector<Sizes> cases, Reference reference = nullptr) {
  return {.name = name,
          .fn = std::move(fn),
          .cases = std::move(cases),
          .reference = std::move(reference),
          .ulps = 64,
          .scale = 16};
}

}  // namespace

void add_further_product_rows(Rows& rows) {
  rows.push_back(made("cross", [](const Inputs& x) { return cross(x[0], x[1], 1); },
                      {{{4, 3}, {4, 3}}, {{1, 3}, {2, 3}}, {{0, 3}, {0, 3}}}));
  rows.push_back(made("pdist", [](const Inputs& x) { return pdist(x[0]); }, {{{4, 3}}, {{0, 3}}, {{1, 1}}}));
  rows.back().broadcasts = false;
  rows.push_back(made(
      "mv", [](const Inputs& x) { return mv(x[0], x[1]); },
      {{{3, 4}, {4}}, {{0, 4}, {4}}, {{3, 0}, {0}}, {{1, 1}, {1}}},
      [](const auto& x) { return matrix_times_vector(x, 0); }));
  rows.push_back(made("vdot", [](const Inputs& x) { return vdot(x[0], x[1]); }, {{{4}, {4}}, {{0}, {0}}, {{1}, {1}}}));
  rows.push_back(made("inner", [](const Inputs& x) { return inner(x[0], x[1]); },
                      {{{2, 3}, {4, 3}}, {{0, 3}, {3}}, {{1}, {1}}, {{2, 2}, {}}}));
  rows.push_back(made(
      "addmv", [](const Inputs& x) { return addmv(x[0], x[1], x[2]); },
      {{{3}, {3, 4}, {4}}, {{0}, {0, 4}, {4}}, {{1}, {1, 1}, {1}}},
      [](const auto& x) { return matrix_times_vector(x, 1); }));
  rows.push_back(made("addr", [](const Inputs& x) { return addr(x[0], x[1], x[2], 0.5, 2); },
                      {{{3, 4}, {3}, {4}}, {{4}, {3}, {4}}, {{0, 2}, {0}, {2}}, {{1, 1}, {1}, {1}}}));
  rows.push_back(made("baddbmm", [](const Inputs& x) { return baddbmm(x[0], x[1], x[2], 0.5, 2); },
                      {{{2, 3, 2}, {2, 3, 4}, {2, 4, 2}},
                       {{3, 1}, {2, 3, 4}, {2, 4, 2}},
                       {{0, 1, 1}, {0, 1, 1}, {0, 1, 1}},
                       {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}}));
  rows.push_back(
      made("addbmm", [](const Inputs& x) { return addbmm(x[0], x[1], x[2]); },
           {{{3, 2}, {2, 3, 4}, {2, 4, 2}}, {{1, 1}, {0, 1, 1}, {0, 1, 1}}, {{1, 1}, {1, 1, 1}, {1, 1, 1}}}));
  rows.push_back(made("tensordot",
                      [](const Inputs& x) {
                        return tensordot(x[0], x[1], {1, 0}, {0, -1});
                      },
                      {{{2, 3, 2}, {3, 4, 2}}, {{0, 3}, {3, 0}}, {{1, 1}, {1, 1}}}));
  rows.push_back(made(
      "kron", [](const Inputs& x) { return kron(x[0], x[1]); }, {{{2, 3}, {3, 2}}, {{0, 3}, {2, 2}}, {{1, 1}, {1, 1}}},
      kron_of));
  rows.push_back(made("dist", [](const Inputs& x) { return dist(x[0], x[1]); },
                      {{{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{0, 3}, {3}}, {{1}, {1}}}));
  rows.back().domains = {{-2, -0.5}, {0.5, 2}};
  rows.push_back(made("cov", [](const Inputs& x) { return cov(x[0], 0); }, {{{3, 4}}, {{4}}, {{0, 3}}, {{1, 1}}}));
  rows.push_back(made("corrcoef", [](const Inputs& x) { return corrcoef(x[0]); }, {{{3, 5}}, {{0, 3}}}));
  rows.back().domains = {{-2, 2.1, {}, true}};
  rows.back().broadcasts = false;
  rows.push_back(made("diff", [](const Inputs& x) { return diff(x[0], 2, 0, x[1]); },
                      {{{4, 2}, {1, 2}}, {{0, 2}, {1, 2}}, {{1, 1}, {1, 1}}}));
  const std::vector<Sizes> lines{{{3, 4}}, {{0, 3}}, {{3, 0}}, {{1, 1}}};
  rows.push_back(made(
      "trapezoid", [](const Inputs& x) { return trapezoid(x[0], 0.5); }, lines));
  rows.push_back(made("trapezoid at points", [](const Inputs& x) { return trapezoid(x[0], x[1]); },
                      {{{3, 4}, {4}}, {{3, 4}, {3, 4}}, {{0, 2}, {2}}, {{1, 1}, {1}}}));
  rows.push_back(made(
      "cumulative_trapezoid", [](const Inputs& x) { return cumulative_trapezoid(x[0], 0.5); }, lines));
  rows.push_back(made("matrix_power", [](const Inputs& x) { return matrix_power(x[0], 3); },
                      {{{3, 3}}, {{2, 2, 2}}, {{0, 0}}, {{1, 1}}}));
  rows.push_back(made("multi_dot",
                      [](const Inputs& x) {
                        return linalg::multi_dot({x[0], x[1], x[2]});
                      },
                      {{{3, 2}, {2, 4}, {4}}, {{3}, {3, 2}, {2, 4}}, {{0, 2}, {2, 3}, {3, 1}}, {{1, 1}, {1, 1}, {1}}}));
}

}  // namespace gradus::test

// Rows: reductions, norms, running sums.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

using Values = std::vector<double>;
using Reduce = std::function<Tensor(const Tensor&, const Dims&, bool)>;

double sum_of(const Values& x) { return std::accumulate(x.begin(), x.end(), 0.0); }
double product_of(const Values& x) { return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies<>()); }
double max_of(const Values& x) { return *std::max_element(x.begin(), x.end()); }
double min_of(const Values& x) { return *std::min_element(x.begin(), x.end()); }
double mean_of(const Values& x) { return sum_of(x) / static_cast<double>(x.size()); }
double var_of(const Values& x, double correction) {
  const double m = mean_of(x);
  double total = 0;
  for (double v : x) total += (v - m) * (v - m);
  return total / std::max(0.0, static_cast<double>(x.size()) - correction);
}
double norm_of(const Values& x, double p) {
  double total = 0, largest = 0, smallest = INFINITY;
  for (double v : x) {
    total += p == 0 ? static_cast<double>(v != 0) : std::pow(std::abs(v), p);
    largest = std::max(largest, std::abs(v));
    smallest = std::min(smallest, std::abs(v));
  }
  return std::isinf(p) ? p > 0 ? largest : smallest : p == 0 ? total : std::pow(total, 1 / p);
}
double logsumexp_of(const Values& x) {
  double total = 0;
  for (double v : x) total += std::exp(v);
  return std::log(total);
}

struct Options {
  Domain domain = {};
  bool differentiable = true;
  bool whole = true;  // also over all dimensions, empty and one-element ones
  bool broadcasts = true;
  double scale = 1;
};

// Over the last dimension, the first (kept), two of them, and all.
void add_reduction(Rows& rows, const std::string& name, const Reduce& fn,
                   std::function<double(const Values&)> reference, const Options& o = {}) {
  const auto add = [&](const std::string& variant, Dims dims, bool keepdim, std::vector<int> plain_dims,
                       std::vector<Sizes> cases, std::function<Sizes(std::int64_t)> lengths) {
    rows.push_back({.name = name + variant,
                    .fn = [=](const Inputs& x) { return fn(x[0], dims, keepdim); },
                    .cases = std::move(cases),
                    .reference = reduction(std::move(plain_dims), keepdim, reference),
                    .domains = {o.domain},
                    .differentiable = o.differentiable,
                    .broadcasts = o.broadcasts,
                    .lengths = std::move(lengths),
                    .ulps = 64,
                    .scale = o.scale});
  };
  const auto last = [](std::int64_t n) { return Sizes{{n, 5}}; };  // reduces 5, keeps n
  add("", -1, false, {-1}, {{{3, 4}}, {{2, 3, 4}}, {{0, 3}}, {{1, 2}}, {{1, 1}}}, last);
  if (!o.whole) rows.back().cases.pop_back();
  add(" over the first dimension, kept", 0, true, {0}, {{{3, 4}}, {{4, 3, 2}}, {{3, 0}}, {{2, 1}}, {{1, 1}}},
      [](std::int64_t n) {
        return Sizes{{5, n}};
      });
  if (!o.whole) rows.back().cases.pop_back();
  rows.back().broadcasts = o.broadcasts && o.whole;
}

// The same over two and over all dimensions, for those that take lists.
void add_list_reduction(Rows& rows, const std::string& name, const Reduce& fn,
                        std::function<double(const Values&)> reference, const Options& o = {}) {
  add_reduction(rows, name, fn, reference, o);
  Row two{.name = name + " over two dimensions",
          .fn =
              [fn](const Inputs& x) {
                return fn(x[0], {0, 2}, false);
              },
          .cases = {{{2, 3, 4}}, {{2, 0, 3}}, {{2, 1, 2}}},
          .reference = reduction({0, 2}, false, reference),
          .domains = {o.domain},
          .differentiable = o.differentiable,
          .broadcasts = o.broadcasts,
          .lengths =
              [](std::int64_t n) {
                return Sizes{{2, n, 3}};
              },
          .ulps = 64,
          .scale = o.scale};
  if (o.whole)
    two.cases.push_back({{1, 1, 1}});
  else
    two.cases.push_back({{3, 1, 1}});
  rows.push_back(std::move(two));
}

void add_whole(Rows& rows, const std::string& name, std::function<Tensor(const Tensor&)> fn,
               std::function<double(const Values&)> reference, Domain domain = {}, bool empty = true,
               double scale = 1) {
  Row row{.name = name,
          .fn = [fn](const Inputs& x) { return fn(x[0]); },
          .cases = {{{3, 4}}, {{2, 3, 2}}, {{5}}, {{1}}, {{}}},
          .reference = reduction({}, false, reference),
          .domains = {domain},
          .lengths = [](std::int64_t n) { return Sizes{{n + 1}}; },
          .ulps = 64,
          .scale = scale};
  if (empty) row.cases.push_back({{0, 3}});
  rows.push_back(std::move(row));
}

void add_positions(Rows& rows) {
  const auto arg = [](bool largest) {
    return [largest](const Values& x) {
      const auto it = largest ? std::max_element(x.begin(), x.end()) : std::min_element(x.begin(), x.end());
      return static_cast<double>(it - x.begin());
    };
  };
  const Options options{.differentiable = false};
  add_reduction(
      rows, "argmax", [](const Tensor& x, const Dims& d, bool k) { return argmax(x, d[0], k); }, arg(true), options);
  add_reduction(
      rows, "argmin", [](const Tensor& x, const Dims& d, bool k) { return argmin(x, d[0], k); }, arg(false), options);
  add_list_reduction(
      rows, "all", [](const Tensor& x, const Dims& d, bool k) { return all(gt(x, -1), d, k); },
      [](const Values& x) { return std::all_of(x.begin(), x.end(), [](double v) { return v > -1; }); }, options);
  add_list_reduction(
      rows, "any", [](const Tensor& x, const Dims& d, bool k) { return any(gt(x, 1), d, k); },
      [](const Values& x) { return std::any_of(x.begin(), x.end(), [](double v) { return v > 1; }); }, options);
}

}  // namespace

void add_reduction_rows(Rows& rows) {
  add_list_reduction(rows, "sum", [](const Tensor& x, const Dims& d, bool k) { return sum(x, d, k); }, sum_of,
                     {.scale = 4});
  add_list_reduction(
      rows, "mean", [](const Tensor& x, const Dims& d, bool k) { return mean(x, d, k); }, mean_of);
  for (double correction : {1.0, 0.0}) {
    const std::string suffix = correction == 1 ? "" : " without correction";
    const Options options{.whole = false};
    add_list_reduction(
        rows, "var" + suffix, [=](const Tensor& x, const Dims& d, bool k) { return var(x, d, correction, k); },
        [=](const Values& x) { return var_of(x, correction); }, options);
    add_list_reduction(
        rows, "std" + suffix, [=](const Tensor& x, const Dims& d, bool k) { return std(x, d, correction, k); },
        [=](const Values& x) { return std::sqrt(var_of(x, correction)); },
        {.domain = {-2, 2, {}, true}, .whole = false});
  }
  const Domain apart{-2, 2.1, {}, true};
  add_list_reduction(rows, "amax", [](const Tensor& x, const Dims& d, bool k) { return amax(x, d, k); }, max_of,
                     {apart});
  add_list_reduction(rows, "amin", [](const Tensor& x, const Dims& d, bool k) { return amin(x, d, k); }, min_of,
                     {apart});
  add_reduction(rows, "max", [](const Tensor& x, const Dims& d, bool k) { return max(x, d[0], k).first; }, max_of,
                {apart});
  add_reduction(rows, "min", [](const Tensor& x, const Dims& d, bool k) { return min(x, d[0], k).first; }, min_of,
                {apart});
  add_reduction(rows, "prod", [](const Tensor& x, const Dims& d, bool k) { return prod(x, d[0], k); }, product_of,
                {.scale = 16});
  for (double p : {2.0, 1.0, 3.0, 1.5, 0.5, double(INFINITY), -double(INFINITY), 0.0}) {
    const Domain away{-2, 2.1, {0}, false};
    add_list_reduction(
        rows, "norm " + std::to_string(p), [p](const Tensor& x, const Dims& d, bool k) { return norm(x, p, d, k); },
        [p](const Values& x) { return norm_of(x, p); }, {.domain = away, .scale = 8});
  }
  add_list_reduction(rows, "logsumexp", [](const Tensor& x, const Dims& d, bool k) { return logsumexp(x, d, k); },
                     logsumexp_of, {.domain = {-3, 3}, .scale = 4});
  add_whole(
      rows, "sum of all", [](const Tensor& x) { return sum(x); }, sum_of, {}, true, 64);
  add_whole(
      rows, "mean of all", [](const Tensor& x) { return mean(x); }, mean_of, {}, false);
  add_whole(
      rows, "max of all", [](const Tensor& x) { return max(x); }, max_of, apart, false);
  add_whole(
      rows, "min of all", [](const Tensor& x) { return min(x); }, min_of, apart, false);
  add_whole(
      rows, "prod of all", [](const Tensor& x) { return prod(x); }, product_of, {0.99, 1.02}, true, 16);
  add_whole(
      rows, "norm of all", [](const Tensor& x) { return norm(x); }, [](const Values& x) { return norm_of(x, 2); },
      {0.2, 2}, true, 8);
  add_positions(rows);
  for (int dim : {0, -1}) {
    rows.push_back({.name = dim == 0 ? "cumsum over the first dimension" : "cumsum",
                    .fn = [dim](const Inputs& x) { return cumsum(x[0], dim); },
                    .cases = {{{3, 4}}, {{2, 3, 2}}, {{0, 3}}, {{3, 0}}, {{1}}, {{}}},
                    .reference = along(dim,
                                       [](Values x) {
                                         for (std::size_t i = 1; i < x.size(); ++i) x[i] += x[i - 1];
                                         return x;
                                       }),
                    .lengths =
                        [](std::int64_t n) {
                          return Sizes{{2, n}};
                        },
                    .ulps = 64,
                    .scale = 64});
  }
}

}  // namespace gradus::test

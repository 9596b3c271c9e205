// Rows of gradus/ops/statistics.h.
#include <gradus/ops/statistics.h>

#include <algorithm>
#include <cmath>

#include "ops/rows/rows_mathematics.h"

namespace gradus::test {

namespace {

using Numbers = std::vector<double>;

Domain apart() { return {-2, 2.1, {}, true}; }

double mean_of(const Numbers& v) {
  double total = 0;
  for (double x : v) total += x;
  return total / static_cast<double>(v.size());
}

double quantile_of(Numbers v, double q) {
  std::sort(v.begin(), v.end());
  const double place = q * static_cast<double>(v.size() - 1), low = std::floor(place);
  const auto at = static_cast<std::size_t>(low);
  return v[at] + (place - low) * (v[std::min(at + 1, v.size() - 1)] - v[at]);
}

// Along dimension 1, of elements that lie apart.
Row ordered(const std::string& name, Function fn, Reference reference) {
  return {.name = name,
          .fn = std::move(fn),
          .cases = {{{3, 5}}, {{3, 4}}, {{0, 3}}, {{1, 1}}},
          .reference = std::move(reference),
          .domains = {apart()},
          .broadcasts = false,
          .scale = 1};
}

Row reducing(const std::string& name, Function fn, std::function<double(const Numbers&)> reference) {
  return {.name = name,
          .fn = std::move(fn),
          .cases = {{{3, 5}}, {{0, 3}}, {{1, 1}}, {{2, 3, 2}}},
          .reference = reduction({1}, false, std::move(reference)),
          .ulps = 32,
          .scale = 4};
}

}  // namespace

void add_statistics_rows(Rows& rows) {
  rows.push_back(reducing(
      "count_nonzero", [](const Inputs& x) { return count_nonzero(x[0], 1); },
      [](const Numbers& v) { return static_cast<double>(v.size()); }));
  rows.back().differentiable = false;
  rows.push_back(reducing(
      "nansum", [](const Inputs& x) { return nansum(x[0], 1); },
      [](const Numbers& v) { return mean_of(v) * static_cast<double>(v.size()); }));
  rows.push_back(reducing(
      "nanmean", [](const Inputs& x) { return nanmean(x[0], 1); }, mean_of));
  rows.push_back({.name = "var_mean",
                  .fn =
                      [](const Inputs& x) {
                        const auto [v, m] = var_mean(x[0], 1, 0);
                        return v + m;
                      },
                  .cases = {{{3, 5}}, {{0, 3}}, {{1, 1}}},
                  .scale = 4});
  rows.push_back({.name = "std_mean",
                  .fn =
                      [](const Inputs& x) {
                        const auto [s, m] = std_mean(x[0], 1);
                        return s * m;
                      },
                  .cases = {{{3, 5}}, {{0, 3}}},
                  .domains = {apart()},
                  .broadcasts = false,
                  .ulps = 32,
                  .scale = 4});
  rows.push_back(ordered(
      "aminmax",
      [](const Inputs& x) {
        const auto [low, high] = aminmax(x[0], 1);
        return low * high;
      },
      reduction({1}, false, [](const Numbers& v) {
        return *std::min_element(v.begin(), v.end()) * *std::max_element(v.begin(), v.end());
      })));
  rows.push_back(ordered(
      "kthvalue", [](const Inputs& x) { return kthvalue(x[0], x[0].size(1), 1).first; },
      reduction({1}, false, [](const Numbers& v) { return *std::max_element(v.begin(), v.end()); })));
  rows.push_back(ordered(
      "nanmedian", [](const Inputs& x) { return nanmedian(x[0], 1).first; },
      reduction({1}, false, [](const Numbers& v) {
        return quantile_of(
            v, std::floor(static_cast<double>(v.size() - 1) / 2) / std::max(1.0, static_cast<double>(v.size() - 1)));
      })));
  const auto quantiles = [](const auto& fn) {
    return [fn](const Inputs& x) { return x[0].numel() == 0 ? x[0].sum(1) : fn(x[0]); };
  };
  rows.push_back(ordered("quantile", quantiles([](const Tensor& x) { return quantile(x, 0.3, 1); }),
                         reduction({1}, false, [](const Numbers& v) { return quantile_of(v, 0.3); })));
  rows.push_back(ordered("nanquantile", quantiles([](const Tensor& x) { return nanquantile(x, 0.6, 1); }),
                         reduction({1}, false, [](const Numbers& v) { return quantile_of(v, 0.6); })));
  rows.push_back({.name = "logcumsumexp",
                  .fn = [](const Inputs& x) { return logcumsumexp(x[0], 1); },
                  .cases = {{{3, 5}}, {{0, 3}}, {{3, 0}}, {{1, 1}}, {{2, 3, 2}}},
                  .reference = along(1,
                                     [](Numbers v) {
                                       double total = 0;
                                       for (double& x : v) x = std::log(total += std::exp(x));
                                       return v;
                                     }),
                  .ulps = 64,
                  .scale = 1});
  rows.push_back(ordered(
      "cummax", [](const Inputs& x) { return cummax(x[0], 1).first; }, along(1, [](Numbers v) {
        for (std::size_t i = 1; i < v.size(); ++i) v[i] = std::max(v[i], v[i - 1]);
        return v;
      })));
  rows.push_back(ordered(
      "cummin", [](const Inputs& x) { return cummin(x[0], 1).first; }, along(1, [](Numbers v) {
        for (std::size_t i = 1; i < v.size(); ++i) v[i] = std::min(v[i], v[i - 1]);
        return v;
      })));
  rows.push_back({.name = "histc",
                  .fn = [](const Inputs& x) { return histc(x[0], 4, -2, 2); },
                  .cases = {{{3, 5}}, {{0, 3}}, {{1}}},
                  .reference =
                      [](const std::vector<Plain>& in) {
                        Plain y = make_plain({4});
                        for (double x : in[0].values) ++y.values[static_cast<std::size_t>(std::min(x + 2, 3.0))];
                        return y;
                      },
                  .domains = {{-2, 2, {-1, 0, 1}}},
                  .differentiable = false});
  rows.push_back({.name = "bincount",
                  .fn = [](const Inputs& x) { return bincount(x[0].to(kInt64), x[1], 8); },
                  .cases = {{{9}, {9}}, {{0}, {0}}, {{1}, {1}}},
                  .reference =
                      [](const std::vector<Plain>& in) {
                        Plain y = make_plain({8});
                        for (std::size_t i = 0; i < in[0].values.size(); ++i)
                          y.values[static_cast<std::size_t>(in[0].values[i])] += in[1].values[i];
                        return y;
                      },
                  .domains = {{0.1, 7.9, {1, 2, 3, 4, 5, 6, 7}}, {}},
                  .differentiable = false,
                  .scale = 4});
  rows.push_back({.name = "renorm",
                  .fn = [](const Inputs& x) { return renorm(x[0], 2, 0, 2); },
                  .cases = {{{4, 3}}, {{2, 2, 2}}, {{0, 3}}, {{1, 1}}},
                  .domains = {{0.3, 2}},
                  .scale = 4});
}

}  // namespace gradus::test

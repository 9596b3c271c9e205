#include "ops/rows/rows_further.h"

#include <gradus/ops/embedding_bag.h>
#include <gradus/ops/fractional_pooling.h>
#include <gradus/ops/further.h>
#include <gradus/ops/unpooling.h>

#include <algorithm>
#include <cmath>

#include "support/device.h"

namespace gradus::test {

namespace {

Domain apart() { return {-2, 2.1, {}, true}; }

double distance(const double* a, const double* b, std::int64_t n, double eps) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += (a[i] - b[i] + eps) * (a[i] - b[i] + eps);
  return std::sqrt(sum);
}

Plain prelu_of(const std::vector<Plain>& in) {
  Plain y = in[0];
  std::size_t i = 0;
  for (const Position& p : positions(y.sizes)) {
    const std::size_t c = in[1].values.size() == 1 ? 0 : static_cast<std::size_t>(p[1]);
    if (y.values[i] <= 0) y.values[i] *= in[1].values[c];
    ++i;
  }
  return y;
}

Plain rows_apart(const std::vector<Plain>& in) {
  const std::int64_t n = in[0].sizes[1];
  Plain y = make_plain({in[0].sizes[0]});
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const auto at = static_cast<std::ptrdiff_t>(i) * n;
    y.values[i] = distance(in[0].values.data() + at, in[1].values.data() + at, n, 1e-6);
  }
  return y;
}

Plain all_apart(const std::vector<Plain>& in) {
  const std::int64_t p = in[0].sizes[0], r = in[1].sizes[0], n = in[0].sizes[1];
  Plain y = make_plain({p, r});
  for (std::int64_t i = 0; i < p; ++i)
    for (std::int64_t j = 0; j < r; ++j)
      y.values[static_cast<std::size_t>(i * r + j)] =
          distance(in[0].values.data() + i * n, in[1].values.data() + j * n, n, 0);
  return y;
}

Shape doubled(const Shape& s) { return {s[0], 2 * s[1]}; }

}  // namespace

void add_further_rows(Rows& rows) {
  const auto positions_of = [](std::initializer_list<std::int64_t> values) {
    return tensor(std::vector<std::int64_t>(values), {.device = test_device()});
  };
  rows.push_back({.name = "embedding_bag",
                  .fn =
                      [=](const Inputs& x) {
                        return embedding_bag(x[0].size(0) == 1 ? positions_of({0}) : positions_of({0, 1, 1, 0}), x[0],
                                             positions_of({0}));
                      },
                  .cases = {{{2, 3}}, {{2, 0}}, {{1, 1}}}});
  rows.push_back({.name = "embedding_bag max",
                  .fn =
                      [=](const Inputs& x) {
                        return embedding_bag(x[0].size(0) == 1 ? positions_of({0}) : positions_of({0, 1, 1, 0}), x[0],
                                             positions_of({0}), {.mode = "max"});
                      },
                  .cases = {{{2, 3}}, {{2, 0}}, {{1, 1}}},
                  .domains = {apart()},
                  .broadcasts = false});
  // Each element at every second place of the last size.
  const auto every_second = [](const Tensor& x) {
    const Tensor places = arange(0, x.size(-1), 1, {.dtype = kInt64, .device = test_device()}) * 2;
    return expand(places, x.sizes()).contiguous();
  };
  const auto unpool = [&](const char* name, Function fn, const Shape& sizes) {
    Shape empty = sizes, single = sizes;
    empty[0] = 0;
    for (int d = 0; d < single.rank(); ++d) single[d] = 1;
    rows.push_back({.name = name, .fn = std::move(fn), .cases = {{sizes}, {empty}, {single}}});
  };
  unpool("max_unpool1d", [=](const Inputs& x) { return max_unpool1d(x[0], every_second(x[0]), 2); }, {3, 4});
  unpool("max_unpool2d", [=](const Inputs& x) { return max_unpool2d(x[0], every_second(x[0]), 2); }, {3, 1, 4});
  unpool("max_unpool3d", [=](const Inputs& x) { return max_unpool3d(x[0], every_second(x[0]), 2); }, {3, 1, 1, 4});
  const auto pooled = [&](const char* name, Function fn, const Shape& sizes) {
    unpool(name, std::move(fn), sizes);
    rows.back().domains = {apart()};
    rows.back().broadcasts = false;
  };
  pooled("max_pool1d_with_indices", [](const Inputs& x) { return max_pool1d_with_indices(x[0], 2, 1, 1).first; },
         {2, 6});
  pooled("max_pool2d_with_indices", [](const Inputs& x) { return max_pool2d_with_indices(x[0], 2, 1, 1).first; },
         {2, 4, 4});
  pooled("max_pool3d_with_indices", [](const Inputs& x) { return max_pool3d_with_indices(x[0], 2, 1, 1).first; },
         {2, 2, 4, 2});
  pooled("adaptive_max_pool1d_with_indices",
         [](const Inputs& x) { return adaptive_max_pool1d_with_indices(x[0], 1).first; }, {2, 6});
  pooled("adaptive_max_pool2d_with_indices",
         [](const Inputs& x) { return adaptive_max_pool2d_with_indices(x[0], 1).first; }, {2, 4, 4});
  pooled("adaptive_max_pool3d_with_indices",
         [](const Inputs& x) { return adaptive_max_pool3d_with_indices(x[0], 1).first; }, {2, 2, 4, 2});
  const auto small = [](const Tensor& x) { return x.size(-1) == 1; };
  const auto drawn = [](const Tensor& x, std::int64_t dims) {
    return full({1, x.size(0), dims}, 0.3, {.dtype = x.dtype(), .device = x.device()});
  };
  const auto fractional2d = [=](const Inputs& x) {
    return fractional_max_pool2d_with_indices(
        x[0], small(x[0]) ? 1 : 2, {.output_size = Spatial<2>(small(x[0]) ? 1 : 2), .random_samples = drawn(x[0], 2)});
  };
  const auto fractional3d = [=](const Inputs& x) {
    return fractional_max_pool3d_with_indices(
        x[0], small(x[0]) ? 1 : 2, {.output_size = Spatial<3>(small(x[0]) ? 1 : 2), .random_samples = drawn(x[0], 3)});
  };
  pooled("fractional_max_pool2d_with_indices", [=](const Inputs& x) { return fractional2d(x).first; }, {2, 4, 4});
  pooled("fractional_max_pool3d_with_indices", [=](const Inputs& x) { return fractional3d(x).first; }, {2, 3, 4, 3});
  pooled("fractional_max_pool2d",
         [=](const Inputs& x) {
           return fractional_max_pool2d(
               x[0], 1, {.output_size = Spatial<2>(small(x[0]) ? 1 : 3), .random_samples = drawn(x[0], 2)});
         },
         {2, 4, 4});
  pooled("fractional_max_pool3d",
         [=](const Inputs& x) {
           return fractional_max_pool3d(
               x[0], 1, {.output_size = Spatial<3>(small(x[0]) ? 1 : 3), .random_samples = drawn(x[0], 3)});
         },
         {2, 3, 4, 3});
  rows.push_back({.name = "prelu",
                  .fn = [](const Inputs& x) { return prelu(x[0], x[1]); },
                  .cases = {{{2, 3, 2}, {3}}, {{4, 2}, {1}}, {{0, 3}, {3}}, {{1}, {1}}},
                  .reference = prelu_of,
                  .domains = {{-2, 2, {0}}, {}}});
  Row angle =
      binary_row("atan2", atan2, [](double y, double x) { return std::atan2(y, x); }, {-2, 2, {0}}, {-2, 2, {0}});
  rows.push_back(angle);
  rows.push_back({.name = "cumprod",
                  .fn = [](const Inputs& x) { return cumprod(x[0], 1); },
                  .cases = {{{3, 4}}, {{0, 2}}, {{2, 0}}, {{1, 1}}, {{2, 3, 2}}},
                  .reference = along(1, [](std::vector<double> v) {
                    for (std::size_t i = 1; i < v.size(); ++i) v[i] *= v[i - 1];
                    return v;
                  })});
  rows.push_back({.name = "median",
                  .fn = [](const Inputs& x) { return median(x[0], 1).first; },
                  .cases = {{{3, 5}}, {{3, 4}}, {{0, 3}}, {{1, 1}}},
                  .reference = reduction({1}, false,
                                         [](const std::vector<double>& v) {
                                           std::vector<double> sorted = v;
                                           std::sort(sorted.begin(), sorted.end());
                                           return sorted[(sorted.size() - 1) / 2];
                                         }),
                  .domains = {apart()}});
  rows.push_back({.name = "pairwise_distance",
                  .fn = [](const Inputs& x) { return pairwise_distance(x[0], x[1]); },
                  .cases = {{{3, 4}, {3, 4}}, {{0, 2}, {0, 2}}, {{1, 1}, {1, 1}}},
                  .reference = rows_apart,
                  .domains = {{-2, -0.5}, {0.5, 2}},
                  .broadcasts = false});
  rows.push_back({.name = "cdist",
                  .fn = [](const Inputs& x) { return cdist(x[0], x[1]); },
                  .cases = {{{3, 4}, {2, 4}}, {{0, 2}, {3, 2}}, {{1, 1}, {1, 1}}},
                  .reference = all_apart,
                  .domains = {{-2, -0.5}, {0.5, 2}},
                  .broadcasts = false});
  rows.push_back({.name = "repeat_interleave",
                  .fn = [](const Inputs& x) { return repeat_interleave(x[0], 2, 1); },
                  .cases = {{{3, 2}}, {{0, 2}}, {{1, 1}}},
                  .reference = rearranged(doubled, [](const Position& p, const Shape&) {
                    return Position{p[0], p[1] / 2};
                  })});
  rows.push_back({.name = "meshgrid",
                  .fn =
                      [](const Inputs& x) {
                        return meshgrid({x[0], x[1]}, "ij")[0] * meshgrid({x[0], x[1]})[1];
                      },
                  .cases = {{{3}, {2}}, {{0}, {2}}, {{1}, {1}}},
                  .reference =
                      [](const std::vector<Plain>& in) {
                        Plain y = make_plain({in[0].sizes[0], in[1].sizes[0]});
                        std::size_t i = 0;
                        for (double a : in[0].values)
                          for (double b : in[1].values) y.values[i++] = a * b;
                        return y;
                      }});
}

}  // namespace gradus::test

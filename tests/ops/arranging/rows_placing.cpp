#include <algorithm>

#include <gradus/ops/grid_sampling.h>
#include <gradus/ops/placing.h>

#include "ops/arranging/rows_arranging.h"
#include "support/device.h"

namespace gradus::test {

namespace {

// Their values are those of PyTorch: arranging_trace_test.cpp.
Row row(const std::string& name, Function fn, std::vector<Sizes> cases) {
  return {.name = name, .fn = std::move(fn), .cases = std::move(cases)};
}

Tensor on_device(const std::vector<std::int64_t>& values, const Shape& sizes) {
  return tensor(values, sizes, {.device = test_device()});
}

// Two positions below n, or the only one.
Tensor few(std::int64_t n) { return n == 1 ? on_device({0}, {1}) : on_device({2, 0}, {2}); }

// Positions in [0, n), repeating.
Tensor many(const Shape& sizes, std::int64_t n) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::int64_t>((i * i + i / 2) % static_cast<std::size_t>(n));
  return on_device(values, sizes);
}

void add_along_a_dimension(Rows& rows) {
  rows.push_back(row("index_copy", [](const Inputs& x) { return index_copy(x[0], 1, few(x[0].size(1)), x[1]); },
                     {{{3, 4}, {3, 2}}, {{0, 4}, {0, 2}}, {{1, 1}, {1, 1}}}));
  rows.push_back(row("index_fill", [](const Inputs& x) { return index_fill(x[0], 1, few(x[0].size(1)), x[1]); },
                     {{{3, 4}, {}}, {{0, 4}, {}}, {{1, 1}, {}}}));
  rows.push_back(row("index_put", [](const Inputs& x) { return index_put(x[0], {few(x[0].size(0))}, x[1]); },
                     {{{3, 4}, {2, 4}}, {{3, 0}, {2, 0}}, {{1, 1}, {1, 1}}}));
  rows.push_back(row("index_put accumulate",
                     [](const Inputs& x) {
                       return index_put(x[0], {on_device({1, 1}, {2})}, x[1], true);
                     },
                     {{{3, 4}, {2, 4}}}));
  rows.push_back(row("take_along_dim",
                     [](const Inputs& x) {
                       return take_along_dim(x[0], many({1, 5}, x[0].size(1)), 1);
                     },
                     {{{3, 4}}, {{0, 4}}, {{1, 1}}}));
  rows.push_back(row("slice_scatter", [](const Inputs& x) { return slice_scatter(x[0], x[1], 1, {}, {}, 2); },
                     {{{2, 5}, {2, 3}}, {{0, 5}, {0, 3}}, {{1, 1}, {1, 1}}}));
  rows.push_back(row("select_scatter", [](const Inputs& x) { return select_scatter(x[0], x[1], 1, -1); },
                     {{{2, 3}, {2}}, {{0, 3}, {0}}, {{1, 1}, {1}}}));
}

void add_anywhere(Rows& rows) {
  rows.push_back(row("masked_scatter",
                     [](const Inputs& x) { return masked_scatter(x[0], pattern_mask(x[0].sizes()), x[1]); },
                     {{{3, 4}, {12}}, {{0, 4}, {0}}, {{1, 1}, {1}}}));
  rows.push_back(row("take",
                     [](const Inputs& x) {
                       return take(x[0], many({x[0].numel() == 0 ? 0 : 2, 3}, std::max<std::int64_t>(x[0].numel(), 1)));
                     },
                     {{{3, 4}}, {{0, 4}}, {{1, 1}}}));
  rows.push_back(row("put",
                     [](const Inputs& x) {
                       return put(x[0], x[1].numel() == 2 ? on_device({-1, 0}, {2}) : many(x[1].sizes(), 1), x[1]);
                     },
                     {{{3, 4}, {2}}, {{0, 4}, {0}}, {{1, 1}, {1}}}));
  rows.push_back(row("put accumulate",
                     [](const Inputs& x) { return put(x[0], many(x[1].sizes(), x[0].numel()), x[1], true); },
                     {{{3, 4}, {2, 5}}}));
}

void add_reductions(Rows& rows) {
  for (const std::string reduce : {"sum", "prod", "mean", "amax", "amin"}) {
    for (const bool own : {true, false}) {
      const std::string end = " " + reduce + (own ? "" : " alone");
      Row scattered = row(
          "scatter_reduce" + end,
          [=](const Inputs& x) { return scatter_reduce(x[0], 1, many(x[1].sizes(), x[0].size(1)), x[1], reduce, own); },
          {{{3, 4}, {3, 5}}, {{0, 4}, {0, 5}}, {{1, 1}, {1, 1}}});
      Row indexed = row(
          "index_reduce" + end,
          [=](const Inputs& x) { return index_reduce(x[0], 0, many({x[1].size(0)}, x[0].size(0)), x[1], reduce, own); },
          {{{3, 2}, {5, 2}}, {{3, 0}, {5, 0}}, {{1, 1}, {1, 1}}});
      for (Row* made : {&scattered, &indexed}) {
        made->domains = {{-2, 2, {}, true}};
        made->broadcasts = false;
      }
      rows.push_back(scattered);
      if (reduce != "sum") rows.push_back(indexed);
    }
  }
}

void add_grids(Rows& rows) {
  rows.push_back(row("affine_grid",
                     [](const Inputs& x) {
                       return affine_grid(x[0], {x[0].size(0), 1, 3, 4});
                     },
                     {{{2, 2, 3}}, {{0, 2, 3}}}));
  rows.back().scale = 4;  // of the sum of three products
  for (const bool corners : {false, true}) {
    for (const std::string padding : {"zeros", "border", "reflection"}) {
      Row sampled = row("grid_sample " + padding + (corners ? " corners" : ""),
                        [=](const Inputs& x) { return grid_sample(x[0], x[1], "bilinear", padding, corners); },
                        {{{1, 2, 3, 4}, {1, 2, 3, 2}}, {{0, 2, 3, 4}, {0, 2, 3, 2}}, {{1, 2, 3, 4}, {1, 0, 3, 2}}});
      sampled.domains = {{}, {0.05, 0.2}};  // between the centres of the same elements
      rows.push_back(sampled);
    }
  }
}

}  // namespace

void add_placing_rows(Rows& rows) {
  add_along_a_dimension(rows);
  add_anywhere(rows);
  add_reductions(rows);
  add_grids(rows);
}

}  // namespace gradus::test

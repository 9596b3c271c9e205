// Rows: pooling.
#include <gradus/ops/pooling.h>

#include <algorithm>
#include <limits>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

// Along one dimension.
struct Axis {
  std::int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
};

struct Pool {
  std::vector<Axis> axes = {};
  bool maximum = true, ceil = false, count_padding = true;
  std::int64_t divisor = 0;
  std::vector<std::int64_t> adaptive = {};  // sizes of the result, instead of the axes
};

std::size_t at(std::int64_t d) { return static_cast<std::size_t>(d); }

// The positions that output `o` of `n` reads, those of the padding too, as PyTorch's documentation defines them.
std::vector<std::int64_t> window(const Pool& p, int d, std::int64_t in, std::int64_t o) {
  std::vector<std::int64_t> found;
  if (!p.adaptive.empty()) {
    const std::int64_t n = p.adaptive[at(d)];
    for (std::int64_t i = 0; i < in; ++i)
      if (i * n >= o * in - (n - 1) && (i + 1) * n > o * in && i * n < (o + 1) * in) found.push_back(i);
    return found;
  }
  const Axis& a = p.axes[at(d)];
  for (std::int64_t k = 0; k < a.kernel; ++k) {
    const std::int64_t i = o * a.stride - a.padding + k * a.dilation;
    if (i < in + a.padding) found.push_back(i);
  }
  return found;
}

std::int64_t out_size(const Pool& p, int d, std::int64_t in) {
  if (!p.adaptive.empty()) return p.adaptive[at(d)];
  const Axis& a = p.axes[at(d)];
  std::int64_t n = 0;  // windows that begin within the input or its first padding, and end where they may
  for (std::int64_t o = 0;; ++o) {
    const std::int64_t begin = o * a.stride - a.padding, end = begin + a.dilation * (a.kernel - 1) + 1;
    const std::int64_t before = end - a.stride;  // where the one before ended
    const bool fits = p.ceil ? begin < in && (end <= in + a.padding || before < in + a.padding) : end <= in + a.padding;
    if (!fits) return n;
    ++n;
  }
}

Reference pooled(const Pool& p) {
  return [p](const std::vector<Plain>& inputs) {
    const Plain& x = inputs[0];
    const int n = static_cast<int>(p.adaptive.empty() ? p.axes.size() : p.adaptive.size());
    const int outer = x.sizes.rank() - n;
    Shape sizes = x.sizes;
    for (int d = 0; d < n; ++d) sizes[outer + d] = out_size(p, d, x.sizes[outer + d]);
    Plain y = make_plain(sizes);
    std::size_t next = 0;
    for (const Position& to : positions(sizes)) {
      std::vector<Position> from{Position(to.begin(), to.begin() + outer)};
      for (int d = 0; d < n; ++d) {
        std::vector<Position> longer;
        for (const Position& start : from) {
          for (std::int64_t i : window(p, d, x.sizes[outer + d], to[at(outer + d)])) {
            longer.push_back(start);
            longer.back().push_back(i);
          }
        }
        from = longer;
      }
      double sum = 0, best = -std::numeric_limits<double>::infinity();
      std::int64_t real = 0;
      for (const Position& place : from) {
        bool inside = true;
        for (int d = 0; d < n; ++d)
          inside = inside && place[at(outer + d)] >= 0 && place[at(outer + d)] < x.sizes[outer + d];
        if (!inside) continue;
        const double value = x.values[at(flat_index(x.sizes, place))];
        sum += value;
        best = std::max(best, value);
        ++real;
      }
      const auto all = static_cast<std::int64_t>(from.size());
      const auto count = static_cast<double>(p.divisor != 0 ? p.divisor : p.count_padding ? all : real);
      y.values[next++] = p.maximum ? best : sum / count;
    }
    return y;
  };
}

// Values are far apart: equal ones within a window would have no slope.
void add(Rows& rows, const std::string& name, std::function<Tensor(const Tensor&)> fn, std::vector<Sizes> cases,
         const Pool& p) {
  rows.push_back({.name = name,
                  .fn = [fn](const Inputs& x) { return fn(x[0]); },
                  .cases = std::move(cases),
                  .reference = pooled(p),
                  .domains = {{.distinct = true}},
                  .scale = 8});
}

}  // namespace

void add_pooling_rows(Rows& rows) {
  const std::vector<Sizes> one = {{{2, 3, 9}}, {{1, 1, 1}}, {{0, 2, 4}}, {{3, 7}}};
  const std::vector<Sizes> two = {{{2, 2, 5, 6}}, {{1, 1, 1, 1}}, {{0, 2, 4, 4}}, {{2, 4, 7}}};
  const std::vector<Sizes> three = {{{1, 2, 3, 4, 5}}, {{1, 1, 1, 1, 1}}, {{0, 2, 3, 3, 3}}, {{2, 2, 3, 4}}};
  const std::vector<Sizes> large = {{{1, 2, 21, 37}}};  // rows longer than a vector

  for (std::int64_t k : {1, 2}) {
    const std::string tail = k == 1 ? " of one" : "";
    const auto sized = [k](std::vector<Sizes> cases) {
      if (k > 1) std::erase_if(cases, [](const Sizes& s) { return s[0].numel() == 1; });
      return cases;
    };
    const Pool max1{.axes = {{k, k}}}, max2{.axes = {{k, k}, {k, k}}}, max3{.axes = {{k, k}, {k, k}, {k, k}}};
    const auto mean = [](Pool p) {
      p.maximum = false;
      return p;
    };
    add(
        rows, "max_pool1d" + tail, [k](const Tensor& x) { return max_pool1d(x, k); }, sized(one), max1);
    add(
        rows, "max_pool2d" + tail, [k](const Tensor& x) { return max_pool2d(x, k); }, sized(two), max2);
    add(
        rows, "max_pool3d" + tail, [k](const Tensor& x) { return max_pool3d(x, k); }, sized(three), max3);
    add(
        rows, "avg_pool1d" + tail, [k](const Tensor& x) { return avg_pool1d(x, k); }, sized(one), mean(max1));
    add(
        rows, "avg_pool2d" + tail, [k](const Tensor& x) { return avg_pool2d(x, k); }, sized(two), mean(max2));
    add(
        rows, "avg_pool3d" + tail, [k](const Tensor& x) { return avg_pool3d(x, k); }, sized(three), mean(max3));
  }
  const std::vector<Sizes> wide = {two[0], two[3], large[0]};
  add(rows, "max_pool2d padding and dilation",
      [](const Tensor& x) {
        return max_pool2d(x, {2, 3}, Spatial<2>{1, 2}, {1, 1}, {2, 1});
      },
      wide, {.axes = {{2, 1, 1, 2}, {3, 2, 1, 1}}});
  add(rows, "max_pool2d ceil", [](const Tensor& x) { return max_pool2d(x, 3, 2, 1, 1, true); }, wide,
      {.axes = {{3, 2, 1}, {3, 2, 1}}, .ceil = true});
  add(rows, "max_pool2d far apart", [](const Tensor& x) { return max_pool2d(x, 2, 3, 0, 1, true); }, wide,
      {.axes = {{2, 3}, {2, 3}}, .ceil = true});
  add(rows, "max_pool1d overlapping", [](const Tensor& x) { return max_pool1d(x, 3, 1, 1); }, {one[0], {{1, 67}}},
      {.axes = {{3, 1, 1}}});
  for (bool count : {true, false}) {
    add(rows, count ? "avg_pool2d padding" : "avg_pool2d padding left out",
        [count](const Tensor& x) {
          return avg_pool2d(x, {3, 2}, Spatial<2>{2, 1}, {1, 1}, true, count);
        },
        wide, {.axes = {{3, 2, 1}, {2, 1, 1}}, .maximum = false, .ceil = true, .count_padding = count});
  }
  add(rows, "avg_pool2d divisor", [](const Tensor& x) { return avg_pool2d(x, 3, 2, 1, false, true, 5); }, wide,
      {.axes = {{3, 2, 1}, {3, 2, 1}}, .maximum = false, .divisor = 5});

  add(rows, "adaptive_max_pool1d", [](const Tensor& x) { return adaptive_max_pool1d(x, 4); }, one, {.adaptive = {4}});
  add(rows, "adaptive_max_pool2d",
      [](const Tensor& x) {
        return adaptive_max_pool2d(x, {3, 1});
      },
      two, {.adaptive = {3, 1}});
  add(rows, "adaptive_max_pool3d",
      [](const Tensor& x) {
        return adaptive_max_pool3d(x, {2, 3, 2});
      },
      three, {.adaptive = {2, 3, 2}});
  const auto mean = [](std::vector<std::int64_t> sizes) {
    return Pool{.maximum = false, .adaptive = std::move(sizes)};
  };
  add(
      rows, "adaptive_avg_pool1d", [](const Tensor& x) { return adaptive_avg_pool1d(x, 4); }, one, mean({4}));
  add(
      rows, "adaptive_avg_pool2d",
      [](const Tensor& x) {
        return adaptive_avg_pool2d(x, {3, 2});
      },
      two, mean({3, 2}));
  add(
      rows, "adaptive_avg_pool2d global", [](const Tensor& x) { return adaptive_avg_pool2d(x, 1); }, wide,
      mean({1, 1}));
  add(
      rows, "adaptive_avg_pool3d",
      [](const Tensor& x) {
        return adaptive_avg_pool3d(x, {2, 3, 2});
      },
      three, mean({2, 3, 2}));
}

}  // namespace gradus::test

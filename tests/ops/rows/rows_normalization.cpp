// Rows: normalisation.
#include <gradus/ops/normalization.h>

#include <cmath>

#include "ops/op_table.h"
#include "support/device.h"

namespace gradus::test {

namespace {

constexpr double kEps = 0.1;  // large, so that nearly equal inputs have moderate slopes

// The moments that an element takes part in, and the weight that scales it.
struct Parts {
  std::function<std::int64_t(const Position&, const Shape&)> moment, weight;
};

Reference normalized(const Parts& parts) {
  return [parts](const std::vector<Plain>& in) {
    const Plain& x = in[0];
    Plain y = make_plain(x.sizes);
    std::vector<std::vector<double>> groups(x.values.size());
    const auto all = positions(x.sizes);
    const auto group = [&](std::size_t i) -> std::vector<double>& {
      return groups[static_cast<std::size_t>(parts.moment(all[i], x.sizes))];
    };
    for (std::size_t i = 0; i < all.size(); ++i) group(i).push_back(x.values[i]);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::vector<double>& members = group(i);
      double mean = 0, var = 0;
      for (double v : members) mean += v / static_cast<double>(members.size());
      for (double v : members) var += (v - mean) * (v - mean) / static_cast<double>(members.size());
      const auto k = static_cast<std::size_t>(parts.weight(all[i], x.sizes));
      y.values[i] = (x.values[i] - mean) / std::sqrt(var + kEps) * (in.size() > 1 ? in[1].values[k] : 1) +
                    (in.size() > 2 ? in[2].values[k] : 0);
    }
    return y;
  };
}

const Tensor& part(const Inputs& x, std::size_t i) {
  static const Tensor none;
  return x.size() > i ? x[i] : none;
}

std::int64_t channel(const Position& p, const Shape&) { return p[1]; }

Row row(const std::string& name, Function fn, std::vector<Sizes> cases, const Parts& parts) {
  return {.name = name,
          .fn = std::move(fn),
          .cases = std::move(cases),
          .reference = normalized(parts),
          .ulps = 64,
          .scale = 16};
}

Tensor statistics(std::int64_t channels, double first, Dtype dtype) {
  std::vector<double> values;
  for (std::int64_t c = 0; c < channels; ++c) values.push_back(first + 0.25 * static_cast<double>(c));
  return tensor(values, {.dtype = dtype, .device = test_device()});
}

void add_batch_rows(Rows& rows) {
  const std::vector<Sizes> cases = {
      {{3, 2, 2, 3}, {2}, {2}}, {{4, 3}, {3}, {3}}, {{2, 3, 4}}, {{0, 2, 2}, {2}, {2}}, {{2, 1, 40}, {1}}};
  rows.push_back(
      row("batch_norm",
          [](const Inputs& x) { return batch_norm(x[0], Tensor(), Tensor(), part(x, 1), part(x, 2), true, 0.1, kEps); },
          cases, {channel, channel}));
  rows.back().lengths = [](std::int64_t n) { return Sizes{{n + 2, n % 67 + 1}, {n % 67 + 1}, {n % 67 + 1}}; };
  rows.back().scale = 256;
  // With given moments each element stands alone.
  const auto scaled = [](const std::vector<Plain>& in) {
    Plain y = in[0];
    std::size_t i = 0;
    for (const Position& p : positions(y.sizes)) {
      const auto c = static_cast<std::size_t>(p[1]);
      const double mean = -0.5 + 0.25 * static_cast<double>(c), var = 0.5 + 0.25 * static_cast<double>(c);
      y.values[i] = (y.values[i] - mean) / std::sqrt(var + kEps) * (in.size() > 1 ? in[1].values[c] : 1) +
                    (in.size() > 2 ? in[2].values[c] : 0);
      ++i;
    }
    return y;
  };
  std::vector<Sizes> more = cases;
  more.push_back({{1, 1}, {1}, {1}});
  Row fixed = row("batch_norm evaluation",
                  [](const Inputs& x) {
                    const std::int64_t c = x[0].size(1);
                    return batch_norm(x[0], statistics(c, -0.5, x[0].dtype()), statistics(c, 0.5, x[0].dtype()),
                                      part(x, 1), part(x, 2), false, 0.1, kEps);
                  },
                  more, {});
  fixed.reference = scaled;
  rows.push_back(fixed);
  std::erase_if(more, [](const Sizes& s) { return s[0].rank() < 3; });
  more.push_back({{1, 1, 1}, {1}, {1}});
  fixed.name = "instance_norm with given moments";
  fixed.cases = more;
  fixed.fn = [](const Inputs& x) {
    const std::int64_t c = x[0].size(1);
    return instance_norm(x[0], statistics(c, -0.5, x[0].dtype()), statistics(c, 0.5, x[0].dtype()), part(x, 1),
                         part(x, 2), false, 0.1, kEps);
  };
  rows.push_back(fixed);
}

Plain root_mean_square(const std::vector<Plain>& in) {
  Plain y = in[0];
  const auto n = static_cast<std::size_t>(y.sizes[y.sizes.rank() - 1]);
  for (std::size_t first = 0; first < y.values.size(); first += n) {
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += in[0].values[first + i] * in[0].values[first + i];
    const double root = std::sqrt(squares / static_cast<double>(n) + kEps);
    for (std::size_t i = 0; i < n; ++i) y.values[first + i] *= (in.size() > 1 ? in[1].values[i] : 1) / root;
  }
  return y;
}

}  // namespace

void add_normalization_rows(Rows& rows) {
  add_batch_rows(rows);
  rows.push_back(row(
      "instance_norm",
      [](const Inputs& x) { return instance_norm(x[0], Tensor(), Tensor(), part(x, 1), part(x, 2), true, 0.1, kEps); },
      {{{2, 3, 2, 3}, {3}, {3}}, {{2, 2, 5}}, {{0, 2, 2}, {2}, {2}}},
      {[](const Position& p, const Shape& s) { return p[0] * s[1] + p[1]; }, channel}));
  rows.push_back(row("layer_norm",
                     [](const Inputs& x) { return layer_norm(x[0], {x[0].size(-1)}, part(x, 1), part(x, 2), kEps); },
                     {{{3, 5}, {5}, {5}}, {{2, 2, 4}, {4}}, {{1}, {1}, {1}}, {{0, 3}, {3}, {3}}, {{6}}},
                     {[](const Position& p, const Shape& s) {
                        std::int64_t at = 0;
                        for (int d = 0; d + 1 < s.rank(); ++d) at = at * s[d] + p[static_cast<std::size_t>(d)];
                        return at;
                      },
                      [](const Position& p, const Shape&) { return p.back(); }}));
  rows.back().lengths = [](std::int64_t n) { return Sizes{{2, n}, {n}, {n}}; };
  rows.back().scale = 64;
  rows.push_back({.name = "rms_norm",
                  .fn = [](const Inputs& x) { return rms_norm(x[0], {x[0].size(-1)}, part(x, 1), kEps); },
                  .cases = {{{3, 5}, {5}}, {{2, 2, 4}, {4}}, {{1}, {1}}, {{0, 3}, {3}}, {{3, 0}, {0}}, {{6}}},
                  .reference = root_mean_square,
                  .lengths =
                      [](std::int64_t n) {
                        return Sizes{{2, n}, {n}};
                      },
                  .ulps = 64,
                  .scale = 16});
  rows.push_back(row("layer_norm of two dimensions",
                     [](const Inputs& x) {
                       return layer_norm(x[0], {x[0].size(-2), x[0].size(-1)}, part(x, 1), part(x, 2), kEps);
                     },
                     {{{3, 2, 3}, {2, 3}, {2, 3}}},
                     {[](const Position& p, const Shape&) { return p[0]; },
                      [](const Position& p, const Shape& s) { return p[1] * s[2] + p[2]; }}));
  const auto group = [](const Position& p, const Shape& s) { return p[0] * 2 + p[1] / (s[1] / 2); };
  rows.push_back(row("group_norm", [](const Inputs& x) { return group_norm(x[0], 2, part(x, 1), part(x, 2), kEps); },
                     {{{2, 4, 2, 3}, {4}, {4}}, {{3, 6}, {6}, {6}}, {{2, 2, 5}}, {{0, 2, 2}, {2}, {2}}},
                     {group, channel}));
}

}  // namespace gradus::test

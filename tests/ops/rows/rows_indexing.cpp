// Rows: joining, rearranging, picking and placing elements; dropout.
#include <gradus/random.h>

#include <algorithm>
#include <cmath>

#include "ops/op_table.h"
#include "support/device.h"

namespace gradus::test {

namespace {

const std::vector<Sizes> kMatrices = {{{3, 4}}, {{0, 4}}, {{1, 1}}};

Row row(const std::string& name, Function fn, std::vector<Sizes> cases, Reference reference = nullptr) {
  return {.name = name, .fn = std::move(fn), .cases = std::move(cases), .reference = std::move(reference)};
}

Reference moved(std::function<Position(const Position&, const Shape&)> source) {
  return rearranged([](const Shape& s) { return s; }, std::move(source));
}

// Positions in [0, n), repeating, as an int64 tensor of the given sizes.
Tensor places(const Shape& sizes, std::int64_t n) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::int64_t>((i * i + i / 2) % static_cast<std::size_t>(n));
  return tensor(values, sizes, {.device = test_device()});
}
std::size_t place(std::size_t i, std::int64_t n) { return (i * i + i / 2) % static_cast<std::size_t>(n); }

Reference triangle(bool lower, std::int64_t diagonal) {
  return [=](const std::vector<Plain>& inputs) {
    Plain y = inputs[0];
    std::size_t next = 0;
    for (const Position& p : positions(y.sizes)) {
      const std::int64_t across = p[p.size() - 1] - p[p.size() - 2];
      if (lower ? across > diagonal : across < diagonal) y.values[next] = 0;
      ++next;
    }
    return y;
  };
}

void add_joining(Rows& rows) {
  rows.push_back(row(
      "cat", [](const Inputs& x) { return cat(x, 1); },
      {{{2, 3}, {2, 1}, {2, 2}}, {{0, 3}, {0, 1}, {0, 2}}, {{2, 0}, {2, 3}, {2, 1}}, {{1, 1}, {1, 1}, {1, 1}}},
      [](const std::vector<Plain>& x) {
        Shape sizes = x[0].sizes;
        sizes[1] += x[1].sizes[1] + x[2].sizes[1];
        Plain y{sizes, {}};
        for (std::int64_t i = 0; i < sizes[0]; ++i)
          for (const Plain& part : x)
            for (std::int64_t j = 0; j < part.sizes[1]; ++j)
              y.values.push_back(part.values[static_cast<std::size_t>(i * part.sizes[1] + j)]);
        return y;
      }));
  rows.push_back(row(
      "stack", [](const Inputs& x) { return stack(x, -1); }, {{{2, 3}, {2, 3}}, {{0, 3}, {0, 3}}, {{}, {}}},
      [](const std::vector<Plain>& x) {
        Shape sizes = x[0].sizes;
        sizes.push_back(2);
        Plain y{sizes, {}};
        for (std::size_t i = 0; i < x[0].values.size(); ++i)
          for (const Plain& part : x) y.values.push_back(part.values[i]);
        return y;
      }));
  rows.push_back(row(
      "flip",
      [](const Inputs& x) {
        return flip(x[0], {0, -1});
      },
      kMatrices, moved([](const Position& p, const Shape& s) {
        return Position{s[0] - 1 - p[0], s[1] - 1 - p[1]};
      })));
  rows.push_back(row(
      "roll",
      [](const Inputs& x) {
        return roll(x[0], {1, -2}, {0, 1});
      },
      kMatrices, moved([](const Position& p, const Shape& s) {
        return Position{(p[0] + s[0] - 1) % s[0], (p[1] + 2) % s[1]};
      })));
  rows.push_back(row(
      "repeat",
      [](const Inputs& x) {
        return repeat(x[0], {2, 1, 3});
      },
      kMatrices,
      rearranged(
          [](const Shape& s) {
            return Shape{2, s[0], 3 * s[1]};
          },
          [](const Position& p, const Shape& s) {
            return Position{p[1], p[2] % s[1]};
          })));
  const std::vector<Sizes> triangles = {{{4, 3}}, {{2, 3, 4}}, {{0, 3}}, {{1, 1}}};
  for (std::int64_t d : {0, 1, -1}) {
    rows.push_back(row(
        "tril " + std::to_string(d), [d](const Inputs& x) { return tril(x[0], d); }, triangles, triangle(true, d)));
    rows.push_back(row(
        "triu " + std::to_string(d), [d](const Inputs& x) { return triu(x[0], d); }, triangles, triangle(false, d)));
  }
}

void add_picking(Rows& rows) {
  rows.push_back(row(
      "gather",
      [](const Inputs& x) {
        return gather(x[0], 1, places({x[0].size(0), 5}, x[0].size(1)));
      },
      kMatrices,
      [](const std::vector<Plain>& x) {
        const std::int64_t n = x[0].sizes[1];
        Plain y = make_plain({x[0].sizes[0], 5});
        for (std::size_t i = 0; i < y.values.size(); ++i)
          y.values[i] = x[0].values[i / 5 * static_cast<std::size_t>(n) + place(i, n)];
        return y;
      }));
  rows.push_back(row(
      "index_select", [](const Inputs& x) { return index_select(x[0], 1, places({5}, x[0].size(1))); }, kMatrices,
      rearranged(
          [](const Shape& s) {
            return Shape{s[0], 5};
          },
          [](const Position& p, const Shape& s) {
            return Position{p[0], static_cast<std::int64_t>(place(static_cast<std::size_t>(p[1]), s[1]))};
          })));
  const std::vector<Sizes> sources = {{{3, 4}, {3, 5}}, {{0, 4}, {0, 5}}, {{1, 1}, {1, 1}}};
  rows.push_back(row(
      "scatter_add", [](const Inputs& x) { return scatter_add(x[0], 1, places(x[1].sizes(), x[0].size(1)), x[1]); },
      sources,
      [](const std::vector<Plain>& x) {
        Plain y = x[0];
        const auto n = y.sizes[1];
        for (std::size_t i = 0; i < x[1].values.size(); ++i)
          y.values[i / static_cast<std::size_t>(x[1].sizes[1]) * static_cast<std::size_t>(n) + place(i, n)] +=
              x[1].values[i];
        return y;
      }));
  // Each place written once: which of several stays is not defined.
  rows.push_back(row(
      "scatter",
      [](const Inputs& x) {
        std::vector<std::int64_t> back;
        for (std::int64_t i = 0; i < x[1].size(0); ++i)
          for (std::int64_t j = 0; j < x[1].size(1); ++j) back.push_back(x[0].size(1) - 1 - j);
        return scatter(x[0], 1, tensor(back, x[1].sizes(), {.device = x[1].device()}), x[1]);
      },
      {{{3, 4}, {3, 2}}, {{0, 4}, {0, 2}}, {{1, 1}, {1, 1}}},
      [](const std::vector<Plain>& x) {
        Plain y = x[0];
        for (const Position& p : positions(x[1].sizes)) {
          const Position to{p[0], y.sizes[1] - 1 - p[1]};
          y.values[static_cast<std::size_t>(flat_index(y.sizes, to))] =
              x[1].values[static_cast<std::size_t>(flat_index(x[1].sizes, p))];
        }
        return y;
      }));
  rows.push_back(row(
      "index_add", [](const Inputs& x) { return index_add(x[0], 1, places({x[1].size(1)}, x[0].size(1)), x[1]); },
      sources,
      [](const std::vector<Plain>& x) {
        Plain y = x[0];
        for (const Position& p : positions(x[1].sizes)) {
          const Position to{p[0], static_cast<std::int64_t>(place(static_cast<std::size_t>(p[1]), y.sizes[1]))};
          y.values[static_cast<std::size_t>(flat_index(y.sizes, to))] +=
              x[1].values[static_cast<std::size_t>(flat_index(x[1].sizes, p))];
        }
        return y;
      }));
  rows.push_back(row(
      "index numbers and ranges",
      [](const Inputs& x) {
        return index(x[0], {Slice{{}, {}, 2}, None, Index(std::int64_t{-1})});
      },
      kMatrices,
      rearranged(
          [](const Shape& s) {
            return Shape{(s[0] + 1) / 2, 1};
          },
          [](const Position& p, const Shape& s) {
            return Position{2 * p[0], s[1] - 1};
          })));
  rows.push_back(row(
      "index tensors",
      [](const Inputs& x) {
        return index(x[0], {Ellipsis, places({5}, x[0].size(-1))});
      },
      kMatrices,
      rearranged(
          [](const Shape& s) {
            return Shape{s[0], 5};
          },
          [](const Position& p, const Shape& s) {
            return Position{p[0], static_cast<std::int64_t>(place(static_cast<std::size_t>(p[1]), s[1]))};
          })));
  rows.push_back(row("index two tensors",
                     [](const Inputs& x) {
                       return index(x[0], {places({2, 3}, x[0].size(0)), places({3}, x[0].size(1))});
                     },
                     {{{3, 4}}, {{2, 3, 2}}, {{1, 1}}, {{2, 3, 0}}}));
  rows.push_back(row(
      "index mask", [](const Inputs& x) { return index(x[0], {pattern_mask(x[0].sizes())}); }, kMatrices));
}

Reference masked(double fill) {
  return [fill](const std::vector<Plain>& inputs) {
    Plain y = inputs[0];
    for (std::size_t i = 0; i < y.values.size(); ++i)
      if (i % 3 == 1) y.values[i] = fill;
    return y;
  };
}

void add_masks(Rows& rows) {
  Row fill = row(
      "masked_fill", [](const Inputs& x) { return masked_fill(x[0], pattern_mask(x[0].sizes()), 7); },
      elementwise_cases(1), masked(7));
  fill.lengths = vectors(1);
  rows.push_back(fill);
  rows.push_back(row(
      "masked_select", [](const Inputs& x) { return masked_select(x[0], pattern_mask(x[0].sizes())); },
      elementwise_cases(1),
      [](const std::vector<Plain>& x) {
        Plain y;
        for (std::size_t i = 1; i < x[0].values.size(); i += 3) y.values.push_back(x[0].values[i]);
        y.sizes = {static_cast<std::int64_t>(y.values.size())};
        return y;
      }));
}

}  // namespace

void add_indexing_rows(Rows& rows) {
  add_joining(rows);
  add_picking(rows);
  add_masks(rows);
  rows.push_back(row(
      "embedding",
      [](const Inputs& x) {
        return embedding(places({2, 3}, x[0].size(0)), x[0]);
      },
      {{{4, 3}}, {{4, 0}}, {{1, 1}}},
      rearranged(
          [](const Shape& s) {
            return Shape{2, 3, s[1]};
          },
          [](const Position& p, const Shape& s) {
            const auto i = static_cast<std::size_t>(p[0] * 3 + p[1]);
            return Position{static_cast<std::int64_t>(place(i, s[0])), p[2]};
          })));
  Row drop = row(
      "dropout",
      [](const Inputs& x) {
        Generator generator(3);
        return dropout(x[0], 0.4, true, &generator);
      },
      elementwise_cases(1));
  rows.push_back(drop);
  rows.push_back(row(
      "dropout outside training", [](const Inputs& x) { return mul(dropout(x[0], 0.4, false), 1); },
      elementwise_cases(1), pointwise([](const double* x) { return x[0]; })));
}

}  // namespace gradus::test

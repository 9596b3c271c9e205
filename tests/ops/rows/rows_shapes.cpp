// Rows: views, joining and rearranging.
#include <algorithm>
#include <numeric>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

const std::vector<Sizes> kMatrices = {{{3, 4}}, {{0, 4}}, {{1, 1}}};
const std::vector<Sizes> kStacks = {{{2, 3, 4}}, {{0, 3, 4}}, {{1, 1, 1}}};

using ShapeOf = std::function<Shape(const Shape&)>;
using Source = std::function<Position(const Position&, const Shape&)>;

Row move_row(const std::string& name, std::function<Tensor(const Tensor&)> fn, std::vector<Sizes> cases, ShapeOf sizes,
             Source source) {
  return {.name = name,
          .fn = [fn](const Inputs& x) { return fn(x[0]); },
          .cases = std::move(cases),
          .reference = rearranged(std::move(sizes), std::move(source))};
}

// Keeps the elements' order.
Row resize_row(const std::string& name, std::function<Tensor(const Tensor&)> fn, std::vector<Sizes> cases,
               ShapeOf sizes) {
  return {.name = name,
          .fn = [fn](const Inputs& x) { return fn(x[0]); },
          .cases = std::move(cases),
          .reference =
              [sizes](const std::vector<Plain>& x) {
                return Plain{sizes(x[0].sizes), x[0].values};
              }};
}

// Joins what came in parts again, each scaled by its place so that the parts cannot be mixed up.
Tensor weighed_join(const std::vector<Tensor>& parts, std::int64_t dim) {
  std::vector<Tensor> scaled;
  for (const Tensor& x : parts) scaled.push_back(mul(x, static_cast<double>(scaled.size() + 1)));
  return cat(scaled, dim);
}

// What weighed_join gives for pieces of the given lengths along `dim` (0 or the last).
Reference joined(std::function<std::vector<std::int64_t>(std::int64_t)> lengths, bool last) {
  return [=](const std::vector<Plain>& inputs) {
    Plain y = inputs[0];
    const std::int64_t size = last ? y.sizes.back() : y.sizes[0];
    std::vector<double> weight;
    double part = 1;
    for (std::int64_t n : lengths(size)) {
      weight.insert(weight.end(), static_cast<std::size_t>(n), part);
      part += 1;
    }
    std::size_t next = 0;
    for (const Position& p : positions(y.sizes))
      y.values[next++] *= weight[static_cast<std::size_t>(last ? p.back() : p[0])];
    return y;
  };
}

Row parts_row(const std::string& name, std::function<std::vector<Tensor>(const Tensor&)> fn, std::vector<Sizes> cases,
              std::function<std::vector<std::int64_t>(std::int64_t)> lengths, bool last) {
  return {.name = name,
          .fn = [=](const Inputs& x) { return weighed_join(fn(x[0]), last ? -1 : 0); },
          .cases = std::move(cases),
          .reference = joined(std::move(lengths), last)};
}

std::vector<std::int64_t> pieces(std::int64_t size, std::int64_t piece) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < size; i += piece) lengths.push_back(std::min(piece, size - i));
  return lengths;
}

Shape unchanged(const Shape& s) { return s; }
Shape swapped(const Shape& s) { return {s[1], s[0]}; }
Position swapped_position(const Position& p, const Shape&) { return {p[1], p[0]}; }

void add_views(Rows& rows) {
  const auto all_in_one = [](const Shape& s) { return Shape{s.numel()}; };
  const std::vector<Sizes> any_sizes = {{{3, 4}}, {{2, 3, 2}}, {{0, 3}}, {{1}}, {{}}};
  rows.push_back(resize_row("alias", alias, any_sizes, unchanged));
  // view needs fitting strides; the other layouts are reshape's.
  rows.push_back(resize_row(
      "view", [](const Tensor& x) { return view(x.contiguous(), {x.numel()}); }, any_sizes, all_in_one));
  rows.push_back(resize_row(
      "view with a size left open",
      [](const Tensor& x) {
        return view(x.contiguous(), {-1, 2});
      },
      {{{3, 4}}, {{2, 1}}},
      [](const Shape& s) {
        return Shape{s.numel() / 2, 2};
      }));
  rows.back().cases.push_back({{0, 2}});
  rows.back().fn = [](const Inputs& x) { return view(x[0].contiguous(), {-1, x[0].numel() == 1 ? 1 : 2}); };
  rows.back().cases.push_back({{1, 1}});
  rows.back().reference = [](const std::vector<Plain>& x) {
    const std::int64_t n = x[0].sizes.numel();
    return Plain{n == 1 ? Shape{1, 1} : Shape{n / 2, 2}, x[0].values};
  };
  rows.push_back(resize_row(
      "reshape", [](const Tensor& x) { return reshape(x, {x.numel()}); }, any_sizes, all_in_one));
  rows.push_back(resize_row(
      "flatten", [](const Tensor& x) { return flatten(x); }, any_sizes, all_in_one));
  rows.push_back(resize_row(
      "flatten some", [](const Tensor& x) { return flatten(x, 1); }, kStacks,
      [](const Shape& s) {
        return Shape{s[0], s[1] * s[2]};
      }));
  rows.push_back(resize_row(
      "unflatten",
      [](const Tensor& x) {
        return unflatten(x, -1, {x.size(-1), 1});
      },
      kMatrices,
      [](const Shape& s) {
        return Shape{s[0], s[1], 1};
      }));
  rows.push_back(resize_row(
      "squeeze", [](const Tensor& x) { return squeeze(x); }, {{{3, 1, 4}}, {{0, 1}}, {{1, 1}}},
      [](const Shape& s) {
        Shape kept;
        for (std::int64_t d : s)
          if (d != 1) kept.push_back(d);
        return kept;
      }));
  rows.push_back(resize_row(
      "squeeze one", [](const Tensor& x) { return squeeze(x, 1); }, {{{3, 1, 4}}, {{0, 1, 1}}, {{1, 1, 1}}},
      [](const Shape& s) {
        return Shape{s[0], s[2]};
      }));
  rows.push_back(resize_row(
      "unsqueeze", [](const Tensor& x) { return unsqueeze(x, -1); }, kMatrices,
      [](const Shape& s) {
        return Shape{s[0], s[1], 1};
      }));
  rows.push_back(move_row(
      "transpose", [](const Tensor& x) { return transpose(x, 0, -1); }, kMatrices, swapped, swapped_position));
  rows.push_back(move_row("t", t, kMatrices, swapped, swapped_position));
  rows.push_back(move_row(
      "permute",
      [](const Tensor& x) {
        return permute(x, {2, 0, 1});
      },
      kStacks,
      [](const Shape& s) {
        return Shape{s[2], s[0], s[1]};
      },
      [](const Position& p, const Shape&) {
        return Position{p[1], p[2], p[0]};
      }));
  rows.push_back(move_row(
      "expand",
      [](const Tensor& x) {
        return expand(x, {2, -1, 3});
      },
      {{{4, 1}}, {{0, 1}}, {{1, 1}}},
      [](const Shape& s) {
        return Shape{2, s[0], 3};
      },
      [](const Position& p, const Shape&) {
        return Position{p[1], 0};
      }));
  rows.push_back(move_row(
      "slice", [](const Tensor& x) { return slice(x, 1, 1, -1, 2); }, {{{3, 7}}, {{0, 7}}, {{1, 3}}},
      [](const Shape& s) {
        return Shape{s[0], (s[1] - 1) / 2};
      },
      [](const Position& p, const Shape&) {
        return Position{p[0], 1 + 2 * p[1]};
      }));
  rows.back().cases.push_back({{1, 1}});
  rows.push_back(move_row(
      "select", [](const Tensor& x) { return select(x, 1, -1); }, kMatrices, [](const Shape& s) { return Shape{s[0]}; },
      [](const Position& p, const Shape& s) {
        return Position{p[0], s[1] - 1};
      }));
  rows.push_back(move_row(
      "narrow", [](const Tensor& x) { return narrow(x, 1, x.size(1) > 2 ? 1 : 0, x.size(1) > 2 ? 2 : 1); }, kMatrices,
      [](const Shape& s) {
        return Shape{s[0], s[1] > 2 ? 2 : 1};
      },
      [](const Position& p, const Shape& s) {
        return Position{p[0], p[1] + (s[1] > 2 ? 1 : 0)};
      }));
}

}  // namespace

void add_shape_rows(Rows& rows) {
  add_views(rows);
  const std::vector<Sizes> lengths = {{{3, 5}}, {{0, 5}}, {{1, 1}}};
  rows.push_back(parts_row(
      "split", [](const Tensor& x) { return split(x, 2, 1); }, lengths, [](std::int64_t n) { return pieces(n, 2); },
      true));
  rows.push_back(parts_row(
      "split by sizes",
      [](const Tensor& x) {
        return split(x, std::vector<std::int64_t>{1, x.size(1) - 1}, 1);
      },
      lengths,
      [](std::int64_t n) {
        return std::vector<std::int64_t>{1, n - 1};
      },
      true));
  rows.push_back(parts_row(
      "chunk", [](const Tensor& x) { return chunk(x, 3, -1); }, lengths,
      [](std::int64_t n) { return pieces(n, (n + 2) / 3); }, true));
  rows.push_back(parts_row(
      "unbind",
      [](const Tensor& x) {
        std::vector<Tensor> rows_of_x;
        for (const Tensor& r : unbind(x)) rows_of_x.push_back(unsqueeze(r, 0));
        return rows_of_x;
      },
      {{{3, 4}}, {{2, 0}}, {{1, 1}}}, [](std::int64_t n) { return pieces(n, 1); }, false));
}

}  // namespace gradus::test

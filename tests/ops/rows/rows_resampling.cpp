// Rows: padding, resizing, rearranging of images; dropout of channels.
#include <gradus/ops/resampling.h>
#include <gradus/random.h>

#include <algorithm>
#include <cmath>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

using One = std::function<Tensor(const Tensor&)>;

Row row(const std::string& name, const One& fn, std::vector<Sizes> cases, Reference reference = nullptr) {
  return {.name = name,
          .fn = [fn](const Inputs& x) { return fn(x[0]); },
          .cases = std::move(cases),
          .reference = std::move(reference),
          .scale = 4};
}

// Padding of the last two dimensions by {before, after} each; `source` maps a position to one inside, or to -1.
Reference padded(std::vector<std::int64_t> p, double value,
                 std::function<std::int64_t(std::int64_t, std::int64_t)> source) {
  return [=](const std::vector<Plain>& in) {
    const Plain& x = in[0];
    Shape sizes = x.sizes;
    const int rank = sizes.rank();
    for (int k = 0; k < 2; ++k)
      sizes[rank - 1 - k] += p[static_cast<std::size_t>(2 * k)] + p[static_cast<std::size_t>(2 * k + 1)];
    Plain y = make_plain(sizes);
    std::size_t next = 0;
    for (Position at : positions(sizes)) {
      bool inside = true;
      for (int k = 0; k < 2; ++k) {
        std::int64_t& i = at[static_cast<std::size_t>(rank - 1 - k)];
        i = source(i - p[static_cast<std::size_t>(2 * k)], x.sizes[rank - 1 - k]);
        inside = inside && i >= 0;
      }
      y.values[next++] = inside ? x.values[static_cast<std::size_t>(flat_index(x.sizes, at))] : value;
    }
    return y;
  };
}

void add_pad_rows(Rows& rows) {
  const auto inside = [](std::int64_t i, std::int64_t n) { return i >= 0 && i < n ? i : -1; };
  const std::vector<Sizes> cases = {{{2, 3, 4}}, {{4, 3}}, {{1, 1}}, {{0, 3}}, {{1, 2, 3, 5}}};
  rows.push_back(row(
      "pad",
      [](const Tensor& x) {
        return pad(x, {1, 2, 0, 3}, "constant", 2.5);
      },
      cases, padded({1, 2, 0, 3}, 2.5, inside)));
  rows.push_back(row(
      "pad taking away",
      [](const Tensor& x) {
        return pad(x, {-1, 2, 1, -2});
      },
      {{{2, 3, 4}}, {{4, 3}}}, padded({-1, 2, 1, -2}, 0, inside)));
  const std::vector<Sizes> larger = {{{2, 3, 4}}, {{4, 3}}, {{0, 3, 3}}};
  rows.push_back(row(
      "pad reflect",
      [](const Tensor& x) {
        return pad(x, {1, 2, 2, 0}, "reflect");
      },
      larger, padded({1, 2, 2, 0}, 0, [](std::int64_t i, std::int64_t n) {
        return i < 0 ? -i : i < n ? i : 2 * n - 2 - i;
      })));
  rows.push_back(row(
      "pad replicate",
      [](const Tensor& x) {
        return pad(x, {3, 1, 0, 2}, "replicate");
      },
      larger, padded({3, 1, 0, 2}, 0, [](std::int64_t i, std::int64_t n) {
        return std::min(std::max<std::int64_t>(i, 0), n - 1);
      })));
  rows.push_back(row(
      "pad circular",
      [](const Tensor& x) {
        return pad(x, {1, 2, 0, 3}, "circular");
      },
      larger, padded({1, 2, 0, 3}, 0, [](std::int64_t i, std::int64_t n) { return (i + n) % n; })));
}

// [C r r, H, W] and [C, H r, W r] behind any outer dimensions; r = 2.
Position shuffled(const Position& at, const Shape& from) {
  Position source = at;
  const std::size_t n = at.size();
  source[n - 3] = (at[n - 3] * 2 + at[n - 2] % 2) * 2 + at[n - 1] % 2;
  source[n - 2] = at[n - 2] / 2;
  source[n - 1] = at[n - 1] / 2;
  static_cast<void>(from);
  return source;
}
Position unshuffled(const Position& at, const Shape& from) {
  Position source = at;
  const std::size_t n = at.size();
  source[n - 3] = at[n - 3] / 4;
  source[n - 2] = at[n - 2] * 2 + at[n - 3] / 2 % 2;
  source[n - 1] = at[n - 1] * 2 + at[n - 3] % 2;
  static_cast<void>(from);
  return source;
}
std::function<Shape(const Shape&)> scaled(bool shuffle) {
  return [shuffle](const Shape& from) {
    Shape to = from;
    const int n = from.rank();
    to[n - 3] = shuffle ? from[n - 3] / 4 : from[n - 3] * 4;
    to[n - 2] = shuffle ? from[n - 2] * 2 : from[n - 2] / 2;
    to[n - 1] = shuffle ? from[n - 1] * 2 : from[n - 1] / 2;
    return to;
  };
}

void add_interpolate_rows(Rows& rows) {
  const auto add = [&](const std::string& name, const InterpolateOptions& options, std::vector<Sizes> cases,
                       Reference reference = nullptr) {
    rows.push_back(row(
        "interpolate " + name, [options](const Tensor& x) { return interpolate(x, options); }, std::move(cases),
        std::move(reference)));
  };
  const std::vector<Sizes> two = {{{2, 2, 3, 4}}, {{1, 1, 1, 1}}, {{0, 1, 2, 2}}, {{1, 2, 7, 5}}};
  add("nearest", {.size = {5, 3}}, two,
      rearranged(
          [](const Shape& s) {
            return Shape{s[0], s[1], 5, 3};
          },
          [](const Position& p, const Shape& s) {
            return Position{p[0], p[1], p[2] * s[2] / 5, p[3] * s[3] / 3};
          }));
  add("bilinear", {.size = {5, 3}, .mode = "bilinear"}, two, [](const std::vector<Plain>& in) {
    const Plain& x = in[0];
    Plain y = make_plain({x.sizes[0], x.sizes[1], 5, 3});
    std::size_t next = 0;
    for (const Position& p : positions(y.sizes)) {
      // The hat function around the point that the centre of the result's pixel comes from.
      const auto weight = [&](std::size_t d, std::int64_t i) {
        const auto n = static_cast<double>(x.sizes[static_cast<int>(d)]), m = d == 2 ? 5.0 : 3.0;
        const double c = std::clamp((static_cast<double>(p[d]) + 0.5) * n / m - 0.5, 0.0, n - 1);
        return std::max(0.0, 1 - std::abs(c - static_cast<double>(i)));
      };
      double sum = 0;
      for (std::int64_t i = 0; i < x.sizes[2]; ++i)
        for (std::int64_t j = 0; j < x.sizes[3]; ++j)
          sum +=
              weight(2, i) * weight(3, j) * x.values[static_cast<std::size_t>(flat_index(x.sizes, {p[0], p[1], i, j}))];
      y.values[next++] = sum;
    }
    return y;
  });
  add("bilinear aligned", {.scale_factor = {2.0, 1.5}, .mode = "bilinear", .align_corners = true}, two);
  add("bicubic", {.size = {4, 7}, .mode = "bicubic"}, two);
  add("linear", {.scale_factor = {1.7}, .mode = "linear"}, {{{2, 2, 5}}, {{1, 1, 1}}});
  add("trilinear", {.size = {3}, .mode = "trilinear"}, {{{1, 1, 2, 4, 3}}});
}

}  // namespace

void add_resampling_rows(Rows& rows) {
  add_pad_rows(rows);
  add_interpolate_rows(rows);
  rows.push_back(row(
      "pixel_shuffle", [](const Tensor& x) { return pixel_shuffle(x, 2); },
      {{{2, 8, 2, 3}}, {{4, 1, 2}}, {{0, 4, 1, 1}}}, rearranged(scaled(true), shuffled)));
  rows.push_back(row("pixel_shuffle by one", [](const Tensor& x) { return pixel_shuffle(x, 1) * 1; }, {{{1, 1, 1}}}));
  rows.push_back(row(
      "pixel_unshuffle", [](const Tensor& x) { return pixel_unshuffle(x, 2); },
      {{{2, 2, 4, 2}}, {{1, 2, 2}}, {{0, 1, 2, 2}}}, rearranged(scaled(false), unshuffled)));
  rows.push_back(
      row("pixel_unshuffle by one", [](const Tensor& x) { return pixel_unshuffle(x, 1) * 1; }, {{{1, 1, 1}}}));

  const auto dropped = [&](const std::string& name, auto fn, std::vector<Sizes> cases) {
    rows.push_back(row(
        name,
        [fn](const Tensor& x) {
          Generator generator(7);
          return fn(x, 0.4, true, &generator);
        },
        std::move(cases)));
  };
  dropped("dropout1d", dropout1d, {{{3, 4, 2}}, {{4, 3}}, {{1, 1}}, {{0, 2, 2}}});
  dropped("dropout2d", dropout2d, {{{3, 4, 2, 2}}, {{1, 1, 1, 1}}, {{0, 2, 2, 2}}});
  dropped("dropout3d", dropout3d, {{{3, 4, 2, 1, 2}}, {{3, 2, 2, 2}}, {{1, 1, 1, 1}}, {{0, 2, 1, 2, 2}}});
}

}  // namespace gradus::test

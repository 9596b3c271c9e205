// Rows: convolutions and transposed convolutions.
#include <gradus/ops/convolution.h>

#include "ops/op_table.h"

namespace gradus::test {

namespace {

// The arguments of a convolution, as the formulas of gradus/ops/convolution.h name them.
struct Arguments {
  std::vector<std::int64_t> stride{1, 1, 1}, before{0, 0, 0}, dilation{1, 1, 1};
  std::int64_t groups = 1;
};

std::size_t at(int d) { return static_cast<std::size_t>(d); }

// Calls visit(sample, out channel, in channel, output position, input position, weight's index) for every product of a
// convolution of x [N, C, ...] into `out`, the weight being [C_out, C / groups, kernel...].
template <class Visit>
void for_products(const Shape& x, const Shape& w, const Shape& out, const Arguments& a, Visit&& visit) {
  Shape space = out;
  for (int d = 2; d < w.rank(); ++d) space.push_back(w[d]);
  space[1] = w[0];
  space.insert(2, w[1]);
  const int n = out.rank() - 2;
  for (const Position& p : positions(space)) {
    const std::int64_t group = p[1] / (w[0] / a.groups);
    Position from{p[0], group * w[1] + p[2]}, weight{p[1], p[2]}, to{p[0], p[1]};
    bool inside = true;
    for (int d = 0; d < n; ++d) {
      const std::int64_t o = p[at(3 + d)], k = p[at(3 + n + d)];
      const std::int64_t i = o * a.stride[at(d)] - a.before[at(d)] + k * a.dilation[at(d)];
      inside = inside && i >= 0 && i < x[2 + d];
      from.push_back(i);
      weight.push_back(k);
      to.push_back(o);
    }
    if (inside) visit(to, from, flat_index(w, weight));
  }
}

// `out`: from x's sizes and the weight's.
Reference convolved(std::function<Shape(const Shape&, const Shape&)> out, Arguments a) {
  return [=](const std::vector<Plain>& in) {
    Plain y = make_plain(out(in[0].sizes, in[1].sizes));
    for (const Position& p : positions(y.sizes))
      if (in.size() > 2)
        y.values[at(static_cast<int>(flat_index(y.sizes, p)))] = in[2].values[at(static_cast<int>(p[1]))];
    for_products(in[0].sizes, in[1].sizes, y.sizes, a, [&](const Position& to, const Position& from, std::int64_t w) {
      y.values[at(static_cast<int>(flat_index(y.sizes, to)))] +=
          in[0].values[at(static_cast<int>(flat_index(in[0].sizes, from)))] * in[1].values[at(static_cast<int>(w))];
    });
    return y;
  };
}

// The transposed one: its x is where the convolution has its result.
Reference transposed(std::function<Shape(const Shape&, const Shape&)> out, Arguments a) {
  return [=](const std::vector<Plain>& in) {
    Plain y = make_plain(out(in[0].sizes, in[1].sizes));
    for (const Position& p : positions(y.sizes))
      if (in.size() > 2)
        y.values[at(static_cast<int>(flat_index(y.sizes, p)))] = in[2].values[at(static_cast<int>(p[1]))];
    for_products(y.sizes, in[1].sizes, in[0].sizes, a, [&](const Position& from, const Position& to, std::int64_t w) {
      y.values[at(static_cast<int>(flat_index(y.sizes, to)))] +=
          in[0].values[at(static_cast<int>(flat_index(in[0].sizes, from)))] * in[1].values[at(static_cast<int>(w))];
    });
    return y;
  };
}

const Tensor& bias_of(const Inputs& x) {
  static const Tensor none;
  return x.size() > 2 ? x[2] : none;
}

Row row(const std::string& name, Function fn, std::vector<Sizes> cases, Reference reference) {
  return {.name = name, .fn = std::move(fn), .cases = std::move(cases), .reference = std::move(reference), .scale = 32};
}

void add_plain(Rows& rows) {
  const auto out1 = [](const Shape& x, const Shape& w) {
    return Shape{x[0], w[0], (x[2] + 2 - 2 * (w[2] - 1) - 1) / 2 + 1};
  };
  rows.push_back(row(
      "conv1d", [](const Inputs& x) { return conv1d(x[0], x[1], bias_of(x), 2, 1, 2); },
      {{{2, 3, 8}, {2, 3, 3}, {2}}, {{1, 1, 1}, {1, 1, 1}}, {{0, 2, 5}, {3, 2, 2}, {3}}},
      convolved(out1, {.stride = {2}, .before = {1}, .dilation = {2}})));
  const auto out2 = [](const Shape& x, const Shape& w) { return Shape{x[0], w[0], x[2] - w[2] + 1, x[3] - w[3] + 1}; };
  rows.push_back(row(
      "conv2d", [](const Inputs& x) { return conv2d(x[0], x[1], bias_of(x)); },
      {{{2, 3, 5, 4}, {2, 3, 3, 2}, {2}},
       {{1, 1, 1, 1}, {1, 1, 1, 1}, {1}},
       {{0, 2, 4, 4}, {3, 2, 2, 2}},
       {{2, 2, 3, 3}, {3, 2, 1, 1}}},
      convolved(out2, {})));
  const auto strided = [](const Shape& x, const Shape& w) {
    return Shape{x[0], w[0], (x[2] + 2 - 2 * (w[2] - 1) - 1) / 2 + 1, (x[3] + 4 - w[3]) / 3 + 1};
  };
  rows.push_back(row(
      "conv2d groups, stride, padding and dilation",
      [](const Inputs& x) {
        return conv2d(x[0], x[1], bias_of(x), {2, 3}, {1, 2}, {2, 1}, 2);
      },
      {{{2, 4, 6, 5}, {6, 2, 3, 3}, {6}}, {{1, 2, 4, 3}, {2, 1, 2, 2}}},
      convolved(strided, {.stride = {2, 3}, .before = {1, 2}, .dilation = {2, 1}, .groups = 2})));
  const auto same = [](const Shape& x, const Shape& w) { return Shape{x[0], w[0], x[2], x[3]}; };
  rows.push_back(row(
      "conv2d same",
      [](const Inputs& x) {
        return conv2d(x[0], x[1], bias_of(x), 1, "same", {1, 3});
      },
      {{{2, 2, 4, 5}, {2, 2, 4, 2}, {2}}}, convolved(same, {.before = {1, 1}, .dilation = {1, 3}})));
  const auto out3 = [](const Shape& x, const Shape& w) {
    return Shape{x[0], w[0], x[2] + 3 - w[2], (x[3] - w[3]) / 2 + 1, x[4] - w[4] + 1};
  };
  rows.push_back(row(
      "conv3d",
      [](const Inputs& x) {
        return conv3d(x[0], x[1], bias_of(x), {1, 2, 1}, {1, 0, 0});
      },
      {{{1, 2, 2, 4, 3}, {2, 2, 3, 2, 2}, {2}}, {{1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}}, {{0, 1, 2, 2, 2}, {1, 1, 1, 1, 1}}},
      convolved(out3, {.stride = {1, 2, 1}, .before = {1, 0, 0}})));
}

void add_transposed(Rows& rows) {
  const auto out1 = [](const Shape& x, const Shape& w) { return Shape{x[0], w[1], (x[2] - 1) * 2 + w[2]}; };
  rows.push_back(row(
      "conv_transpose1d", [](const Inputs& x) { return conv_transpose1d(x[0], x[1], bias_of(x), 2); },
      {{{2, 3, 4}, {3, 2, 3}, {2}}, {{1, 1, 1}, {1, 1, 1}}, {{0, 2, 3}, {2, 1, 2}, {1}}},
      transposed(out1, {.stride = {2}})));
  const auto out2 = [](const Shape& x, const Shape& w) {
    return Shape{x[0], w[1] * 2, (x[2] - 1) * 2 - 2 + w[2] - 1 + 2, (x[3] - 1) * 3 + 2 * (w[3] - 1) + 3};
  };
  rows.push_back(row(
      "conv_transpose2d groups, stride, padding and dilation",
      [](const Inputs& x) {
        return conv_transpose2d(x[0], x[1], bias_of(x), {2, 3}, {1, 0}, {1, 2}, 2, {1, 2});
      },
      {{{2, 4, 3, 2}, {4, 3, 3, 2}, {6}}, {{1, 2, 2, 2}, {2, 1, 2, 2}}},
      transposed(out2, {.stride = {2, 3}, .before = {1, 0}, .dilation = {1, 2}, .groups = 2})));
  const auto plain = [](const Shape& x, const Shape& w) { return Shape{x[0], w[1], x[2] + w[2] - 1, x[3] + w[3] - 1}; };
  rows.push_back(row(
      "conv_transpose2d", [](const Inputs& x) { return conv_transpose2d(x[0], x[1], bias_of(x)); },
      {{{2, 2, 3, 2}, {2, 3, 2, 2}, {3}}, {{1, 1, 1, 1}, {1, 1, 1, 1}}, {{0, 2, 3, 3}, {2, 1, 2, 2}}},
      transposed(plain, {})));
  const auto out3 = [](const Shape& x, const Shape& w) {
    return Shape{x[0], w[1], x[2] + w[2] - 1, (x[3] - 1) * 2 + w[3], x[4] + w[4] - 1};
  };
  rows.push_back(row(
      "conv_transpose3d",
      [](const Inputs& x) {
        return conv_transpose3d(x[0], x[1], bias_of(x), {1, 2, 1});
      },
      {{{1, 2, 2, 2, 2}, {2, 2, 2, 2, 1}, {2}}, {{1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}}, {{0, 1, 2, 2, 2}, {1, 1, 1, 1, 1}}},
      transposed(out3, {.stride = {1, 2, 1}})));
}

}  // namespace

void add_convolution_rows(Rows& rows) {
  add_plain(rows);
  add_transposed(rows);
}

}  // namespace gradus::test

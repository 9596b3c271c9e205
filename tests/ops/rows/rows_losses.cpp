// Rows: the losses of gradus/nn/functional.h.
#include <gradus/nn/functional.h>

#include <algorithm>
#include <cmath>

#include "ops/op_table.h"
#include "support/device.h"

namespace gradus::test {

namespace {

using namespace nn;
namespace f = nn::functional;

constexpr Reduction kReductions[] = {Reduction::None, Reduction::Mean, Reduction::Sum};
const char* suffix(Reduction r) { return r == Reduction::None ? "" : r == Reduction::Mean ? " mean" : " sum"; }

// Cases for inputs of equal sizes; the mean of nothing is not a number.
std::vector<Sizes> loss_cases(std::size_t inputs, Reduction r) {
  std::vector<Sizes> cases = {Sizes(inputs, {3, 4}), Sizes(inputs, {1})};
  if (r != Reduction::Mean) cases.push_back(Sizes(inputs, {0, 3}));
  return cases;
}

Reference reduced(std::function<double(double, double)> loss, Reduction r) {
  return [=](const std::vector<Plain>& x) {
    Plain y = x[0];
    double total = 0;
    for (std::size_t i = 0; i < y.values.size(); ++i) total += y.values[i] = loss(x[0].values[i], x[1].values[i]);
    if (r == Reduction::None) return y;
    return Plain{Shape{}, {r == Reduction::Sum ? total : total / static_cast<double>(y.values.size())}};
  };
}

void add_elementwise_loss(Rows& rows, const std::string& name,
                          std::function<Tensor(const Tensor&, const Tensor&, Reduction)> fn,
                          std::function<double(double, double)> loss, Domain input = {}, Domain target = {}) {
  for (Reduction r : kReductions) {
    rows.push_back({.name = name + suffix(r),
                    .fn = [=](const Inputs& x) { return fn(x[0], x[1], r); },
                    .cases = loss_cases(2, r),
                    .reference = reduced(loss, r),
                    .domains = {input, target},
                    .lengths = r == Reduction::Mean ? nullptr : vectors(2),
                    .ulps = 64,
                    .scale = r == Reduction::None ? 2.0 : 64.0});
  }
}

// Class indices for `count` samples of `classes` classes; every fourth is ignored.
Tensor classes_of(std::int64_t count, std::int64_t classes) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < index.size(); ++i)
    index[i] = i % 4 == 3 ? -100 : static_cast<std::int64_t>(i * i + 1) % classes;
  return tensor(index, {.device = test_device()});
}

Tensor class_weights(std::int64_t classes, Dtype dtype) {
  std::vector<double> w(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = 0.5 + 0.25 * static_cast<double>(i % 3);
  return tensor(w, {.dtype = dtype, .device = test_device()});
}

// The negative logarithm of the target's softmax (of its value, for nll), without weights.
Reference negative_log(bool softmax, Reduction r) {
  return [=](const std::vector<Plain>& x) {
    const auto n = x[0].sizes[0], c = x[0].sizes[1];
    const Tensor index = classes_of(n, c);
    Plain y = make_plain({n});
    double total = 0, counted = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t k = index.data_ptr<std::int64_t>()[i];
      if (k < 0) continue;
      const double* line = x[0].values.data() + i * c;
      double sum = 0;
      for (std::int64_t j = 0; j < c; ++j) sum += std::exp(line[j]);
      y.values[static_cast<std::size_t>(i)] = (softmax ? std::log(sum) : 0) - line[k];
      total += y.values[static_cast<std::size_t>(i)];
      counted += 1;
    }
    if (r == Reduction::None) return y;
    return Plain{Shape{}, {r == Reduction::Sum ? total : total / counted}};
  };
}

Row class_row(const std::string& name, Function fn, Reduction r, Reference reference = nullptr) {
  Row row{.name = name,
          .fn = std::move(fn),
          .cases = {{{5, 4}}, {{1, 1}}},
          .reference = std::move(reference),
          .lengths =
              [](std::int64_t n) {
                return Sizes{{3, n + 1}};
              },
          .ulps = 64,
          .scale = 16};
  if (r != Reduction::Mean) row.cases.push_back({{0, 3}});
  return row;
}

void add_class_losses(Rows& rows) {
  for (Reduction r : kReductions) {
    const auto target = [](const Inputs& x) { return classes_of(x[0].size(0), x[0].size(1)); };
    const auto weight = [](const Inputs& x) { return class_weights(x[0].size(1), x[0].dtype()); };
    rows.push_back(class_row(
        std::string("cross_entropy") + suffix(r),
        [=](const Inputs& x) { return f::cross_entropy(x[0], target(x), {.reduction = r}); }, r,
        negative_log(true, r)));
    rows.push_back(class_row(
        std::string("cross_entropy weighed and smoothed") + suffix(r),
        [=](const Inputs& x) {
          return f::cross_entropy(x[0], target(x), {.weight = weight(x), .reduction = r, .label_smoothing = 0.2});
        },
        r));
    rows.push_back(class_row(
        std::string("nll_loss") + suffix(r),
        [=](const Inputs& x) { return f::nll_loss(x[0], target(x), {.reduction = r}); }, r, negative_log(false, r)));
    rows.push_back(class_row(
        std::string("nll_loss weighed") + suffix(r),
        [=](const Inputs& x) { return f::nll_loss(x[0], target(x), {.weight = weight(x), .reduction = r}); }, r));
    Row soft = class_row(
        std::string("cross_entropy of probabilities") + suffix(r),
        [=](const Inputs& x) {
          return f::cross_entropy(x[0], x[1], {.weight = weight(x), .reduction = r, .label_smoothing = 0.1});
        },
        r);
    soft.cases = {{{3, 4}, {3, 4}}, {{1, 1}, {1, 1}}};
    soft.domains = {{}, {0.1, 0.9}};
    soft.lengths = nullptr;
    rows.push_back(soft);
  }
}

void add_cosines(Rows& rows) {
  const Domain apart{0.3, 2};
  rows.push_back({.name = "cosine_similarity",
                  .fn = [](const Inputs& x) { return f::cosine_similarity(x[0], x[1]); },
                  .cases = {{{3, 4}, {3, 4}}, {{2, 3, 2}, {2, 3, 2}}, {{0, 3}, {0, 3}}, {{1, 1}, {1, 1}}},
                  .domains = {apart, {-2, -0.3}},
                  .ulps = 64,
                  .scale = 4});
  for (double p : {2.0, 1.0}) {
    rows.push_back({.name = p == 2 ? "normalize" : "normalize by sums",
                    .fn = [p](const Inputs& x) { return f::normalize(x[0], p); },
                    .cases = {{{3, 4}}, {{0, 3}}, {{1, 1}}},
                    .reference = along(1,
                                       [p](std::vector<double> v) {
                                         double total = 0;
                                         for (double e : v) total += std::pow(std::abs(e), p);
                                         for (double& e : v) e /= std::pow(total, 1 / p);
                                         return v;
                                       }),
                    .domains = {apart},
                    .ulps = 64,
                    .scale = 4});
  }
  for (Reduction r : kReductions) {
    Row row{.name = std::string("cosine_embedding_loss") + suffix(r),
            .fn =
                [r](const Inputs& x) {
                  std::vector<double> sides(static_cast<std::size_t>(x[0].size(0)));
                  for (std::size_t i = 0; i < sides.size(); ++i) sides[i] = i % 2 ? -1 : 1;
                  return f::cosine_embedding_loss(x[0], x[1],
                                                  tensor(sides, {.dtype = x[0].dtype(), .device = x[0].device()}),
                                                  {.margin = 0.1, .reduction = r});
                },
            .cases = {{{4, 3}, {4, 3}}, {{1, 1}, {1, 1}}},
            .domains = {apart},
            .ulps = 64,
            .scale = 4};
    if (r != Reduction::Mean) row.cases.push_back({{0, 3}, {0, 3}});
    rows.push_back(row);
  }
}

}  // namespace

void add_loss_rows(Rows& rows) {
  const Domain share{0.1, 0.9}, low{-2, 0}, high{0.3, 4};
  add_class_losses(rows);
  add_elementwise_loss(
      rows, "binary_cross_entropy",
      [](const Tensor& x, const Tensor& y, Reduction r) { return f::binary_cross_entropy(x, y, {.reduction = r}); },
      [](double x, double y) { return -(y * std::log(x) + (1 - y) * std::log(1 - x)); }, share, share);
  add_elementwise_loss(
      rows, "binary_cross_entropy_with_logits",
      [](const Tensor& x, const Tensor& y, Reduction r) {
        return f::binary_cross_entropy_with_logits(x, y, {.reduction = r});
      },
      [](double x, double y) { return std::log1p(std::exp(x)) - y * x; }, {-4, 4}, share);
  add_elementwise_loss(
      rows, "binary_cross_entropy_with_logits weighed",
      [](const Tensor& x, const Tensor& y, Reduction r) {
        const Tensor two = full({1}, 2, {.dtype = x.dtype(), .device = x.device()}),
                     three = full({1}, 3, {.dtype = x.dtype(), .device = x.device()});
        return f::binary_cross_entropy_with_logits(x, y, {.weight = two, .reduction = r, .pos_weight = three});
      },
      [](double x, double y) { return 2 * (3 * y * std::log1p(std::exp(-x)) + (1 - y) * std::log1p(std::exp(x))); },
      {-4, 4}, share);
  add_elementwise_loss(
      rows, "mse_loss", [](const Tensor& x, const Tensor& y, Reduction r) { return f::mse_loss(x, y, {r}); },
      [](double x, double y) { return (x - y) * (x - y); });
  add_elementwise_loss(
      rows, "l1_loss", [](const Tensor& x, const Tensor& y, Reduction r) { return f::l1_loss(x, y, {r}); },
      [](double x, double y) { return std::abs(x - y); }, low, high);
  add_elementwise_loss(
      rows, "huber_loss",
      [](const Tensor& x, const Tensor& y, Reduction r) { return f::huber_loss(x, y, {.reduction = r, .delta = 1.5}); },
      [](double x, double y) {
        const double d = std::abs(x - y);
        return d < 1.5 ? d * d / 2 : 1.5 * (d - 0.75);
      });
  add_elementwise_loss(
      rows, "smooth_l1_loss",
      [](const Tensor& x, const Tensor& y, Reduction r) {
        return f::smooth_l1_loss(x, y, {.reduction = r, .beta = 1.5});
      },
      [](double x, double y) {
        const double d = std::abs(x - y);
        return d < 1.5 ? d * d / 3 : d - 0.75;
      });
  add_elementwise_loss(
      rows, "kl_div", [](const Tensor& x, const Tensor& y, Reduction r) { return f::kl_div(x, y, {.reduction = r}); },
      [](double x, double y) { return y * (std::log(y) - x); }, low, share);
  add_elementwise_loss(
      rows, "kl_div of logarithms",
      [](const Tensor& x, const Tensor& y, Reduction r) {
        return f::kl_div(x, y, {.reduction = r, .log_target = true});
      },
      [](double x, double y) { return std::exp(y) * (y - x); }, low, low);
  add_cosines(rows);
}

}  // namespace gradus::test

// Rows: matrix products.
#include "ops/op_table.h"
#include "ops/product/linear.h"
#include "support/device.h"

#include <gradus/ops/attention.h>

namespace gradus::test {

namespace {

double at(const Plain& x, Position p) { return x.values[static_cast<std::size_t>(flat_index(x.sizes, p))]; }

// a [.., m, k] x b [.., k, n] for equal stacks of rank 0 or 1.
Plain product(const Plain& a, const Plain& b) {
  const int rank = a.sizes.rank();
  Shape sizes = a.sizes;
  sizes[rank - 1] = b.sizes[rank - 1];
  Plain y = make_plain(sizes);
  std::size_t next = 0;
  for (const Position& p : positions(sizes)) {
    double total = 0;
    for (std::int64_t k = 0; k < a.sizes[rank - 1]; ++k) {
      Position pa = p, pb = p;
      pa[pa.size() - 1] = k;
      pb[pb.size() - 2] = k;
      total += at(a, pa) * at(b, pb);
    }
    y.values[next++] = total;
  }
  return y;
}

Row product_row(const std::string& name, Function fn, std::vector<Sizes> cases, Reference reference,
                std::function<Sizes(std::int64_t)> lengths) {
  return {.name = name,
          .fn = std::move(fn),
          .cases = std::move(cases),
          .reference = std::move(reference),
          .lengths = std::move(lengths),
          .ulps = 64,
          .scale = 64};
}

Plain dot_of(const std::vector<Plain>& x) {
  double total = 0;
  for (std::size_t i = 0; i < x[0].values.size(); ++i) total += x[0].values[i] * x[1].values[i];
  return {Shape{}, {total}};
}

void add_matmul(Rows& rows) {
  const auto fn = [](const Inputs& x) { return matmul(x[0], x[1]); };
  rows.push_back(product_row(
      "matmul", fn, {{{3, 4}, {4, 2}}, {{0, 4}, {4, 2}}, {{3, 0}, {0, 2}}, {{1, 1}, {1, 1}}},
      [](const auto& x) { return product(x[0], x[1]); },
      [](std::int64_t n) {
        return Sizes{{n, 5}, {5, 3}};
      }));
  rows.push_back(product_row("matmul stacks and vectors", fn,
                             {{{4}, {4}},
                              {{4}, {4, 3}},
                              {{3, 4}, {4}},
                              {{2, 3, 4}, {4}},
                              {{4}, {2, 4, 3}},
                              {{2, 3, 4}, {4, 2}},
                              {{3, 4}, {2, 4, 2}},
                              {{2, 1, 3, 4}, {3, 4, 2}},
                              {{0, 3, 4}, {4, 2}},
                              {{1}, {1}}},
                             nullptr, [](std::int64_t n) {
                               return Sizes{{2, 3, n}, {n, 4}};
                             }));
}

Plain addmm_of(const std::vector<Plain>& x) {
  Plain y = product(x[1], x[2]);
  for (std::size_t i = 0; i < y.values.size(); ++i)
    y.values[i] = 0.5 * x[0].values[i % x[0].values.size()] + 2 * y.values[i];
  return y;
}

Plain linear_of(const std::vector<Plain>& x) {
  const std::int64_t out = x[1].sizes[0], in = x[1].sizes[1];
  Shape sizes = x[0].sizes;
  sizes[sizes.rank() - 1] = out;
  Plain y = make_plain(sizes);
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i) / out, column = static_cast<std::int64_t>(i) % out;
    double total = x.size() > 2 ? x[2].values[static_cast<std::size_t>(column)] : 0;
    for (std::int64_t k = 0; k < in; ++k)
      total +=
          x[0].values[static_cast<std::size_t>(row * in + k)] * x[1].values[static_cast<std::size_t>(column * in + k)];
    y.values[i] = total;
  }
  return y;
}

void add_einsum(Rows& rows, const std::string& equation, std::vector<Sizes> cases, Reference reference = nullptr) {
  rows.push_back(product_row(
      "einsum " + equation, [equation](const Inputs& x) { return einsum(equation, x); }, std::move(cases),
      std::move(reference), nullptr));
}

}  // namespace

void add_product_rows(Rows& rows) {
  rows.push_back(product_row(
      "mm", [](const Inputs& x) { return mm(x[0], x[1]); },
      {{{3, 4}, {4, 2}}, {{0, 4}, {4, 2}}, {{3, 0}, {0, 2}}, {{1, 1}, {1, 1}}},
      [](const auto& x) { return product(x[0], x[1]); },
      [](std::int64_t n) {
        return Sizes{{3, n}, {n, 5}};
      }));
  rows.push_back(product_row(
      "bmm", [](const Inputs& x) { return bmm(x[0], x[1]); },
      {{{2, 3, 4}, {2, 4, 2}}, {{0, 3, 4}, {0, 4, 2}}, {{2, 3, 0}, {2, 0, 2}}, {{1, 1, 1}, {1, 1, 1}}},
      [](const auto& x) { return product(x[0], x[1]); },
      [](std::int64_t n) {
        return Sizes{{2, 3, n}, {2, n, 5}};
      }));
  add_matmul(rows);
  rows.push_back(product_row(
      "linear", [](const Inputs& x) { return linear(x[0], x[1], x[2]); },
      {{{3, 4}, {2, 4}, {2}},
       {{2, 3, 4}, {2, 4}, {2}},
       {{4}, {2, 4}, {2}},
       {{0, 4}, {2, 4}, {2}},
       {{1, 1}, {1, 1}, {1}}},
      linear_of,
      [](std::int64_t n) {
        return Sizes{{3, n}, {5, n}, {5}};
      }));
  rows.push_back(product_row(
      "linear without bias", [](const Inputs& x) { return linear(x[0], x[1]); },
      {{{3, 4}, {2, 4}}, {{2, 3, 4}, {2, 4}}, {{0, 4}, {2, 4}}, {{1, 1}, {1, 1}}}, linear_of,
      [](std::int64_t n) {
        return Sizes{{n, 3}, {5, 3}};
      }));
  const auto rectified = [](double slope) {
    return [slope](const std::vector<Plain>& x) {
      Plain y = linear_of(x);
      for (double& value : y.values) value = value > 0 ? value : slope * value;
      return y;
    };
  };
  const std::vector<Sizes> linear_cases = {{{3, 4}, {2, 4}, {2}}, {{2, 3, 4}, {2, 4}, {2}}, {{0, 4}, {2, 4}, {2}}};
  rows.push_back(product_row(
      "linear relu", [](const Inputs& x) { return ops::linear_relu(x[0], x[1], x[2]); }, linear_cases, rectified(0),
      [](std::int64_t n) {
        return Sizes{{3, n}, {5, n}, {5}};
      }));
  rows.push_back(product_row(
      "linear leaky_relu", [](const Inputs& x) { return ops::linear_leaky_relu(x[0], x[1], x[2], 0.2); }, linear_cases,
      rectified(0.2),
      [](std::int64_t n) {
        return Sizes{{3, 8}, {n, 8}, {n}};
      }));
  rows.push_back(product_row(
      "addmm", [](const Inputs& x) { return addmm(x[0], x[1], x[2], 0.5, 2); },
      {{{3, 2}, {3, 4}, {4, 2}}, {{2}, {3, 4}, {4, 2}}, {{0, 2}, {0, 4}, {4, 2}}, {{1, 1}, {1, 1}, {1, 1}}}, addmm_of,
      [](std::int64_t n) {
        return Sizes{{3, n}, {3, 4}, {4, n}};
      }));
  rows.push_back(product_row(
      "outer", [](const Inputs& x) { return outer(x[0], x[1]); }, {{{3}, {4}}, {{0}, {4}}, {{1}, {1}}},
      [](const auto& x) {
        Plain y = make_plain({x[0].sizes[0], x[1].sizes[0]});
        for (std::size_t i = 0; i < y.values.size(); ++i)
          y.values[i] = x[0].values[i / x[1].values.size()] * x[1].values[i % x[1].values.size()];
        return y;
      },
      [](std::int64_t n) {
        return Sizes{{3}, {n}};
      }));
  rows.push_back(product_row(
      "dot", [](const Inputs& x) { return dot(x[0], x[1]); }, {{{4}, {4}}, {{0}, {0}}, {{1}, {1}}}, dot_of,
      vectors(2)));
  rows.push_back(product_row(
      "bilinear", [](const Inputs& x) { return bilinear(x[0], x[1], x[2], x[3]); },
      {{{3, 2}, {3, 4}, {5, 2, 4}, {5}}, {{0, 2}, {0, 4}, {5, 2, 4}, {5}}, {{1, 1}, {1, 1}, {1, 1, 1}, {1}}}, nullptr,
      nullptr));
  rows.push_back(product_row(
      "scaled_dot_product_attention", [](const Inputs& x) { return scaled_dot_product_attention(x[0], x[1], x[2]); },
      {{{2, 3, 4}, {2, 5, 4}, {2, 5, 2}}, {{0, 3, 4}, {0, 5, 4}, {0, 5, 2}}, {{1, 1}, {1, 1}, {1, 1}}}, nullptr,
      nullptr));
  rows.push_back(product_row(
      "scaled_dot_product_attention causal, of grouped heads",
      [](const Inputs& x) { return scaled_dot_product_attention(x[0], x[1], x[2], Tensor(), 0, true, 0.7, true); },
      {{{2, 4, 5, 3}, {2, 2, 6, 3}, {2, 2, 6, 2}},
       {{0, 2, 1, 1}, {0, 1, 1, 1}, {0, 1, 1, 1}},
       {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
      nullptr, nullptr));
  rows.push_back(product_row(
      "scaled_dot_product_attention masked",
      [](const Inputs& x) {
        const Tensor mask = eye(x[0].size(-2), x[1].size(-2), {.device = test_device()}).to(kBool);
        return scaled_dot_product_attention(x[0], x[1], x[2], logical_not(mask));
      },
      {{{2, 1, 3, 4}, {3, 2, 4}, {3, 2, 2}}, {{0, 3, 4}, {0, 5, 4}, {0, 5, 2}}, {{2, 1}, {2, 1}, {2, 1}}}, nullptr,
      nullptr));
  add_einsum(rows, "ij,jk->ik", {{{3, 4}, {4, 2}}, {{0, 4}, {4, 2}}, {{1, 1}, {1, 1}}},
             [](const auto& x) { return product(x[0], x[1]); });
  add_einsum(rows, "bij,bjk->bik", {{{2, 3, 4}, {2, 4, 2}}, {{0, 3, 4}, {0, 4, 2}}, {{1, 1, 1}, {1, 1, 1}}},
             [](const auto& x) { return product(x[0], x[1]); });
  add_einsum(rows, "i,i->", {{{4}, {4}}, {{0}, {0}}, {{1}, {1}}}, dot_of);
  add_einsum(rows, "ii->i", {{{3, 3}}, {{0, 0}}, {{1, 1}}});
  add_einsum(rows, "ij->ji", {{{3, 4}}, {{0, 4}}, {{1, 1}}});
  add_einsum(rows, "...i,ij,kj->...k", {{{2, 2, 3}, {3, 4}, {2, 4}}, {{0, 3}, {3, 4}, {2, 4}}, {{1}, {1, 1}, {1, 1}}});
}

}  // namespace gradus::test

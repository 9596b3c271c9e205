#include "ops/arranging/rows_arranging.h"

#include <gradus/ops/arranging.h>
#include <gradus/ops/creation.h>
#include <gradus/ops/diagonals.h>
#include <gradus/ops/searching.h>

namespace gradus::test {

namespace {

// Their values are those of PyTorch: arranging_trace_test.cpp.
Row row(const std::string& name, Function fn, std::vector<Sizes> cases) {
  return {.name = name, .fn = std::move(fn), .cases = std::move(cases)};
}

Row row_of_one(const std::string& name, std::function<Tensor(const Tensor&)> fn, std::vector<Sizes> cases) {
  return row(
      name, [fn](const Inputs& x) { return fn(x[0]); }, std::move(cases));
}

// Parts as one vector, each scaled by its place so that they cannot be mixed up.
Tensor weighed(const std::vector<Tensor>& parts) {
  std::vector<Tensor> scaled;
  for (const Tensor& x : parts) scaled.push_back(flatten(x) * static_cast<double>(scaled.size() + 1));
  return cat(scaled);
}

const std::vector<Sizes> kMatrices = {{{3, 4}}, {{0, 4}}, {{1, 1}}};
const std::vector<Sizes> kStacks = {{{2, 3, 4}}, {{0, 3, 4}}, {{1, 1, 1}}};
const std::vector<Sizes> kPairs = {{{2, 3}, {2, 3}}, {{0, 3}, {0, 3}}, {{1}, {1}}};

void add_turning(Rows& rows) {
  rows.push_back(row_of_one(
      "movedim",
      [](const Tensor& x) {
        return movedim(x, {0, -1}, {1, 0});
      },
      kStacks));
  rows.push_back(row_of_one("ravel", ravel, {{{3, 4}}, {{0, 4}}, {{}}}));
  rows.push_back(row_of_one(
      "tile",
      [](const Tensor& x) {
        return tile(x, {2, 1, 3});
      },
      kMatrices));
  rows.push_back(row_of_one("squeeze several",
                            [](const Tensor& x) {
                              return squeeze(x, {0, -1});
                            },
                            {{{1, 3, 1}}, {{1, 0, 1}}, {{1, 1, 1}}}));
  for (const std::int64_t k : {0, 1, 2, 3}) {
    rows.push_back(row_of_one(
        "rot90 " + std::to_string(k), [=](const Tensor& x) { return rot90(x, k); }, kMatrices));
  }
  rows.push_back(row_of_one("fliplr", fliplr, kMatrices));
  rows.push_back(row_of_one("flipud", flipud, kMatrices));
  const std::vector<Sizes> few = {{{}}, {{3}}, {{0}}, {{2, 3}}};
  rows.push_back(row_of_one(
      "atleast_1d", [](const Tensor& x) { return atleast_1d(x) * 2; }, few));
  rows.push_back(row_of_one(
      "atleast_2d", [](const Tensor& x) { return atleast_2d(x) * 2; }, few));
  rows.push_back(row_of_one(
      "atleast_3d", [](const Tensor& x) { return atleast_3d(x) * 2; }, few));
}

void add_joining(Rows& rows) {
  rows.push_back(row("broadcast_tensors",
                     [](const Inputs& x) {
                       const std::vector<Tensor> y = broadcast_tensors(x);
                       return y[0] * y[1];
                     },
                     {{{3, 1}, {4}}, {{0, 1}, {4}}, {{}, {1}}}));
  rows.push_back(row(
      "hstack", [](const Inputs& x) { return hstack(x); }, kPairs));
  rows.push_back(row(
      "vstack", [](const Inputs& x) { return vstack(x); }, kPairs));
  rows.push_back(row(
      "dstack", [](const Inputs& x) { return dstack(x); }, kPairs));
  rows.push_back(row(
      "column_stack", [](const Inputs& x) { return column_stack(x); }, kPairs));
  rows.push_back(row("block_diag", [](const Inputs& x) { return block_diag(x); },
                     {{{2, 3}, {2}, {}}, {{0, 3}, {1}, {}}, {{1, 1}, {1}, {}}}));
  const std::vector<Sizes> vectors = {{{2}, {3}}, {{0}, {2}}, {{1}, {1}}};
  rows.push_back(row(
      "cartesian_prod", [](const Inputs& x) { return cartesian_prod(x); }, vectors));
  const std::vector<Sizes> one = {{{4}}, {{0}}, {{1}}};
  rows.push_back(row_of_one(
      "combinations", [](const Tensor& x) { return combinations(x, 3, true); }, one));
  rows.push_back(row_of_one(
      "vander", [](const Tensor& x) { return vander(x, 3); }, one));
}

void add_splitting(Rows& rows) {
  rows.push_back(row_of_one(
      "tensor_split", [](const Tensor& x) { return weighed(tensor_split(x, 3, 1)); }, kMatrices));
  rows.push_back(row_of_one(
      "tensor_split indices",
      [](const Tensor& x) {
        return weighed(tensor_split(x, {1, -1}, 1));
      },
      kMatrices));
  rows.push_back(row_of_one(
      "hsplit", [](const Tensor& x) { return weighed(hsplit(x, {1})); }, kMatrices));
  rows.push_back(row_of_one(
      "vsplit", [](const Tensor& x) { return weighed(vsplit(x, {1})); }, kMatrices));
  rows.push_back(row_of_one(
      "dsplit", [](const Tensor& x) { return weighed(dsplit(x, {1})); }, kStacks));
}

void add_diagonals(Rows& rows) {
  rows.push_back(row_of_one(
      "diagonal", [](const Tensor& x) { return diagonal(x); }, kMatrices));
  rows.push_back(row_of_one(
      "diagonal below", [](const Tensor& x) { return diagonal(x, -1, 2, 0); }, kStacks));
  rows.push_back(row_of_one("diag", [](const Tensor& x) { return diag(x, 1); }, {{{3, 4}}, {{0, 4}}, {{3}}, {{1}}}));
  rows.push_back(row_of_one(
      "diagflat", [](const Tensor& x) { return diagflat(x, -1); }, kMatrices));
  rows.push_back(row_of_one(
      "diag_embed", [](const Tensor& x) { return diag_embed(x, 1, 0, -1); }, kMatrices));
  rows.push_back(row_of_one("trace", trace, {{{3, 4}}, {{4, 3}}, {{0, 4}}, {{1, 1}}}));
  rows.push_back(row("diagonal_scatter", [](const Inputs& x) { return diagonal_scatter(x[0], x[1]); },
                     {{{3, 4}, {3}}, {{0, 4}, {0}}, {{1, 1}, {1}}}));
}

}  // namespace

void add_arranging_rows(Rows& rows) {
  add_turning(rows);
  add_joining(rows);
  add_splitting(rows);
  add_diagonals(rows);
  Row sorted = row_of_one("msort", msort, kMatrices);
  sorted.domains = {{-2, 2, {}, true}};
  sorted.broadcasts = false;
  rows.push_back(sorted);
}

}  // namespace gradus::test

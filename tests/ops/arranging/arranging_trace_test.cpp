// Operations that arrange, place, search and sample, against PyTorch's: tests/traces/arranging.json.
#include <gradus/ops/arranging.h>
#include <gradus/ops/creation.h>
#include <gradus/ops/diagonals.h>
#include <gradus/ops/grid_sampling.h>
#include <gradus/ops/placing.h>
#include <gradus/ops/searching.h>

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;
using List = std::vector<Tensor>;
using Functions = std::map<std::string, std::function<List(const List&)>>;

const json& trace() {
  static const json all = json::parse(std::ifstream(test::source_path("tests/traces/arranging.json")));
  return all;
}

Shape shape(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }
Tensor array(const json& j) {
  std::vector<double> values;
  for (const json& x : j["data"])
    values.push_back(x.is_string() ? std::numeric_limits<double>::quiet_NaN() : x.get<double>());
  return tensor(values, shape(j["shape"]), {.dtype = kFloat64});
}

Tensor integers(std::initializer_list<std::int64_t> values) { return tensor(std::vector<std::int64_t>(values)); }
Tensor picked() { return integers({2, 0}); }
Tensor places() { return reshape(integers({0, 1, 1, 3, 1, 2, 2, 2, 2, 0, 3, 1, 0, 1, 3}), {3, 5}); }
Tensor rows() { return integers({2, 0, 2, 2, 0}); }
const TensorOptions kDouble{.dtype = kFloat64};

void add_arranging(Functions& f) {
  f["movedim"] = [](const List& x) { return List{movedim(x[0], {0, -1}, {-1, 1})}; };
  f["movedim_one"] = [](const List& x) { return List{movedim(x[0], 1, 0)}; };
  f["moveaxis"] = [](const List& x) { return List{moveaxis(x[0], 0, 2)}; };
  f["swapaxes"] = [](const List& x) { return List{swapaxes(x[0], 0, -1)}; };
  f["ravel"] = [](const List& x) { return List{ravel(x[0].t())}; };
  f["tile"] = [](const List& x) { return List{tile(x[0], {2})}; };
  f["tile_more"] = [](const List& x) { return List{tile(x[0], {2, 1, 3})}; };
  f["squeeze"] = [](const List& x) { return List{squeeze(x[0], {0, 2, 3})}; };
  f["rot90"] = [](const List& x) { return List{rot90(x[0], 1, {1, 2})}; };
  f["rot90_back"] = [](const List& x) { return List{rot90(x[0], -1, {0, -1})}; };
  f["rot90_twice"] = [](const List& x) { return List{rot90(x[0], 2)}; };
  f["fliplr"] = [](const List& x) { return List{fliplr(x[0])}; };
  f["flipud"] = [](const List& x) { return List{flipud(x[0])}; };
  f["hstack"] = [](const List& x) { return List{hstack(x)}; };
  f["hstack_matrices"] = f["hstack"];
  f["vstack"] = [](const List& x) { return List{vstack(x)}; };
  f["dstack"] = [](const List& x) { return List{dstack(x)}; };
  f["column_stack"] = [](const List& x) { return List{column_stack(x)}; };
  f["atleast_1d"] = [](const List& x) { return atleast_1d(x); };
  f["atleast_2d"] = [](const List& x) { return atleast_2d(x); };
  f["atleast_3d"] = [](const List& x) { return atleast_3d(x); };
  f["tensor_split"] = [](const List& x) { return tensor_split(x[0], 3, 1); };
  f["tensor_split_more"] = [](const List& x) { return tensor_split(x[0], tensor(4)); };
  f["tensor_split_indices"] = [](const List& x) { return tensor_split(x[0], {1, -2, 9}, 1); };
  f["tensor_split_back"] = [](const List& x) { return tensor_split(x[0], integers({5, 2}), 1); };
  f["hsplit"] = [](const List& x) { return hsplit(x[0], 2); };
  f["hsplit_vector"] = [](const List& x) { return hsplit(x[0], {1, 3}); };
  f["vsplit"] = [](const List& x) { return vsplit(x[0], {1}); };
  f["dsplit"] = [](const List& x) { return dsplit(x[0], 2); };
  f["broadcast_tensors"] = [](const List& x) { return broadcast_tensors(x); };
  f["cartesian_prod"] = [](const List& x) { return List{cartesian_prod(x)}; };
  f["combinations"] = [](const List& x) { return List{combinations(x[0])}; };
  f["combinations_repeated"] = [](const List& x) { return List{combinations(x[0], 3, true)}; };
  f["msort"] = [](const List& x) { return List{msort(x[0])}; };
}

void add_diagonals(Functions& f) {
  f["diagonal"] = [](const List& x) { return List{diagonal(x[0], -1)}; };
  f["diagonal_dims"] = [](const List& x) { return List{diagonal(x[0], 1, 2, 0)}; };
  f["diagonal_far"] = [](const List& x) { return List{diagonal(x[0], 5)}; };
  f["diag_vector"] = [](const List& x) { return List{diag(x[0], 1)}; };
  f["diag_matrix"] = [](const List& x) { return List{diag(x[0], -1)}; };
  f["diagflat"] = [](const List& x) { return List{diagflat(x[0], 1)}; };
  f["diag_embed"] = [](const List& x) { return List{diag_embed(x[0], -1, 0, 2)}; };
  f["block_diag"] = [](const List& x) { return List{block_diag(x)}; };
  f["diagonal_scatter"] = [](const List& x) { return List{diagonal_scatter(x[0], x[1], 1)}; };
}

void add_placing(Functions& f) {
  f["slice_scatter"] = [](const List& x) { return List{slice_scatter(x[0], x[1], 1, 1, -1, 2)}; };
  f["select_scatter"] = [](const List& x) { return List{select_scatter(x[0], x[1], 1, -1)}; };
  f["index_copy"] = [](const List& x) { return List{index_copy(x[0], 1, picked(), x[1])}; };
  f["index_fill"] = [](const List& x) { return List{index_fill(x[0], 1, picked(), 2.5)}; };
  f["index_fill_tensor"] = [](const List& x) { return List{index_fill(x[0], 0, picked(), x[1])}; };
  f["index_put"] = [](const List& x) { return List{index_put(x[0], {picked(), integers({1, 3})}, x[1])}; };
  f["index_put_add"] = [](const List& x) { return List{index_put(x[0], {integers({1, 1})}, x[1], true)}; };
  f["masked_scatter"] = [](const List& x) {
    return List{masked_scatter(x[0], reshape(remainder(arange(12), tensor(3)) == 1, {3, 4}), x[1])};
  };
  const auto at = [](std::int64_t c, std::int64_t d) { return reshape(integers({0, -1, c, d}), {2, 2}); };
  f["take"] = [=](const List& x) { return List{take(x[0], at(5, 5))}; };
  f["put"] = [=](const List& x) { return List{put(x[0], at(5, 7), x[1])}; };
  f["put_add"] = [=](const List& x) { return List{put(x[0], at(5, 5), x[1], true)}; };
  f["take_along_dim"] = [](const List& x) { return List{take_along_dim(x[0], reshape(integers({0, 3}), {1, 2}), 1)}; };
  f["take_along_flat"] = [](const List& x) { return List{take_along_dim(x[0], integers({3, 3, 1}))}; };
  f["scatter_reduce_ties"] = [](const List& x) {
    return List{scatter_reduce(x[0] * 0, 1, places(), x[1] * 0, "amax")};
  };
  for (const std::string reduce : {"sum", "prod", "mean", "amax", "amin"}) {
    for (const bool own : {true, false}) {
      const std::string end = reduce + (own ? "" : "_alone");
      f["scatter_reduce_" + end] = [=](const List& x) {
        return List{scatter_reduce(x[0], 1, places(), x[1], reduce, own)};
      };
      if (reduce == "sum") continue;
      f["index_reduce_" + end] = [=](const List& x) { return List{index_reduce(x[0], 0, rows(), x[1], reduce, own)}; };
    }
  }
}

void add_grids(Functions& f) {
  f["affine_grid"] = [](const List& x) { return List{affine_grid(x[0], {2, 1, 3, 4})}; };
  f["affine_grid_corners"] = [](const List& x) { return List{affine_grid(x[0], {1, 1, 2, 1, 3}, true)}; };
  f["grid_volume"] = [](const List& x) { return List{grid_sample(x[0], x[1] * 1.3, "bilinear", "reflection")}; };
  for (const std::string mode : {"bilinear", "nearest"})
    for (const std::string padding : {"zeros", "border", "reflection"})
      for (const bool corners : {false, true}) {
        f["grid_" + mode + "_" + padding + (corners ? "_1" : "_0")] = [=](const List& x) {
          return List{grid_sample(x[0], x[1] * 1.7, mode, padding, corners)};
        };
      }
}

TEST(ArrangingTrace, FunctionsAndGradientsAreThoseOfPyTorch) {
  Functions all;
  add_arranging(all);
  add_diagonals(all);
  add_placing(all);
  add_grids(all);
  ASSERT_EQ(all.size(), trace()["functions"].size());
  for (const json& recorded : trace()["functions"]) {
    const std::string name = recorded["name"];
    SCOPED_TRACE(name);
    ASSERT_TRUE(all.contains(name));
    List x;
    for (std::size_t i = 0; i < recorded["inputs"].size(); ++i)
      x.push_back(test::uniform("x" + std::to_string(i), shape(recorded["inputs"][i])).requires_grad_());
    const List y = all.at(name)(x);
    ASSERT_EQ(y.size(), recorded["outputs"].size());
    Tensor sum = zeros({}, kDouble);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const Tensor wanted = array(recorded["outputs"][i]);
      ASSERT_EQ(y[i].sizes(), wanted.sizes());
      EXPECT_TRUE(allclose(y[i].detach(), wanted, 1e-12, 1e-13)) << y[i] << wanted;
      sum = sum + (y[i] * test::uniform("y" + std::to_string(i), y[i].sizes())).sum();
    }
    sum.backward();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Tensor g = x[i].grad().defined() ? x[i].grad() : zeros_like(x[i].detach());
      EXPECT_TRUE(allclose(g, array(recorded["grads"][i]), 1e-11, 1e-12)) << i << g << array(recorded["grads"][i]);
    }
  }
}

std::map<std::string, List> constants() {
  const Tensor edges = tensor({1.0, 3.0, 3.0, 5.0}, kDouble), few = tensor({{0, 2}, {3, 0}});
  const Tensor wanted = tensor({{0.0, 1.0, 2.0}, {3.0, 9.0, std::numeric_limits<double>::quiet_NaN()}}, kDouble);
  const Unique runs = unique_consecutive(integers({1, 1, 2, 2, 2, 1, 3, 3}));
  const Unique slices = unique_consecutive(tensor({{1, 1}, {1, 1}, {2, 1}, {1, 1}}), 0);
  const Tensor x = test::uniform("x0", {3});
  const auto windows = [](Tensor (*make)(std::int64_t, bool, const TensorOptions&)) {
    return List{make(6, true, kDouble), make(6, false, kDouble), make(7, true, kDouble), make(1, true, kDouble),
                make(0, true, kDouble)};
  };
  const auto hamming = [](std::int64_t n, bool periodic, const TensorOptions& options) {
    return hamming_window(n, periodic, 0.54, 0.46, options);
  };
  return {
      {"tril_indices", {tril_indices(3, 4, 1)}},
      {"tril_indices_below", {tril_indices(4, 3, -2)}},
      {"triu_indices", {triu_indices(4, 3, -1)}},
      {"triu_indices_none", {triu_indices(2, 3, 5)}},
      {"searchsorted", {searchsorted(edges, wanted)}},
      {"searchsorted_right", {searchsorted(edges, wanted, false, false, "right")}},
      {"searchsorted_rows", {searchsorted(tensor({{1, 2, 4}, {0, 0, 9}}), tensor({{2, 3}, {0, 5}}), false, true)}},
      {"searchsorted_sorter",
       {searchsorted(integers({5, 1, 3}), integers({0, 2, 3}), false, false, {}, integers({1, 2, 0}))}},
      {"bucketize", {bucketize(wanted, edges, true)}},
      {"isin", {isin(wanted, edges)}},
      {"isin_not", {isin(integers({1, 2, 3}), integers({3, 1}), false, true)}},
      {"unique_consecutive", {runs.values, runs.inverse, runs.counts}},
      {"unique_consecutive_dim", {slices.values, slices.inverse, slices.counts}},
      {"nonzero_numpy", nonzero_numpy(few)},
      {"argwhere", {argwhere(few)}},
      {"combinations_none", {combinations(tensor({1.0, 2.0}), 3)}},
      {"logspace", {logspace(-1, 2, 5, 10, kDouble)}},
      {"logspace_2", {logspace(0, 3, 4, 2, kDouble)}},
      {"vander", {vander(x)}},
      {"vander_increasing", {vander(x, 4, true)}},
      {"vander_integers", {vander(integers({0, 2, 3}))}},
      {"bartlett", windows(bartlett_window)},
      {"blackman", windows(blackman_window)},
      {"hamming", windows(hamming)},
      {"hann", windows(hann_window)},
      {"hamming_options", {hamming_window(5, false, 0.6, 0.4, kDouble)}},
  };
}

TEST(ArrangingTrace, IndicesAndConstantsAreThoseOfPyTorch) {
  const std::map<std::string, List> all = constants();
  ASSERT_EQ(all.size(), trace()["constants"].size());
  for (const json& recorded : trace()["constants"]) {
    const std::string name = recorded["name"];
    SCOPED_TRACE(name);
    ASSERT_TRUE(all.contains(name));
    const List& y = all.at(name);
    ASSERT_EQ(y.size(), recorded["outputs"].size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const Tensor wanted = array(recorded["outputs"][i]);
      ASSERT_EQ(y[i].sizes(), wanted.sizes());
      EXPECT_TRUE(allclose(y[i].to(kFloat64), wanted, 1e-13, 1e-15)) << y[i] << wanted;
      const std::string dtype = recorded["outputs"][i].value("dtype", "float64");
      if (name != "isin" && name != "isin_not" && name != "combinations_none") {
        EXPECT_EQ(to_string(y[i].dtype()), dtype);
      }
    }
  }
}

}  // namespace
}  // namespace gradus

// What the table and the traces cannot say of the operations that arrange, place and search: views, errors, odd inputs,
// random numbers.
#include <gradus/autograd.h>
#include <gradus/ops/arranging.h>
#include <gradus/ops/creation.h>
#include <gradus/ops/diagonals.h>
#include <gradus/ops/grid_sampling.h>
#include <gradus/ops/placing.h>
#include <gradus/ops/searching.h>
#include <gradus/random.h>

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

bool same_memory(const Tensor& a, const Tensor& b) { return a.const_data_ptr() == b.const_data_ptr(); }

TEST(Arranging, ViewsShareMemory) {
  const Tensor x = arange(24).view({2, 3, 4});
  EXPECT_TRUE(same_memory(x, movedim(x, 0, -1)));
  EXPECT_TRUE(same_memory(x, ravel(x)));
  EXPECT_TRUE(same_memory(x, squeeze(x, {0, 1})));
  EXPECT_TRUE(same_memory(x, tensor_split(x, 2)[0]));
  EXPECT_TRUE(same_memory(x, diagonal(x)));
  EXPECT_TRUE(same_memory(x[0], atleast_3d(x[0])));
  EXPECT_TRUE(same_memory(x, broadcast_tensors({x})[0]));
  EXPECT_FALSE(same_memory(x, tile(x, {1})));
  EXPECT_FALSE(same_memory(x, rot90(x, 4)));
  EXPECT_FALSE(same_memory(x[0], diag(x[0])));
  EXPECT_TRUE(ravel(arange(6)[Slice{{}, {}, 2}]).is_contiguous());
  // What is written into a diagonal is in the matrix, and in its history.
  const Tensor v = ones({3}).requires_grad_(), m = zeros({3, 3});
  diagonal(m).copy_(v * 2);
  (m * m).sum().backward();
  EXPECT_TRUE(equal(m.detach(), eye(3) * 2));
  EXPECT_TRUE(equal(v.grad(), full({3}, 8.0)));
}

TEST(Arranging, OddInputs) {
  EXPECT_EQ(movedim(tensor(1.0), 0, -1).dim(), 0);
  EXPECT_EQ(movedim(zeros({2, 3}), Dims(), Dims()).sizes(), (Shape{2, 3}));
  EXPECT_EQ(ravel(tensor(1.0)).sizes(), Shape{1});
  EXPECT_EQ(block_diag({}).sizes(), (Shape{1, 0}));
  EXPECT_EQ(block_diag({zeros({0}), tensor(1)}).sizes(), (Shape{2, 1}));
  EXPECT_EQ(combinations(arange(3), 0).sizes(), Shape{0});
  EXPECT_EQ(combinations(arange(3), 4, true).sizes(), (Shape{15, 4}));
  EXPECT_EQ(diagonal(zeros({0, 3})).sizes(), Shape{0});
  EXPECT_EQ(diagonal(zeros({2, 3}), std::numeric_limits<std::int64_t>::min()).sizes(), Shape{0});
  EXPECT_EQ(diagonal(zeros({2, 3}), std::numeric_limits<std::int64_t>::max()).sizes(), Shape{0});
  EXPECT_EQ(tril_indices(0, 3).sizes(), (Shape{2, 0}));
  EXPECT_EQ(triu_indices(2, 2, -9).sizes(), (Shape{2, 4}));
  EXPECT_EQ(broadcast_shapes({{2, 1}, {3}, {}}), (Shape{2, 3}));
  EXPECT_EQ(vander(arange(3), 0).sizes(), (Shape{3, 0}));
  EXPECT_EQ(tensor_split(zeros({2}), {}).size(), 1u);
  EXPECT_EQ(tensor_split(arange(5), {2})[1].numel(), 3);
  EXPECT_EQ(cartesian_prod({arange(3)}).sizes(), Shape{3});
  EXPECT_EQ(to_string(hstack({arange(2), ones({1})}).dtype()), std::string("float32"));
  EXPECT_EQ(hann_window(4, true, {.dtype = kFloat64, .requires_grad = true}).requires_grad(), true);
}

TEST(Arranging, Errors) {
  const Tensor x = zeros({2, 3});
  EXPECT_THAT(message_of([&] { movedim(x, {0, 0}, {0, 1}); }), HasSubstr("movedim: source must be different"));
  EXPECT_THAT(message_of([&] { movedim(x, 0, {0, 1}); }), HasSubstr("a destination for each source"));
  EXPECT_THAT(message_of([&] { movedim(x, 2, 0); }), HasSubstr("movedim"));
  EXPECT_THAT(message_of([&] { tile(x, {-1}); }), HasSubstr("tile: counts must not be negative, got [-1]"));
  EXPECT_THAT(message_of([&] { rot90(x, 1, {0, -2}); }), HasSubstr("rot90: dims must be different"));
  EXPECT_THAT(message_of([&] { rot90(x, 1, 0); }), HasSubstr("needs two dimensions"));
  EXPECT_THAT(message_of([&] { fliplr(zeros({2})); }), HasSubstr("fliplr: needs at least 2 dimensions, got sizes [2]"));
  EXPECT_THAT(message_of([&] { flipud(tensor(1.0)); }), HasSubstr("flipud"));
  EXPECT_THAT(message_of([&] { hstack({}); }), HasSubstr("hstack: needs at least one"));
  EXPECT_THAT(message_of([&] { cartesian_prod({x}); }), HasSubstr("cartesian_prod: needs vectors"));
  EXPECT_THAT(message_of([&] { combinations(x); }), HasSubstr("combinations: needs a vector"));
  EXPECT_THAT(message_of([&] { combinations(arange(3), -1); }), HasSubstr("must not be negative, got -1"));
  EXPECT_THAT(message_of([&] { tensor_split(x, 0); }), HasSubstr("tensor_split: the number of sections"));
  EXPECT_THAT(message_of([&] { tensor_split(x, tensor(1.0)); }), HasSubstr("must be int64 and 0-d or 1-d"));
  EXPECT_THAT(message_of([&] { tensor_split(tensor(1.0), 2); }), HasSubstr("a 0-d tensor cannot be split"));
  EXPECT_THAT(message_of([&] { hsplit(x, 2); }), HasSubstr("hsplit: the number of sections must divide the size 3"));
  EXPECT_THAT(message_of([&] { dsplit(x, 1); }), HasSubstr("dsplit: needs at least 3 dimensions"));
  EXPECT_THAT(message_of([&] { diagonal(x, 0, 1, -1); }), HasSubstr("diagonal: needs two different dimensions"));
  EXPECT_THAT(message_of([&] { diag(zeros({1, 2, 3})); }), HasSubstr("diag: needs a vector or a matrix"));
  EXPECT_THAT(message_of([&] { diag_embed(tensor(1.0)); }), HasSubstr("diag_embed: needs at least 1"));
  EXPECT_THAT(message_of([&] { diag_embed(zeros({2}), std::numeric_limits<std::int64_t>::max()); }),
              HasSubstr("too far"));
  EXPECT_THAT(message_of([&] { diagonal_scatter(x, zeros({3})); }), HasSubstr("sizes of the diagonal, [2], got [3]"));
  EXPECT_THAT(message_of([&] { block_diag({zeros({1, 2, 3})}); }), HasSubstr("at position 0"));
  EXPECT_THAT(message_of([&] { tril_indices(-1, 2); }), HasSubstr("tril_indices: row and col"));
  EXPECT_THAT(message_of([&] { broadcast_shapes({{2}, {3}}); }), HasSubstr("broadcast_shapes"));
  EXPECT_THAT(message_of([&] { hann_window(-1); }), HasSubstr("hann_window: the length must not be negative"));
  EXPECT_THAT(message_of([&] { hann_window(3, true, {.dtype = kInt64}); }),
              HasSubstr("floating-point type, got int64"));
  EXPECT_THAT(message_of([&] { vander(x); }), HasSubstr("vander: needs a vector"));
}

TEST(Placing, ErrorsAndOddInputs) {
  const Tensor x = zeros({2, 3}), at = tensor({0, 1});
  EXPECT_THAT(message_of([&] { index_copy(x, 0, at, zeros({2, 2})); }), HasSubstr("index_copy: the source must have"));
  EXPECT_THAT(message_of([&] { index_copy(x, 0, tensor({2}), zeros({1, 3})); }), HasSubstr("index_copy"));
  EXPECT_THAT(message_of([&] { index_fill(x, 0, at, ones({1})); }), HasSubstr("must be a number or a 0-d tensor"));
  EXPECT_THAT(message_of([&] { index_fill(arange(3), 0, at, 1e30); }), HasSubstr("index_fill"));
  EXPECT_THAT(message_of([&] { masked_scatter(x, x == 0, ones({5})); }), HasSubstr("each of the 6 places, got 5"));
  EXPECT_THAT(message_of([&] { masked_scatter(x, x, x); }), HasSubstr("a mask must be bool"));
  EXPECT_THAT(message_of([&] { masked_scatter(x, x == 0, arange(6)); }), HasSubstr("same type, got float32 and int64"));
  EXPECT_THAT(message_of([&] { take(x, tensor({6})); }), HasSubstr("take"));
  EXPECT_THAT(message_of([&] { put(x, at, ones({3})); }), HasSubstr("as many elements, got 2 and 3"));
  EXPECT_THAT(message_of([&] { slice_scatter(x, x, 0, 1); }), HasSubstr("its place, [1, 3], got [2, 3]"));
  EXPECT_THAT(message_of([&] { select_scatter(x, x, 0, 0); }), HasSubstr("select_scatter: the source"));
  EXPECT_THAT(message_of([&] { scatter_reduce(x, 0, at, x, "max"); }), HasSubstr("'amax' or 'amin', got 'max'"));
  EXPECT_THAT(message_of([&] { scatter_reduce(x, 0, tensor({{2}}), x, "amax"); }), HasSubstr("got 2"));
  EXPECT_THAT(message_of([&] {
                scatter_reduce(x, 0, tensor({{0}}), arange(6).view({2, 3}), "amax");
              }),
              HasSubstr("scatter_reduce: both tensors must have the same type"));
  EXPECT_THAT(message_of([&] { index_reduce(x, 0, at, x, "sum"); }), HasSubstr("index_reduce: reduce must be"));
  EXPECT_THAT(message_of([&] { index_reduce(x, 0, at, zeros({1, 3}), "prod"); }), HasSubstr("source of sizes [2, 3]"));
  EXPECT_THAT(message_of([&] { take_along_dim(x, at, 0); }), HasSubstr("as many dimensions"));
  EXPECT_THAT(index_fill(arange(3), 0, tensor({-1}), 7).to_vector<int>(), ElementsAre(0, 1, 7));
  EXPECT_EQ(index_copy(tensor(1.0), 0, tensor({0}), tensor(2.0)).item(), 2);
  EXPECT_EQ(scatter_reduce(tensor(3), 0, tensor({0, 0, 0}), tensor({2, 5, 7}), "prod").item<int>(), 210);
  EXPECT_THAT(scatter_reduce(tensor({9, 9}), 0, tensor({0, 0, 0}), tensor({4, 1, 2}), "mean", false).to_vector<int>(),
              ElementsAre(2, 9));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(scatter_reduce(zeros({1}), 0, tensor({0, 0}), tensor({nan, 1.0}), "amax").item()));
  EXPECT_EQ(to_string(index_put(arange(3), {tensor({0})}, tensor(5)).dtype()), std::string("int64"));
  // Nothing but the copy is changed.
  const Tensor leaf = zeros({3}).requires_grad_();
  EXPECT_EQ(index_put(leaf, {0}, tensor(1.0)).sum().item(), 1);
  EXPECT_EQ(leaf.sum().item(), 0);
}

// Many of one place are combined in pairs; the order of what comes does not matter.
TEST(Placing, ManyValuesOfOnePlace) {
  const std::int64_t n = 1000;
  const Tensor at = remainder(arange(n) * 7, tensor(3)), values = rand({n}, {.dtype = kFloat64}) + 0.5;
  for (const std::int64_t place : {0, 1, 2}) {
    const Tensor own = masked_select(values, at == place), x = ones({3}, {.dtype = kFloat64});
    const auto reduced = [&](const char* how) { return scatter_reduce(x, 0, at, values, how, false)[place].item(); };
    EXPECT_EQ(reduced("amax"), max(own).item());
    EXPECT_EQ(reduced("amin"), min(own).item());
    EXPECT_NEAR(std::log(reduced("prod")), sum(log(own)).item(), 1e-9);
  }
}

TEST(Searching, ErrorsAndOddInputs) {
  const Tensor edges = tensor({1.0, 3.0});
  EXPECT_THAT(message_of([&] { searchsorted(edges, arange(3)); }), HasSubstr("same type, got float32 and int64"));
  EXPECT_THAT(message_of([&] { searchsorted(edges, edges, false, true, "left"); }), HasSubstr("exclude each other"));
  EXPECT_THAT(message_of([&] { searchsorted(edges, edges, false, false, "up"); }), HasSubstr("got 'up'"));
  EXPECT_THAT(message_of([&] { searchsorted(zeros({2, 3}), zeros({3, 3})); }), HasSubstr("but for the last"));
  EXPECT_THAT(message_of([&] { searchsorted(edges, edges, false, false, {}, tensor({0})); }), HasSubstr("sorter"));
  EXPECT_THAT(message_of([&] { bucketize(edges, zeros({2, 2})); }), HasSubstr("the boundaries must be a vector"));
  EXPECT_EQ(searchsorted(edges, 2).item<int>(), 1);
  EXPECT_EQ(bucketize(3.0, edges, false, true).item<int>(), 2);
  EXPECT_EQ(searchsorted(zeros({0}), edges).sum().item<int>(), 0);
  EXPECT_EQ(searchsorted(arange(3), 0.5).item<int>(), 1);
  EXPECT_THAT(isin(arange(3), 1).to_vector<bool>(), ElementsAre(false, true, false));
  EXPECT_TRUE(isin(1, arange(3)).item<bool>());
  EXPECT_THAT(isin(arange(2), zeros({0}), false, true).to_vector<bool>(), ElementsAre(true, true));
  EXPECT_TRUE(isin(tensor({true}), tensor({false, true})).item<bool>());
  EXPECT_EQ(nonzero_numpy(tensor(1)).size(), 1u);
  EXPECT_EQ(unique_consecutive(zeros({0})).counts.numel(), 0);
  EXPECT_EQ(unique_consecutive(tensor(4)).values.numel(), 1);
}

TEST(Arranging, UniqueSlicesAreInAscendingOrder) {
  const Tensor x = tensor({{2, 1}, {1, 9}, {2, 1}, {1, 3}, {1, 9}, {1, 9}});
  const Unique rows = unique(x, 0);
  EXPECT_TRUE(equal(rows.values, tensor({{1, 3}, {1, 9}, {2, 1}})));
  EXPECT_TRUE(equal(rows.inverse, tensor({2, 1, 2, 0, 1, 1})));
  EXPECT_TRUE(equal(rows.counts, tensor({1, 3, 2})));
  EXPECT_TRUE(equal(index_select(rows.values, 0, rows.inverse), x));
  EXPECT_TRUE(equal(unique(x.t(), -1).values, rows.values.t()));
  EXPECT_EQ(unique(zeros({0, 2}), 0).values.sizes(), (Shape{0, 2}));
  EXPECT_EQ(unique(tensor({3, 3, 1}), 0).values.numel(), 2);
  EXPECT_THROW(unique(x, 2), IndexError);
  EXPECT_THROW(trace(zeros({3})), ShapeError);
}

TEST(Drawing, BernoulliAndNormalFollowTheirParameters) {
  manual_seed(3);
  const Tensor p = tensor({0.0, 0.25, 1.0}).expand({20000, 3});
  const auto shares = bernoulli(p).mean({0}).to_vector<double>();
  EXPECT_THAT(shares, ElementsAre(0, testing::DoubleNear(0.25, 0.02), 1));
  EXPECT_NEAR(bernoulli(zeros({20000}), 0.75).mean().item(), 0.75, 0.02);
  const Tensor drawn = normal(tensor({0.0, 10.0}).expand({20000, 2}), tensor({1.0, 0.0}));
  EXPECT_NEAR(drawn.mean({0})[0].item(), 0, 0.04);
  EXPECT_NEAR(drawn.std({0})[0].item(), 1, 0.04);
  EXPECT_EQ(drawn.std({0})[1].item(), 0);
  EXPECT_NEAR(normal(3.0, full({20000}, 2.0)).std().item(), 2, 0.08);
  EXPECT_EQ(normal(1.0, 2.0, {2, 3}, {.dtype = kFloat64}).sizes(), (Shape{2, 3}));
  Generator a(5), b(5);
  EXPECT_TRUE(equal(normal(zeros({4}), 1.0, &a), normal(zeros({4}), 1.0, &b)));
  const Tensor like = randint_like(zeros({100}), 2, 5);
  EXPECT_EQ(like.dtype(), kFloat32);
  EXPECT_TRUE(((like >= 2) & (like < 5)).all().item<bool>());
  EXPECT_THAT(message_of([&] { bernoulli(tensor({1.5})); }), HasSubstr("probabilities must be in [0, 1]"));
  EXPECT_THAT(message_of([&] { bernoulli(arange(2)); }), HasSubstr("floating-point probabilities, got int64"));
  EXPECT_THAT(message_of([&] { normal(zeros({2}), -1.0); }), HasSubstr("at least 0"));
}

TEST(GridSampling, ErrorsAndPositionsThatAreNoNumbers) {
  const Tensor x = ones({1, 1, 2, 2}), grid = zeros({1, 1, 3, 2});
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const Tensor odd = tensor({nan, 0.0, inf, 0.0, 0.0, 0.0}).view({1, 1, 3, 2});
  EXPECT_THAT(grid_sample(x, odd).to_vector<double>(), ElementsAre(0, 0, 1));
  EXPECT_THAT(grid_sample(x, odd, "nearest").to_vector<double>(), ElementsAre(0, 0, 1));
  EXPECT_THAT(message_of([&] { grid_sample(x, zeros({2, 1, 3, 2})); }), HasSubstr("grid_sample: needs x [N, C, H, W]"));
  EXPECT_THAT(message_of([&] { grid_sample(x, grid, "bicubic"); }), HasSubstr("got 'bicubic'"));
  EXPECT_THAT(message_of([&] { grid_sample(x, grid, "nearest", "wrap"); }), HasSubstr("got 'wrap'"));
  EXPECT_THAT(message_of([&] { grid_sample(x, grid.to(kFloat64)); }), HasSubstr("one floating-point type"));
  EXPECT_THAT(message_of([&] { grid_sample(zeros({1, 1, 0, 2}), grid); }), HasSubstr("must not be 0"));
  EXPECT_THAT(message_of([&] { affine_grid(zeros({1, 2, 3}), {2, 1, 2, 2}); }), HasSubstr("affine_grid: needs theta"));
}

TEST(Creation, ProbabilitiesMayBeIntegers) {
  EXPECT_TRUE(equal(bernoulli(ones({3}), 0), zeros({3})));
  EXPECT_TRUE(equal(bernoulli(zeros({3}), 1), ones({3})));
}

TEST(Placing, PositionsFromTheEndAreTakenAlongADimension) {
  const Tensor x = arange(6).view({2, 3});
  EXPECT_TRUE(equal(take_along_dim(x, tensor({{-1}}), 1), tensor({{2}, {5}})));
  EXPECT_THROW(take_along_dim(x, tensor({{3}}), 1), Error);
}

TEST(Searching, SlicesWithoutElementsHaveNoNeighbours) {
  EXPECT_THROW(unique_consecutive(zeros({3, 0}), 0), ShapeError);
}

TEST(GridSampling, SharesAreExactInSixteenBits) {
  const Tensor image = arange(600).to(kFloat32).view({1, 1, 1, 600}).to(kBFloat16);
  const Tensor grid = tensor({0.7, 0.0}).view({1, 1, 1, 2}).to(kBFloat16);
  EXPECT_EQ(grid_sample(image, grid).item(), 510);
}

}  // namespace
}  // namespace gradus

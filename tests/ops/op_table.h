/// The table of operations: one row for each, from which its tests follow (op_table_test.cpp).
#pragma once

#include <gradus/ops.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "support/gradcheck.h"

namespace gradus::test {

using Inputs = std::vector<Tensor>;
using Sizes = std::vector<Shape>;  // of each input

/// A row-major array of doubles: what references read and give.
struct Plain {
  Shape sizes;
  std::vector<double> values;
};
using Reference = std::function<Plain(const std::vector<Plain>&)>;

/// Where an input is sampled.
struct Domain {
  double low = -2, high = 2;
  std::vector<double> kinks = {};  // samples keep 0.05 away from these
  bool distinct = false;           // evenly spaced values in random order: no near ties
};

struct Row {
  std::string name;                    // as declared in the header; what follows a space tells variants apart
  Function fn = nullptr;               // what it is
  std::vector<Sizes> cases = {};       // sizes of the inputs it is tried with; each also transposed and broadcast
  Reference reference = nullptr;       // what it should give; where null, the values are tested elsewhere
  std::vector<Domain> domains = {{}};  // of each input; the last one stands for all further ones
  bool differentiable = true;
  bool broadcasts = true;  // whether inputs with equal rows are samples away from kinks
  // Sizes with n as an awkward length, for comparing instruction sets; unset: the cases only.
  std::function<Sizes(std::int64_t n)> lengths = nullptr;
  // Instruction sets may differ by `ulps` units in the last place of max(|result|, scale).
  double ulps = 16;
  double scale = 0;
};
using Rows = std::vector<Row>;

const Rows& op_table();

// The families, one file each.
void add_arithmetic_rows(Rows& rows);
void add_function_rows(Rows& rows);
void add_reduction_rows(Rows& rows);
void add_product_rows(Rows& rows);
void add_shape_rows(Rows& rows);
void add_indexing_rows(Rows& rows);
void add_sorting_rows(Rows& rows);
void add_loss_rows(Rows& rows);
void add_convolution_rows(Rows& rows);
void add_pooling_rows(Rows& rows);
void add_normalization_rows(Rows& rows);
void add_resampling_rows(Rows& rows);

// Cases that suit an element-wise operation of n inputs: matrices, 3-d, empty, one element, 0-d, and broadcasting.
std::vector<Sizes> elementwise_cases(int n);
// n inputs of sizes [n].
std::function<Sizes(std::int64_t)> vectors(int count);

// Rows of element-wise operations.
Row unary_row(const std::string& name, std::function<Tensor(const Tensor&)> fn, std::function<double(double)> reference,
              Domain domain = {});
Row binary_row(const std::string& name, std::function<Tensor(const Tensor&, const Tensor&)> fn,
               std::function<double(double, double)> reference, Domain a = {}, Domain b = {});

// References.
Reference pointwise(std::function<double(const double* x)> f);  // broadcasts
// Reduces the given dimensions (none: all) of the only input.
Reference reduction(std::vector<int> dims, bool keepdim, std::function<double(const std::vector<double>&)> f);
// As many values as there are along `dim`, in their place.
Reference along(int dim, std::function<std::vector<double>(const std::vector<double>&)> f);
// Element `at` of the result is element source(at) of the only input.
using Position = std::vector<std::int64_t>;
Reference rearranged(std::function<Shape(const Shape&)> sizes,
                     std::function<Position(const Position&, const Shape&)> source);

Plain make_plain(const Shape& sizes);
std::int64_t flat_index(const Shape& sizes, const Position& at);
// All positions of an array, in row-major order.
std::vector<Position> positions(const Shape& sizes);

// True at every third element.
Tensor pattern_mask(const Shape& sizes);

}  // namespace gradus::test

#include "ops/op_table.h"
#include "support/device.h"

#include "ops/arranging/rows_arranging.h"
#include "ops/rows/rows_further.h"
#include "ops/rows/rows_mathematics.h"

namespace gradus::test {

const Rows& op_table() {
  static const Rows table = [] {
    Rows rows;
    add_arithmetic_rows(rows);
    add_function_rows(rows);
    add_reduction_rows(rows);
    add_product_rows(rows);
    add_shape_rows(rows);
    add_indexing_rows(rows);
    add_sorting_rows(rows);
    add_loss_rows(rows);
    add_convolution_rows(rows);
    add_pooling_rows(rows);
    add_normalization_rows(rows);
    add_resampling_rows(rows);
    add_further_rows(rows);
    add_mathematics_rows(rows);
    add_further_product_rows(rows);
    add_statistics_rows(rows);
    add_arranging_rows(rows);
    add_placing_rows(rows);
    add_activation_rows(rows);
    add_folding_rows(rows);
    return rows;
  }();
  return table;
}

std::vector<Sizes> elementwise_cases(int n) {
  const auto count = static_cast<std::size_t>(n);
  std::vector<Sizes> cases;
  for (const Shape& sizes : {Shape{3, 4}, Shape{2, 1, 3}, Shape{0, 3}, Shape{1}, Shape{}})
    cases.push_back(Sizes(count, sizes));
  if (n >= 2) {
    Sizes rows(count, Shape{3, 1}), scalar(count, Shape{2, 3});
    rows[1] = Shape{4};
    scalar[1] = Shape{};
    cases.push_back(rows);
    cases.push_back(scalar);
  }
  return cases;
}

std::function<Sizes(std::int64_t)> vectors(int count) {
  return [count](std::int64_t n) { return Sizes(static_cast<std::size_t>(count), Shape{n}); };
}

Row unary_row(const std::string& name, std::function<Tensor(const Tensor&)> fn, std::function<double(double)> reference,
              Domain domain) {
  return {.name = name,
          .fn = [fn](const Inputs& x) { return fn(x[0]); },
          .cases = elementwise_cases(1),
          .reference = pointwise([reference](const double* x) { return reference(x[0]); }),
          .domains = {domain},
          .lengths = vectors(1)};
}

Row binary_row(const std::string& name, std::function<Tensor(const Tensor&, const Tensor&)> fn,
               std::function<double(double, double)> reference, Domain a, Domain b) {
  return {.name = name,
          .fn = [fn](const Inputs& x) { return fn(x[0], x[1]); },
          .cases = elementwise_cases(2),
          .reference = pointwise([reference](const double* x) { return reference(x[0], x[1]); }),
          .domains = {a, b},
          .lengths = vectors(2)};
}

Plain make_plain(const Shape& sizes) { return {sizes, std::vector<double>(static_cast<std::size_t>(sizes.numel()))}; }

std::int64_t flat_index(const Shape& sizes, const Position& at) {
  std::int64_t flat = 0;
  for (int d = 0; d < sizes.rank(); ++d) flat = flat * sizes[d] + at[static_cast<std::size_t>(d)];
  return flat;
}

std::vector<Position> positions(const Shape& sizes) {
  std::vector<Position> all;
  const std::int64_t count = sizes.numel();
  for (std::int64_t i = 0; i < count; ++i) {
    Position at(static_cast<std::size_t>(sizes.rank()));
    std::int64_t rest = i;
    for (int d = sizes.rank() - 1; d >= 0; --d) {
      at[static_cast<std::size_t>(d)] = rest % sizes[d];
      rest /= sizes[d];
    }
    all.push_back(at);
  }
  return all;
}

Reference pointwise(std::function<double(const double* x)> f) {
  return [f](const std::vector<Plain>& inputs) {
    Shape sizes = inputs[0].sizes;
    for (const Plain& x : inputs) sizes = broadcast_shapes("reference", sizes, x.sizes);
    Plain y = make_plain(sizes);
    std::vector<double> args(inputs.size());
    std::size_t next = 0;
    for (const Position& at : positions(sizes)) {
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        const Shape& own = inputs[k].sizes;
        Position source(at.end() - own.rank(), at.end());
        for (int d = 0; d < own.rank(); ++d)
          if (own[d] == 1) source[static_cast<std::size_t>(d)] = 0;
        args[k] = inputs[k].values[static_cast<std::size_t>(flat_index(own, source))];
      }
      y.values[next++] = f(args.data());
    }
    return y;
  };
}

Reference reduction(std::vector<int> dims, bool keepdim, std::function<double(const std::vector<double>&)> f) {
  return [=](const std::vector<Plain>& inputs) {
    const Plain& x = inputs[0];
    std::vector<bool> reduced(static_cast<std::size_t>(x.sizes.rank()), dims.empty());
    for (int d : dims) reduced[static_cast<std::size_t>(d < 0 ? d + x.sizes.rank() : d)] = true;
    Shape kept = x.sizes, sizes;
    for (int d = 0; d < kept.rank(); ++d) {
      if (reduced[static_cast<std::size_t>(d)]) kept[d] = 1;
      if (keepdim || !reduced[static_cast<std::size_t>(d)]) sizes.push_back(kept[d]);
    }
    std::vector<std::vector<double>> groups(static_cast<std::size_t>(kept.numel()));
    std::size_t next = 0;
    for (Position at : positions(x.sizes)) {
      for (std::size_t d = 0; d < at.size(); ++d)
        if (reduced[d]) at[d] = 0;
      groups[static_cast<std::size_t>(flat_index(kept, at))].push_back(x.values[next++]);
    }
    Plain y = make_plain(sizes);
    for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = f(groups[i]);
    return y;
  };
}

Reference along(int dim, std::function<std::vector<double>(const std::vector<double>&)> f) {
  return [=](const std::vector<Plain>& inputs) {
    const Plain& x = inputs[0];
    Plain y = make_plain(x.sizes);
    if (x.sizes.rank() == 0) return Plain{x.sizes, f(x.values)};
    const int d = dim < 0 ? dim + x.sizes.rank() : dim;
    for (Position at : positions(x.sizes)) {
      if (at[static_cast<std::size_t>(d)] != 0) continue;
      std::vector<double> line;
      const auto index = [&](std::int64_t i) {
        at[static_cast<std::size_t>(d)] = i;
        return static_cast<std::size_t>(flat_index(x.sizes, at));
      };
      for (std::int64_t i = 0; i < x.sizes[d]; ++i) line.push_back(x.values[index(i)]);
      line = f(line);
      for (std::int64_t i = 0; i < x.sizes[d]; ++i) y.values[index(i)] = line[static_cast<std::size_t>(i)];
    }
    return y;
  };
}

Reference rearranged(std::function<Shape(const Shape&)> sizes,
                     std::function<Position(const Position&, const Shape&)> source) {
  return [=](const std::vector<Plain>& inputs) {
    const Plain& x = inputs[0];
    Plain y = make_plain(sizes(x.sizes));
    std::size_t next = 0;
    for (const Position& at : positions(y.sizes))
      y.values[next++] = x.values[static_cast<std::size_t>(flat_index(x.sizes, source(at, x.sizes)))];
    return y;
  };
}

Tensor pattern_mask(const Shape& sizes) {
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(sizes.numel()));
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = i % 3 == 1;
  return tensor(bits, sizes, {.device = test_device()}).to(kBool);
}

}  // namespace gradus::test

// More ways to make tensors: sequences, windows and random numbers. gradus/tensor.h has the common ones.
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <vector>

#include <gradus/tensor.h>

namespace gradus {

namespace detail {
// The numbers of nested vectors in a row; `sizes` gets the length of each level.
template <class T>
std::vector<T> flattened(const std::vector<T>& values, int level, Shape& sizes) {
  const auto length = static_cast<std::int64_t>(values.size());
  if (level == sizes.rank()) sizes.push_back(length);
  if (sizes[level] != length) throw_ragged_rows(static_cast<std::size_t>(sizes[level]), values.size());
  return values;
}
template <class T>
auto flattened(const std::vector<std::vector<T>>& rows, int level, Shape& sizes) {
  const auto length = static_cast<std::int64_t>(rows.size());
  if (level == sizes.rank()) sizes.push_back(length);
  if (sizes[level] != length) throw_ragged_rows(static_cast<std::size_t>(sizes[level]), rows.size());
  decltype(flattened(std::vector<T>(), level, sizes)) all;
  if (rows.empty()) flattened(std::vector<T>(), level + 1, sizes);  // the levels below are empty, too
  for (const auto& row : rows) {
    const auto part = flattened(row, level + 1, sizes);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}
}  // namespace detail

// From rows, or lists of rows, to any depth; all of a level must have the same length (ShapeError).
template <class T>
Tensor tensor(const std::vector<std::vector<T>>& rows, const TensorOptions& options = {}) {
  Shape sizes;
  const auto flat = detail::flattened(rows, 0, sizes);
  return tensor(flat, sizes, options);
}

// base to the powers that linspace(start, end, steps) returns.
Tensor logspace(double start, double end, std::int64_t steps, double base = 10, const TensorOptions& options = {});
// The powers n - 1, ..., 1, 0 of each element of a vector, one row each; 0, 1, ... if increasing. By default, n is the
// number of elements. Differentiable.
Tensor vander(const Tensor& x, std::optional<std::int64_t> n = {}, bool increasing = false);

// Borrowed memory, as from_blob of gradus/tensor.h, whose elements lie `strides` elements apart, not negative
// (ValueError): a transposed or a padded matrix.
Tensor from_blob(void* data, const Shape& sizes, const Shape& strides, Dtype dtype,
                 std::function<void(void*)> deleter = {});

// Windows of signal processing. A periodic window is the symmetric one with one more point, without that point.
Tensor bartlett_window(std::int64_t window_length, bool periodic = true, const TensorOptions& options = {});
Tensor blackman_window(std::int64_t window_length, bool periodic = true, const TensorOptions& options = {});
Tensor hamming_window(std::int64_t window_length, bool periodic = true, double alpha = 0.54, double beta = 0.46,
                      const TensorOptions& options = {});
Tensor hann_window(std::int64_t window_length, bool periodic = true, const TensorOptions& options = {});

// Random numbers, from the default generator where none is given. No gradient passes.
Tensor randint_like(const Tensor& x, std::int64_t high, const TensorOptions& options = {},
                    Generator* generator = nullptr);
Tensor randint_like(const Tensor& x, std::int64_t low, std::int64_t high, const TensorOptions& options = {},
                    Generator* generator = nullptr);
// 1 with the probability that x holds for the element, else 0. ValueError for a probability outside [0, 1].
Tensor bernoulli(const Tensor& p, Generator* generator = nullptr);
Tensor bernoulli(const Tensor& x, double p, Generator* generator = nullptr);  // of x's sizes and type
template <std::integral T>
Tensor bernoulli(const Tensor& x, T p, Generator* generator = nullptr) {  // a literal 0 is not a generator
  return bernoulli(x, static_cast<double>(p), generator);
}
Tensor normal(const Tensor& mean, const Tensor& std, Generator* generator = nullptr);  // these broadcast
Tensor normal(const Tensor& mean, double std = 1, Generator* generator = nullptr);
Tensor normal(double mean, const Tensor& std, Generator* generator = nullptr);
Tensor normal(double mean, double std, const Shape& sizes, const TensorOptions& options = {},
              Generator* generator = nullptr);

}  // namespace gradus

// More reductions, running values and counts, with PyTorch's names, argument order and defaults.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include <gradus/ops.h>

namespace gradus {

// --- reductions: an empty list of dims means all
Tensor count_nonzero(const Tensor& x, const Dims& dims = {});  // int64
Tensor nansum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor nanmean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);  // NaN where all are
std::pair<Tensor, Tensor> var_mean(const Tensor& x, const Dims& dims = {}, double correction = 1, bool keepdim = false);
std::pair<Tensor, Tensor> std_mean(const Tensor& x, const Dims& dims = {}, double correction = 1, bool keepdim = false);
std::pair<Tensor, Tensor> aminmax(const Tensor& x, std::optional<std::int64_t> dim = {}, bool keepdim = false);

// --- order: values, and int64 indices
std::pair<Tensor, Tensor> kthvalue(const Tensor& x, std::int64_t k, std::int64_t dim = -1, bool keepdim = false);
Tensor nanmedian(const Tensor& x);  // the median of what is not NaN
std::pair<Tensor, Tensor> nanmedian(const Tensor& x, std::int64_t dim, bool keepdim = false);
// The quantiles q in [0, 1], one number or a vector, which comes first in the result's sizes. Unset dim: of all
// elements. Between two elements: "linear", "lower", "higher", "midpoint" or "nearest". NaN if any element is NaN;
// nanquantile leaves NaN out.
Tensor quantile(const Tensor& x, double q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                std::string_view interpolation = "linear");
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                std::string_view interpolation = "linear");
Tensor nanquantile(const Tensor& x, double q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                   std::string_view interpolation = "linear");
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                   std::string_view interpolation = "linear");

// --- running values
Tensor logcumsumexp(const Tensor& x, std::int64_t dim);
// The largest so far, and its last position. After a NaN all are NaN.
std::pair<Tensor, Tensor> cummax(const Tensor& x, std::int64_t dim);
std::pair<Tensor, Tensor> cummin(const Tensor& x, std::int64_t dim);

// --- counts, and limited norms
// How many elements lie in each of `bins` equal parts of [min, max]; the type is that of x, which must be floating.
// min = max stands for the range of x. What lies outside, and NaN, is not counted.
Tensor histc(const Tensor& x, std::int64_t bins = 100, double min = 0, double max = 0);
// How often each of 0, 1, ... occurs in a vector of integers, or the sum of its weights there.
Tensor bincount(const Tensor& x, const Tensor& weights = Tensor(), std::int64_t minlength = 0);
// The slices along dim whose p-norm is above maxnorm are scaled to it.
Tensor renorm(const Tensor& x, double p, std::int64_t dim, double maxnorm);

}  // namespace gradus

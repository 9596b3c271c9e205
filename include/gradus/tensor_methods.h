// The operations as methods of Tensor, in the words of torch.Tensor: `x.mean(0)` is `mean(x, 0)`. gradus/ops.h and the
// headers in gradus/ops/ document them.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <gradus/core/scalar.h>
#include <gradus/core/tensor_options.h>

namespace gradus {

class Generator;
class Tensor;
struct Unique;

// What Tensor inherits.
class TensorMethods {
 public:
  Tensor view(const Shape& sizes) const;
  Tensor reshape(const Shape& sizes) const;
  Tensor permute(const Shape& dims) const;
  Tensor transpose(std::int64_t dim0, std::int64_t dim1) const;
  Tensor t() const;
  Tensor mT() const;  // the last two dimensions exchanged
  Tensor expand(const Shape& sizes) const;
  Tensor expand_as(const Tensor& other) const;
  Tensor view_as(const Tensor& other) const;
  Tensor squeeze() const;
  Tensor squeeze(std::int64_t dim) const;
  Tensor unsqueeze(std::int64_t dim) const;
  Tensor flatten(std::int64_t start_dim = 0, std::int64_t end_dim = -1) const;
  Tensor unflatten(std::int64_t dim, const Shape& sizes) const;
  Tensor narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const;
  Tensor select(std::int64_t dim, std::int64_t index) const;
  std::vector<Tensor> split(std::int64_t split_size, std::int64_t dim = 0) const;
  std::vector<Tensor> split(const std::vector<std::int64_t>& sizes, std::int64_t dim = 0) const;
  std::vector<Tensor> chunk(std::int64_t chunks, std::int64_t dim = 0) const;
  std::vector<Tensor> unbind(std::int64_t dim = 0) const;
  Tensor repeat(const Shape& repeats) const;
  Tensor flip(const Dims& dims) const;
  Tensor roll(const Dims& shifts, const Dims& dims = {}) const;
  Tensor tril(std::int64_t diagonal = 0) const;
  Tensor triu(std::int64_t diagonal = 0) const;
  Tensor gather(std::int64_t dim, const Tensor& index) const;
  Tensor index_select(std::int64_t dim, const Tensor& index) const;
  Tensor index_add(std::int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor scatter(std::int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor scatter_add(std::int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor masked_fill(const Tensor& mask, const Scalar& value) const;
  Tensor masked_select(const Tensor& mask) const;
  Tensor where(const Tensor& condition, const Tensor& other) const;
  Tensor nonzero() const;
  std::pair<Tensor, Tensor> sort(std::int64_t dim = -1, bool descending = false) const;  // values, int64 indices
  Tensor argsort(std::int64_t dim = -1, bool descending = false) const;
  std::pair<Tensor, Tensor> topk(std::int64_t k, std::int64_t dim = -1, bool largest = true, bool sorted = true) const;
  Tensor sum(const Dims& dims = {}, bool keepdim = false, std::optional<Dtype> dtype = {}) const;
  Tensor mean(const Dims& dims = {}, bool keepdim = false) const;
  Tensor var(const Dims& dims = {}, double correction = 1, bool keepdim = false) const;
  Tensor std(const Dims& dims = {}, double correction = 1, bool keepdim = false) const;
  Tensor norm(double p = 2, const Dims& dims = {}, bool keepdim = false) const;
  Tensor logsumexp(const Dims& dims, bool keepdim = false) const;
  Tensor prod() const;
  Tensor prod(std::int64_t dim, bool keepdim = false) const;
  Tensor cumsum(std::int64_t dim) const;
  Tensor amax(const Dims& dims = {}, bool keepdim = false) const;
  Tensor amin(const Dims& dims = {}, bool keepdim = false) const;
  Tensor max() const;
  Tensor min() const;
  std::pair<Tensor, Tensor> max(std::int64_t dim, bool keepdim = false) const;  // values, int64 indices
  std::pair<Tensor, Tensor> min(std::int64_t dim, bool keepdim = false) const;
  Tensor argmax(std::optional<std::int64_t> dim = {}, bool keepdim = false) const;
  Tensor argmin(std::optional<std::int64_t> dim = {}, bool keepdim = false) const;
  Tensor all(const Dims& dims = {}, bool keepdim = false) const;
  Tensor any(const Dims& dims = {}, bool keepdim = false) const;
  Tensor matmul(const Tensor& other) const;
  Tensor mm(const Tensor& other) const;
  Tensor bmm(const Tensor& other) const;
  Tensor dot(const Tensor& other) const;
  Tensor add(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor sub(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor mul(const Tensor& other) const;
  Tensor div(const Tensor& other) const;
  Tensor add(const Scalar& other) const;
  Tensor sub(const Scalar& other) const;
  Tensor mul(const Scalar& other) const;
  Tensor div(const Scalar& other) const;
  Tensor maximum(const Tensor& other) const;
  Tensor minimum(const Tensor& other) const;
  Tensor pow(const Scalar& exponent) const;
  Tensor pow(const Tensor& exponent) const;
  Tensor square() const;
  Tensor reciprocal() const;
  Tensor rsqrt() const;
  Tensor floor() const;
  Tensor ceil() const;
  Tensor round() const;
  Tensor sign() const;
  Tensor log1p() const;
  Tensor expm1() const;
  Tensor erf() const;
  Tensor exp() const;
  Tensor log() const;
  Tensor sqrt() const;
  Tensor abs() const;
  Tensor neg() const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor tanh() const;
  Tensor sigmoid() const;
  Tensor relu() const;
  Tensor softmax(std::int64_t dim) const;
  Tensor log_softmax(std::int64_t dim) const;
  Tensor clamp(std::optional<double> min, std::optional<double> max = {}) const;
  Tensor eq(const Tensor& other) const;
  Tensor ne(const Tensor& other) const;
  Tensor lt(const Tensor& other) const;
  Tensor le(const Tensor& other) const;
  Tensor gt(const Tensor& other) const;
  Tensor ge(const Tensor& other) const;
  Tensor eq(const Scalar& other) const;
  Tensor ne(const Scalar& other) const;
  Tensor lt(const Scalar& other) const;
  Tensor le(const Scalar& other) const;
  Tensor gt(const Scalar& other) const;
  Tensor ge(const Scalar& other) const;
  Tensor tan() const;
  Tensor atan() const;
  Tensor log2() const;
  Tensor log10() const;
  Tensor atan2(const Tensor& other) const;
  Tensor remainder(const Tensor& other) const;
  Tensor remainder(const Scalar& other) const;
  Tensor floor_divide(const Tensor& other) const;
  Tensor floor_divide(const Scalar& other) const;
  Tensor lerp(const Tensor& end, double weight) const;
  Tensor logical_and(const Tensor& other) const;
  Tensor logical_or(const Tensor& other) const;
  Tensor logical_xor(const Tensor& other) const;
  Tensor logical_not() const;
  Tensor median() const;
  std::pair<Tensor, Tensor> median(std::int64_t dim, bool keepdim = false) const;
  Tensor cumprod(std::int64_t dim) const;
  Tensor repeat_interleave(std::int64_t repeats, std::optional<std::int64_t> dim = {}) const;
  Tensor outer(const Tensor& other) const;
  Tensor addmm(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  Tensor multinomial(std::int64_t num_samples, bool replacement = false) const;
  // Of this type and on this device, unless the options say otherwise.
  Tensor new_empty(const Shape& sizes, const TensorOptions& options = {}) const;
  Tensor new_zeros(const Shape& sizes, const TensorOptions& options = {}) const;
  Tensor new_ones(const Shape& sizes, const TensorOptions& options = {}) const;
  Tensor new_full(const Shape& sizes, const Scalar& value, const TensorOptions& options = {}) const;
  Tensor type_as(const Tensor& other) const;
  Tensor reshape_as(const Tensor& other) const;
  Tensor isnan() const;
  Tensor isinf() const;
  Tensor isfinite() const;
  bool equal(const Tensor& other) const;
  bool allclose(const Tensor& other, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false) const;

  // gradus/ops.h
  Tensor scatter(std::int64_t dim, const Tensor& index, const Scalar& value) const;
  // gradus/ops/activation.h
  Tensor hardshrink(double lambd = 0.5) const;
  // gradus/ops/arranging.h
  Tensor movedim(const Dims& source, const Dims& destination) const;
  Tensor moveaxis(const Dims& source, const Dims& destination) const;
  Tensor swapaxes(std::int64_t axis0, std::int64_t axis1) const;
  Tensor swapdims(std::int64_t dim0, std::int64_t dim1) const;
  Tensor ravel() const;
  Tensor tile(const Shape& dims) const;
  Tensor squeeze(const Dims& dims) const;
  Tensor rot90(std::int64_t k = 1, const Dims& dims = {0, 1}) const;
  Tensor fliplr() const;
  Tensor flipud() const;
  Tensor broadcast_to(const Shape& sizes) const;
  std::vector<Tensor> tensor_split(std::int64_t sections, std::int64_t dim = 0) const;
  std::vector<Tensor> tensor_split(const std::vector<std::int64_t>& indices, std::int64_t dim = 0) const;
  std::vector<Tensor> tensor_split(const Tensor& indices_or_sections, std::int64_t dim = 0) const;
  std::vector<Tensor> hsplit(std::int64_t sections) const;
  std::vector<Tensor> hsplit(const std::vector<std::int64_t>& indices) const;
  std::vector<Tensor> vsplit(std::int64_t sections) const;
  std::vector<Tensor> vsplit(const std::vector<std::int64_t>& indices) const;
  std::vector<Tensor> dsplit(std::int64_t sections) const;
  std::vector<Tensor> dsplit(const std::vector<std::int64_t>& indices) const;
  std::vector<Tensor> split_with_sizes(const std::vector<std::int64_t>& sizes, std::int64_t dim = 0) const;
  std::vector<Tensor> tensor_split(std::initializer_list<std::int64_t> indices, std::int64_t dim = 0) const;
  std::vector<Tensor> hsplit(std::initializer_list<std::int64_t> indices) const;
  std::vector<Tensor> vsplit(std::initializer_list<std::int64_t> indices) const;
  std::vector<Tensor> dsplit(std::initializer_list<std::int64_t> indices) const;
  // gradus/ops/choice.h
  Tensor fmax(const Tensor& other) const;
  Tensor fmin(const Tensor& other) const;
  Tensor heaviside(const Tensor& values) const;
  Tensor nan_to_num(std::optional<double> nan = {}, std::optional<double> posinf = {},
                    std::optional<double> neginf = {}) const;
  Tensor isclose(const Tensor& other, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false) const;
  Tensor isposinf() const;
  Tensor isneginf() const;
  Tensor bitwise_and(const Tensor& other) const;
  Tensor bitwise_or(const Tensor& other) const;
  Tensor bitwise_xor(const Tensor& other) const;
  Tensor bitwise_and(const Scalar& other) const;
  Tensor bitwise_or(const Scalar& other) const;
  Tensor bitwise_xor(const Scalar& other) const;
  Tensor bitwise_not() const;
  Tensor bitwise_left_shift(const Tensor& places) const;
  Tensor bitwise_left_shift(const Scalar& places) const;
  Tensor bitwise_right_shift(const Tensor& places) const;
  Tensor bitwise_right_shift(const Scalar& places) const;
  // gradus/ops/diagonals.h
  Tensor diagonal(std::int64_t offset = 0, std::int64_t dim1 = 0, std::int64_t dim2 = 1) const;
  Tensor diag_embed(std::int64_t offset = 0, std::int64_t dim1 = -2, std::int64_t dim2 = -1) const;
  Tensor diag(std::int64_t diagonal = 0) const;
  Tensor diagflat(std::int64_t offset = 0) const;
  Tensor diagonal_scatter(const Tensor& src, std::int64_t offset = 0, std::int64_t dim1 = 0,
                          std::int64_t dim2 = 1) const;
  // gradus/ops/further.h
  Tensor repeat_interleave(const Tensor& repeats, std::optional<std::int64_t> dim = {}) const;
  // gradus/ops/mathematics.h
  Tensor asin() const;
  Tensor acos() const;
  Tensor sinh() const;
  Tensor cosh() const;
  Tensor asinh() const;
  Tensor acosh() const;
  Tensor atanh() const;
  Tensor deg2rad() const;
  Tensor rad2deg() const;
  Tensor sinc() const;
  Tensor hypot(const Tensor& other) const;
  Tensor arcsin() const;
  Tensor arccos() const;
  Tensor arctan() const;
  Tensor arcsinh() const;
  Tensor arccosh() const;
  Tensor arctanh() const;
  Tensor arctan2(const Tensor& x) const;
  Tensor exp2() const;
  Tensor logaddexp(const Tensor& other) const;
  Tensor logaddexp2(const Tensor& other) const;
  Tensor logit(std::optional<double> eps = {}) const;
  Tensor xlogy(const Tensor& y) const;
  Tensor xlogy(const Scalar& y) const;
  Tensor float_power(const Tensor& exponent) const;
  Tensor float_power(const Scalar& exponent) const;
  Tensor erfc() const;
  Tensor erfinv() const;
  Tensor lgamma() const;
  Tensor digamma() const;
  Tensor trunc() const;
  Tensor frac() const;
  Tensor fmod(const Tensor& other) const;
  Tensor fmod(const Scalar& other) const;
  Tensor copysign(const Tensor& sign) const;
  Tensor copysign(const Scalar& sign) const;
  Tensor signbit() const;
  Tensor fix() const;
  Tensor div(const Tensor& other, std::string_view rounding_mode) const;
  Tensor div(const Scalar& other, std::string_view rounding_mode) const;
  Tensor addcmul(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor addcdiv(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor subtract(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor subtract(const Scalar& other) const;
  Tensor multiply(const Tensor& other) const;
  Tensor multiply(const Scalar& other) const;
  Tensor divide(const Tensor& other) const;
  Tensor divide(const Scalar& other) const;
  Tensor divide(const Tensor& other, std::string_view rounding_mode) const;
  Tensor divide(const Scalar& other, std::string_view rounding_mode) const;
  Tensor true_divide(const Tensor& other) const;
  Tensor true_divide(const Scalar& other) const;
  Tensor absolute() const;
  Tensor negative() const;
  Tensor clip(std::optional<double> min, std::optional<double> max = {}) const;
  // gradus/ops/placing.h
  Tensor index_copy(std::int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor index_fill(std::int64_t dim, const Tensor& index, const Scalar& value) const;
  Tensor index_fill(std::int64_t dim, const Tensor& index, const Tensor& value) const;
  Tensor index_reduce(std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                      bool include_self = true) const;
  Tensor scatter_reduce(std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                        bool include_self = true) const;
  Tensor take_along_dim(const Tensor& indices, std::optional<std::int64_t> dim = {}) const;
  Tensor masked_scatter(const Tensor& mask, const Tensor& src) const;
  Tensor take(const Tensor& index) const;
  Tensor put(const Tensor& index, const Tensor& src, bool accumulate = false) const;
  Tensor slice_scatter(const Tensor& src, std::int64_t dim = 0, std::optional<std::int64_t> start = {},
                       std::optional<std::int64_t> end = {}, std::int64_t step = 1) const;
  Tensor select_scatter(const Tensor& src, std::int64_t dim, std::int64_t index) const;
  // gradus/ops/products.h
  Tensor mv(const Tensor& vector) const;
  Tensor vdot(const Tensor& other) const;
  Tensor inner(const Tensor& other) const;
  Tensor addmv(const Tensor& matrix, const Tensor& vector, double beta = 1, double alpha = 1) const;
  Tensor addr(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  Tensor baddbmm(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  Tensor addbmm(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  Tensor kron(const Tensor& other) const;
  Tensor dist(const Tensor& other, double p = 2) const;
  Tensor cov(std::int64_t correction = 1, const Tensor& fweights = undefined(),
             const Tensor& aweights = undefined()) const;
  Tensor corrcoef() const;
  Tensor diff(std::int64_t n = 1, std::int64_t dim = -1, const Tensor& prepend = undefined(),
              const Tensor& append = undefined()) const;
  Tensor matrix_power(std::int64_t n) const;
  // gradus/ops/searching.h
  Tensor argwhere() const;
  Tensor msort() const;
  Unique unique_consecutive(std::optional<std::int64_t> dim = {}) const;
  // gradus/ops/statistics.h
  Tensor count_nonzero(const Dims& dims = {}) const;
  Tensor nansum(const Dims& dims = {}, bool keepdim = false) const;
  Tensor nanmean(const Dims& dims = {}, bool keepdim = false) const;
  std::pair<Tensor, Tensor> aminmax(std::optional<std::int64_t> dim = {}, bool keepdim = false) const;
  std::pair<Tensor, Tensor> kthvalue(std::int64_t k, std::int64_t dim = -1, bool keepdim = false) const;
  Tensor nanmedian() const;
  std::pair<Tensor, Tensor> nanmedian(std::int64_t dim, bool keepdim = false) const;
  Tensor quantile(double q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                  std::string_view interpolation = "linear") const;
  Tensor quantile(const Tensor& q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                  std::string_view interpolation = "linear") const;
  Tensor nanquantile(double q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                     std::string_view interpolation = "linear") const;
  Tensor nanquantile(const Tensor& q, std::optional<std::int64_t> dim = {}, bool keepdim = false,
                     std::string_view interpolation = "linear") const;
  Tensor logcumsumexp(std::int64_t dim) const;
  std::pair<Tensor, Tensor> cummax(std::int64_t dim) const;
  std::pair<Tensor, Tensor> cummin(std::int64_t dim) const;
  Tensor histc(std::int64_t bins = 100, double min = 0, double max = 0) const;
  Tensor bincount(const Tensor& weights = undefined(), std::int64_t minlength = 0) const;
  Tensor renorm(double p, std::int64_t dim, double maxnorm) const;
  Tensor where(const Tensor& condition, const Scalar& other) const;
  Tensor clamp_min(double min) const;
  Tensor clamp_max(double max) const;
  Tensor polygamma(std::int64_t n) const;
  Unique unique() const;
  Unique unique(std::int64_t dim) const;
  Tensor trace() const;
  Tensor prelu(const Tensor& weight) const;
  Tensor bernoulli(Generator* generator = nullptr) const;
  Tensor bernoulli(double p, Generator* generator = nullptr) const;
  template <std::integral T>
  Tensor bernoulli(T p, Generator* generator = nullptr) const;  // a literal 0 is not a generator

  // In place. Not on a leaf that requires a gradient, except in a NoGrad scope; DtypeError where the result is of
  // another type than the tensor.
  Tensor& clamp_(std::optional<double> min, std::optional<double> max) const;
  Tensor& relu_() const;
  Tensor& tanh_() const;
  Tensor& sigmoid_() const;
  Tensor& exp_() const;
  Tensor& log_() const;
  Tensor& sqrt_() const;
  Tensor& abs_() const;
  Tensor& neg_() const;
  Tensor& pow_(const Scalar& exponent) const;
  Tensor& ceil_() const;
  Tensor& floor_() const;
  Tensor& round_() const;
  Tensor& sign_() const;
  Tensor& square_() const;
  Tensor& reciprocal_() const;
  Tensor& rsqrt_() const;
  Tensor& sin_() const;
  Tensor& cos_() const;
  Tensor& tan_() const;
  Tensor& log2_() const;
  Tensor& log10_() const;
  Tensor& log1p_() const;
  Tensor& expm1_() const;
  Tensor& erf_() const;
  Tensor& remainder_(const Tensor& other) const;
  Tensor& remainder_(const Scalar& other) const;
  Tensor& tril_(std::int64_t diagonal = 0) const;
  Tensor& triu_(std::int64_t diagonal = 0) const;
  Tensor& cumsum_(std::int64_t dim) const;
  Tensor& cumprod_(std::int64_t dim) const;
  Tensor& addmm_(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  Tensor& lerp_(const Tensor& end, double weight) const;
  Tensor& masked_fill_(const Tensor& mask, const Scalar& value) const;
  Tensor& index_add_(std::int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor& scatter_(std::int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor& scatter_(std::int64_t dim, const Tensor& index, const Scalar& value) const;
  Tensor& scatter_add_(std::int64_t dim, const Tensor& index, const Tensor& src) const;

  // gradus/ops.h
  Tensor& floor_divide_(const Tensor& other) const;
  Tensor& floor_divide_(const Scalar& other) const;
  Tensor& pow_(const Tensor& exponent) const;
  Tensor& logical_and_(const Tensor& other) const;
  Tensor& logical_or_(const Tensor& other) const;
  Tensor& logical_xor_(const Tensor& other) const;
  Tensor& logical_not_() const;
  Tensor& atan_() const;
  // gradus/ops/choice.h
  Tensor& heaviside_(const Tensor& values) const;
  Tensor& nan_to_num_(std::optional<double> nan = {}, std::optional<double> posinf = {},
                      std::optional<double> neginf = {}) const;
  Tensor& bitwise_and_(const Tensor& other) const;
  Tensor& bitwise_or_(const Tensor& other) const;
  Tensor& bitwise_xor_(const Tensor& other) const;
  Tensor& bitwise_and_(const Scalar& other) const;
  Tensor& bitwise_or_(const Scalar& other) const;
  Tensor& bitwise_xor_(const Scalar& other) const;
  Tensor& bitwise_not_() const;
  Tensor& bitwise_left_shift_(const Tensor& places) const;
  Tensor& bitwise_left_shift_(const Scalar& places) const;
  Tensor& bitwise_right_shift_(const Tensor& places) const;
  Tensor& bitwise_right_shift_(const Scalar& places) const;
  // gradus/ops/further.h
  Tensor& atan2_(const Tensor& x) const;
  // gradus/ops/mathematics.h
  Tensor& asin_() const;
  Tensor& acos_() const;
  Tensor& sinh_() const;
  Tensor& cosh_() const;
  Tensor& asinh_() const;
  Tensor& acosh_() const;
  Tensor& atanh_() const;
  Tensor& deg2rad_() const;
  Tensor& rad2deg_() const;
  Tensor& sinc_() const;
  Tensor& hypot_(const Tensor& other) const;
  Tensor& arcsin_() const;
  Tensor& arccos_() const;
  Tensor& arctan_() const;
  Tensor& arcsinh_() const;
  Tensor& arccosh_() const;
  Tensor& arctanh_() const;
  Tensor& arctan2_(const Tensor& x) const;
  Tensor& exp2_() const;
  Tensor& logit_(std::optional<double> eps = {}) const;
  Tensor& xlogy_(const Tensor& y) const;
  Tensor& xlogy_(const Scalar& y) const;
  Tensor& float_power_(const Tensor& exponent) const;
  Tensor& float_power_(const Scalar& exponent) const;
  Tensor& erfc_() const;
  Tensor& erfinv_() const;
  Tensor& lgamma_() const;
  Tensor& digamma_() const;
  Tensor& trunc_() const;
  Tensor& frac_() const;
  Tensor& fmod_(const Tensor& other) const;
  Tensor& fmod_(const Scalar& other) const;
  Tensor& copysign_(const Tensor& sign) const;
  Tensor& copysign_(const Scalar& sign) const;
  Tensor& fix_() const;
  Tensor& addcmul_(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor& addcdiv_(const Tensor& a, const Tensor& b, const Scalar& value = 1) const;
  Tensor& subtract_(const Tensor& other, const Scalar& alpha = 1) const;
  Tensor& subtract_(const Scalar& other) const;
  Tensor& multiply_(const Tensor& other) const;
  Tensor& multiply_(const Scalar& other) const;
  Tensor& divide_(const Tensor& other) const;
  Tensor& divide_(const Scalar& other) const;
  Tensor& divide_(const Tensor& other, std::string_view rounding_mode) const;
  Tensor& divide_(const Scalar& other, std::string_view rounding_mode) const;
  Tensor& true_divide_(const Tensor& other) const;
  Tensor& true_divide_(const Scalar& other) const;
  Tensor& absolute_() const;
  Tensor& negative_() const;
  Tensor& clip_(std::optional<double> min, std::optional<double> max = {}) const;
  // gradus/ops/placing.h
  Tensor& index_copy_(std::int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor& index_fill_(std::int64_t dim, const Tensor& index, const Scalar& value) const;
  Tensor& index_fill_(std::int64_t dim, const Tensor& index, const Tensor& value) const;
  Tensor& index_reduce_(std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                        bool include_self = true) const;
  Tensor& scatter_reduce_(std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                          bool include_self = true) const;
  Tensor& masked_scatter_(const Tensor& mask, const Tensor& src) const;
  Tensor& put_(const Tensor& index, const Tensor& src, bool accumulate = false) const;
  // gradus/ops/products.h
  Tensor& addmv_(const Tensor& matrix, const Tensor& vector, double beta = 1, double alpha = 1) const;
  Tensor& addr_(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  Tensor& baddbmm_(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  Tensor& addbmm_(const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1) const;
  // gradus/ops/statistics.h
  Tensor& clamp_min_(double min) const;
  Tensor& clamp_max_(double max) const;
  Tensor& renorm_(double p, std::int64_t dim, double maxnorm) const;

 protected:
  TensorMethods() = default;
  TensorMethods(const TensorMethods&) = default;
  TensorMethods& operator=(const TensorMethods&) = default;
  ~TensorMethods() = default;
  Tensor& self() const;  // a const handle refers to the same tensor

 private:
  static const Tensor& undefined();
};

}  // namespace gradus

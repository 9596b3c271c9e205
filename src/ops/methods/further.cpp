// The operations of gradus/ops/ as methods.
#include <gradus/ops.h>
#include <gradus/ops/activation.h>
#include <gradus/ops/arranging.h>
#include <gradus/ops/choice.h>
#include <gradus/ops/creation.h>
#include <gradus/ops/diagonals.h>
#include <gradus/ops/further.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/pinning.h>
#include <gradus/ops/placing.h>
#include <gradus/ops/products.h>
#include <gradus/ops/searching.h>
#include <gradus/ops/statistics.h>

namespace gradus {

const Tensor& TensorMethods::undefined() {
  static const Tensor none;
  return none;
}

Tensor TensorMethods::scatter(std::int64_t dim, const Tensor& index, const Scalar& value) const {
  return gradus::scatter(self(), dim, index, value);
}
Tensor TensorMethods::hardshrink(double lambd) const { return gradus::hardshrink(self(), lambd); }
Tensor TensorMethods::movedim(const Dims& source, const Dims& destination) const {
  return gradus::movedim(self(), source, destination);
}
Tensor TensorMethods::moveaxis(const Dims& source, const Dims& destination) const {
  return gradus::moveaxis(self(), source, destination);
}
Tensor TensorMethods::swapaxes(std::int64_t axis0, std::int64_t axis1) const {
  return gradus::swapaxes(self(), axis0, axis1);
}
Tensor TensorMethods::swapdims(std::int64_t dim0, std::int64_t dim1) const {
  return gradus::swapdims(self(), dim0, dim1);
}
Tensor TensorMethods::ravel() const { return gradus::ravel(self()); }
Tensor TensorMethods::tile(const Shape& dims) const { return gradus::tile(self(), dims); }
Tensor TensorMethods::squeeze(const Dims& dims) const { return gradus::squeeze(self(), dims); }
Tensor TensorMethods::rot90(std::int64_t k, const Dims& dims) const { return gradus::rot90(self(), k, dims); }
Tensor TensorMethods::fliplr() const { return gradus::fliplr(self()); }
Tensor TensorMethods::flipud() const { return gradus::flipud(self()); }
Tensor TensorMethods::broadcast_to(const Shape& sizes) const { return gradus::broadcast_to(self(), sizes); }
std::vector<Tensor> TensorMethods::tensor_split(std::int64_t sections, std::int64_t dim) const {
  return gradus::tensor_split(self(), sections, dim);
}
std::vector<Tensor> TensorMethods::tensor_split(const std::vector<std::int64_t>& indices, std::int64_t dim) const {
  return gradus::tensor_split(self(), indices, dim);
}
std::vector<Tensor> TensorMethods::tensor_split(const Tensor& indices_or_sections, std::int64_t dim) const {
  return gradus::tensor_split(self(), indices_or_sections, dim);
}
std::vector<Tensor> TensorMethods::hsplit(std::int64_t sections) const { return gradus::hsplit(self(), sections); }
std::vector<Tensor> TensorMethods::hsplit(const std::vector<std::int64_t>& indices) const {
  return gradus::hsplit(self(), indices);
}
std::vector<Tensor> TensorMethods::vsplit(std::int64_t sections) const { return gradus::vsplit(self(), sections); }
std::vector<Tensor> TensorMethods::vsplit(const std::vector<std::int64_t>& indices) const {
  return gradus::vsplit(self(), indices);
}
std::vector<Tensor> TensorMethods::dsplit(std::int64_t sections) const { return gradus::dsplit(self(), sections); }
std::vector<Tensor> TensorMethods::dsplit(const std::vector<std::int64_t>& indices) const {
  return gradus::dsplit(self(), indices);
}
std::vector<Tensor> TensorMethods::split_with_sizes(const std::vector<std::int64_t>& sizes, std::int64_t dim) const {
  return gradus::split_with_sizes(self(), sizes, dim);
}
std::vector<Tensor> TensorMethods::tensor_split(std::initializer_list<std::int64_t> indices, std::int64_t dim) const {
  return gradus::tensor_split(self(), indices, dim);
}
std::vector<Tensor> TensorMethods::hsplit(std::initializer_list<std::int64_t> indices) const {
  return gradus::hsplit(self(), indices);
}
std::vector<Tensor> TensorMethods::vsplit(std::initializer_list<std::int64_t> indices) const {
  return gradus::vsplit(self(), indices);
}
std::vector<Tensor> TensorMethods::dsplit(std::initializer_list<std::int64_t> indices) const {
  return gradus::dsplit(self(), indices);
}
Tensor TensorMethods::fmax(const Tensor& other) const { return gradus::fmax(self(), other); }
Tensor TensorMethods::fmin(const Tensor& other) const { return gradus::fmin(self(), other); }
Tensor TensorMethods::heaviside(const Tensor& values) const { return gradus::heaviside(self(), values); }
Tensor TensorMethods::nan_to_num(std::optional<double> nan, std::optional<double> posinf,
                                 std::optional<double> neginf) const {
  return gradus::nan_to_num(self(), nan, posinf, neginf);
}
Tensor TensorMethods::isclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return gradus::isclose(self(), other, rtol, atol, equal_nan);
}
Tensor TensorMethods::isposinf() const { return gradus::isposinf(self()); }
Tensor TensorMethods::isneginf() const { return gradus::isneginf(self()); }
Tensor TensorMethods::bitwise_and(const Tensor& other) const { return gradus::bitwise_and(self(), other); }
Tensor TensorMethods::bitwise_or(const Tensor& other) const { return gradus::bitwise_or(self(), other); }
Tensor TensorMethods::bitwise_xor(const Tensor& other) const { return gradus::bitwise_xor(self(), other); }
Tensor TensorMethods::bitwise_and(const Scalar& other) const { return gradus::bitwise_and(self(), other); }
Tensor TensorMethods::bitwise_or(const Scalar& other) const { return gradus::bitwise_or(self(), other); }
Tensor TensorMethods::bitwise_xor(const Scalar& other) const { return gradus::bitwise_xor(self(), other); }
Tensor TensorMethods::bitwise_not() const { return gradus::bitwise_not(self()); }
Tensor TensorMethods::bitwise_left_shift(const Tensor& places) const {
  return gradus::bitwise_left_shift(self(), places);
}
Tensor TensorMethods::bitwise_left_shift(const Scalar& places) const {
  return gradus::bitwise_left_shift(self(), places);
}
Tensor TensorMethods::bitwise_right_shift(const Tensor& places) const {
  return gradus::bitwise_right_shift(self(), places);
}
Tensor TensorMethods::bitwise_right_shift(const Scalar& places) const {
  return gradus::bitwise_right_shift(self(), places);
}
Tensor TensorMethods::diagonal(std::int64_t offset, std::int64_t dim1, std::int64_t dim2) const {
  return gradus::diagonal(self(), offset, dim1, dim2);
}
Tensor TensorMethods::diag_embed(std::int64_t offset, std::int64_t dim1, std::int64_t dim2) const {
  return gradus::diag_embed(self(), offset, dim1, dim2);
}
Tensor TensorMethods::diag(std::int64_t diagonal) const { return gradus::diag(self(), diagonal); }
Tensor TensorMethods::diagflat(std::int64_t offset) const { return gradus::diagflat(self(), offset); }
Tensor TensorMethods::diagonal_scatter(const Tensor& src, std::int64_t offset, std::int64_t dim1,
                                       std::int64_t dim2) const {
  return gradus::diagonal_scatter(self(), src, offset, dim1, dim2);
}
Tensor TensorMethods::repeat_interleave(const Tensor& repeats, std::optional<std::int64_t> dim) const {
  return gradus::repeat_interleave(self(), repeats, dim);
}
Tensor TensorMethods::asin() const { return gradus::asin(self()); }
Tensor TensorMethods::acos() const { return gradus::acos(self()); }
Tensor TensorMethods::sinh() const { return gradus::sinh(self()); }
Tensor TensorMethods::cosh() const { return gradus::cosh(self()); }
Tensor TensorMethods::asinh() const { return gradus::asinh(self()); }
Tensor TensorMethods::acosh() const { return gradus::acosh(self()); }
Tensor TensorMethods::atanh() const { return gradus::atanh(self()); }
Tensor TensorMethods::deg2rad() const { return gradus::deg2rad(self()); }
Tensor TensorMethods::rad2deg() const { return gradus::rad2deg(self()); }
Tensor TensorMethods::sinc() const { return gradus::sinc(self()); }
Tensor TensorMethods::hypot(const Tensor& other) const { return gradus::hypot(self(), other); }
Tensor TensorMethods::arcsin() const { return gradus::arcsin(self()); }
Tensor TensorMethods::arccos() const { return gradus::arccos(self()); }
Tensor TensorMethods::arctan() const { return gradus::arctan(self()); }
Tensor TensorMethods::arcsinh() const { return gradus::arcsinh(self()); }
Tensor TensorMethods::arccosh() const { return gradus::arccosh(self()); }
Tensor TensorMethods::arctanh() const { return gradus::arctanh(self()); }
Tensor TensorMethods::arctan2(const Tensor& x) const { return gradus::arctan2(self(), x); }
Tensor TensorMethods::exp2() const { return gradus::exp2(self()); }
Tensor TensorMethods::logaddexp(const Tensor& other) const { return gradus::logaddexp(self(), other); }
Tensor TensorMethods::logaddexp2(const Tensor& other) const { return gradus::logaddexp2(self(), other); }
Tensor TensorMethods::logit(std::optional<double> eps) const { return gradus::logit(self(), eps); }
Tensor TensorMethods::xlogy(const Tensor& y) const { return gradus::xlogy(self(), y); }
Tensor TensorMethods::xlogy(const Scalar& y) const { return gradus::xlogy(self(), y); }
Tensor TensorMethods::float_power(const Tensor& exponent) const { return gradus::float_power(self(), exponent); }
Tensor TensorMethods::float_power(const Scalar& exponent) const { return gradus::float_power(self(), exponent); }
Tensor TensorMethods::erfc() const { return gradus::erfc(self()); }
Tensor TensorMethods::erfinv() const { return gradus::erfinv(self()); }
Tensor TensorMethods::lgamma() const { return gradus::lgamma(self()); }
Tensor TensorMethods::digamma() const { return gradus::digamma(self()); }
Tensor TensorMethods::trunc() const { return gradus::trunc(self()); }
Tensor TensorMethods::frac() const { return gradus::frac(self()); }
Tensor TensorMethods::fmod(const Tensor& other) const { return gradus::fmod(self(), other); }
Tensor TensorMethods::fmod(const Scalar& other) const { return gradus::fmod(self(), other); }
Tensor TensorMethods::copysign(const Tensor& sign) const { return gradus::copysign(self(), sign); }
Tensor TensorMethods::copysign(const Scalar& sign) const { return gradus::copysign(self(), sign); }
Tensor TensorMethods::signbit() const { return gradus::signbit(self()); }
Tensor TensorMethods::fix() const { return gradus::fix(self()); }
Tensor TensorMethods::div(const Tensor& other, std::string_view rounding_mode) const {
  return gradus::div(self(), other, rounding_mode);
}
Tensor TensorMethods::div(const Scalar& other, std::string_view rounding_mode) const {
  return gradus::div(self(), other, rounding_mode);
}
Tensor TensorMethods::addcmul(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return gradus::addcmul(self(), a, b, value);
}
Tensor TensorMethods::addcdiv(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return gradus::addcdiv(self(), a, b, value);
}
Tensor TensorMethods::subtract(const Tensor& other, const Scalar& alpha) const {
  return gradus::subtract(self(), other, alpha);
}
Tensor TensorMethods::subtract(const Scalar& other) const { return gradus::subtract(self(), other); }
Tensor TensorMethods::multiply(const Tensor& other) const { return gradus::multiply(self(), other); }
Tensor TensorMethods::multiply(const Scalar& other) const { return gradus::multiply(self(), other); }
Tensor TensorMethods::divide(const Tensor& other) const { return gradus::divide(self(), other); }
Tensor TensorMethods::divide(const Scalar& other) const { return gradus::divide(self(), other); }
Tensor TensorMethods::divide(const Tensor& other, std::string_view rounding_mode) const {
  return gradus::divide(self(), other, rounding_mode);
}
Tensor TensorMethods::divide(const Scalar& other, std::string_view rounding_mode) const {
  return gradus::divide(self(), other, rounding_mode);
}
Tensor TensorMethods::true_divide(const Tensor& other) const { return gradus::true_divide(self(), other); }
Tensor TensorMethods::true_divide(const Scalar& other) const { return gradus::true_divide(self(), other); }
Tensor TensorMethods::absolute() const { return gradus::absolute(self()); }
Tensor TensorMethods::negative() const { return gradus::negative(self()); }
Tensor TensorMethods::clip(std::optional<double> min, std::optional<double> max) const {
  return gradus::clip(self(), min, max);
}
Tensor TensorMethods::index_copy(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return gradus::index_copy(self(), dim, index, src);
}
Tensor TensorMethods::index_fill(std::int64_t dim, const Tensor& index, const Scalar& value) const {
  return gradus::index_fill(self(), dim, index, value);
}
Tensor TensorMethods::index_fill(std::int64_t dim, const Tensor& index, const Tensor& value) const {
  return gradus::index_fill(self(), dim, index, value);
}
Tensor TensorMethods::index_reduce(std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                                   bool include_self) const {
  return gradus::index_reduce(self(), dim, index, src, reduce, include_self);
}
Tensor TensorMethods::scatter_reduce(std::int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                                     bool include_self) const {
  return gradus::scatter_reduce(self(), dim, index, src, reduce, include_self);
}
Tensor TensorMethods::take_along_dim(const Tensor& indices, std::optional<std::int64_t> dim) const {
  return gradus::take_along_dim(self(), indices, dim);
}
Tensor TensorMethods::masked_scatter(const Tensor& mask, const Tensor& src) const {
  return gradus::masked_scatter(self(), mask, src);
}
Tensor TensorMethods::take(const Tensor& index) const { return gradus::take(self(), index); }
Tensor TensorMethods::put(const Tensor& index, const Tensor& src, bool accumulate) const {
  return gradus::put(self(), index, src, accumulate);
}
Tensor TensorMethods::slice_scatter(const Tensor& src, std::int64_t dim, std::optional<std::int64_t> start,
                                    std::optional<std::int64_t> end, std::int64_t step) const {
  return gradus::slice_scatter(self(), src, dim, start, end, step);
}
Tensor TensorMethods::select_scatter(const Tensor& src, std::int64_t dim, std::int64_t index) const {
  return gradus::select_scatter(self(), src, dim, index);
}
Tensor TensorMethods::mv(const Tensor& vector) const { return gradus::mv(self(), vector); }
Tensor TensorMethods::vdot(const Tensor& other) const { return gradus::vdot(self(), other); }
Tensor TensorMethods::inner(const Tensor& other) const { return gradus::inner(self(), other); }
Tensor TensorMethods::addmv(const Tensor& matrix, const Tensor& vector, double beta, double alpha) const {
  return gradus::addmv(self(), matrix, vector, beta, alpha);
}
Tensor TensorMethods::addr(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return gradus::addr(self(), a, b, beta, alpha);
}
Tensor TensorMethods::baddbmm(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return gradus::baddbmm(self(), a, b, beta, alpha);
}
Tensor TensorMethods::addbmm(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return gradus::addbmm(self(), a, b, beta, alpha);
}
Tensor TensorMethods::kron(const Tensor& other) const { return gradus::kron(self(), other); }
Tensor TensorMethods::dist(const Tensor& other, double p) const { return gradus::dist(self(), other, p); }
Tensor TensorMethods::cov(std::int64_t correction, const Tensor& fweights, const Tensor& aweights) const {
  return gradus::cov(self(), correction, fweights, aweights);
}
Tensor TensorMethods::corrcoef() const { return gradus::corrcoef(self()); }
Tensor TensorMethods::diff(std::int64_t n, std::int64_t dim, const Tensor& prepend, const Tensor& append) const {
  return gradus::diff(self(), n, dim, prepend, append);
}
Tensor TensorMethods::matrix_power(std::int64_t n) const { return gradus::matrix_power(self(), n); }
Tensor TensorMethods::argwhere() const { return gradus::argwhere(self()); }
Tensor TensorMethods::msort() const { return gradus::msort(self()); }
Unique TensorMethods::unique_consecutive(std::optional<std::int64_t> dim) const {
  return gradus::unique_consecutive(self(), dim);
}
Tensor TensorMethods::count_nonzero(const Dims& dims) const { return gradus::count_nonzero(self(), dims); }
Tensor TensorMethods::nansum(const Dims& dims, bool keepdim) const { return gradus::nansum(self(), dims, keepdim); }
Tensor TensorMethods::nanmean(const Dims& dims, bool keepdim) const { return gradus::nanmean(self(), dims, keepdim); }
std::pair<Tensor, Tensor> TensorMethods::aminmax(std::optional<std::int64_t> dim, bool keepdim) const {
  return gradus::aminmax(self(), dim, keepdim);
}
std::pair<Tensor, Tensor> TensorMethods::kthvalue(std::int64_t k, std::int64_t dim, bool keepdim) const {
  return gradus::kthvalue(self(), k, dim, keepdim);
}
Tensor TensorMethods::nanmedian() const { return gradus::nanmedian(self()); }
std::pair<Tensor, Tensor> TensorMethods::nanmedian(std::int64_t dim, bool keepdim) const {
  return gradus::nanmedian(self(), dim, keepdim);
}
Tensor TensorMethods::quantile(double q, std::optional<std::int64_t> dim, bool keepdim,
                               std::string_view interpolation) const {
  return gradus::quantile(self(), q, dim, keepdim, interpolation);
}
Tensor TensorMethods::quantile(const Tensor& q, std::optional<std::int64_t> dim, bool keepdim,
                               std::string_view interpolation) const {
  return gradus::quantile(self(), q, dim, keepdim, interpolation);
}
Tensor TensorMethods::nanquantile(double q, std::optional<std::int64_t> dim, bool keepdim,
                                  std::string_view interpolation) const {
  return gradus::nanquantile(self(), q, dim, keepdim, interpolation);
}
Tensor TensorMethods::nanquantile(const Tensor& q, std::optional<std::int64_t> dim, bool keepdim,
                                  std::string_view interpolation) const {
  return gradus::nanquantile(self(), q, dim, keepdim, interpolation);
}
Tensor TensorMethods::logcumsumexp(std::int64_t dim) const { return gradus::logcumsumexp(self(), dim); }
std::pair<Tensor, Tensor> TensorMethods::cummax(std::int64_t dim) const { return gradus::cummax(self(), dim); }
std::pair<Tensor, Tensor> TensorMethods::cummin(std::int64_t dim) const { return gradus::cummin(self(), dim); }
Tensor TensorMethods::histc(std::int64_t bins, double min, double max) const {
  return gradus::histc(self(), bins, min, max);
}
Tensor TensorMethods::bincount(const Tensor& weights, std::int64_t minlength) const {
  return gradus::bincount(self(), weights, minlength);
}
Tensor TensorMethods::renorm(double p, std::int64_t dim, double maxnorm) const {
  return gradus::renorm(self(), p, dim, maxnorm);
}
Tensor TensorMethods::where(const Tensor& condition, const Scalar& other) const {
  return gradus::where(condition, self(), other);
}
Tensor TensorMethods::clamp_min(double min) const { return gradus::clamp_min(self(), min); }
Tensor TensorMethods::clamp_max(double max) const { return gradus::clamp_max(self(), max); }
Tensor TensorMethods::polygamma(std::int64_t n) const { return gradus::polygamma(n, self()); }
Unique TensorMethods::unique() const { return gradus::unique(self()); }
Unique TensorMethods::unique(std::int64_t dim) const { return gradus::unique(self(), dim); }
Tensor TensorMethods::trace() const { return gradus::trace(self()); }
Tensor Tensor::index_put(const std::vector<Index>& indices, const Tensor& values, bool accumulate) const {
  return gradus::index_put(*this, indices, values, accumulate);
}
Tensor Tensor::to(Device device, const ToOptions& options) const { return gradus::to(*this, device, options); }
Tensor Tensor::pin_memory(Device device) const { return gradus::pin_memory(*this, device); }
bool Tensor::is_pinned() const { return gradus::is_pinned(*this); }
Tensor TensorMethods::prelu(const Tensor& weight) const { return gradus::prelu(self(), weight); }
Tensor TensorMethods::bernoulli(Generator* generator) const { return gradus::bernoulli(self(), generator); }
Tensor TensorMethods::bernoulli(double p, Generator* generator) const {
  return gradus::bernoulli(self(), p, generator);
}

}  // namespace gradus

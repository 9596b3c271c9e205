// Operations as methods of Tensor.
#include <gradus/ops.h>
#include <gradus/ops/further.h>

namespace gradus {

namespace {

TensorOptions as_here(const Tensor& x, TensorOptions options) {
  if (!options.dtype) options.dtype = x.dtype();
  if (!options.device) options.device = x.device();
  return options;
}

}  // namespace

Tensor TensorMethods::view(const Shape& sizes) const { return gradus::view(self(), sizes); }
Tensor TensorMethods::reshape(const Shape& sizes) const { return gradus::reshape(self(), sizes); }
Tensor TensorMethods::permute(const Shape& dims) const { return gradus::permute(self(), dims); }
Tensor TensorMethods::transpose(std::int64_t dim0, std::int64_t dim1) const {
  return gradus::transpose(self(), dim0, dim1);
}
Tensor TensorMethods::t() const { return gradus::t(self()); }
Tensor TensorMethods::mT() const { return gradus::transpose(self(), -2, -1); }
Tensor TensorMethods::expand(const Shape& sizes) const { return gradus::expand(self(), sizes); }
Tensor TensorMethods::expand_as(const Tensor& other) const { return expand(other.sizes()); }
Tensor TensorMethods::view_as(const Tensor& other) const { return view(other.sizes()); }
Tensor TensorMethods::squeeze() const { return gradus::squeeze(self()); }
Tensor TensorMethods::squeeze(std::int64_t dim) const { return gradus::squeeze(self(), dim); }
Tensor TensorMethods::unsqueeze(std::int64_t dim) const { return gradus::unsqueeze(self(), dim); }
Tensor TensorMethods::flatten(std::int64_t start_dim, std::int64_t end_dim) const {
  return gradus::flatten(self(), start_dim, end_dim);
}
Tensor TensorMethods::unflatten(std::int64_t dim, const Shape& sizes) const {
  return gradus::unflatten(self(), dim, sizes);
}
Tensor TensorMethods::narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const {
  return gradus::narrow(self(), dim, start, length);
}
Tensor TensorMethods::select(std::int64_t dim, std::int64_t index) const { return gradus::select(self(), dim, index); }
std::vector<Tensor> TensorMethods::split(std::int64_t split_size, std::int64_t dim) const {
  return gradus::split(self(), split_size, dim);
}
std::vector<Tensor> TensorMethods::split(const std::vector<std::int64_t>& sizes, std::int64_t dim) const {
  return gradus::split(self(), sizes, dim);
}
std::vector<Tensor> TensorMethods::chunk(std::int64_t chunks, std::int64_t dim) const {
  return gradus::chunk(self(), chunks, dim);
}
std::vector<Tensor> TensorMethods::unbind(std::int64_t dim) const { return gradus::unbind(self(), dim); }
Tensor TensorMethods::repeat(const Shape& repeats) const { return gradus::repeat(self(), repeats); }
Tensor TensorMethods::flip(const Dims& dims) const { return gradus::flip(self(), dims); }
Tensor TensorMethods::roll(const Dims& shifts, const Dims& dims) const { return gradus::roll(self(), shifts, dims); }
Tensor TensorMethods::tril(std::int64_t diagonal) const { return gradus::tril(self(), diagonal); }
Tensor TensorMethods::triu(std::int64_t diagonal) const { return gradus::triu(self(), diagonal); }
Tensor TensorMethods::gather(std::int64_t dim, const Tensor& index) const { return gradus::gather(self(), dim, index); }
Tensor TensorMethods::index_select(std::int64_t dim, const Tensor& index) const {
  return gradus::index_select(self(), dim, index);
}
Tensor TensorMethods::index_add(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return gradus::index_add(self(), dim, index, src);
}
Tensor TensorMethods::scatter(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return gradus::scatter(self(), dim, index, src);
}
Tensor TensorMethods::scatter_add(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return gradus::scatter_add(self(), dim, index, src);
}
Tensor TensorMethods::masked_select(const Tensor& mask) const { return gradus::masked_select(self(), mask); }
Tensor TensorMethods::where(const Tensor& condition, const Tensor& other) const {
  return gradus::where(condition, self(), other);
}
Tensor TensorMethods::nonzero() const { return gradus::nonzero(self()); }
std::pair<Tensor, Tensor> TensorMethods::sort(std::int64_t dim, bool descending) const {
  return gradus::sort(self(), dim, descending);
}
Tensor TensorMethods::argsort(std::int64_t dim, bool descending) const {
  return gradus::argsort(self(), dim, descending);
}
std::pair<Tensor, Tensor> TensorMethods::topk(std::int64_t k, std::int64_t dim, bool largest, bool sorted) const {
  return gradus::topk(self(), k, dim, largest, sorted);
}
Tensor TensorMethods::masked_fill(const Tensor& mask, const Scalar& value) const {
  return gradus::masked_fill(self(), mask, value);
}
Tensor TensorMethods::sum(const Dims& dims, bool keepdim, std::optional<Dtype> dtype) const {
  return gradus::sum(self(), dims, keepdim, dtype);
}
Tensor TensorMethods::mean(const Dims& dims, bool keepdim) const { return gradus::mean(self(), dims, keepdim); }
Tensor TensorMethods::var(const Dims& dims, double correction, bool keepdim) const {
  return gradus::var(self(), dims, correction, keepdim);
}
Tensor TensorMethods::std(const Dims& dims, double correction, bool keepdim) const {
  return gradus::std(self(), dims, correction, keepdim);
}
Tensor TensorMethods::norm(double p, const Dims& dims, bool keepdim) const {
  return gradus::norm(self(), p, dims, keepdim);
}
Tensor TensorMethods::logsumexp(const Dims& dims, bool keepdim) const {
  return gradus::logsumexp(self(), dims, keepdim);
}
Tensor TensorMethods::prod() const { return gradus::prod(self()); }
Tensor TensorMethods::prod(std::int64_t dim, bool keepdim) const { return gradus::prod(self(), dim, keepdim); }
Tensor TensorMethods::cumsum(std::int64_t dim) const { return gradus::cumsum(self(), dim); }
Tensor TensorMethods::amax(const Dims& dims, bool keepdim) const { return gradus::amax(self(), dims, keepdim); }
Tensor TensorMethods::amin(const Dims& dims, bool keepdim) const { return gradus::amin(self(), dims, keepdim); }
std::pair<Tensor, Tensor> TensorMethods::max(std::int64_t dim, bool keepdim) const {
  return gradus::max(self(), dim, keepdim);
}
std::pair<Tensor, Tensor> TensorMethods::min(std::int64_t dim, bool keepdim) const {
  return gradus::min(self(), dim, keepdim);
}
Tensor TensorMethods::max() const { return gradus::max(self()); }
Tensor TensorMethods::min() const { return gradus::min(self()); }
Tensor TensorMethods::argmax(std::optional<std::int64_t> dim, bool keepdim) const {
  return gradus::argmax(self(), dim, keepdim);
}
Tensor TensorMethods::argmin(std::optional<std::int64_t> dim, bool keepdim) const {
  return gradus::argmin(self(), dim, keepdim);
}
Tensor TensorMethods::all(const Dims& dims, bool keepdim) const { return gradus::all(self(), dims, keepdim); }
Tensor TensorMethods::any(const Dims& dims, bool keepdim) const { return gradus::any(self(), dims, keepdim); }
Tensor TensorMethods::matmul(const Tensor& other) const { return gradus::matmul(self(), other); }
Tensor TensorMethods::mm(const Tensor& other) const { return gradus::mm(self(), other); }
Tensor TensorMethods::bmm(const Tensor& other) const { return gradus::bmm(self(), other); }
Tensor TensorMethods::dot(const Tensor& other) const { return gradus::dot(self(), other); }
Tensor TensorMethods::add(const Tensor& other, const Scalar& alpha) const { return gradus::add(self(), other, alpha); }
Tensor TensorMethods::sub(const Tensor& other, const Scalar& alpha) const { return gradus::sub(self(), other, alpha); }
Tensor TensorMethods::mul(const Tensor& other) const { return gradus::mul(self(), other); }
Tensor TensorMethods::div(const Tensor& other) const { return gradus::div(self(), other); }
Tensor TensorMethods::add(const Scalar& other) const { return gradus::add(self(), other); }
Tensor TensorMethods::sub(const Scalar& other) const { return gradus::sub(self(), other); }
Tensor TensorMethods::mul(const Scalar& other) const { return gradus::mul(self(), other); }
Tensor TensorMethods::div(const Scalar& other) const { return gradus::div(self(), other); }
Tensor TensorMethods::maximum(const Tensor& other) const { return gradus::maximum(self(), other); }
Tensor TensorMethods::minimum(const Tensor& other) const { return gradus::minimum(self(), other); }
Tensor TensorMethods::pow(const Scalar& exponent) const { return gradus::pow(self(), exponent); }
Tensor TensorMethods::pow(const Tensor& exponent) const { return gradus::pow(self(), exponent); }
Tensor TensorMethods::square() const { return gradus::square(self()); }
Tensor TensorMethods::reciprocal() const { return gradus::reciprocal(self()); }
Tensor TensorMethods::rsqrt() const { return gradus::rsqrt(self()); }
Tensor TensorMethods::floor() const { return gradus::floor(self()); }
Tensor TensorMethods::ceil() const { return gradus::ceil(self()); }
Tensor TensorMethods::round() const { return gradus::round(self()); }
Tensor TensorMethods::sign() const { return gradus::sign(self()); }
Tensor TensorMethods::log1p() const { return gradus::log1p(self()); }
Tensor TensorMethods::expm1() const { return gradus::expm1(self()); }
Tensor TensorMethods::erf() const { return gradus::erf(self()); }
Tensor TensorMethods::exp() const { return gradus::exp(self()); }
Tensor TensorMethods::log() const { return gradus::log(self()); }
Tensor TensorMethods::sqrt() const { return gradus::sqrt(self()); }
Tensor TensorMethods::abs() const { return gradus::abs(self()); }
Tensor TensorMethods::neg() const { return gradus::neg(self()); }
Tensor TensorMethods::sin() const { return gradus::sin(self()); }
Tensor TensorMethods::cos() const { return gradus::cos(self()); }
Tensor TensorMethods::tanh() const { return gradus::tanh(self()); }
Tensor TensorMethods::sigmoid() const { return gradus::sigmoid(self()); }
Tensor TensorMethods::relu() const { return gradus::relu(self()); }
Tensor TensorMethods::softmax(std::int64_t dim) const { return gradus::softmax(self(), dim); }
Tensor TensorMethods::log_softmax(std::int64_t dim) const { return gradus::log_softmax(self(), dim); }
Tensor TensorMethods::clamp(std::optional<double> min, std::optional<double> max) const {
  return gradus::clamp(self(), min, max);
}
Tensor TensorMethods::eq(const Tensor& other) const { return gradus::eq(self(), other); }
Tensor TensorMethods::ne(const Tensor& other) const { return gradus::ne(self(), other); }
Tensor TensorMethods::lt(const Tensor& other) const { return gradus::lt(self(), other); }
Tensor TensorMethods::le(const Tensor& other) const { return gradus::le(self(), other); }
Tensor TensorMethods::gt(const Tensor& other) const { return gradus::gt(self(), other); }
Tensor TensorMethods::ge(const Tensor& other) const { return gradus::ge(self(), other); }
Tensor TensorMethods::eq(const Scalar& other) const { return gradus::eq(self(), other); }
Tensor TensorMethods::ne(const Scalar& other) const { return gradus::ne(self(), other); }
Tensor TensorMethods::lt(const Scalar& other) const { return gradus::lt(self(), other); }
Tensor TensorMethods::le(const Scalar& other) const { return gradus::le(self(), other); }
Tensor TensorMethods::gt(const Scalar& other) const { return gradus::gt(self(), other); }
Tensor TensorMethods::ge(const Scalar& other) const { return gradus::ge(self(), other); }
Tensor TensorMethods::isnan() const { return gradus::isnan(self()); }
Tensor TensorMethods::isinf() const { return gradus::isinf(self()); }
Tensor TensorMethods::isfinite() const { return gradus::isfinite(self()); }
bool TensorMethods::equal(const Tensor& other) const { return gradus::equal(self(), other); }
bool TensorMethods::allclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return gradus::allclose(self(), other, rtol, atol, equal_nan);
}

Tensor TensorMethods::tan() const { return gradus::tan(self()); }
Tensor TensorMethods::atan() const { return gradus::atan(self()); }
Tensor TensorMethods::log2() const { return gradus::log2(self()); }
Tensor TensorMethods::log10() const { return gradus::log10(self()); }
Tensor TensorMethods::atan2(const Tensor& other) const { return gradus::atan2(self(), other); }
Tensor TensorMethods::remainder(const Tensor& other) const { return gradus::remainder(self(), other); }
Tensor TensorMethods::remainder(const Scalar& other) const { return gradus::remainder(self(), other); }
Tensor TensorMethods::floor_divide(const Tensor& other) const { return gradus::floor_divide(self(), other); }
Tensor TensorMethods::floor_divide(const Scalar& other) const { return gradus::floor_divide(self(), other); }
Tensor TensorMethods::lerp(const Tensor& end, double weight) const { return gradus::lerp(self(), end, weight); }
Tensor TensorMethods::logical_and(const Tensor& other) const { return gradus::logical_and(self(), other); }
Tensor TensorMethods::logical_or(const Tensor& other) const { return gradus::logical_or(self(), other); }
Tensor TensorMethods::logical_xor(const Tensor& other) const { return gradus::logical_xor(self(), other); }
Tensor TensorMethods::logical_not() const { return gradus::logical_not(self()); }
Tensor TensorMethods::median() const { return gradus::median(self()); }
std::pair<Tensor, Tensor> TensorMethods::median(std::int64_t dim, bool keepdim) const {
  return gradus::median(self(), dim, keepdim);
}
Tensor TensorMethods::cumprod(std::int64_t dim) const { return gradus::cumprod(self(), dim); }
Tensor TensorMethods::repeat_interleave(std::int64_t repeats, std::optional<std::int64_t> dim) const {
  return gradus::repeat_interleave(self(), repeats, dim);
}
Tensor TensorMethods::outer(const Tensor& other) const { return gradus::outer(self(), other); }
Tensor TensorMethods::addmm(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return gradus::addmm(self(), a, b, beta, alpha);
}
Tensor TensorMethods::multinomial(std::int64_t num_samples, bool replacement) const {
  return gradus::multinomial(self(), num_samples, replacement);
}
Tensor TensorMethods::new_empty(const Shape& sizes, const TensorOptions& options) const {
  return gradus::empty(sizes, as_here(self(), options));
}
Tensor TensorMethods::new_zeros(const Shape& sizes, const TensorOptions& options) const {
  return gradus::zeros(sizes, as_here(self(), options));
}
Tensor TensorMethods::new_ones(const Shape& sizes, const TensorOptions& options) const {
  return gradus::ones(sizes, as_here(self(), options));
}
Tensor TensorMethods::new_full(const Shape& sizes, const Scalar& value, const TensorOptions& options) const {
  return gradus::full(sizes, value, as_here(self(), options));
}
Tensor TensorMethods::type_as(const Tensor& other) const { return self().to(other.dtype()); }
Tensor TensorMethods::reshape_as(const Tensor& other) const { return gradus::reshape(self(), other.sizes()); }

}  // namespace gradus

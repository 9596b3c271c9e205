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

Tensor Tensor::view(const Shape& sizes) const { return gradus::view(*this, sizes); }
Tensor Tensor::reshape(const Shape& sizes) const { return gradus::reshape(*this, sizes); }
Tensor Tensor::permute(const Shape& dims) const { return gradus::permute(*this, dims); }
Tensor Tensor::transpose(std::int64_t dim0, std::int64_t dim1) const { return gradus::transpose(*this, dim0, dim1); }
Tensor Tensor::t() const { return gradus::t(*this); }
Tensor Tensor::expand(const Shape& sizes) const { return gradus::expand(*this, sizes); }
Tensor Tensor::squeeze() const { return gradus::squeeze(*this); }
Tensor Tensor::squeeze(std::int64_t dim) const { return gradus::squeeze(*this, dim); }
Tensor Tensor::unsqueeze(std::int64_t dim) const { return gradus::unsqueeze(*this, dim); }
Tensor Tensor::flatten(std::int64_t start_dim, std::int64_t end_dim) const {
  return gradus::flatten(*this, start_dim, end_dim);
}
Tensor Tensor::unflatten(std::int64_t dim, const Shape& sizes) const { return gradus::unflatten(*this, dim, sizes); }
Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const {
  return gradus::narrow(*this, dim, start, length);
}
Tensor Tensor::select(std::int64_t dim, std::int64_t index) const { return gradus::select(*this, dim, index); }
std::vector<Tensor> Tensor::split(std::int64_t split_size, std::int64_t dim) const {
  return gradus::split(*this, split_size, dim);
}
std::vector<Tensor> Tensor::split(const std::vector<std::int64_t>& sizes, std::int64_t dim) const {
  return gradus::split(*this, sizes, dim);
}
std::vector<Tensor> Tensor::chunk(std::int64_t chunks, std::int64_t dim) const {
  return gradus::chunk(*this, chunks, dim);
}
std::vector<Tensor> Tensor::unbind(std::int64_t dim) const { return gradus::unbind(*this, dim); }
Tensor Tensor::repeat(const Shape& repeats) const { return gradus::repeat(*this, repeats); }
Tensor Tensor::flip(const Dims& dims) const { return gradus::flip(*this, dims); }
Tensor Tensor::roll(const Dims& shifts, const Dims& dims) const { return gradus::roll(*this, shifts, dims); }
Tensor Tensor::tril(std::int64_t diagonal) const { return gradus::tril(*this, diagonal); }
Tensor Tensor::triu(std::int64_t diagonal) const { return gradus::triu(*this, diagonal); }
Tensor Tensor::gather(std::int64_t dim, const Tensor& index) const { return gradus::gather(*this, dim, index); }
Tensor Tensor::index_select(std::int64_t dim, const Tensor& index) const {
  return gradus::index_select(*this, dim, index);
}
Tensor Tensor::index_add(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return gradus::index_add(*this, dim, index, src);
}
Tensor Tensor::scatter(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return gradus::scatter(*this, dim, index, src);
}
Tensor Tensor::scatter_add(std::int64_t dim, const Tensor& index, const Tensor& src) const {
  return gradus::scatter_add(*this, dim, index, src);
}
Tensor Tensor::masked_select(const Tensor& mask) const { return gradus::masked_select(*this, mask); }
Tensor Tensor::where(const Tensor& condition, const Tensor& other) const {
  return gradus::where(condition, *this, other);
}
Tensor Tensor::nonzero() const { return gradus::nonzero(*this); }
std::pair<Tensor, Tensor> Tensor::sort(std::int64_t dim, bool descending) const {
  return gradus::sort(*this, dim, descending);
}
Tensor Tensor::argsort(std::int64_t dim, bool descending) const { return gradus::argsort(*this, dim, descending); }
std::pair<Tensor, Tensor> Tensor::topk(std::int64_t k, std::int64_t dim, bool largest, bool sorted) const {
  return gradus::topk(*this, k, dim, largest, sorted);
}
Tensor Tensor::masked_fill(const Tensor& mask, const Scalar& value) const {
  return gradus::masked_fill(*this, mask, value);
}
Tensor Tensor::sum(const Dims& dims, bool keepdim) const { return gradus::sum(*this, dims, keepdim); }
Tensor Tensor::mean(const Dims& dims, bool keepdim) const { return gradus::mean(*this, dims, keepdim); }
Tensor Tensor::var(const Dims& dims, double correction, bool keepdim) const {
  return gradus::var(*this, dims, correction, keepdim);
}
Tensor Tensor::std(const Dims& dims, double correction, bool keepdim) const {
  return gradus::std(*this, dims, correction, keepdim);
}
Tensor Tensor::norm(double p, const Dims& dims, bool keepdim) const { return gradus::norm(*this, p, dims, keepdim); }
Tensor Tensor::logsumexp(const Dims& dims, bool keepdim) const { return gradus::logsumexp(*this, dims, keepdim); }
Tensor Tensor::prod() const { return gradus::prod(*this); }
Tensor Tensor::prod(std::int64_t dim, bool keepdim) const { return gradus::prod(*this, dim, keepdim); }
Tensor Tensor::cumsum(std::int64_t dim) const { return gradus::cumsum(*this, dim); }
Tensor Tensor::amax(const Dims& dims, bool keepdim) const { return gradus::amax(*this, dims, keepdim); }
Tensor Tensor::amin(const Dims& dims, bool keepdim) const { return gradus::amin(*this, dims, keepdim); }
std::pair<Tensor, Tensor> Tensor::max(std::int64_t dim, bool keepdim) const { return gradus::max(*this, dim, keepdim); }
std::pair<Tensor, Tensor> Tensor::min(std::int64_t dim, bool keepdim) const { return gradus::min(*this, dim, keepdim); }
Tensor Tensor::max() const { return gradus::max(*this); }
Tensor Tensor::min() const { return gradus::min(*this); }
Tensor Tensor::argmax(std::optional<std::int64_t> dim, bool keepdim) const {
  return gradus::argmax(*this, dim, keepdim);
}
Tensor Tensor::argmin(std::optional<std::int64_t> dim, bool keepdim) const {
  return gradus::argmin(*this, dim, keepdim);
}
Tensor Tensor::all(const Dims& dims, bool keepdim) const { return gradus::all(*this, dims, keepdim); }
Tensor Tensor::any(const Dims& dims, bool keepdim) const { return gradus::any(*this, dims, keepdim); }
Tensor Tensor::matmul(const Tensor& other) const { return gradus::matmul(*this, other); }
Tensor Tensor::mm(const Tensor& other) const { return gradus::mm(*this, other); }
Tensor Tensor::bmm(const Tensor& other) const { return gradus::bmm(*this, other); }
Tensor Tensor::dot(const Tensor& other) const { return gradus::dot(*this, other); }
Tensor Tensor::add(const Tensor& other, const Scalar& alpha) const { return gradus::add(*this, other, alpha); }
Tensor Tensor::sub(const Tensor& other, const Scalar& alpha) const { return gradus::sub(*this, other, alpha); }
Tensor Tensor::mul(const Tensor& other) const { return gradus::mul(*this, other); }
Tensor Tensor::div(const Tensor& other) const { return gradus::div(*this, other); }
Tensor Tensor::add(const Scalar& other) const { return gradus::add(*this, other); }
Tensor Tensor::sub(const Scalar& other) const { return gradus::sub(*this, other); }
Tensor Tensor::mul(const Scalar& other) const { return gradus::mul(*this, other); }
Tensor Tensor::div(const Scalar& other) const { return gradus::div(*this, other); }
Tensor Tensor::maximum(const Tensor& other) const { return gradus::maximum(*this, other); }
Tensor Tensor::minimum(const Tensor& other) const { return gradus::minimum(*this, other); }
Tensor Tensor::pow(const Scalar& exponent) const { return gradus::pow(*this, exponent); }
Tensor Tensor::pow(const Tensor& exponent) const { return gradus::pow(*this, exponent); }
Tensor Tensor::square() const { return gradus::square(*this); }
Tensor Tensor::reciprocal() const { return gradus::reciprocal(*this); }
Tensor Tensor::rsqrt() const { return gradus::rsqrt(*this); }
Tensor Tensor::floor() const { return gradus::floor(*this); }
Tensor Tensor::ceil() const { return gradus::ceil(*this); }
Tensor Tensor::round() const { return gradus::round(*this); }
Tensor Tensor::sign() const { return gradus::sign(*this); }
Tensor Tensor::log1p() const { return gradus::log1p(*this); }
Tensor Tensor::expm1() const { return gradus::expm1(*this); }
Tensor Tensor::erf() const { return gradus::erf(*this); }
Tensor Tensor::exp() const { return gradus::exp(*this); }
Tensor Tensor::log() const { return gradus::log(*this); }
Tensor Tensor::sqrt() const { return gradus::sqrt(*this); }
Tensor Tensor::abs() const { return gradus::abs(*this); }
Tensor Tensor::neg() const { return gradus::neg(*this); }
Tensor Tensor::sin() const { return gradus::sin(*this); }
Tensor Tensor::cos() const { return gradus::cos(*this); }
Tensor Tensor::tanh() const { return gradus::tanh(*this); }
Tensor Tensor::sigmoid() const { return gradus::sigmoid(*this); }
Tensor Tensor::relu() const { return gradus::relu(*this); }
Tensor Tensor::softmax(std::int64_t dim) const { return gradus::softmax(*this, dim); }
Tensor Tensor::log_softmax(std::int64_t dim) const { return gradus::log_softmax(*this, dim); }
Tensor Tensor::clamp(std::optional<double> min, std::optional<double> max) const {
  return gradus::clamp(*this, min, max);
}
Tensor Tensor::eq(const Tensor& other) const { return gradus::eq(*this, other); }
Tensor Tensor::ne(const Tensor& other) const { return gradus::ne(*this, other); }
Tensor Tensor::lt(const Tensor& other) const { return gradus::lt(*this, other); }
Tensor Tensor::le(const Tensor& other) const { return gradus::le(*this, other); }
Tensor Tensor::gt(const Tensor& other) const { return gradus::gt(*this, other); }
Tensor Tensor::ge(const Tensor& other) const { return gradus::ge(*this, other); }
Tensor Tensor::eq(const Scalar& other) const { return gradus::eq(*this, other); }
Tensor Tensor::ne(const Scalar& other) const { return gradus::ne(*this, other); }
Tensor Tensor::lt(const Scalar& other) const { return gradus::lt(*this, other); }
Tensor Tensor::le(const Scalar& other) const { return gradus::le(*this, other); }
Tensor Tensor::gt(const Scalar& other) const { return gradus::gt(*this, other); }
Tensor Tensor::ge(const Scalar& other) const { return gradus::ge(*this, other); }
Tensor Tensor::isnan() const { return gradus::isnan(*this); }
Tensor Tensor::isinf() const { return gradus::isinf(*this); }
Tensor Tensor::isfinite() const { return gradus::isfinite(*this); }
bool Tensor::equal(const Tensor& other) const { return gradus::equal(*this, other); }
bool Tensor::allclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return gradus::allclose(*this, other, rtol, atol, equal_nan);
}

Tensor Tensor::tan() const { return gradus::tan(*this); }
Tensor Tensor::atan() const { return gradus::atan(*this); }
Tensor Tensor::log2() const { return gradus::log2(*this); }
Tensor Tensor::log10() const { return gradus::log10(*this); }
Tensor Tensor::atan2(const Tensor& other) const { return gradus::atan2(*this, other); }
Tensor Tensor::remainder(const Tensor& other) const { return gradus::remainder(*this, other); }
Tensor Tensor::remainder(const Scalar& other) const { return gradus::remainder(*this, other); }
Tensor Tensor::floor_divide(const Tensor& other) const { return gradus::floor_divide(*this, other); }
Tensor Tensor::floor_divide(const Scalar& other) const { return gradus::floor_divide(*this, other); }
Tensor Tensor::lerp(const Tensor& end, double weight) const { return gradus::lerp(*this, end, weight); }
Tensor Tensor::logical_and(const Tensor& other) const { return gradus::logical_and(*this, other); }
Tensor Tensor::logical_or(const Tensor& other) const { return gradus::logical_or(*this, other); }
Tensor Tensor::logical_xor(const Tensor& other) const { return gradus::logical_xor(*this, other); }
Tensor Tensor::logical_not() const { return gradus::logical_not(*this); }
Tensor Tensor::median() const { return gradus::median(*this); }
std::pair<Tensor, Tensor> Tensor::median(std::int64_t dim, bool keepdim) const {
  return gradus::median(*this, dim, keepdim);
}
Tensor Tensor::cumprod(std::int64_t dim) const { return gradus::cumprod(*this, dim); }
Tensor Tensor::repeat_interleave(std::int64_t repeats, std::optional<std::int64_t> dim) const {
  return gradus::repeat_interleave(*this, repeats, dim);
}
Tensor Tensor::outer(const Tensor& other) const { return gradus::outer(*this, other); }
Tensor Tensor::addmm(const Tensor& a, const Tensor& b, double beta, double alpha) const {
  return gradus::addmm(*this, a, b, beta, alpha);
}
Tensor Tensor::multinomial(std::int64_t num_samples, bool replacement) const {
  return gradus::multinomial(*this, num_samples, replacement);
}
Tensor Tensor::new_empty(const Shape& sizes, const TensorOptions& options) const {
  return gradus::empty(sizes, as_here(*this, options));
}
Tensor Tensor::new_zeros(const Shape& sizes, const TensorOptions& options) const {
  return gradus::zeros(sizes, as_here(*this, options));
}
Tensor Tensor::new_ones(const Shape& sizes, const TensorOptions& options) const {
  return gradus::ones(sizes, as_here(*this, options));
}
Tensor Tensor::new_full(const Shape& sizes, const Scalar& value, const TensorOptions& options) const {
  return gradus::full(sizes, value, as_here(*this, options));
}
Tensor Tensor::type_as(const Tensor& other) const { return to(other.dtype()); }
Tensor Tensor::reshape_as(const Tensor& other) const { return gradus::reshape(*this, other.sizes()); }

}  // namespace gradus

// Operations as methods of Tensor.
#include <gradus/ops.h>

namespace gradus {

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
Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const {
  return gradus::narrow(*this, dim, start, length);
}
Tensor Tensor::select(std::int64_t dim, std::int64_t index) const { return gradus::select(*this, dim, index); }
std::vector<Tensor> Tensor::split(std::int64_t split_size, std::int64_t dim) const {
  return gradus::split(*this, split_size, dim);
}
std::vector<Tensor> Tensor::chunk(std::int64_t chunks, std::int64_t dim) const {
  return gradus::chunk(*this, chunks, dim);
}
Tensor Tensor::gather(std::int64_t dim, const Tensor& index) const { return gradus::gather(*this, dim, index); }
Tensor Tensor::index_select(std::int64_t dim, const Tensor& index) const {
  return gradus::index_select(*this, dim, index);
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
Tensor Tensor::max() const { return gradus::max(*this); }
Tensor Tensor::min() const { return gradus::min(*this); }
Tensor Tensor::argmax(std::optional<std::int64_t> dim, bool keepdim) const {
  return gradus::argmax(*this, dim, keepdim);
}
Tensor Tensor::argmin(std::optional<std::int64_t> dim, bool keepdim) const {
  return gradus::argmin(*this, dim, keepdim);
}
Tensor Tensor::all() const { return gradus::all(*this); }
Tensor Tensor::any() const { return gradus::any(*this); }
Tensor Tensor::matmul(const Tensor& other) const { return gradus::matmul(*this, other); }
Tensor Tensor::pow(const Scalar& exponent) const { return gradus::pow(*this, exponent); }
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

}  // namespace gradus

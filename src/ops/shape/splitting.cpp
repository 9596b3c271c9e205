// tensor_split, hsplit, vsplit, dsplit.
#include <gradus/ops/arranging.h>

namespace gradus {

namespace {

int split_dim(const char* call, const Tensor& x, std::int64_t dim) {
  if (x.dim() == 0) throw IndexError(std::string(call) + ": a 0-d tensor cannot be split");
  return wrap_dim(call, dim, x.sizes().rank());
}

void check_sections(const char* call, std::int64_t sections) {
  if (sections > 0) return;
  throw ValueError(std::string(call) + ": the number of sections must be positive, got " + std::to_string(sections));
}

// The dimension of hsplit, vsplit or dsplit.
int own_dim(const char* call, const Tensor& x, int least, int dim) {
  if (x.dim() < least) {
    throw ShapeError(std::string(call) + ": needs at least " + std::to_string(least) + " dimensions, got sizes " +
                     to_string(x.sizes()));
  }
  return x.dim() == 1 ? 0 : dim;
}

std::vector<Tensor> split_evenly(const char* call, const Tensor& x, std::int64_t sections, int dim) {
  check_sections(call, sections);
  if (x.sizes()[dim] % sections != 0) {
    throw ValueError(std::string(call) + ": the number of sections must divide the size " +
                     std::to_string(x.sizes()[dim]) + " of dimension " + std::to_string(dim) + ", got " +
                     std::to_string(sections));
  }
  return tensor_split(x, sections, dim);
}

}  // namespace

std::vector<Tensor> tensor_split(const Tensor& x, std::int64_t sections, std::int64_t dim) {
  const int d = split_dim("tensor_split", x, dim);
  check_sections("tensor_split", sections);
  const std::int64_t size = x.sizes()[d] / sections, longer = x.sizes()[d] % sections;
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (std::int64_t i = 0; i < sections; ++i) {
    const std::int64_t length = size + (i < longer ? 1 : 0);
    parts.push_back(narrow(x, d, start, length));
    start += length;
  }
  return parts;
}

std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<std::int64_t>& indices, std::int64_t dim) {
  const int d = split_dim("tensor_split", x, dim);
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (const std::int64_t end : indices) {
    parts.push_back(slice(x, d, start, end));
    start = end;
  }
  parts.push_back(slice(x, d, start));
  return parts;
}

std::vector<Tensor> tensor_split(const Tensor& x, const Tensor& indices_or_sections, std::int64_t dim) {
  if (indices_or_sections.dtype() != kInt64 || indices_or_sections.dim() > 1) {
    throw ValueError("tensor_split: the tensor of indices or sections must be int64 and 0-d or 1-d, got " +
                     std::string(to_string(indices_or_sections.dtype())) + " " +
                     to_string(indices_or_sections.sizes()));
  }
  if (indices_or_sections.dim() == 0) return tensor_split(x, indices_or_sections.item<std::int64_t>(), dim);
  return tensor_split(x, indices_or_sections.to_vector<std::int64_t>(), dim);
}

std::vector<Tensor> hsplit(const Tensor& x, std::int64_t sections) {
  return split_evenly("hsplit", x, sections, own_dim("hsplit", x, 1, 1));
}
std::vector<Tensor> hsplit(const Tensor& x, const std::vector<std::int64_t>& indices) {
  return tensor_split(x, indices, own_dim("hsplit", x, 1, 1));
}
std::vector<Tensor> vsplit(const Tensor& x, std::int64_t sections) {
  return split_evenly("vsplit", x, sections, own_dim("vsplit", x, 2, 0));
}
std::vector<Tensor> vsplit(const Tensor& x, const std::vector<std::int64_t>& indices) {
  return tensor_split(x, indices, own_dim("vsplit", x, 2, 0));
}
std::vector<Tensor> dsplit(const Tensor& x, std::int64_t sections) {
  return split_evenly("dsplit", x, sections, own_dim("dsplit", x, 3, 2));
}
std::vector<Tensor> dsplit(const Tensor& x, const std::vector<std::int64_t>& indices) {
  return tensor_split(x, indices, own_dim("dsplit", x, 3, 2));
}

}  // namespace gradus

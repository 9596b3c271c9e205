// Products and distances of the vectors in a tensor.
#include <gradus/ops.h>
#include <gradus/ops/arranging.h>
#include <gradus/ops/products.h>

#include <limits>
#include <vector>

namespace gradus {

Tensor pdist(const Tensor& x, double p) {
  if (x.dim() != 2) throw ShapeError("pdist: needs rows, [n, m], got " + to_string(x.sizes()));
  if (!x.is_floating_point())
    throw DtypeError(std::string("pdist: needs a floating-point tensor, got ") + to_string(x.dtype()));
  if (!(p >= 0)) throw ValueError("pdist: p must be at least 0, got " + to_string(p));
  const std::int64_t n = x.size(0);
  if (n > std::int64_t{1} << 31)
    throw ShapeError("pdist: at most 2^31 rows have a number for each pair, got " + std::to_string(n));
  std::vector<std::int64_t> first, second;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = i + 1; j < n; ++j) {
      first.push_back(i);
      second.push_back(j);
    }
  }
  const TensorOptions there{.device = x.device()};
  return norm(index_select(x, 0, tensor(first, there)) - index_select(x, 0, tensor(second, there)), p, {-1});
}

Tensor cross(const Tensor& a, const Tensor& b, std::optional<std::int64_t> dim) {
  if (a.dim() != b.dim())
    throw ShapeError("cross: needs two tensors with as many dimensions, got " + to_string(a.sizes()) + " and " +
                     to_string(b.sizes()));
  const int rank = static_cast<int>(a.dim());
  int d = 0;
  if (dim) {
    d = wrap_dim("cross", *dim, rank);
  } else {
    while (d < rank && (a.sizes()[d] != 3 || b.sizes()[d] != 3)) ++d;
  }
  if (d >= rank || a.sizes()[d] != 3 || b.sizes()[d] != 3)
    throw ShapeError("cross: the vectors' dimension must have size 3 in both, got " + to_string(a.sizes()) + " and " +
                     to_string(b.sizes()) + (dim ? ", dimension " + std::to_string(d) : std::string()));
  const std::vector<Tensor> both = broadcast_tensors({a, b});
  const auto turned = [d](const Tensor& x, std::int64_t by) { return roll(x, {-by}, {d}); };
  return turned(both[0], 1) * turned(both[1], 2) - turned(both[0], 2) * turned(both[1], 1);
}

}  // namespace gradus

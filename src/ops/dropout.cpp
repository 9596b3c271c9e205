#include <gradus/op.h>
#include <gradus/ops.h>

namespace gradus {

// x times a mask of 0 and 1 / (1 - p): the gradient and its gradient follow from the product.
Tensor dropout(const Tensor& x, double p, bool training, Generator* generator) {
  if (!(p >= 0 && p <= 1)) throw ValueError("dropout: p must be in [0, 1], got " + std::to_string(p));
  if (!x.is_floating_point()) {
    throw DtypeError(std::string("dropout: needs a floating-point tensor, got ") + to_string(x.dtype()));
  }
  if (!training || p == 0) return x;
  Tensor mask = empty_like(x.detach());
  mask.bernoulli_(1 - p, generator);
  if (p < 1) mask.mul_(1 / (1 - p));
  return x * mask;
}

}  // namespace gradus

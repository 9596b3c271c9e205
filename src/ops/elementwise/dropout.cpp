#include <gradus/autograd/op.h>
#include <gradus/detail/observer.h>
#include <gradus/ops.h>
#include <gradus/ops/resampling.h>

#include "core/range.h"

namespace gradus {

namespace {

// x times a mask of 0 and 1 / (1 - p), which has `sizes` and broadcasts: the gradient and its gradient follow from the
// product.
Tensor drop(const char* call, const Tensor& x, const Shape& sizes, double p, bool training, Generator* generator) {
  check_range(call, "p", p, between(0, 1));
  if (!x.is_floating_point()) {
    throw DtypeError(std::string(call) + ": needs a floating-point tensor, got " + to_string(x.dtype()));
  }
  if (!training || p == 0) return x;
  detail::begin_loss("dropout", x, x);  // for audits: in a module that evaluates it is a mistake
  Tensor mask = empty(sizes, {.dtype = x.dtype(), .device = x.device()});
  mask.bernoulli_(1 - p, generator);
  if (p < 1) mask.mul_(1 / (1 - p));
  return x * mask;
}

// One mask element per channel; x has one of the two ranks, the lower one without a batch.
Tensor drop_channels(const char* call, const Tensor& x, std::int64_t rank, bool unbatched, double p, bool training,
                     Generator* generator) {
  const bool lower = unbatched && x.dim() == rank - 1;
  if (x.dim() != rank && !lower) {
    throw ShapeError(std::string(call) + ": needs x of " + std::to_string(rank) + " dimensions" +
                     (unbatched ? ", one less without a batch" : "") + ", got " + to_string(x.sizes()));
  }
  Shape sizes = x.sizes();
  for (int d = lower ? 1 : 2; d < sizes.rank(); ++d) sizes[d] = 1;
  return drop(call, x, sizes, p, training, generator);
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training, Generator* generator) {
  return drop("dropout", x, x.sizes(), p, training, generator);
}
Tensor dropout1d(const Tensor& x, double p, bool training, Generator* generator) {
  return drop_channels("dropout1d", x, 3, true, p, training, generator);
}
Tensor dropout2d(const Tensor& x, double p, bool training, Generator* generator) {
  return drop_channels("dropout2d", x, 4, false, p, training, generator);
}
Tensor dropout3d(const Tensor& x, double p, bool training, Generator* generator) {
  return drop_channels("dropout3d", x, 5, true, p, training, generator);
}

}  // namespace gradus

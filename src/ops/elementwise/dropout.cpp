#include <gradus/autograd/op.h>
#include <gradus/detail/observer.h>
#include <gradus/ops.h>
#include <gradus/ops/activation.h>
#include <gradus/ops/in_place.h>
#include <gradus/ops/resampling.h>

#include "core/range.h"
#include "ops/methods/inplace.h"

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

// One mask element per channel, which are the dimensions before `first`.
Tensor drop_channels(const char* call, const Tensor& x, int first, double p, bool training, Generator* generator) {
  Shape sizes = x.sizes();
  for (int d = first; d < sizes.rank(); ++d) sizes[d] = 1;
  return drop(call, x, sizes, p, training, generator);
}

// Where x has no batch, it has one dimension less than `rank`.
int first_in_channel(const Tensor& x, std::int64_t rank) { return x.dim() == rank - 1 ? 1 : 2; }

void require_channels(const char* call, const Tensor& x) {
  if (x.dim() < 2)
    throw ShapeError(std::string(call) + ": needs x of at least 2 dimensions, got " + to_string(x.sizes()));
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training, Generator* generator) {
  return drop("dropout", x, x.sizes(), p, training, generator);
}
Tensor dropout1d(const Tensor& x, double p, bool training, Generator* generator) {
  if (x.dim() != 2 && x.dim() != 3) {
    throw ShapeError("dropout1d: needs x of 3 dimensions, one less without a batch, got " + to_string(x.sizes()));
  }
  return drop_channels("dropout1d", x, first_in_channel(x, 3), p, training, generator);
}
Tensor dropout2d(const Tensor& x, double p, bool training, Generator* generator) {
  require_channels("dropout2d", x);
  return drop_channels("dropout2d", x, 2, p, training, generator);
}
Tensor dropout3d(const Tensor& x, double p, bool training, Generator* generator) {
  require_channels("dropout3d", x);
  return drop_channels("dropout3d", x, first_in_channel(x, 5), p, training, generator);
}

#define GRADUS_DROPOUT_IN_PLACE(name)                                                   \
  Tensor& name##_(Tensor& x, double p, bool training, Generator* generator) {           \
    const auto drop = [&](const Tensor& y) { return name(y, p, training, generator); }; \
    if (training && p != 0) return ops::change(#name "_", x, {}, drop);                 \
    drop(x); /* checks, and changes nothing */                                          \
    return x;                                                                           \
  }
GRADUS_DROPOUT_IN_PLACE(dropout)
GRADUS_DROPOUT_IN_PLACE(dropout1d)
GRADUS_DROPOUT_IN_PLACE(dropout2d)
GRADUS_DROPOUT_IN_PLACE(dropout3d)
GRADUS_DROPOUT_IN_PLACE(alpha_dropout)
GRADUS_DROPOUT_IN_PLACE(feature_alpha_dropout)
#undef GRADUS_DROPOUT_IN_PLACE

}  // namespace gradus

// nonzero, masked_select, masked_fill: elements chosen by truth values.
#include <gradus/op.h>
#include <gradus/ops.h>

#include "kernels/cpu/index/nonzero.h"
#include "ops/index/positions.h"

namespace gradus {

namespace {

void check_mask(const char* call, const Tensor& mask) {
  if (mask.dtype() == kBool) return;
  throw DtypeError(std::string(call) + ": a mask must be bool, got " + to_string(mask.dtype()));
}

}  // namespace

namespace ops {

Tensor true_positions(const Tensor& mask) {
  const Tensor flat = mask.contiguous();
  return tensor(cpu::nonzero(static_cast<const std::uint8_t*>(flat.data_ptr()), flat.numel()));
}

}  // namespace ops

Tensor nonzero(const Tensor& x) {
  const Tensor positions = ops::true_positions(x.to(kBool));
  const int rank = x.sizes().rank();
  Tensor y = empty({positions.numel(), rank}, {.dtype = kInt64});
  const auto* p = positions.data_ptr<std::int64_t>();
  auto* out = y.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < positions.numel(); ++i, out += rank) {
    std::int64_t rest = p[i];
    for (int d = rank - 1; d >= 0; --d) {
      out[d] = rest % x.sizes()[d];
      rest /= x.sizes()[d];
    }
  }
  return y;
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check_mask("masked_select", mask);
  const Shape sizes = broadcast_shapes("masked_select", x.sizes(), mask.sizes());
  const Tensor positions = ops::true_positions(expand(mask, sizes));
  return ops::pick("masked_select", reshape(expand(x, sizes), {sizes.numel()}), {.dims = {0}}, positions);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
  check_mask("masked_fill", mask);
  check_fits("masked_fill", value, x.dtype());
  return where(mask, Tensor::scalar(value, x.dtype()), x);
}

}  // namespace gradus

// nonzero, masked_select, masked_fill: elements chosen by truth values.
#include <gradus/autograd/op.h>
#include <gradus/ops.h>

#include "core/recorded_step.h"
#include "kernels/dispatch/kernels.h"
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
  const auto* bytes = static_cast<const std::uint8_t*>(flat.data_ptr());
  return tensor(kernels(flat.device()).nonzero(bytes, flat.numel()), {.device = flat.device()});
}

}  // namespace ops

Tensor nonzero(const Tensor& x) {
  if (x.device() != kCPU) core::refuse_recording("nonzero", core::kWaits);
  const Tensor positions = ops::true_positions(x.to(kBool).cpu());
  const int rank = x.sizes().rank();
  Tensor y = empty({positions.numel(), rank}, {.dtype = kInt64, .device = kCPU});
  const auto* p = positions.data_ptr<std::int64_t>();
  auto* out = y.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < positions.numel(); ++i, out += rank) {
    std::int64_t rest = p[i];
    for (int d = rank - 1; d >= 0; --d) {
      out[d] = rest % x.sizes()[d];
      rest /= x.sizes()[d];
    }
  }
  return y.to(x.device());
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

// all, any: bool, but uint8 for uint8, as in PyTorch.
#include <gradus/autograd.h>
#include <gradus/ops.h>

#include "ops/reduce/reduce.h"

namespace gradus {

using namespace ops;

namespace {

Tensor truth(const char* call, kernel::Reduce kind, const Tensor& x, const Dims& dims, bool keepdim) {
  const NoGrad guard;
  const Reduction r = reduction(call, x, dims, keepdim);
  const Dtype dtype = x.dtype() == kUInt8 ? kUInt8 : kBool;
  if (r.count == 0) return full(r.result, kind == kernel::Reduce::min, {.dtype = dtype, .device = x.device()});
  return run_reduce(kind, x.to(kBool).to(kUInt8), r).to(dtype);
}

}  // namespace

Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
  return truth("all", kernel::Reduce::min, x, dims, keepdim);
}
Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
  return truth("any", kernel::Reduce::max, x, dims, keepdim);
}

}  // namespace gradus

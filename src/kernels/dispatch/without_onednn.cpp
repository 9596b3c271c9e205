// What stands in for kernels/onednn/ in a build without oneDNN: there are no loops of its kind.
#include "kernels/onednn/convolution.h"
#include "kernels/onednn/gemm.h"

namespace gradus::onednn {

using kernel::ConvEpilogue;
using kernel::Convolution;
using kernel::PackedWeights;

bool conv_forward(const Convolution&, const float*, const float*, const float*, float*) { return false; }
bool conv_backward_data(Dtype, const Convolution&, const void*, Dtype, const void*, void*) { return false; }
bool conv_backward_weight(Dtype, const Convolution&, const void*, const void*, float*) { return false; }

// So what follows is never called.
bool serves_channels_last(Dtype, const Convolution&) { return false; }
std::shared_ptr<const PackedWeights> pack(Dtype, const Convolution&, const ConvEpilogue&, Dtype, const void*) {
  return nullptr;
}
bool fits(Dtype, const Convolution&, const ConvEpilogue&, const PackedWeights&) { return false; }
void conv_forward(Dtype, const Convolution&, const void*, const PackedWeights&, const ConvEpilogue&, void*) {}

bool gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t, const float*,
          std::int64_t, float, float*, std::int64_t) {
  return false;
}
bool gemm_bfloat16(bool, bool, std::int64_t, std::int64_t, std::int64_t, const void*, std::int64_t, const void*,
                   std::int64_t, Dtype, void*, std::int64_t) {
  return false;
}

}  // namespace gradus::onednn

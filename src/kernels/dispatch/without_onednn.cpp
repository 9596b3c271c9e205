// What stands in for kernels/onednn/ in a build without oneDNN: there are no loops of its kind.
#include "kernels/onednn/convolution.h"
#include "kernels/onednn/gemm.h"

namespace gradus::onednn {

using kernel::Convolution;

bool conv_forward(const Convolution&, const float*, const float*, const float*, float*) { return false; }
bool conv_backward_data(const Convolution&, const float*, const float*, float*) { return false; }
bool conv_backward_weight(const Convolution&, const float*, const float*, float*) { return false; }
std::shared_ptr<const kernel::ChannelsLast> channels_last(Dtype, const Convolution&) { return nullptr; }

bool gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t, const float*,
          std::int64_t, float, float*, std::int64_t) {
  return false;
}
bool gemm_bfloat16(bool, bool, std::int64_t, std::int64_t, std::int64_t, const void*, std::int64_t, const void*,
                   std::int64_t, Dtype, void*, std::int64_t) {
  return false;
}

}  // namespace gradus::onednn

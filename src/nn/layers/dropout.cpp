#include <gradus/nn/layers/dropout.h>

#include "core/range.h"
#include "nn/module/repr.h"

namespace gradus::nn {

Dropout::Dropout(const char* type, double p, bool inplace)
    : Module(type, "p=" + repr(p) + ", inplace=" + repr(inplace)), p_(p), inplace_(inplace) {
  check_range(type, "p", p, between(0, 1));
}

}  // namespace gradus::nn

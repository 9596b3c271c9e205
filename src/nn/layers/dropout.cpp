#include <gradus/nn/layers/dropout.h>

#include "nn/module/repr.h"

namespace gradus::nn {

Dropout::Dropout(const char* type, double p) : Module(type, "p=" + repr(p) + ", inplace=False"), p_(p) {
  if (!(p >= 0 && p <= 1)) throw ValueError(std::string(type) + ": p must be in [0, 1], got " + repr(p));
}

}  // namespace gradus::nn

// The numbers of an update that Lion and Lion8bit share.
#pragma once

#include "kernels/formulas/rules.h"

namespace gradus::optim {

// p *= 1 - lr weight_decay;  p -= lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g.
template <class O>
LionUpdate lion_update(const O& o) {
  return {*o.lr, 1 - *o.lr * *o.weight_decay, *o.maximize ? -1.0 : 1.0, o.betas->first, o.betas->second};
}

}  // namespace gradus::optim

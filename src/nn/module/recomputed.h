// Modules whose calls are recomputed carry this mark among their hooks.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::nn::detail {

struct RecomputedMark {
  Tensor operator()(Module&, const Tensor&) const { return Tensor(); }
};

bool is_recomputed(const ModuleState& state);
// module.forward(x), which keeps x alone.
Tensor recomputed(Module& module, const Tensor& x);

}  // namespace gradus::nn::detail

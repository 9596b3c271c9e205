// LBFGS's state as PyTorch has it: at the first parameter, vectors over all of them.
#pragma once

#include <gradus/io/value.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

// {0: {...}}; {} where nothing was updated.
io::Value lbfgs_to_pytorch(const OptimizerState& state);

// Fills `state.params` from what is at `path` of `saved`; `params` are all parameters, in order. What only PyTorch
// keeps there is added to `left_out`. ValueError.
void lbfgs_from_pytorch(const io::Value& saved, const io::Path& path, const Params& params, OptimizerState& state,
                        std::vector<std::string>& left_out);

}  // namespace gradus::optim

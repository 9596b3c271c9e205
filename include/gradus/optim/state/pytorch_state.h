// Optimizer state as PyTorch saves it, by position: {'state': {0: {...}}, 'param_groups': [{..., 'params': [0]}]}. With
// it a run moves between Python and C++ in mid-flight.
//
//   const io::Value checkpoint = io::load("run.pth");
//   net.load_state_dict(checkpoint["model"]);
//   opt.load_state_dict(checkpoint["optimizer"]);
//
// Parameters correspond by their order, group by group, as in PyTorch: it is the caller's to give them in the same
// order on both sides. Option and state names are PyTorch's own.
#pragma once

#include <gradus/io/value.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

// What torch.optim's load_state_dict takes. A parameter's number of updates becomes its 'step', a float32 tensor; SGD
// has none in PyTorch.
io::Value to_pytorch(const OptimizerState& state);
io::Value to_pytorch(const Optimizer& optimizer);

// Loads what torch.optim's state_dict() returned. How PyTorch computes (foreach, fused, capturable, differentiable) and
// what its schedulers note in groups (initial_lr, ...) is left out; so is what a program added to groups or state
// (lr_scale, a master copy), which the report names as unexpected. ValueError, with the path, for another structure,
// other groups, an option of another method, or state that does not fit; the optimizer is then unchanged.
LoadStateReport from_pytorch(const io::Value& saved, Optimizer& optimizer);

}  // namespace gradus::optim

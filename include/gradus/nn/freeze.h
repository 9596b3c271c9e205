// Freezing: a state of parameters and modules, above requires_grad.
//
//   nn::freeze(net.features);            // or by name: nn::freeze(net, "features.*")
//   ...
//   nn::unfreeze(net, "features.4");
//
// A frozen parameter requires no gradient, gets none, and no optimizer changes it or its state: no update, no decay,
// no momentum. A frozen module evaluates, through any later train(): its running statistics stand still and its
// dropout is off. A state dict records what is frozen, and so do checkpoints (see training/checkpoint.h); a file of the
// tensors alone, as io::save(path, net.state_dict()) writes it, does not. Unfreezing restores requires_grad and the
// training mode as they were last asked for, and the momentum as it was left.
//
// PyTorch has no such state: there, requires_grad = false leaves statistics running, and a gradient that is left over
// lets momentum and decay move the parameter. That meaning of requires_grad is unchanged here.
#pragma once

#include <gradus/nn/module.h>

namespace gradus {

// One parameter. Its gradient is dropped. ValueError unless it is a leaf of floating-point type.
void freeze(const Tensor& parameter);
void unfreeze(const Tensor& parameter);
bool is_frozen(const Tensor& parameter);

namespace nn {

// The module with all that it holds.
void freeze(Module& module);
void unfreeze(Module& module);
bool is_frozen(const Module& module);

// The parameters and modules of `module` whose names match (see gradus/core/pattern.h). A module is frozen too when all
// of its parameters are, and no longer when one of them is not. Returns the names of the parameters; ValueError if
// nothing matches.
std::vector<std::string> freeze(Module& module, const std::string& pattern);
std::vector<std::string> unfreeze(Module& module, const std::string& pattern);

// What is frozen, as StateDict::frozen keeps it, and back: exactly that. Names that the module lacks are ignored.
std::vector<std::string> frozen_names(const Module& module);
void set_frozen_names(Module& module, const std::vector<std::string>& names);

}  // namespace nn
}  // namespace gradus

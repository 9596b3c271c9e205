// An optimizer's state as an io::Value, by name: for files of one's own. training::Checkpoint uses it; for PyTorch's
// form, by position, see pytorch_state.h.
//
//   io::save("run.pth", io::Value::dict({{"optimizer", optim::to_value(opt.state_dict())}}));
//   opt.load_state_dict(optim::to_optimizer_state(io::load("run.pth").at({"optimizer"})));
#pragma once

#include <gradus/io/value.h>
#include <gradus/optim/optimizer.h>

namespace gradus::optim {

// {'optimizer': 'Adam', 'groups': [{'name', 'options': {...}, 'params': [...]}], 'params': {name: {'step', 'tensors':
// {...}, 'numbers': {...}}}}.
io::Value to_value(const OptimizerState& state);
// ValueError, with the path, for anything else.
OptimizerState to_optimizer_state(const io::Value& value);

}  // namespace gradus::optim

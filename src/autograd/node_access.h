// The parts of a node that others in the library reach into.
#pragma once

#include <gradus/autograd/op.h>

namespace gradus {

struct NodeAccess {
  static auto& hooks(Node& node) { return node.hooks_; }
  static void retain(Node& node, detail::TensorImpl* impl) { node.retain_ = impl; }

  // Calls fn with each tensor that is kept for backward.
  template <class Fn>
  static void each_saved(const Node& node, const Fn& fn) {
    const auto visit = [&](const Node::Saved& saved) {
      if (saved.tensor.defined()) fn(saved.tensor);
    };
    for (const auto& saved : node.saved_) visit(saved);
    for (const auto& saved : node.more_saved_) visit(saved);
    visit(node.output_);
  }
};

}  // namespace gradus

// What the engine tells observers besides the nodes that it runs.
#pragma once

#include <gradus/autograd/op.h>

namespace gradus::detail {

// A pass backward, of this thread. Gradients are added up in it outside of any node.
class BackwardPass {
 public:
  BackwardPass();
  ~BackwardPass();
  BackwardPass(const BackwardPass&) = delete;
  BackwardPass& operator=(const BackwardPass&) = delete;
};
bool in_backward_pass();

// Whether somebody watches this thread who wants to see each module by itself. A profiler, which watches all threads,
// wants to see what runs without it.
bool watches_modules();

// What is done for a node counts as done in the module that recorded it.
class ForNode {
 public:
  explicit ForNode(const Node& node);
  ~ForNode();
  ForNode(const ForNode&) = delete;
  ForNode& operator=(const ForNode&) = delete;

 private:
  bool pushed_;
};

}  // namespace gradus::detail

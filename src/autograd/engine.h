// Backward: visits the graph from the results to the leaves, each operation once, when its gradient is complete.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include <gradus/autograd/op.h>

#include "autograd/gradient_sink.h"

namespace gradus {

class __attribute__((visibility("hidden"))) Engine {
 public:
  struct Request {
    std::vector<Tensor> roots, gradients;
    std::vector<Tensor> inputs;  // restricts the work to what leads to these; empty: all leaves
    bool retain_graph = false, create_graph = false;
    bool capture = false;  // return the inputs' gradients instead of accumulating them
  };
  // The gradients of request.inputs when capturing (undefined where unused), else empty.
  static std::vector<Tensor> run(const Request& request);
  // Whether `node` keeps the memory of its result for backward.
  static bool keeps_result(const Node& node, const detail::Storage* storage);

 private:
  explicit Engine(const Request& request);
  ~Engine();

  struct Leaf {
    Tensor tensor, grad;
    std::int32_t pending = 0;
    bool needed = false;
  };

  void discover(Node* root);
  void mark_visited(Node* node);
  void push(const Edge& edge, Tensor grad);
  void execute(Node* node);
  void finish_leaf(Leaf& leaf);
  void store(detail::TensorImpl& impl, Leaf& leaf) const;
  void run_nodes();
  bool targets(const detail::TensorImpl* leaf) const { return all_leaves_ || wanted_leaves_.count(leaf) != 0; }
  void accumulate(Tensor& into, Tensor grad) const;
  void begin_sinks();
  template <class Fn>
  void tell_sinks(const Fn& fn) const {
    for (const auto& entry : sinks_) entry->tell(fn);
  }
  Leaf& leaf_of(const Ref<detail::TensorImpl>& impl);

  const Request& request_;
  const std::uint64_t id_;
  const bool all_leaves_;
  std::vector<Node*> visited_;
  std::vector<Node*> ready_;  // a heap: the operation recorded last comes first
  std::unordered_map<const detail::TensorImpl*, Leaf> leaves_;
  std::unordered_map<const detail::TensorImpl*, std::size_t> wanted_leaves_;  // to its place in captured_
  std::unordered_multimap<const Node*, std::size_t> wanted_nodes_;
  std::vector<Tensor> captured_;
  std::vector<std::shared_ptr<detail::SinkEntry>> sinks_;
};

}  // namespace gradus

#include <gradus/nn/summary.h>

#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/random.h>

#include <ostream>
#include <unordered_map>
#include <unordered_set>

#include "autograd/node_access.h"
#include "autograd/watching.h"
#include "text/table.h"
#include "text/units.h"

namespace gradus::nn {

using detail::ModuleState;

namespace {

void add(FlopCounter::Count& to, const FlopCounter::Count& count) {
  to.calls += count.calls;
  to.flops += count.flops;
  to.multiply_adds += count.multiply_adds;
  to.bytes += count.bytes;
}

// Adds up per module what runs in it, outside of the modules in it.
class Collector final : gradus::detail::Observer {
 public:
  explicit Collector(const Module& root) : root_(root.state().get()) { gradus::detail::add_observer(*this); }
  ~Collector() override { gradus::detail::remove_observer(*this); }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  struct Own {
    std::int64_t calls = 0, saved_bytes = 0;
    std::optional<Shape> output;
    FlopCounter::Count forward, backward;
  };
  std::unordered_map<const void*, Own>& modules() { return modules_; }

  // What the graph behind y keeps.
  void add_saved(const Tensor& y, const std::unordered_set<const void*>& not_counted) {
    std::unordered_set<const void*> seen = not_counted, nodes;
    std::vector<Ref<Node>> stack{y.grad_fn()};
    while (!stack.empty()) {
      const Ref<Node> node = stack.back();
      stack.pop_back();
      if (!node || !nodes.insert(node.get()).second) continue;
      Own& own = modules_[node->layer() ? node->layer()->module : root_];
      NodeAccess::each_saved(*node, [&](const Tensor& x) {
        const auto& storage = *x.impl()->storage;
        if (seen.insert(&storage).second) own.saved_bytes += static_cast<std::int64_t>(storage.nbytes);
      });
      for (const Edge& edge : node->edges()) stack.push_back(edge.node);
    }
  }

 private:
  void end_operation(const gradus::detail::Operation& operation) override {
    if (operation.depth > 0) return;
    const gradus::detail::LayerRef layer = gradus::detail::current_layer();
    Own& own = modules_[layer ? layer->module : root_];
    add(gradus::detail::in_backward_pass() ? own.backward : own.forward,
        {1, operation.cost.flops, operation.cost.multiply_adds, operation.bytes});
  }
  void end_layer(const gradus::detail::Layer& layer, const Tensor* result) override {
    Own& own = modules_[layer.module];
    ++own.calls;
    own.output.reset();
    if (result != nullptr && result->defined()) own.output = result->sizes();
  }

  const void* root_;
  std::unordered_map<const void*, Own> modules_;
};

// Puts back, at the end, what a pass through the network changes.
class Restore {
 public:
  explicit Restore(Module& net) : net_(net), random_(default_generator()) {
    for (Module* module : net.modules()) training_.emplace_back(module->state().get(), module->state()->training);
    for (const Tensor& buffer : net.buffers()) buffers_.emplace_back(buffer, buffer.detach().clone());
  }
  ~Restore() {
    default_generator() = random_;
    for (auto& [state, training] : training_) state->training = training;
    detail::settle_frozen(*net_.state());
    const NoGrad guard;
    for (auto& [buffer, value] : buffers_)
      if (!equal(buffer, value)) buffer.copy_(value);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  Module& net_;
  Generator random_;
  std::vector<std::pair<ModuleState*, bool>> training_;
  std::vector<std::pair<Tensor, Tensor>> buffers_;
};

// The rows of a module and of what it holds; returns the place of its own.
std::size_t add_rows(const Module& module, int depth, std::unordered_map<const void*, Collector::Own>& own,
                     std::unordered_set<const void*>& seen, std::vector<LayerSummary>& rows) {
  const ModuleState& state = *module.state();
  const std::size_t at = rows.size();
  LayerSummary row;
  row.path = state.path;
  row.type = module.type_name();
  row.detail = state.detail;
  row.depth = depth;
  if (const auto found = own.find(&state); found != own.end()) {
    row.output = found->second.output;
    row.calls = found->second.calls;
    row.forward = found->second.forward;
    row.backward = found->second.backward;
    row.saved_bytes = found->second.saved_bytes;
    own.erase(found);
  }
  for (const auto& [name, tensor] : state.parameters) {
    if (!tensor.defined() || !seen.insert(tensor.impl()).second) continue;
    row.parameters += tensor.numel();
    if (tensor.requires_grad()) row.trainable += tensor.numel();
  }
  rows.push_back(std::move(row));
  for (const auto& child : state.children) {
    if (!seen.insert(child.module->state().get()).second) continue;  // registered in two places
    const LayerSummary& inner = rows[add_rows(*child.module, depth + 1, own, seen, rows)];
    LayerSummary& outer = rows[at];
    outer.parameters += inner.parameters;
    outer.trainable += inner.trainable;
    outer.saved_bytes += inner.saved_bytes;
    add(outer.forward, inner.forward);
    add(outer.backward, inner.backward);
  }
  return at;
}

Dtype input_type(const Module& net, const SummaryOptions& options) {
  if (options.dtype) return *options.dtype;
  for (const Tensor& p : net.parameters())
    if (p.is_floating_point()) return p.dtype();
  return kFloat32;
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

}  // namespace

Summary summary(Module& net, const Shape& input, const SummaryOptions& options) {
  for (const std::int64_t size : input) {
    if (size < 0) throw ValueError("summary: sizes of the input must not be negative, got " + to_string(input));
  }
  const Generator before = default_generator();
  const Dtype dtype = input_type(net, options);
  const std::vector<Tensor> all = net.parameters();
  TensorOptions like{.device = all.empty() ? kCPU : all[0].device()};
  if (!is_floating_point(dtype)) like.dtype = dtype;
  const Tensor x = is_floating_point(dtype) ? randn(input, like).to(dtype) : zeros(input, like);
  default_generator() = before;
  return summary(
      net, [&] { return net(x); }, options);
}

Summary summary(Module& net, const std::function<Tensor()>& forward, const SummaryOptions& options) {
  std::vector<Tensor> trainable;
  Summary result;
  std::unordered_set<const void*> not_counted, seen;
  for (const Tensor& p : net.parameters()) {
    if (p.requires_grad()) trainable.push_back(p);
    const std::int64_t bytes = p.numel() * p.element_size();
    result.parameter_bytes += bytes;
    if (p.requires_grad()) result.gradient_bytes += bytes;
    not_counted.insert(p.impl()->storage.get());
  }
  for (const Tensor& b : net.buffers()) {
    result.buffers += b.numel();
    result.buffer_bytes += b.numel() * b.element_size();
    not_counted.insert(b.impl()->storage.get());
  }

  const Restore restore(net);
  net.train(options.train);
  Collector collector(net);
  const GradMode mode(options.backward);
  const Tensor y = forward();
  if (options.backward && y.defined() && y.requires_grad()) {
    collector.add_saved(y, not_counted);
    autograd::grad({y}, trainable, {ones_like(y)}, {.allow_unused = true});
  }
  add_rows(net, 0, collector.modules(), seen, result.layers);
  // What ran in modules that are not registered.
  for (const auto& [module, own] : collector.modules()) {
    add(result.layers.front().forward, own.forward);
    add(result.layers.front().backward, own.backward);
    result.layers.front().saved_bytes += own.saved_bytes;
  }
  return result;
}

const LayerSummary& Summary::layer(const std::string& path) const {
  std::vector<std::string> paths;
  for (const LayerSummary& row : layers) {
    if (row.path == path) return row;
    paths.push_back(row.path);
  }
  throw ValueError("summary: there is no layer '" + path + "'" + did_you_mean(path, paths));
}

std::ostream& operator<<(std::ostream& out, const Summary& summary) { return out << summary.to_string(); }

std::string Summary::to_string(std::optional<int> depth) const {
  Table table({{"layer"},
               {"type"},
               {"output"},
               {"parameters", true},
               {""},
               {"mult-adds", true},
               {"FLOPs fwd", true},
               {"FLOPs bwd", true},
               {"moved", true},
               {"kept", true}});
  const auto count = [](std::int64_t n) { return n == 0 ? std::string("-") : short_count(static_cast<double>(n)); };
  const auto bytes = [](std::int64_t n) { return n == 0 ? std::string("-") : byte_count(static_cast<double>(n)); };
  for (const LayerSummary& row : layers) {
    if (depth && row.depth > *depth) continue;
    const std::string name = row.depth == 0 ? row.type : last_part(row.path);
    const bool part = row.trainable > 0 && row.trainable < row.parameters;
    table.add({std::string(2 * static_cast<std::size_t>(row.depth), ' ') + name, row.depth == 0 ? "" : row.type,
               row.output ? gradus::to_string(*row.output) : "-", row.parameters == 0 ? "-" : grouped(row.parameters),
               row.parameters == row.trainable ? ""
               : part                          ? "partly frozen"
                                               : "frozen",
               count(row.forward.multiply_adds), count(row.forward.flops), count(row.backward.flops),
               bytes(row.forward.bytes + row.backward.bytes), bytes(row.saved_bytes)});
  }
  table.rule();
  const LayerSummary& all = total();
  const auto amount = [](std::int64_t n) { return byte_count(static_cast<double>(n)); };
  return table.to_string() +
         fmt::format("parameters  {} ({} trainable), {}; {} of gradients; {} numbers in buffers, {}\n",
                     grouped(all.parameters), grouped(all.trainable), amount(parameter_bytes), amount(gradient_bytes),
                     grouped(buffers), amount(buffer_bytes)) +
         fmt::format("forward     {} multiply-adds, {} FLOPs, {} moved\n", count(all.forward.multiply_adds),
                     count(all.forward.flops), amount(all.forward.bytes)) +
         fmt::format("backward    {} multiply-adds, {} FLOPs, {} moved; {} kept for it\n",
                     count(all.backward.multiply_adds), count(all.backward.flops), amount(all.backward.bytes),
                     amount(all.saved_bytes));
}

}  // namespace gradus::nn

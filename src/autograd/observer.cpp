#include <gradus/autograd/op.h>
#include <gradus/core/memory.h>
#include <gradus/detail/observer.h>

#include <exception>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "autograd/watching.h"

namespace gradus::detail {

constinit std::atomic<int> watchers{0};

namespace {

struct Frame {
  const char* name;
  int operations = 0;  // directly within it
  Cost cost;           // of those
};

// What this thread is in the middle of.
struct Watch {
  std::vector<Observer*> observers;
  std::vector<Frame> operations;
  std::vector<LayerRef> layers;
  std::vector<const Node*> backwards;
};

Watch& watch() {
  thread_local Watch of_this_thread;
  return of_this_thread;
}

// The one that watches all threads. Held shared while it is called, so that it cannot go meanwhile.
struct {
  std::shared_mutex mutex;
  Observer* observer = nullptr;
} everywhere;

// The innermost begins last and ends first.
template <class Fn>
void begin_all(const Fn& fn) {
  {
    const std::shared_lock lock(everywhere.mutex);
    if (everywhere.observer != nullptr) fn(*everywhere.observer);
  }
  const auto& own = watch().observers;
  for (std::size_t i = 0; i < own.size(); ++i) fn(*own[i]);
}

// All are told, also where one of them throws.
template <class Fn>
void end_all(const Fn& fn) {
  std::exception_ptr error;
  const auto tell = [&](Observer& observer) {
    try {
      fn(observer);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  };
  const auto& own = watch().observers;
  for (std::size_t i = own.size(); i-- > 0;) tell(*own[i]);
  {
    const std::shared_lock lock(everywhere.mutex);
    if (everywhere.observer != nullptr) tell(*everywhere.observer);
  }
  if (error) std::rethrow_exception(error);
}

// Elements of memory behind a tensor: those that a broadcast repeats count once.
std::int64_t elements(const Tensor& x) {
  std::int64_t count = 1;
  for (int i = 0; i < x.sizes().rank(); ++i)
    if (x.strides()[i] != 0 || x.sizes()[i] == 0) count *= x.sizes()[i];
  return count;
}

// A view computes nothing and moves nothing.
bool is_free(std::span<const Tensor* const> inputs, const Tensor& y) {
  if (!y.is_view()) return false;
  for (const Tensor* x : inputs)
    if (x->defined() && !x->is_same(y) && x->impl()->storage == y.impl()->storage) return true;
  return false;
}

std::int64_t bytes_of(std::span<const Tensor* const> inputs, const Tensor& y) {
  std::int64_t bytes = elements(y) * y.element_size();
  for (const Tensor* x : inputs)
    if (x->defined()) bytes += elements(*x) * x->element_size();
  return bytes;
}

std::string described(const char* name, std::span<const Tensor* const> inputs) {
  std::string text = name;
  const char* before = " of ";
  for (const Tensor* x : inputs) {
    if (!x->defined()) continue;
    text += before + to_string(x->sizes());
    before = " and ";
  }
  return text;
}

template <class Fn>
void if_out_of_memory(const Fn& fn) {
  try {
    throw;
  } catch (OutOfMemory& error) {
    fn(error);
  } catch (...) {
  }
}

// Of a pass backward: the module that recorded the operation, or at least the parameters that it leads to.
std::string place_of(const Node& node) {
  if (node.layer()) return node.layer()->to_string();
  for (const Edge& edge : const_cast<Node&>(node).edges())
    if (edge.leaf && !Tensor(edge.leaf).name().empty()) return "the layer of " + Tensor(edge.leaf).name();
  return "";
}

}  // namespace

void add_observer(Observer& observer) {
  watch().observers.push_back(&observer);
  watchers.fetch_add(1, std::memory_order_relaxed);
}

void remove_observer(Observer& observer) {
  auto& own = watch().observers;
  if (std::erase(own, &observer) > 0) watchers.fetch_sub(1, std::memory_order_relaxed);
}

void watch_all_threads(Observer& observer) {
  const std::unique_lock lock(everywhere.mutex);
  if (everywhere.observer != nullptr) throw ValueError("Profiler: one is running already");
  everywhere.observer = &observer;
  watchers.fetch_add(1, std::memory_order_relaxed);
}

void unwatch_all_threads() {
  const std::unique_lock lock(everywhere.mutex);
  if (everywhere.observer == nullptr) return;
  everywhere.observer = nullptr;
  watchers.fetch_sub(1, std::memory_order_relaxed);
}

namespace {
constinit thread_local int backward_passes = 0;
}

BackwardPass::BackwardPass() { ++backward_passes; }
BackwardPass::~BackwardPass() { --backward_passes; }
bool in_backward_pass() { return backward_passes > 0; }

ForNode::ForNode(const Node& node) : pushed_(is_watched() && node.layer() != nullptr) {
  if (pushed_) watch().layers.push_back(node.layer());
}
ForNode::~ForNode() {
  if (pushed_) watch().layers.pop_back();
}

bool watches_modules() { return is_watched() && !watch().observers.empty(); }

LayerRef current_layer() { return watch().layers.empty() ? nullptr : watch().layers.back(); }
const Node* current_backward() { return watch().backwards.empty() ? nullptr : watch().backwards.back(); }

void Running::begin(const char* name) {
  watch().operations.push_back({name, 0, {}});
  begin_all([&](Observer& o) { o.begin_operation(name); });
}

void Running::done(std::span<const Tensor* const> inputs, const Tensor& result, const Cost* cost) {
  active_ = false;
  auto& operations = watch().operations;
  const Frame frame = operations.back();
  operations.pop_back();
  Operation operation{frame.name, inputs, &result, {}, 0, static_cast<int>(operations.size())};
  if (!is_free(inputs, result)) {
    operation.bytes = bytes_of(inputs, result);
    operation.cost = cost != nullptr ? *cost : frame.operations > 0 ? frame.cost : Cost{result.numel(), 0};
  }
  if (!operations.empty()) {
    Frame& outer = operations.back();
    ++outer.operations;
    outer.cost.flops += operation.cost.flops;
    outer.cost.multiply_adds += operation.cost.multiply_adds;
  }
  end_all([&](Observer& o) { o.end_operation(operation); });
}

void Running::failed(const char* name, std::span<const Tensor* const> inputs) {
  if (active_) {
    active_ = false;
    auto& operations = watch().operations;
    operations.pop_back();
    const Operation operation{name, inputs, nullptr, {}, 0, static_cast<int>(operations.size())};
    end_all([&](Observer& o) { o.end_operation(operation); });
  }
  if_out_of_memory([&](OutOfMemory& error) {
    error.add_operation(described(name, inputs));
    if (const LayerRef layer = current_layer()) error.add_layer(layer->to_string());
  });
}

void RunningBackward::begin() {
  watch().layers.push_back(node_.layer() ? node_.layer() : current_layer());
  watch().backwards.push_back(&node_);
  begin_all([&](Observer& o) { o.begin_backward(node_); });
}

void RunningBackward::end(std::span<const Tensor> gradients) {
  active_ = false;
  watch().layers.pop_back();
  watch().backwards.pop_back();
  end_all([&](Observer& o) { o.end_backward(node_, gradients); });
}

void RunningBackward::failed() {
  if (active_) end({});
  if_out_of_memory([&](OutOfMemory& error) {
    error.add_operation(std::string("backward of ") + node_.name());
    if (const std::string place = place_of(node_); !place.empty()) error.add_layer(place);
  });
}

void begin_layer(LayerRef layer) {
  watch().layers.push_back(std::move(layer));
  begin_all([&](Observer& o) { o.begin_layer(*watch().layers.back()); });
}

void end_layer(const Tensor* result) {
  const LayerRef layer = watch().layers.back();
  watch().layers.pop_back();
  end_all([&](Observer& o) { o.end_layer(*layer, result); });
}

void begin_pass_slow(std::span<const Tensor> roots, bool captures) {
  begin_all([&](Observer& o) { o.begin_pass(roots, captures); });
}
void begin_loss_slow(const char* name, const Tensor& input, const Tensor& target) {
  begin_all([&](Observer& o) { o.begin_loss(name, input, target); });
}

void Span::begin(const char* name) {
  begin_all([&](Observer& o) { o.begin_span(name); });
}
void Span::end() {
  end_all([](Observer& o) { o.end_span(); });
}

}  // namespace gradus::detail

#include <gradus/autograd/op.h>

#include <algorithm>

#include "autograd/inplace.h"
#include "core/tensor_access.h"
#include "core/view_mode.h"

namespace gradus {

namespace {
constinit thread_local std::uint64_t next_sequence [[gnu::tls_model("initial-exec")]] = 1;

// Destroying a node releases its inputs' nodes, which release theirs: a loop instead of recursion, since a graph may be
// any number of operations deep.
struct Doomed {
  Node* first = nullptr;
  bool emptying = false;
};
constinit thread_local Doomed doomed [[gnu::tls_model("initial-exec")]];
}  // namespace

void ref_destroy(Node* node) noexcept {
  node->next_doomed_ = doomed.first;
  doomed.first = node;
  if (doomed.emptying) return;
  doomed.emptying = true;
  while (Node* next = doomed.first) {
    doomed.first = next->next_doomed_;
    delete next;
  }
  doomed.emptying = false;
}

// Operations are moved only before they are connected.
Node::Node(Node&&) noexcept : Node() {}

Node::~Node() {
  if (retain_ != nullptr) retain_->extras->retains_grad = false;
}

void Node::reserve_edges(int count) {
  edge_count_ = count;
  if (count > kInline) {
    more_edges_.resize(static_cast<std::size_t>(count));
    edges_ = more_edges_.data();
  }
}

void Node::connect(std::span<const Tensor* const> inputs) {
  recording_ = true;
  sequence_ = next_sequence++;
  if (detail::is_watched()) [[unlikely]]
    layer_ = detail::current_layer();
  reserve_edges(static_cast<int>(inputs.size()));
  for (int i = 0; i < edge_count_; ++i) {
    const Tensor& x = *inputs[static_cast<std::size_t>(i)];
    if (!x.defined() || !x.requires_grad()) continue;
    edges_[i].dtype = x.dtype();
    edges_[i].node = x.grad_fn();
    if (!edges_[i].node) edges_[i].leaf = x.ref();
    edges_[i].needed = true;
  }
}

bool Node::needs_any() const {
  for (int i = 0; i < edge_count_; ++i)
    if (edges_[i].needed) return true;
  return false;
}

void Node::save(int slot, const Tensor& x) {
  if (!recording_ || !x.defined()) return;
  if (x.impl()->inference) {
    throw AutogradError(std::string(name()) +
                        ": a tensor made in an InferenceMode scope cannot be saved for backward; clone it outside");
  }
  Saved* place = nullptr;
  if (slot < kInline) {
    place = &saved_[static_cast<std::size_t>(slot)];
  } else {
    if (more_saved_.size() <= static_cast<std::size_t>(slot - kInline))
      more_saved_.resize(static_cast<std::size_t>(slot - kInline) + 1);
    place = &more_saved_[static_cast<std::size_t>(slot - kInline)];
  }
  place->tensor = x;
  place->version = x.version();
}

void Node::save_output(const Tensor& y) {
  if (!recording_) return;
  output_.tensor = detail::make_alias(y);
  output_.version = y.version();
}

const Node::Saved& Node::at(int slot) const {
  static const Saved none;
  if (slot < kInline) return saved_[static_cast<std::size_t>(slot)];
  const auto i = static_cast<std::size_t>(slot - kInline);
  return i < more_saved_.size() ? more_saved_[i] : none;
}

bool Node::has_saved(int slot) const { return at(slot).tensor.defined(); }

void Node::check_version(const Saved& saved, int slot) const {
  const std::uint32_t now = saved.tensor.version();
  if (now == saved.version) return;
  const std::string& label = saved.tensor.name();
  throw AutogradError("backward of " + std::string(name()) + ": its " +
                      (slot < 0 ? std::string("result") : "input " + std::to_string(slot)) +
                      (label.empty() ? "" : " (" + label + ")") + " of sizes " + to_string(saved.tensor.sizes()) +
                      " was changed in place after it was saved: at version " + std::to_string(saved.version) +
                      ", now " + std::to_string(now));
}

Tensor Node::saved(int slot) const {
  check_not_released();
  const Saved& found = at(slot);
  if (found.tensor.defined()) check_version(found, slot);
  return found.tensor;
}

Tensor Node::output() const {
  check_not_released();
  check_version(output_, -1);
  if (!is_grad_enabled()) return output_.tensor;
  // Differentiating backward itself: the result is a function of the inputs again.
  Tensor y = detail::make_alias(output_.tensor);
  y.impl()->grad_fn = Ref<Node>(const_cast<Node*>(this));
  return y;
}

void Node::check_not_released() const {
  if (!released_) return;
  throw AutogradError(
      "backward of " + std::string(name()) +
      ": its saved tensors are already freed; pass retain_graph to go through a graph twice, or detach() what is "
      "carried from one step to the next, such as a recurrent state");
}

void Node::release() {
  released_ = true;
  for (Saved& s : saved_) s.tensor = Tensor();
  more_saved_.clear();
  output_.tensor = Tensor();
}

namespace detail {

bool any_requires_grad(std::span<const Tensor* const> xs) {
  for (const Tensor* x : xs)
    if (x->defined() && x->requires_grad()) return true;
  return false;
}

bool any_requires_grad(std::span<const Tensor> xs) {
  for (const Tensor& x : xs)
    if (x.defined() && x.requires_grad()) return true;
  return false;
}

void check_devices(const Node& op, std::span<const Tensor* const> inputs, bool numbers) {
  const Device* first = nullptr;
  for (const Tensor* x : inputs) {
    if (!x->defined()) continue;
    const Device& own = x->impl()->storage->device;
    if (first == nullptr || own == *first) {
      first = &own;
    } else if (common_device(op.name(), inputs, numbers) == own) {
      first = &own;
    }
  }
}

Device common_device(const char* call, std::span<const Tensor* const> inputs, bool numbers) {
  const Tensor* one = nullptr;
  const auto is_number = [&](const Tensor& x) { return numbers && x.dim() == 0 && x.device() == kCPU; };
  for (const Tensor* x : inputs)
    if (x->defined() && (one == nullptr || is_number(*one))) one = x;
  if (one == nullptr) return kCPU;
  for (const Tensor* x : inputs) {
    if (!x->defined() || x->device() == one->device() || is_number(*x)) continue;
    throw ValueError(std::string(call) + ": all tensors must be on one device, got " + gradus::to_string(one->sizes()) +
                     " on " + to_string(one->device()) + " and " + gradus::to_string(x->sizes()) + " on " +
                     to_string(x->device()));
  }
  return one->device();
}

void set_history(Tensor& result, Ref<Node> node) {
  if (!result.defined()) throw ValueError(std::string(node->name()) + ": forward must return a tensor, got none");
  const auto edges = node->edges();
  TensorImpl& impl = *result.impl();
  if (impl.grad_fn || std::any_of(edges.begin(), edges.end(), [&](const Edge& e) { return e.leaf.get() == &impl; })) {
    // A forward() may return its input: the result is then a view of that, which keeps its own history.
    result = make_view(result, impl.sizes, impl.strides, 0);
  } else if (impl.made != Made::recording) {  // forward() ran with recording off
    if (!stays_unrecorded(impl.made)) impl.made = Made::recording;
    impl.requires_grad = false;
  }
  if (!is_floating_point(result.dtype())) return;
  node->set_result_sizes(result.sizes());
  result.impl()->grad_fn = std::move(node);
}

}  // namespace detail
}  // namespace gradus

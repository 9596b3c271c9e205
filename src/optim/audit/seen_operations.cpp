// What an audit sees of single operations. One is looked at where it is not part of another, nor of backward.
#include "optim/audit/seeing.h"

namespace gradus::optim {

using gradus::detail::Operation;

namespace {

bool outside_layers() { return gradus::detail::current_layer() == nullptr; }

bool records(const Operation& op) {
  return std::any_of(op.inputs.begin(), op.inputs.end(),
                     [](const Tensor* x) { return x->defined() && x->requires_grad(); });
}

}  // namespace

void Audit::Watch::note_measured(const Tensor& scores) {
  for (Ref<Node> node = scores.grad_fn(); node;) {
    for (auto& [model, mode] : modes)
      if (const auto found = mode.recorded.find(node->sequence()); found != mode.recorded.end())
        found->second.measured = true;
    if (!is_one_of(node->name(), {"softmax", "log_softmax", "view", "to", "slice"})) break;
    const auto edges = node->edges();
    node = edges.empty() ? Ref<Node>() : edges[0].node;
  }
}

void Audit::Watch::note_argmax(const Operation& op) {
  const std::lock_guard lock(mutex);
  if (is_grad_enabled()) return note_measured(*op.inputs[0]);
  for (auto& [model, mode] : modes)
    if (mode.unrecorded == interval && compared.size() < 16) compared.emplace_back(model, op.result->detach());
}

// A sum of losses that goes on over steps. Each sum is entered, so an address is that of the latest at its place.
void Audit::Watch::note_sum(const Operation& op) {
  const auto adds = [](std::string_view name) { return is_one_of(name, {"add", "add_", "sub"}); };
  if (op.result->numel() != 1 || !adds(op.name) || !records(op)) return;
  const std::lock_guard lock(mutex);
  for (const Tensor* x : op.inputs) {
    const Ref<Node> made = x->defined() ? x->grad_fn() : Ref<Node>();
    const auto sum = made && adds(made->name()) ? sums.find(x->impl()) : sums.end();
    if (outside_layers() && sum != sums.end() && sum->second < interval)
      note(kept_graphs, "the loss", "a sum of losses that are recorded goes on over steps");
  }
  if (sums.size() > 1024) sums.clear();
  sums[op.result->impl()] = interval;
}

// The first NaN or infinity that an operation outside of layers makes, or that goes into a layer with the data.
void Audit::Watch::note_not_finite(const Operation& op) {
  const Tensor& y = *op.result;
  const bool outside = outside_layers();
  if (outside && !not_finite_operation && can_overflow(op.name) && y.numel() <= kMostChecked && records(op)) {
    const std::lock_guard lock(mutex);
    const Quiet quiet(busy_);
    if (!all_finite(y.detach())) not_finite_operation = NotFinite{op.name, step_number()};
  }
  if (!outside && !not_finite_input && op.inputs.size() >= 2 &&
      is_one_of(op.name, {"linear", "conv1d", "conv2d", "conv3d"})) {
    const Tensor& x = *op.inputs[0];
    if (!x.is_floating_point() || x.requires_grad() || x.numel() > kMostChecked) return;
    const std::lock_guard lock(mutex);
    const Quiet quiet(busy_);
    if (!all_finite(x)) not_finite_input = step_number();
  }
}

// A parameter and what was kept of it, on the same memory: their difference is zero for ever. (Differences are sums.)
void Audit::Watch::note_own_difference(const Operation& op) {
  if (op.name != std::string_view("add") || op.inputs.size() != 2 || !records(op)) return;
  const Tensor &p = *op.inputs[0], &kept = *op.inputs[1];
  if (!p.defined() || !kept.defined() || p.is_same(kept)) return;
  const std::lock_guard lock(mutex);
  const auto found = parameters.find(p.impl());
  if (found != parameters.end() && !kept.requires_grad() && kept.const_data_ptr() == p.const_data_ptr())
    note(own_differences, found->second.name, "it was compared with another handle of its own memory");
}

// [N, 1] with [N] makes [N, N].
void Audit::Watch::note_broadcast(const Operation& op) {
  if (op.inputs.size() != 2 || !outside_layers() ||
      !is_one_of(op.name, {"add", "sub", "mul", "div", "maximum", "minimum"}))
    return;
  const Tensor &a = *op.inputs[0], &b = *op.inputs[1], &y = *op.result;
  if (!a.defined() || !b.defined()) return;
  const bool crossed =
      a.numel() == b.numel() && y.numel() > a.numel() && a.dim() != b.dim() && a.dim() > 0 && b.dim() > 0;
  const bool recorded = a.requires_grad() != b.requires_grad();
  // Made without recording, it counts where predictions meet it.
  const auto meets = [&](const Tensor& made, const Tensor& prediction) {
    return prediction.requires_grad() && prediction.numel() * prediction.numel() == made.numel() &&
           std::any_of(outer.begin(), outer.end(), [&](const Tensor& x) { return x.is_same(made); });
  };
  if (crossed && !a.requires_grad() && !b.requires_grad()) {
    const std::lock_guard lock(mutex);
    if (outer.size() < 4) outer.push_back(y);
  } else if ((crossed && recorded) || meets(a, b) || meets(b, a)) {
    const std::lock_guard lock(mutex);
    const std::string name = op.name == std::string_view("add") ? "add or sub" : op.name;
    note(broadcasts, op.name,
         name + " of " + gradus::to_string(a.sizes()) + " and " + gradus::to_string(b.sizes()) + " gave " +
             gradus::to_string(y.sizes()));
  }
}

// A bias that a batch normalisation subtracts again.
void Audit::Watch::note_bias_before_norm(const Operation& op) {
  if (!std::string_view(op.name).starts_with("batch_norm") || op.inputs[0] == nullptr || !op.inputs[0]->grad_fn())
    return;
  const std::lock_guard lock(mutex);
  const Ref<Node> sum = op.inputs[0]->grad_fn();
  const auto edges = sum->edges();
  if (!is_one_of(sum->name(), {"linear", "conv1d", "conv2d", "conv3d", "convolution"}) || edges.size() != 3 ||
      !edges[2].leaf)
    return;
  if (const auto it = parameters.find(edges[2].leaf.get()); it != parameters.end())
    biases_before_norm.insert(it->second.name);
}

// What goes into the network, of the first layer that takes it.
void Audit::Watch::note_input_scale(const Operation& op) {
  if (!input_scales.empty() || op.name != std::string_view("linear") || layer_depth_ == 0) return;
  const Tensor& x = *op.inputs[0];
  if (x.dim() != 2 || x.requires_grad() || x.size(0) < 8) return;
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  const Tensor spread = std(x.detach().to(kFloat64), 0);
  const double least = amin(masked_fill(spread, spread == 0, 1e300)).item(), most = amax(spread).item();
  if (most > 1e3 * least) input_scales = {least, most};
}

// Units of an activation that are zero for every sample, or far out on its flat parts.
void Audit::Watch::note_units(const Operation& op) {
  const std::string_view name = op.name;
  if (!is_one_of(name, {"relu", "sigmoid", "tanh"}) || op.result->dim() < 2 || op.result->size(0) < 8) return;
  if (layer_depth_ == 0 || !layer_records_) return;
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  const auto layer = gradus::detail::current_layer();
  const std::string key =
      std::string(name) + " " + std::to_string(++activation_) + (layer ? " in " + layer->to_string() : std::string());
  Units& u = units[key];
  const Tensor x = op.result->detach();
  ++u.seen;
  if (name == "relu") {
    Dims others{0};
    for (std::int64_t d = 2; d < x.dim(); ++d) others.push_back(d);
    const double dead = (amax(x, others) == 0).to(kFloat64).mean().item();
    if (dead >= 0.9) ++u.dead;
    u.dead_run = dead >= 0.9 ? u.dead_run + 1 : 0;
    u.share = std::max(u.share, dead);
  } else {
    const Tensor far = name == "tanh" ? abs(x) > 0.999 : abs(x - 0.5) > 0.499;
    const double share = far.to(kFloat64).mean().item();
    if (share >= 0.95) ++u.saturated;
    u.share = std::max(u.share, share);
  }
}

void Audit::Watch::end_operation(const Operation& op) {
  if (busy_ > 0 || op.depth != 0 || op.result == nullptr || !op.result->defined()) return;
  if (gradus::detail::current_backward() != nullptr) return;
  if (op.name == std::string_view("argmax")) return note_argmax(op);
  if (op.result->numel() == 0) return;
  note_sum(op);
  note_not_finite(op);
  note_own_difference(op);
  note_broadcast(op);
  if (options.habits) {
    note_bias_before_norm(op);
    note_input_scale(op);
  }
  note_units(op);
}

}  // namespace gradus::optim

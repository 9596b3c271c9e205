// What an audit sees of the computation itself: losses, activations, layers, and where backward goes.
#include <gradus/autograd.h>
#include <gradus/op.h>
#include <gradus/ops.h>

#include <algorithm>
#include <cmath>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

constexpr std::size_t kMostStrangers = 64;

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The operation that made what an edge leads to, past those that only arrange or bound its elements.
Ref<Node> maker(Ref<Node> node) {
  while (node &&
         is_one_of(node->name(), {"view", "permute", "expand", "slice", "to", "alias", "clone", "squeeze", "clamp"})) {
    const auto edges = node->edges();
    if (edges.empty()) break;
    node = edges[0].node;
  }
  return node;
}
std::string made_by(const Tensor& x) {
  const Ref<Node> node = maker(x.grad_fn());
  return node ? node->name() : "";
}
// What that operation was given was made by.
std::string made_before(const Tensor& x) {
  const Ref<Node> node = maker(x.grad_fn());
  if (!node || node->edges().empty()) return "";
  const Ref<Node> before = maker(node->edges()[0].node);
  return before ? before->name() : "";
}

bool all_ones(const Tensor& sums, double tolerance) { return amax(abs(sums - 1)).item() < tolerance; }

// Rows that are probabilities, or their logarithms, along dim.
bool normalised(const Tensor& p, std::int64_t dim) {
  return p.size(dim) > 1 && amin(p).item() >= 0 && all_ones(sum(p, dim), 1e-3);
}

bool all_finite(const Tensor& x) { return x.numel() == 0 || std::isfinite(sum(abs(x.to(kFloat64))).item()); }

struct Quiet {
  std::atomic<int>& busy;
  NoGrad guard;
  explicit Quiet(std::atomic<int>& count) : busy(count) { ++busy; }
  ~Quiet() { --busy; }
};

}  // namespace

bool Audit::Watch::is_mixed(const Candidate& candidate) const {
  const auto info = passes.find(candidate.pass);
  if (info == passes.end()) return false;
  const auto& steppers = info->second.steppers;
  return std::find(steppers.begin(), steppers.end(), candidate.other) == steppers.end();
}

void Audit::Watch::close_pass() {
  // Who has not stepped on the latest pass before the next one begins had no part in it.
  for (const Candidate& candidate : candidates)
    if (is_mixed(candidate)) parameters.at(candidate.parameter).mixed = true;
  candidates.clear();
  while (passes.size() > 256) passes.erase(passes.begin());
}

void Audit::Watch::begin_pass(std::span<const Tensor> roots, bool captures) {
  if (busy_ > 0) return;
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  for (const Tensor& root : roots) {
    if (root.numel() == 1 && root.is_floating_point() && !std::isfinite(root.item())) {
      if (!not_finite && not_finite_layer)
        found_not_finite("the loss, and before it the result of " + *not_finite_layer);
      else
        found_not_finite("the loss");
    }
  }
  capturing = captures;
  if (captures) return;
  close_pass();
  ++pass;
  PassInfo& info = passes[pass];
  for (const Tensor& root : roots) {
    const Ref<Node> node = root.grad_fn();
    if (!node) continue;
    if (!roots_of_interval.insert(node->sequence()).second) ++twice;
    if (is_one_of(node->name(), {"div", "mul"})) info.scaled = true;
    walk(node, info);
  }
}

// The leaves that a loss leads to, also those for which nothing will be computed.
void Audit::Watch::walk(const Ref<Node>& root, PassInfo& info) {
  std::unordered_set<const Node*> visited;
  std::vector<Node*> open{root.get()};
  while (!open.empty()) {
    Node* node = open.back();
    open.pop_back();
    if (!visited.insert(node).second) continue;
    for (auto& [model, mode] : modes)
      if (const auto found = mode.recorded.find(node->sequence()); found != mode.recorded.end())
        found->second.used = true;
    for (const Edge& edge : node->edges()) {
      if (edge.node) open.push_back(edge.node.get());
      if (edge.leaf && edge.leaf->requires_grad && parameters.count(edge.leaf.get()) == 0 &&
          owned_elsewhere.count(edge.leaf.get()) == 0) {
        info.strangers = true;
        meet(Tensor(edge.leaf), *node);
      }
    }
  }
}

void Audit::Watch::meet(const Tensor& leaf, const Node& node) {
  if (strangers.count(leaf.impl()) == 0 && strangers.size() >= kMostStrangers) {
    // The tensors of a step, such as the inputs of an attack, come and go.
    std::erase_if(strangers, [&](const auto& entry) { return *entry.second.passes.rbegin() + 8 < pass; });
    if (strangers.size() >= kMostStrangers) return;
  }
  Stranger& s = strangers[leaf.impl()];
  if (!s.tensor.defined()) {
    s.tensor = leaf;
    s.version = leaf.version();
    s.place = node.layer() ? node.layer()->to_string() : std::string();
  }
  s.changed = s.changed || leaf.version() != s.version;
  s.passes.insert(pass);
}

void Audit::Watch::begin_layer(const gradus::detail::Layer& layer) {
  if (busy_ > 0) return;
  if (layer_depth_ > 0 && modules.count(layer.module) == 0) meet_inside(layer);
  if (layer_depth_++ == 0) {
    activation_ = 0;
    layer_records_ = is_grad_enabled();
  }
}

// A layer of no network that is called within one. A few are kept, so that a new one is not at the place of an old one.
void Audit::Watch::meet_inside(const gradus::detail::Layer& layer) {
  const auto& state = *static_cast<const nn::detail::ModuleState*>(layer.module);
  if (state.parameters.empty() || !state.parameters[0].second.defined()) return;
  const Tensor& first = state.parameters[0].second;
  if (!first.requires_grad()) return;
  const std::lock_guard lock(mutex);
  auto& kept = made_inside[layer.type];
  const bool known = std::any_of(kept.begin(), kept.end(), [&](const Tensor& x) { return x.is_same(first); });
  if (!known && kept.size() < 4) kept.push_back(first);
}

// Forwards that were compared with labels and that no backward came by were validations.
void Audit::Watch::forget_recorded() {
  for (const auto& [model, scores] : compared) note(validations, model, "the largest scores (argmax)");
  compared.clear();
  for (auto& [model, mode] : modes) {
    for (auto it = mode.recorded.begin(); it != mode.recorded.end();) {
      if (it->second.measured && !it->second.used) note(validations, model, "the largest scores (argmax)");
      if (it->second.interval < interval || it->second.measured)
        it = mode.recorded.erase(it);
      else
        ++it;
    }
  }
}

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

void Audit::Watch::end_layer(const gradus::detail::Layer& layer, const Tensor* result) {
  if (busy_ > 0) return;
  if (layer_depth_ > 0) --layer_depth_;
  if (result == nullptr || !result->defined() || gradus::detail::current_backward() != nullptr) return;
  const bool recording = is_grad_enabled();
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  // The innermost layer ends first.
  if (!not_finite_layer && result->is_floating_point() && !all_finite(*result)) not_finite_layer = layer.to_string();
  for (const auto& model : models) {
    if (model.state.get() != layer.module || !depends_on_mode(*model.state)) continue;
    Mode& mode = modes[model.name];
    if (model.state->training && !model.state->frozen && mode.training_intervals.size() < 8)
      mode.training_intervals.insert(interval);
    if (result->requires_grad() && model.state->training && mode.recorded.size() < 64)
      mode.recorded[result->grad_fn()->sequence()] = {interval, false, false};
    if (result->requires_grad()) {
      mode.known = true;
      mode.evaluates = !model.state->training;
    } else if (!recording && model.state->training && !model.state->frozen) {
      mode.unrecorded = interval;
    }
  }
}

void Audit::Watch::begin_loss(const char* name, const Tensor& input, const Tensor& target) {
  if (busy_ > 0 || !input.defined() || input.numel() == 0) return;
  const std::lock_guard lock(mutex);
  if (std::string_view(name) == "dropout") {
    const auto layer = gradus::detail::current_layer();
    if (!layer || modules.count(layer->module) == 0) return;
    if (!static_cast<const nn::detail::ModuleState*>(layer->module)->training)
      note(dropouts, layer->to_string(), "dropped out though the module was evaluating");
    return;
  }
  const bool recording = is_grad_enabled();
  const Quiet quiet(busy_);
  if (recording && target.defined())
    std::erase_if(compared, [&](const auto& one) { return one.second.impl()->storage == target.impl()->storage; });
  if (!recording) {
    for (auto& [model, mode] : modes)
      if (mode.unrecorded == interval) note(validations, model, std::string("a loss (") + name + ")");
    return;
  }
  const std::string from = made_by(input), loss = name;
  const Tensor x = input.detach().to(kFloat64);
  const std::int64_t dim = input.dim() == 1 ? 0 : 1;
  if (from == "softmax" && x.dim() == 2 && x.size(1) == 1 && amax(x).item() == amin(x).item())
    note(losses, loss + " single", loss + " was given a softmax over one value, which is 1 whatever the network says");
  if (loss == "cross_entropy") {
    if (is_one_of(from, {"softmax", "sigmoid", "relu", "tanh", "log_softmax"}))
      note(losses, loss + " " + from, "cross_entropy was given the result of " + from);
    else if (x.dim() >= 1 && normalised(x, dim) && x.numel() > x.size(dim))
      note(losses, loss + " softmax", "cross_entropy was given values that are probabilities already");
    else if (x.dim() >= 1 && x.numel() > x.size(dim) && amax(x).item() <= 0 && normalised(exp(x), dim))
      note(losses, loss + " log_softmax", "cross_entropy was given values that are log-probabilities already");
  } else if (loss == "nll_loss" || loss == "kl_div") {
    const Tensor p = exp(x);
    const std::int64_t classes = loss == "kl_div" ? x.dim() - 1 : dim;
    if (x.dim() == 0 || x.size(classes) < 2) return;
    if (normalised(p, classes)) return;
    if (loss == "kl_div" && normalised(x, classes))
      note(losses, loss + " raw", "kl_div was given probabilities instead of their logarithms");
    if (loss == "nll_loss" && x.dim() == 2 && x.size(0) > 1 && normalised(p, 0))
      note(losses, loss + " dim", "nll_loss was given log-probabilities that are normalised over the batch");
    else if (loss == "nll_loss")
      note(losses, loss + " raw",
           normalised(x, classes) ? "nll_loss was given probabilities" : "nll_loss was given unnormalised scores");
  } else if (loss == "binary_cross_entropy_with_logits") {
    if (is_one_of(from, {"sigmoid", "softmax", "relu"}))
      note(losses, loss + " " + from, "binary_cross_entropy_with_logits was given the result of " + from);
  } else if (loss == "binary_cross_entropy") {
    if (from == "sigmoid" && is_one_of(made_before(input), {"sigmoid", "softmax", "relu"}))
      note(losses, loss + " twice", "binary_cross_entropy was given a sigmoid of the result of " + made_before(input));
    if (from == "softmax" && x.dim() == 2 && x.size(0) > 1 && !normalised(x, 1) && normalised(x, 0))
      note(losses, loss + " dim", "binary_cross_entropy was given a softmax over the batch");
  }
}

void Audit::Watch::end_operation(const gradus::detail::Operation& op) {
  if (busy_ > 0 || op.depth != 0 || op.result == nullptr || !op.result->defined()) return;
  if (gradus::detail::current_backward() != nullptr) return;
  const std::string_view name = op.name;
  const Tensor& y = *op.result;
  if (name == "argmax" && is_grad_enabled()) {
    const std::lock_guard lock(mutex);
    note_measured(*op.inputs[0]);
    return;
  }
  if (name == "argmax") {
    const std::lock_guard lock(mutex);
    for (auto& [model, mode] : modes)
      if (mode.unrecorded == interval && compared.size() < 16) compared.emplace_back(model, y.detach());
    return;
  }
  if (y.numel() == 0) return;

  // [N, 1] with [N] makes [N, N].
  if (op.inputs.size() == 2 && gradus::detail::current_layer() == nullptr && op.inputs[0]->defined() &&
      op.inputs[1]->defined() && is_one_of(name, {"add", "sub", "mul", "div", "maximum", "minimum"})) {
    const Tensor &a = *op.inputs[0], &b = *op.inputs[1];
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
      note(broadcasts, op.name,
           std::string(name == "add" ? "add or sub" : op.name) + " of " + gradus::to_string(a.sizes()) + " and " +
               gradus::to_string(b.sizes()) + " gave " + gradus::to_string(y.sizes()));
    }
  }

  // A bias that a batch normalisation subtracts again.
  if (options.habits && name.starts_with("batch_norm") && op.inputs[0] != nullptr && op.inputs[0]->grad_fn()) {
    const std::lock_guard lock(mutex);
    const Ref<Node> sum = op.inputs[0]->grad_fn();
    const auto edges = sum->edges();
    if (is_one_of(sum->name(), {"linear", "conv1d", "conv2d", "conv3d", "convolution"}) && edges.size() == 3 &&
        edges[2].leaf)
      if (const auto it = parameters.find(edges[2].leaf.get()); it != parameters.end())
        biases_before_norm.insert(it->second.name);
  }

  // What goes into the network, of the first layer that takes it.
  if (options.habits && input_scales.empty() && name == "linear" && layer_depth_ > 0 && op.inputs[0]->dim() == 2 &&
      !op.inputs[0]->requires_grad() && op.inputs[0]->size(0) >= 8) {
    const std::lock_guard lock(mutex);
    const Quiet quiet(busy_);
    const Tensor spread = std(op.inputs[0]->detach().to(kFloat64), 0);
    const double least = amin(masked_fill(spread, spread == 0, 1e300)).item(), most = amax(spread).item();
    if (most > 1e3 * least) input_scales = {least, most};
  }

  if (!is_one_of(name, {"relu", "sigmoid", "tanh"}) || y.dim() < 2 || y.size(0) < 8) return;
  if (layer_depth_ == 0 || !layer_records_) return;
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  const auto layer = gradus::detail::current_layer();
  const std::string key = std::string(op.name) + " " + std::to_string(++activation_) +
                          (layer ? " in " + layer->to_string() : std::string());
  Units& u = units[key];
  const Tensor x = y.detach();
  ++u.seen;
  if (name == "relu") {
    Dims others{0};
    if (x.dim() > 2)
      for (std::int64_t d = 2; d < x.dim(); ++d) others.push_back(d);
    const double dead = (amax(x, others) == 0).to(kFloat64).mean().item();
    if (dead >= 0.9) ++u.dead;
    u.share = std::max(u.share, dead);
  } else {
    const Tensor far = name == "tanh" ? abs(x) > 0.999 : abs(x - 0.5) > 0.499;
    const double share = far.to(kFloat64).mean().item();
    if (share >= 0.95) ++u.saturated;
    u.share = std::max(u.share, share);
  }
}

}  // namespace gradus::optim

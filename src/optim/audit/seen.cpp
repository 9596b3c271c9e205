// What an audit sees of the computation itself: passes, layers, and where backward goes.
#include "optim/audit/seeing.h"

namespace gradus::optim {

namespace {

constexpr std::size_t kMostStrangers = 64;

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
        found_not_finite("the loss, and before it the result of " + not_finite_layer->what);
      else
        found_not_finite("the loss");
    }
  }
  if (captures) {
    evaluations.clear();  // whatever they are, somebody wants gradients of them
    return;
  }
  close_pass();
  ++pass;
  PassInfo& info = passes[pass];
  live_.clear();
  for (const Tensor& root : roots) {
    const Ref<Node> node = root.grad_fn();
    if (!node && parameters.count(root.impl()) == 0)
      note(leaf_losses, "the loss", "backward() of a tensor that nothing was computed for: it has no graph");
    if (!node) continue;
    live_.insert(node.get());
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
    if (!evaluations.empty()) evaluations.erase(node->sequence());
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
  const bool known = modules.count(layer.module) != 0;
  if (layer_depth_ > 0 && layer_known_ && !known) meet_inside(layer);
  if (layer_depth_++ == 0) {
    ++forward_;
    activation_ = 0;
    layer_records_ = is_grad_enabled();
    layer_known_ = known;
  }
  if (known || layer.type != "AveragedModel") return;
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  for (const auto& buffer : static_cast<const nn::detail::ModuleState*>(layer.module)->buffers)
    if (buffer.name == "n_averaged" && buffer.tensor.item() == 0 && total_steps >= 10)
      note(averages, "the average", "it was run, and its average had not been updated");
}

// A layer of no network that is called within one. A few are kept, so that a new one is not at the place of an old one.
void Audit::Watch::meet_inside(const gradus::detail::Layer& layer) {
  const auto& state = *static_cast<const nn::detail::ModuleState*>(layer.module);
  if (state.parameters.empty() || !state.parameters[0].second.defined()) return;
  const Tensor& first = state.parameters[0].second;
  if (!first.requires_grad()) return;
  const std::lock_guard lock(mutex);
  auto& kept = made_inside[layer.type];
  const auto known = std::find_if(kept.begin(), kept.end(), [&](const Inner& x) { return x.first.is_same(first); });
  if (known != kept.end())
    known->last = forward_;
  else if (kept.size() < 8)
    kept.push_back({first, forward_, forward_});
}

// Forwards that were compared with labels and that no backward came by were validations.
void Audit::Watch::forget_recorded() {
  for (const auto& [model, scores] : compared) note(validations, model, "the largest scores (argmax)");
  compared.clear();
  std::erase_if(evaluations, [&](const auto& entry) {
    const auto& [model, when] = entry.second;
    if (when >= interval) return false;
    note(unused_recordings, model, "a forward in evaluation mode was recorded for a backward that never came");
    return true;
  });
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

void Audit::Watch::end_layer(const gradus::detail::Layer& layer, const Tensor* result) {
  if (busy_ > 0) return;
  if (layer_depth_ > 0) --layer_depth_;
  if (result == nullptr || !result->defined() || gradus::detail::current_backward() != nullptr) return;
  const bool recording = is_grad_enabled();
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  // The innermost layer ends first.
  if (!not_finite_layer && result->is_floating_point() && !all_finite(*result))
    not_finite_layer = NotFinite{layer.to_string(), step_number()};
  for (const auto& model : models) {
    if (model.state.get() != layer.module) continue;
    if (result->requires_grad() && result->grad_fn() && !model.state->training && evaluations.size() < 64)
      evaluations[result->grad_fn()->sequence()] = {model.name, interval};
    if (auto& [runs, last] = unrecorded_runs[model.name]; !result->requires_grad() && last != interval) {
      ++runs;
      last = interval;
    }
    if (!depends_on_mode(*model.state)) continue;
    Mode& mode = modes[model.name];
    if (model.state->training && !model.state->frozen && mode.training_intervals.size() < 8)
      mode.training_intervals.insert(interval);
    if (result->requires_grad() && model.state->training && mode.recorded.size() < 64)
      mode.recorded[result->grad_fn()->sequence()] = {interval, false, false};
    if (result->requires_grad()) {
      mode.known = true;
      mode.evaluates = optim::evaluates(*model.state);
    } else if (!recording && model.state->training && !model.state->frozen) {
      mode.unrecorded = interval;
    }
  }
}

}  // namespace gradus::optim

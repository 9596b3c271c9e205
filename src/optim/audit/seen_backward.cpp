// What an audit sees of a pass backwards: what has no graph, where gradients end, and where they stop being finite.
#include "optim/audit/seeing.h"

namespace gradus::optim {

void Audit::Watch::end_backward(const Node& node, std::span<const Tensor> gradients) {
  const bool may_overflow = !not_finite && can_overflow(node.name());
  if (busy_ > 0 || !(suspects_ || may_overflow)) return;
  const std::lock_guard lock(mutex);
  const Quiet quiet(busy_);
  const auto edges = const_cast<Node&>(node).edges();
  const std::string place =
      std::string(node.name()) + (node.layer() ? " in " + node.layer()->to_string() : std::string());
  for (std::size_t i = 0; i < std::min(edges.size(), gradients.size()); ++i) {
    const Tensor& g = gradients[i];
    if (!g.defined() || g.numel() > kMostChecked || !g.is_floating_point()) continue;
    if (may_overflow && !not_finite_operation && !all_finite(g))
      not_finite_operation = NotFinite{"the backward of " + place, step_number()};
    if (!suspects_ || !edges[i].node) continue;
    if (amax(abs(g.detach())).item() != 0)
      live_.insert(edges[i].node.get());
    else if (live_.count(&node) != 0 && ends.size() < 8)
      note(ends, place, node.name());
  }
}

}  // namespace gradus::optim

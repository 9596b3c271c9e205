// Values: what training computes with.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Watch = Audit::Watch;
using Names = std::vector<std::string>;

// Optimizers of which no step changes any matrix by a ten-millionth of its norm.
void tiny_updates(const Conclusions& c) {
  for (Watch::Id id = 0; id < c.watch.optimizers.size(); ++id) {
    Names tiny;
    bool all = true;
    for (const void* impl : c.watch.order) {
      const auto& p = c.watch.parameters.at(impl);
      if (p.stepped_by != id || p.tensor.dim() < 2 || p.reached_nonzero == 0) continue;
      all = all && p.rated_steps >= 8 && p.tiny_updates == p.rated_steps && p.moved > 0;
      tiny.push_back(p.name);
    }
    if (all) c.add("small-updates", tiny);
  }
}

// By its optimizer, or by a function before a step.
bool is_clipped(const Watch& watch, const Watch::Watched& p) {
  if (p.clipped_at != 0) return true;
  const Optimizer* by = p.stepped_by == Watch::kNone ? nullptr : watch.optimizers[p.stepped_by].optimizer;
  return by != nullptr && by->clipping() && (by->clipping()->max_norm || by->clipping()->max_value);
}

void gradients_by_layer(const Conclusions& c) {
  std::map<std::string, double> largest;
  std::map<std::string, int> layers;
  for (const void* impl : c.watch.order) {
    const auto& p = c.watch.parameters.at(impl);
    if (p.tensor.dim() < 2 || p.reached_nonzero < 5 || !p.gradient_norm) continue;
    const double size = p.largest_gradient / std::sqrt(static_cast<double>(p.tensor.numel()));
    largest[p.model] = std::max(largest[p.model], size);
    ++layers[p.model];
  }
  Names small, large;
  for (const void* impl : c.watch.order) {
    const auto& p = c.watch.parameters.at(impl);
    if (p.tensor.dim() < 2 || p.reached_nonzero < 5 || !p.gradient_norm || layers[p.model] < 3) continue;
    const double size = p.largest_gradient / std::sqrt(static_cast<double>(p.tensor.numel()));
    if (size < 1e-5 * largest[p.model]) small.push_back(p.name);
  }
  for (const void* impl : c.watch.order) {
    const auto& p = c.watch.parameters.at(impl);
    if (p.reached < 3 || !std::isfinite(p.largest_gradient) || is_clipped(c.watch, p)) continue;
    if (p.largest_gradient > 1e4 ||
        (p.first_gradient > 0 && p.largest_gradient > 1e3 * std::max(p.first_gradient, 1.0)))
      large.push_back(p.name);
  }
  c.add("vanishing-gradient", small, "its gradient is less than a 100,000th of the largest of the network's");
  c.add("exploding-gradient", large, "the norm of its gradient passed 10,000, or a thousand times the first");
}

}  // namespace

void conclude_values(const Conclusions& c) {
  const Watch& watch = c.watch;
  conclude_not_finite(c);
  conclude_zero_gradients(c);
  c.add("lost-update",
        c.where([](const Watch::Watched& p) { return p.tensor.dim() >= 2 && p.still >= 3 && p.moved == 0; }));
  Names constant;
  for (const std::string& name : watch.constant_at_start) constant.push_back(name);
  c.add("constant-initialisation", constant);
  tiny_updates(c);
  c.add("large-updates", c.where([](const Watch::Watched& p) { return p.large_updates >= 3; }));
  gradients_by_layer(c);

  for (const auto& [name, u] : watch.units) {
    if (u.seen < 5) continue;
    if (u.dead == u.seen)
      c.add("dead-units", {name},
            fmt::format("at least 90 % of its units were zero for whole batches, each of {} times", u.seen));
    else if (u.dead_run >= 8 && 3 * u.dead_run >= u.seen)
      c.add("dead-units", {name},
            fmt::format("at least 90 % of its units were zero for whole batches, the last {} of {} times", u.dead_run,
                        u.seen));
    if (u.saturated == u.seen)
      c.add("saturated-units", {name},
            fmt::format("at least 95 % of its values lay at the ends of its range, each of {} times", u.seen));
  }
  Names compared;
  for (const auto& [name, note] : watch.own_differences)
    if (note.count >= 3) compared.push_back(name);
  c.add("kept-handle", compared, "it was compared with another handle of its own memory: the two are always equal",
        "what was kept with detach() changes with every step", "clone what is kept: p.detach().clone()");
  for (const auto& [model, count] : watch.shared_copies)
    if (count >= 3) c.add("kept-handle", {model.empty() ? std::string("the network") : model});
}

}  // namespace gradus::optim

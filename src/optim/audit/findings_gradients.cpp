// Steps and gradients: conclusions about their order, and about whose they are.
#include <fmt/format.h>
#include <gradus/nn/freeze.h>

#include <algorithm>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Watch = Audit::Watch;
using Names = std::vector<std::string>;

// Trainable parameters that only this optimizer owns, and whether backward reached them.
Names own_alone(const Watch& watch, const Watch::Known& k, std::int64_t& reached) {
  Names names;
  for (const void* impl : watch.order) {
    const auto& p = watch.parameters.at(impl);
    if (!p.tensor.requires_grad() || !owns(*k.optimizer, p.tensor)) continue;
    bool others = false;
    for (const Watch::Known& other : watch.optimizers)
      others =
          others || (&other != &k && other.optimizer != nullptr && other.steps > 0 && owns(*other.optimizer, p.tensor));
    if (others) continue;
    names.push_back(p.name);
    reached = std::max(reached, p.reached);
  }
  return names;
}

}  // namespace

void conclude_gradients(const Conclusions& c) {
  const Watch& watch = c.watch;
  std::set<std::string> explained;  // by a graver finding
  for (const Watch::Known& k : watch.optimizers) {
    if (k.optimizer == nullptr) continue;
    const std::int64_t skipped = k.optimizer->skipped_steps() - k.skipped_at_start;
    if (k.steps == 0 && skipped >= 3) {
      c.add("steps-skipped", {k.name},
            fmt::format("all of its {} steps were skipped: gradients were not finite", skipped));
      continue;
    }
    if (k.steps == 0 && watch.watching && !k.started) {
      std::int64_t reached = 0;
      const Names alone = own_alone(watch, k, reached);
      if (!alone.empty() && (reached >= 5 || watch.total_steps >= 5)) {
        explained.insert(alone.begin(), alone.end());
        c.add("never-stepped", alone,
              fmt::format("{} has not stepped, while {}", k.name,
                          reached >= 5 ? fmt::format("backward reached its parameters {} times", reached)
                                       : fmt::format("others made {} steps", watch.total_steps)));
      }
    }
    if (k.nothing_on >= 3)
      c.add("nothing-to-train", {k.name},
            fmt::format("all of its parameters were off or frozen in its last {} steps", k.nothing_on));
    else if (k.without_gradients >= 3)
      c.add("no-gradients", {k.name},
            fmt::format("none of its parameters had a gradient in its last {} steps", k.without_gradients));
    if (k.closure_adds > 0) c.add("closure-adds", {k.name});
    if (k.micro_steps >= 2)
      c.add("accumulation-not-divided", {k.name},
            fmt::format("{} of its steps took the sum of three or more backward passes, none of them scaled",
                        k.micro_steps));
    c.add("clip-part", Names(k.unclipped.begin(), k.unclipped.end()));
  }

  std::set<const void*> mixed;
  for (const Watch::Candidate& candidate : watch.candidates)
    if (watch.is_mixed(candidate)) mixed.insert(candidate.parameter);
  const auto is_mixed = [&](const Watch::Watched& p) { return p.mixed || mixed.count(p.tensor.impl()) != 0; };
  std::unordered_set<const void*> present;  // others were replaced, which another rule says
  for (const auto& [name, tensor] : watch.all_names()) present.insert(tensor.impl());
  c.add("unreached", c.where([&](const Watch::Watched& p) {
    return present.count(p.tensor.impl()) != 0 && p.tensor.requires_grad() && p.chances > 0 && p.reached == 0 &&
           !p.update_norm;
  }));
  c.add("cleared-too-early", c.where([](const Watch::Watched& p) { return p.unused_by_step > 0; }));
  c.add("clipped-to-zero", c.where([](const Watch::Watched& p) { return p.clipped_to_zero >= 3; }));
  for (Watch::Id id = 0; id < watch.optimizers.size(); ++id) {
    const Watch::Known& k = watch.optimizers[id];
    if (k.optimizer == nullptr) continue;
    const auto& limits = k.optimizer->clipping();
    if (limits && k.steps >= 3 && (limits->max_norm == 0.0 || limits->max_value == 0.0))
      c.add("clipped-to-zero", {k.name}, "its clipping has a limit of 0");
    bool has_state = false;
    for (const void* impl : watch.order) {
      const auto& p = watch.parameters.at(impl);
      has_state = has_state || (p.has_state && p.stepped_by == id);
    }
    if (k.resumed_without_state && has_state) c.add("state-not-loaded", {k.name});
  }
  c.add("stale-gradient", c.named(watch.stale));
  c.add("moved-while-off", c.named(watch.moved_off));
  c.add("momentum-lost", c.named(watch.lost));
  c.add("foreign-gradient", c.where(is_mixed),
        "a step used gradients that a backward for another optimizer had left in it");
  c.add("wasted-gradient",
        c.where([&](const Watch::Watched& p) { return p.wasted && !is_mixed(p) && explained.count(p.name) == 0; }));
  c.add("gradient-on-the-way",
        c.where([&](const Watch::Watched& p) { return p.on_the_way && !p.wasted && !is_mixed(p); }));
  c.add("accumulation-cleared",
        c.where([](const Watch::Watched& p) { return p.cleared_unused >= 2 && (p.moved > 0 || p.still > 0); }),
        "gradients of several backward passes were cleared with no step between");
  c.add("inner-stepped", Names(watch.inner_stepped.begin(), watch.inner_stepped.end()),
        "stepped by itself, past the Lookahead around it");
  if (watch.twice > 0)
    c.add("backward-twice", {"the loss"},
          fmt::format("{} times a loss was differentiated again before any step", watch.twice));
  for (const auto& [rule, note] : watch.clips)
    c.add(rule.c_str(), {"the gradients"}, fmt::format("{}, first before step {}", note.text, note.first_step));

  c.add("off-yet-owned",
        c.where([](const Watch::Watched& p) { return p.off_run >= 5 && p.chances == 0 && !p.tensor.requires_grad(); }));
  c.add("frozen-yet-owned", c.where([](const Watch::Watched& p) {
    return p.frozen_steps >= 5 && p.chances == 0 && gradus::is_frozen(p.tensor);
  }));
  c.add("left-off",
        c.where([](const Watch::Watched& p) { return p.off_run >= 5 && p.chances > 0 && !p.tensor.requires_grad(); }));
}

}  // namespace gradus::optim

// Values, losses and modes: what training computes with.
#include <fmt/format.h>

#include <cmath>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Watch = Audit::Watch;
using Names = std::vector<std::string>;

const char* rule_of_loss(const std::string& key) {
  if (key.ends_with(" dim")) return "wrong-dimension";
  if (key.ends_with(" raw")) return "not-normalised";
  return "normalised-twice";
}

// Networks that nobody trains or moves, run in training mode beside one that is trained.
void teachers(const Conclusions& c) {
  for (const auto& [model, mode] : c.watch.modes) {
    if (mode.training_intervals.size() < 3) continue;
    bool still = true, any = false, elsewhere = false;
    for (const void* impl : c.watch.order) {
      const auto& p = c.watch.parameters.at(impl);
      if (p.model == model) any = true;
      if (p.model == model && (p.stepped_by != Watch::kNone || p.tensor.version() != p.start_version)) still = false;
      if (p.model != model && p.stepped_by != Watch::kNone) elsewhere = true;
    }
    if (any && still && elsewhere)
      c.add("teacher-in-training", {model.empty() ? std::string("the network") : model},
            fmt::format("it is not trained, and was run in training mode at {} steps or more",
                        mode.training_intervals.size()));
  }
}

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
    if (p.reached < 3 || !std::isfinite(p.largest_gradient)) continue;
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
  if (watch.not_finite)
    c.add("not-finite", {watch.not_finite->what},
          fmt::format("NaN or infinity, first seen at step {}{}", watch.not_finite->step,
                      watch.not_finite_layer ? ", and forward first in the result of " + *watch.not_finite_layer : ""));
  // A bias in front of batch normalisation, or of a difference, has a gradient of zero by design.
  c.add("zero-gradient", c.where([](const Watch::Watched& p) {
    return p.tensor.dim() >= 2 && p.reached >= 5 && p.reached_nonzero == 0 && p.tensor.requires_grad();
  }));
  c.add("lost-update",
        c.where([](const Watch::Watched& p) { return p.tensor.dim() >= 2 && p.still >= 3 && p.moved == 0; }));
  Names constant;
  for (const std::string& name : watch.constant_at_start) constant.push_back(name);
  c.add("constant-initialisation", constant);
  tiny_updates(c);
  c.add("large-updates", c.where([](const Watch::Watched& p) { return p.large_updates >= 3; }));
  gradients_by_layer(c);

  for (const auto& [key, note] : watch.losses) {
    if (key == "cross_entropy log_softmax") {
      c.findings.push_back({"normalised-twice",
                            Severity::wasteful,
                            {"cross_entropy"},
                            fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step),
                            "cross_entropy applies log_softmax by itself; a second one changes nothing and costs time",
                            "nll_loss(log_softmax(scores, 1), target), or cross_entropy(scores, target)"});
      continue;
    }
    if (key.ends_with(" single")) {
      c.findings.push_back({"wrong-dimension",
                            Severity::wrong,
                            {key.substr(0, key.find(' '))},
                            fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step),
                            "a single score has nothing to be compared with, so its softmax has no gradient",
                            "sigmoid for a single output, or as many outputs as classes"});
      continue;
    }
    c.add(rule_of_loss(key), {key.substr(0, key.find(' '))},
          fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step));
  }
  for (const auto& [key, note] : watch.broadcasts)
    c.add("broadcast-loss", {key}, fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step));

  const auto named = [](const std::string& model) { return model.empty() ? std::string("the network") : model; };
  for (const auto& [model, mode] : watch.modes) {
    if (mode.run < 3) continue;
    c.add("trained-in-evaluation", {named(model)},
          fmt::format("its last {} steps followed a forward in evaluation mode", mode.run));
  }
  for (const auto& [model, scores] : watch.compared)
    if (watch.validations.count(model) == 0)
      c.add("validated-in-training", {named(model)},
            "the largest scores (argmax) were computed without recording from a forward in training mode");
  for (const auto& [model, note] : watch.validations)
    c.add("validated-in-training", {named(model)},
          fmt::format("{} was computed without recording from a forward in training mode, {} times from step {} on",
                      note.text, note.count, note.first_step));
  for (const auto& [layer, note] : watch.dropouts)
    c.add("dropout-in-evaluation", {layer},
          fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step));
  teachers(c);
  c.add("drifting-statistics", Names(watch.drifting.begin(), watch.drifting.end()));

  for (const auto& [name, u] : watch.units) {
    if (u.seen < 5) continue;
    if (u.dead == u.seen)
      c.add("dead-units", {name},
            fmt::format("at least {:.0f} % of its units were zero for whole batches, each of {} times", 90.0, u.seen));
    if (u.saturated == u.seen)
      c.add("saturated-units", {name},
            fmt::format("at least 95 % of its values lay at the ends of its range, each of {} times", u.seen));
  }
  for (const auto& [model, count] : watch.shared_copies)
    if (count >= 3) c.add("kept-handle", {named(model)});
}

}  // namespace gradus::optim

// Training and evaluation.
#include <fmt/format.h>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Watch = Audit::Watch;
using Names = std::vector<std::string>;

std::string named(const std::string& model) { return model.empty() ? "the network" : model; }

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

}  // namespace

void conclude_modes(const Conclusions& c) {
  const Watch& watch = c.watch;
  for (const auto& [model, mode] : watch.modes) {
    if (mode.run >= 3)
      c.add("trained-in-evaluation", {named(model)},
            fmt::format("its last {} steps followed a forward in evaluation mode", mode.run));
    else if (mode.evaluated >= 3)
      c.add("trained-in-evaluation", {named(model)},
            fmt::format("{} of {} steps followed a forward in evaluation mode", mode.evaluated, mode.steps), {},
            "net.train() before training, also after each validation; and no step in a validation");
  }
  std::set<std::string> compared;
  for (const auto& [model, scores] : watch.compared)
    if (watch.validations.count(model) == 0 && compared.insert(model).second)
      c.add("validated-in-training", {named(model)},
            "the largest scores (argmax) were computed without recording from a forward in training mode");
  for (const auto& [model, note] : watch.validations)
    c.add("validated-in-training", {named(model)},
          fmt::format("{} was computed without recording from a forward in training mode, {} times from step {} on",
                      note.text, note.count, note.first_step));
  for (const auto& [layer, note] : watch.dropouts)
    c.add("dropout-in-evaluation", {layer},
          fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step));
  for (const auto& [layer, note] : watch.batch_statistics)
    c.add("statistics-in-evaluation", {layer},
          fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step));
  for (const auto& [model, note] : watch.unused_recordings)
    if (note.count >= 2)
      c.add("recorded-evaluation", {named(model)}, fmt::format("{}, {} times", note.text, note.count));
  teachers(c);
  c.add("drifting-statistics", Names(watch.drifting.begin(), watch.drifting.end()));
}

}  // namespace gradus::optim

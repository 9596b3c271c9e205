#include "optim/engine/step_log.h"

#include <gradus/core/error.h>

#include "core/recording_text.h"

namespace gradus::optim {

namespace {

thread_local StepLog* now = nullptr;

std::optional<double> limit_of(const Optimizer& optimizer) {
  return optimizer.clipping() ? optimizer.clipping()->max_value : std::nullopt;
}

}  // namespace

bool LoggedStep::is_possible() const {
  if (alive.expired()) return false;
  std::size_t count = 0;
  for (std::size_t g = 0; g < optimizer->group_count(); ++g) count += optimizer->group_params(g).size();
  const auto& clipping = optimizer->clipping();
  return count == gradients.size() && limit_of(*optimizer) == max_value && !(clipping && clipping->max_norm);
}

StepLog::StepLog(Phase phase, Device device) : phase_(phase), device_(device) { now = this; }
StepLog::~StepLog() { now = nullptr; }
StepLog* StepLog::current() { return now; }

void StepLog::add(Optimizer& optimizer) {
  LoggedStep step{&optimizer, optimizer.alive(), {}, limit_of(optimizer)};
  for (const Tensor& p : optimizer.parameters()) {
    if (phase_ == Phase::recording && p.device() != device_) {
      throw Error(core::recording_text(std::string(optimizer.name()) + ".step",
                                       "it updates parameters on " + gradus::to_string(p.device()) +
                                           ", and the step is recorded on " + gradus::to_string(device_)));
    }
    step.gradients.emplace_back(p, p.grad());
  }
  steps.push_back(std::move(step));
}

void StepLog::undo() {
  for (auto one = undo_.rbegin(); one != undo_.rend(); ++one) (*one)();
  undo_.clear();
}

}  // namespace gradus::optim

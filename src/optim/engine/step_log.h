// Which optimizers step within a GraphedStep (training/graphed_step.cpp), and what they would have to undo.
#pragma once

#include <gradus/optim/optimizer.h>

#include <functional>
#include <memory>
#include <vector>

namespace gradus::optim {

// An optimizer's step, with the gradients that it took, of all its parameters: undefined where there was none.
struct LoggedStep {
  Optimizer* optimizer;
  std::weak_ptr<const void> alive;
  std::vector<std::pair<Tensor, Tensor>> gradients;
  std::optional<double> max_value;  // that its gradients were clamped to

  bool is_possible() const;  // the optimizer is there, and has the same parameters and limit
};

class StepLog {
 public:
  enum class Phase { plain, recording, repeating };

  // Of this thread, while it lives.
  explicit StepLog(Phase phase, Device device = {});
  ~StepLog();
  StepLog(const StepLog&) = delete;
  StepLog& operator=(const StepLog&) = delete;
  static StepLog* current();

  // Whether steps are only their updates: all else was recorded.
  bool is_repeating() const { return phase_ == Phase::repeating; }
  // Before the update of a step. Throws where it is recorded and works on another device.
  void add(Optimizer& optimizer);
  // Before an update changes what the host knows: how to bring that back. Not called where nobody would ask for it.
  void keep(std::function<void()> undo) { undo_.push_back(std::move(undo)); }
  bool keeps() const { return phase_ != Phase::plain; }
  void undo();  // the latest first

  std::vector<LoggedStep> steps;

 private:
  Phase phase_;
  Device device_;
  std::vector<std::function<void()>> undo_;
};

}  // namespace gradus::optim

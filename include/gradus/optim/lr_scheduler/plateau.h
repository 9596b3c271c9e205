// The one schedule that depends on how training goes.
#pragma once

#include <gradus/optim/lr_scheduler/scheduler.h>

namespace gradus::optim::lr_scheduler {

struct ReduceLROnPlateauOptions {
  std::string mode = "min";            // the metric should fall; "max": rise
  double factor = 0.1;                 // in [0, 1)
  std::int64_t patience = 10;          // bad steps that are borne before it reduces; at least 0
  double threshold = 1e-4;             // what counts as better
  std::string threshold_mode = "rel";  // of the best so far, or "abs"
  std::int64_t cooldown = 0;           // steps after a reduction in which bad ones do not count; at least 0
  PerGroup min_lr = 0.0;
  double eps = 1e-8;  // smaller changes are left out; at least 0
  std::string option = "lr";
};

// Multiplies the option by factor when the metric has not become better for more than `patience` steps. As
// torch.optim.lr_scheduler.ReduceLROnPlateau; a metric that is NaN is not better. It works on the values as they are,
// so what was written in between counts, and so do groups that were added (the last entry of a list of min_lr applies
// to them).
//
// As in PyTorch, a relative threshold turns round for a metric below 0: with a best of -10 and 0.01, "min" takes
// anything below -9.9 for better, and "max" anything above -10.1. Use threshold_mode "abs" for such metrics.
class ReduceLROnPlateau {
 public:
  ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {});

  void step(double metric);
  std::int64_t last_epoch() const { return last_epoch_; }  // steps so far
  double best() const { return best_; }
  std::int64_t num_bad_epochs() const { return num_bad_epochs_; }
  std::vector<double> get_last_lr() const;  // the values of the option now

  // "last_epoch", "best", "num_bad_epochs", "cooldown_counter", and the values: "lr.0" for group 0.
  State state_dict() const;
  // Writes the values too, as far as they are there.
  void load_state_dict(const State& state);

  Optimizer& optimizer() const;  // ValueError when it is gone

 private:
  bool better(double metric) const;
  void reduce();

  Optimizer* optimizer_;
  std::weak_ptr<const void> alive_;
  ReduceLROnPlateauOptions options_;
  std::map<std::size_t, std::size_t> order_;  // of the groups at construction: which of a list of min_lr
  double best_;
  std::int64_t last_epoch_ = 0, num_bad_epochs_ = 0, cooldown_counter_ = 0;
};

}  // namespace gradus::optim::lr_scheduler

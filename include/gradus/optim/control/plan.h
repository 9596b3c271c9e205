// What a training run is going to do, as a table: for every group of parameters, which optimizer trains it and how, how
// much memory it needs and how many operations it costs; totals; and the findings of an audit.
//
//   lr_scheduler::CosineAnnealingLR schedule(head_opt, {.T_max = 90});
//   const optim::Plan plan = optim::plan({{"net", net}}, {backbone_opt, head_opt},
//                                        {.schedules = {schedule}, .costs = {{"net", nn::summary(net, {8, 3, 32,
//                                        32})}},
//                                         .samples = 8});
//   std::puts(plan.to_string().c_str());
#pragma once

#include <functional>
#include <map>
#include <optional>

#include <gradus/nn/summary.h>
#include <gradus/optim/control/audit.h>
#include <gradus/optim/lr_scheduler/plateau.h>
#include <gradus/optim/lr_scheduler/scheduler.h>

namespace gradus::optim {

struct PlanOptions {
  std::vector<std::reference_wrapper<lr_scheduler::LRScheduler>> schedules = {};
  std::vector<std::reference_wrapper<lr_scheduler::ReduceLROnPlateau>> plateaus = {};
  std::map<std::string, nn::Summary> costs = {};  // by the name of the network
  std::int64_t samples = 1;                       // in the batch of these summaries
  AuditedOptimizers others = {};                  // of other phases: what they own does not count as forgotten
};

// Parameters of one network that have the same owner and state.
struct PlanRow {
  std::string model;
  std::string group;  // the optimizer's name for it, else what the parameters' names have in common: "features.*"
  std::int64_t tensors = 0, parameters = 0;
  AuditRow::Status status = AuditRow::Status::trainable;
  std::string optimizer;            // "Adam[0]": its group; empty: none
  std::optional<double> lr, decay;  // not set where the optimizer has none
  std::string schedule;             // of any of the group's options; empty: none
  std::int64_t weight_bytes = 0, gradient_bytes = 0;
  std::optional<std::int64_t> state_bytes = 0;  // the optimizer's, from the first step on; not set: not known before
  // Of the layers whose first parameter is here. Per sample: forward, backward, and what is kept from one for the
  // other.
  double forward_flops = 0, backward_flops = 0, kept_bytes = 0;
};

struct Plan {
  // Network by network; a network's last row, with no parameters, has the costs of its layers without any.
  std::vector<PlanRow> rows;
  std::vector<AuditFinding> findings;
  bool has_costs = false;

  PlanRow total() const;  // sums; state that is not known is left out
  std::string to_string() const;
};

// ValueError where there is no network, and where `costs` names one that is not there or `samples` is not positive.
Plan plan(const AuditedModels& models, const AuditedOptimizers& optimizers, const PlanOptions& options = {});

}  // namespace gradus::optim

// What an audit knows. audit.cpp gathers it, audit_report.cpp draws the conclusions.
#pragma once

#include <gradus/optim/audit.h>

#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "optim/watch.h"

namespace gradus::optim {

struct __attribute__((visibility("hidden"))) Audit::Watch : Watcher {
  using Id = std::size_t;  // of an optimizer: its place in `optimizers`
  static constexpr Id kNone = std::numeric_limits<Id>::max();

  // A parameter, and the story of its gradient since that was last cleared.
  struct Watched {
    Tensor tensor;
    std::string name;
    std::size_t hook = 0;
    std::int64_t reached = 0;    // gradients that arrived
    std::int64_t chances = 0;    // steps of its optimizers at which one could have
    bool arrived = false;        // since it was cleared
    std::uint64_t interval = 0;  // the latest arrival's
    Id used_by = kNone;          // who stepped on it since it was cleared
    Tensor used;                 // that gradient, and its version then
    std::uint32_t used_version = 0;
    bool added_to_used = false;  // more arrived on top of what was used
    Id left_by = kNone;          // who stepped on the same backward without owning this parameter
    std::vector<Id> turns;       // who stepped it, in order, without repetition
    bool has_state = false;      // in the optimizer that stepped it last
    bool lost_state = false;     // that optimizer is gone
    std::int64_t zero_rate_steps = 0, rated_steps = 0;
    std::optional<double> gradient_norm, update_norm;
  };

  struct Schedule {
    std::string name;
    std::int64_t at = 0;     // the optimizer's steps when it was last stepped
    std::int64_t count = 0;  // its steps since then
  };

  struct Known {
    Optimizer* optimizer = nullptr;  // null: gone
    std::string name = {};
    std::int64_t steps = 0;
    std::uint64_t reached = 0;  // the interval of the latest gradient of one of its parameters
    std::map<const void*, Schedule> schedules = {};
    std::vector<std::pair<Watched*, Tensor>> before = {};  // while it steps: the values before
  };

  Watch(const AuditedModels& audited, const AuditedOptimizers& given, bool live);
  ~Watch() override;

  void before_step(Optimizer& optimizer) override;
  void after_step(Optimizer& optimizer) override;
  void after_schedule(const void* schedule, const std::string& name, Optimizer& optimizer) override;
  void gone(const Optimizer& optimizer) override;

  AuditReport report() const;

  // Every parameter under each of its names; tied ones have several.
  std::vector<nn::NamedTensor> all_names() const;

  AuditedModels models;
  bool watching;
  mutable std::mutex mutex;
  std::unordered_map<const void*, Watched> parameters;
  std::vector<const void*> order;
  std::vector<Known> optimizers;
  std::vector<nn::NamedTensor> names_at_start;
  std::unordered_map<const void*, std::pair<Tensor, std::uint32_t>> buffer_versions;
  std::uint64_t interval = 1;  // between two steps of any optimizer

  // Parameters, and modules, that a finding names.
  std::set<const void*> stale, foreign, moved, lost, shared;
  std::set<std::string> drifting;

 private:
  void refresh();
  Id known(Optimizer& optimizer);
  void arrive(Watched& p);
  void compare_statistics();
};

bool owns(const Optimizer& optimizer, const Tensor& parameter);

}  // namespace gradus::optim

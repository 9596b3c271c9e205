#include <gradus/optim/lr_scheduler/schedule.h>

#include "optim/schedule/check.h"

namespace gradus::optim::lr_scheduler {

Schedule sequential(const std::vector<Schedule>& schedules, const std::vector<std::int64_t>& milestones) {
  constexpr const char* name = "SequentialLR";
  if (schedules.empty()) throw ValueError(std::string(name) + ": needs at least one schedule, got none");
  if (milestones.size() != schedules.size() - 1) {
    throw ValueError(std::string(name) + ": needs one milestone less than schedules, got " +
                     std::to_string(milestones.size()) + " and " + std::to_string(schedules.size()));
  }
  std::int64_t last = 0;
  for (std::int64_t milestone : milestones) {
    need(milestone >= last, name, "milestones", "at least 0 and not decrease", milestone);
    last = milestone;
  }
  return {name, [schedules, milestones](double step) {
            const std::size_t i = count_up_to(step, milestones);
            return schedules[i].at(i == 0 ? step : step - static_cast<double>(milestones[i - 1]));
          }};
}

Schedule chained(const std::vector<Schedule>& schedules) {
  constexpr const char* name = "ChainedScheduler";
  if (schedules.empty()) throw ValueError(std::string(name) + ": needs at least one schedule, got none");
  return {name, [schedules](double step) {
            Scaling all;
            for (const Schedule& schedule : schedules) {
              const Scaling next = schedule.at(step);
              all = {next.scale * all.scale, next.scale * all.offset + next.offset};
            }
            return all;
          }};
}

}  // namespace gradus::optim::lr_scheduler

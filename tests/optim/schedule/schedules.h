// Schedulers made from what tests/traces/schedules.json says.
#pragma once

#include <gradus/optim.h>

#include <nlohmann/json.hpp>
#include <variant>

namespace gradus::test {

using Scheduler = std::variant<optim::lr_scheduler::LRScheduler, optim::lr_scheduler::ReduceLROnPlateau>;

// Throws as the constructor does.
Scheduler make_scheduler(const std::string& name, const nlohmann::json& options, optim::Optimizer& opt);

const nlohmann::json& schedules_trace();
nlohmann::json invalid_schedules();  // of tests/traces/invalid_options.json

// Two groups of one parameter each, with rates 0.1 and 0.01: SGD with momentum 0.9, or Adam.
std::unique_ptr<optim::Optimizer> make_scheduled(const std::string& name);

}  // namespace gradus::test

// What a phase of a recipe costs each of several processes.
#pragma once

#include <gradus/optim/control/plan.h>

#include <cstdint>
#include <string>

namespace gradus::cli {

struct ProcessesOptions {
  std::int64_t processes = 1;
  std::string bandwidth = "10Gbit";  // between any two machines
};

// Bytes per second of "10Gbit", "1.5GB" (both per second; thousands, not 1024). ValueError.
double bandwidth_of(const std::string& text);

// Memory of a process, bytes that it sends per step, and how long that takes; `samples` are those of a whole batch.
std::string plan_of_processes(const optim::Plan& plan, std::int64_t samples, const ProcessesOptions& options);

}  // namespace gradus::cli

// What a phase of a recipe costs each of several processes.
#pragma once

#include <gradus/optim/control/plan.h>

#include <cstdint>
#include <string>

namespace gradus::cli {

struct ProcessesOptions {
  std::int64_t processes = 1;
  std::string bandwidth = "10Gbit";  // between any two machines
  std::string latency = "0us";       // from one machine to another
  std::string overhead = "0us";      // how long a message keeps the processor of its sender, and of its receiver, busy
};

// Bytes per second of "10Gbit", "1.5GB" (both per second; thousands, not 1024). ValueError.
double bandwidth_of(const std::string& text);
// Seconds of "50us", "0.2ms"; `option` is for the message. ValueError.
double duration_of(const std::string& option, const std::string& text);

// The exchange of one backward pass: what a rank sends, and, in the LogGP model, how long all of it takes.
struct Exchange {
  double messages = 0, bytes = 0;  // sent by a rank, which receives as many
  double seconds = 0;
};
// Of so many bytes of gradients. `bandwidth` is in bytes per second.
Exchange exchange_of(double gradient_bytes, std::int64_t processes, double bandwidth, double latency, double overhead);

// Memory of a process, bytes that it sends per step, and how long that takes; `samples` are those of a whole batch.
std::string plan_of_processes(const optim::Plan& plan, std::int64_t samples, const ProcessesOptions& options);

}  // namespace gradus::cli

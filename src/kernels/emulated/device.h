// The emulated device, for tests: it runs the kernels of GPUs (kernels/gpu), compiled for the CPU, one thread of them
// after the other, as a device of its own would. Its memory is out of the host's reach, what it is asked for is done
// later, by a thread, and errors come up when it is waited for. What works on it makes no assumption that another
// device would not keep.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/memory/backend.h"
#include "kernels/dispatch/kernels.h"

namespace gradus::emulated {

const Kernels& kernels();
core::Backend& backend();

struct Counters {
  std::int64_t launches = 0;          // of kernels
  std::int64_t synchronizations = 0;  // times that the host waited
  std::int64_t pinned_copies = 0;     // copies from pinned memory that were not waited for
  std::int64_t repeated_steps = 0;    // recorded steps that were asked for, whose kernels are not counted
};
Counters counters();

// From now on the queue waits now and then for up to `microseconds` before it goes on; 0: never.
void set_delays(int microseconds);
// What may be allocated at once from now on; 0: all there is. OutOfMemory beyond it.
void set_limit(std::size_t bytes);
// As a device that fell off its bus: all calls throw until it is found again.
void set_lost(bool lost);

}  // namespace gradus::emulated

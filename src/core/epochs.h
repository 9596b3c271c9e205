// The clock of whoever goes through data: audits compare with it what schedules count.
#pragma once

#include <cstdint>

namespace gradus::core {

struct Epochs {
  std::int64_t begun = 0;    // times that this thread began to go through a loader
  std::int64_t batches = 0;  // of the last one
};
inline thread_local Epochs epochs;

}  // namespace gradus::core

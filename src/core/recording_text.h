// What says that a call cannot be recorded; also for the library of a device, which has no other part of core.
#pragma once

#include <string>
#include <string_view>

namespace gradus::core {

inline std::string recording_text(std::string_view call, std::string_view why) {
  return std::string(call) + ": cannot be part of a GraphedStep, since " + std::string(why);
}

}  // namespace gradus::core

// Ctrl-C and termination requests, as a flag that training loops ask for between steps.
#pragma once

namespace gradus::cli {

// While one lives, the first SIGINT, SIGTERM or SIGHUP (the terminal is gone) only sets the flag. A second SIGINT or
// SIGTERM ends the process at once, but not within kSameRequest seconds: terminals, `timeout` and service managers send
// one request as several signals. Signals that were ignored at the start (nohup, background jobs of a script) stay
// ignored. The destructor puts the previous handling back. One at a time.
inline constexpr double kSameRequest = 0.5;
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

// The signal that came since the latest InterruptScope began, or 0.
int interrupt_signal();

}  // namespace gradus::cli

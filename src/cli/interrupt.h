// Ctrl-C and termination requests, as a flag that training loops ask for between steps.
#pragma once

namespace gradus::cli {

// While one lives, the first SIGINT or SIGTERM only sets the flag; the second ends the process at once. Signals that
// were ignored at the start (nohup, background jobs of a script) stay ignored. The destructor puts the previous
// handling back. One at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

// The signal that came since the latest InterruptScope began (SIGINT, SIGTERM), or 0.
int interrupt_signal();

}  // namespace gradus::cli

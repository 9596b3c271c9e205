#include "cli/run/interrupt.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace gradus::cli {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

std::atomic<int> caught{0};
std::atomic<std::int64_t> caught_at{0};  // nanoseconds
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free,
              "a signal handler must not take a lock");

std::array<struct sigaction, kSignals.size()> previous;

// The handler has a stack of its own: oneDNN's AVX-512 products use the stack pointer for other things, and a signal
// frame written there would land in a matrix. The kernel delivers signals of a process to its first thread.
std::array<std::byte, 1 << 16> handler_stack;
stack_t previous_stack;

std::int64_t nanoseconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

extern "C" void on_signal(int signal) {
  const int error = errno;
  const std::int64_t now = nanoseconds_now();
  if (caught.load(std::memory_order_relaxed) == 0) {
    caught_at.store(now, std::memory_order_relaxed);
    caught.store(signal, std::memory_order_relaxed);
  } else if (signal != SIGHUP && static_cast<double>(now - caught_at.load(std::memory_order_relaxed)) >
                                     kSameRequest * 1e9) {  // a lost terminal sends SIGHUP more than once
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // comes when this handler returns
  }
  errno = error;
}

}  // namespace

InterruptScope::InterruptScope() {
  caught.store(0, std::memory_order_relaxed);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;  // files and terminals need not know
  stack_t stack{};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  ::sigaltstack(&stack, &previous_stack);
  sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) sigaddset(&action.sa_mask, signal);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &previous[i]);
    if (previous[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &previous[i], nullptr);
  ::sigaltstack(&previous_stack, nullptr);
}

int interrupt_signal() { return caught.load(std::memory_order_relaxed); }

}  // namespace gradus::cli

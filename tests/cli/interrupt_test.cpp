#include "cli/run/interrupt.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>

namespace gradus::cli {
namespace {

TEST(Interrupt, TheFirstSignalSetsTheFlag) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const InterruptScope scope;
    EXPECT_EQ(interrupt_signal(), 0);
    std::raise(signal);
    EXPECT_EQ(interrupt_signal(), signal);
  }
}

using InterruptDeathTest = testing::Test;

// One request may come as several signals at once. One that comes later means it.
TEST(InterruptDeathTest, TheSecondRequestKills) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  for (const auto& [first, second] : {std::pair(SIGINT, SIGINT), {SIGINT, SIGTERM}, {SIGHUP, SIGTERM}}) {
    EXPECT_EXIT(
        {
          const InterruptScope scope;
          for (const int signal : {first, SIGINT, SIGTERM, SIGHUP}) std::raise(signal);
          if (interrupt_signal() != first) std::exit(1);
          std::this_thread::sleep_for(std::chrono::duration<double>(1.2 * kSameRequest));
          std::raise(SIGHUP);
          std::raise(second);
          std::exit(1);
        },
        testing::KilledBySignal(second), "");
  }
}

TEST(InterruptDeathTest, WithoutAScopeTheFirstSignalKills) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        { const InterruptScope scope; }
        std::raise(SIGINT);
        std::exit(1);
      },
      testing::KilledBySignal(SIGINT), "");
}

int seen = 0;

TEST(Interrupt, PutsThePreviousHandlingBack) {
  const auto before = std::signal(SIGINT, [](int signal) { seen = signal; });
  {
    const InterruptScope scope;
    std::raise(SIGINT);
    EXPECT_EQ(seen, 0);
  }
  std::raise(SIGINT);
  EXPECT_EQ(seen, SIGINT);
  std::signal(SIGINT, before);
}

TEST(Interrupt, LeavesIgnoredSignalsIgnored) {
  const auto before = std::signal(SIGINT, SIG_IGN);
  {
    const InterruptScope scope;
    std::raise(SIGINT);
    EXPECT_EQ(interrupt_signal(), 0);
  }
  std::signal(SIGINT, before);
}

}  // namespace
}  // namespace gradus::cli

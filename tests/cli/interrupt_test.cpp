#include "cli/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

namespace gradus::cli {
namespace {

TEST(Interrupt, TheFirstSignalSetsTheFlag) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const InterruptScope scope;
    EXPECT_EQ(interrupt_signal(), 0);
    std::raise(signal);
    EXPECT_EQ(interrupt_signal(), signal);
  }
}

using InterruptDeathTest = testing::Test;

TEST(InterruptDeathTest, TheSecondSignalKills) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  for (const int first : {SIGINT, SIGTERM}) {
    for (const int second : {SIGINT, SIGTERM}) {
      EXPECT_EXIT(
          {
            const InterruptScope scope;
            std::raise(first);
            std::raise(second);
            std::exit(1);
          },
          testing::KilledBySignal(second), "");
    }
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

#include "cli/commands/plan_processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradus/core/error.h"
#include "support/message.h"

namespace gradus::cli {
namespace {

using testing::HasSubstr;

TEST(PlanProcesses, BandwidthsAreNumbersWithUnits) {
  EXPECT_EQ(bandwidth_of("10Gbit"), 1.25e9);
  EXPECT_EQ(bandwidth_of("1.5MB"), 1.5e6);
  EXPECT_EQ(bandwidth_of("8kbit"), 1e3);
  for (const char* wrong : {"", "10", "Gbit", "-1Gbit", "0Gbit", "1 Gbit", "1gbit", "nanGbit", "infGB", "1Gbits"})
    EXPECT_THAT(test::message_of<ValueError>([&] { bandwidth_of(wrong); }), HasSubstr("--bandwidth: need a positive"))
        << wrong;
}

TEST(PlanProcesses, DurationsAreNumbersWithUnits) {
  EXPECT_DOUBLE_EQ(duration_of("--latency", "50us"), 50e-6);
  EXPECT_DOUBLE_EQ(duration_of("--latency", "0.2ms"), 0.2e-3);
  EXPECT_EQ(duration_of("--latency", "0ns"), 0);
  EXPECT_EQ(duration_of("--latency", "1s"), 1);
  for (const char* wrong : {"", "50", "us", "-1us", "5 us", "nanms", "infs", "1min"})
    EXPECT_THAT(test::message_of<ValueError>([&] { duration_of("--overhead", wrong); }),
                HasSubstr("--overhead: need a number from 0 on"))
        << wrong;
}

// 60 MB are three buckets. The wire decides as long as messages are few.
TEST(PlanProcesses, AnExchangeIsBytesMessagesAndLatencies) {
  const Exchange four = exchange_of(60e6, 4, 1e9, 50e-6, 10e-6);
  EXPECT_DOUBLE_EQ(four.bytes, 90e6);
  EXPECT_EQ(four.messages, 3 * (2 + 2 * 3));
  EXPECT_DOUBLE_EQ(four.seconds, 4 * 50e-6 + 6 * 20e-6 + 90e-3);
  const Exchange many = exchange_of(60e6, 4001, 1e9, 50e-6, 10e-6);
  EXPECT_EQ(many.messages, 4000 * 8);
  EXPECT_DOUBLE_EQ(many.seconds, 4 * 50e-6 + 32000 * 20e-6);
  EXPECT_DOUBLE_EQ(exchange_of(60e6, 4001, 1e9, 0, 0).seconds, many.bytes / 1e9);
  const Exchange alone = exchange_of(60e6, 1, 1e9, 50e-6, 10e-6);
  EXPECT_EQ(alone.messages + alone.bytes + alone.seconds, 0);
}

// Of what is trained only gradients are sent, 2 (N - 1) / N of them.
TEST(PlanProcesses, TellWhatEachNeedsAndSends) {
  optim::Plan plan;
  plan.rows.resize(2);
  for (optim::PlanRow& row : plan.rows) row.weight_bytes = 1 << 20;
  plan.rows[0].optimizer = "Adam[0]";
  plan.rows[0].gradient_bytes = 1 << 20;
  plan.rows[0].state_bytes = 2 << 20;
  plan.rows[0].kept_bytes = 1024;
  plan.has_costs = true;
  const std::string text = plan_of_processes(plan, 10, {.processes = 4, .bandwidth = "1MB"});
  for (const char* line :
       {"weights                2.0 MiB", "gradients              1.0 MiB",
        "optimizer state        2.0 MiB  512.0 KiB with ZeroRedundancyOptimizer",
        "kept for backward      3.0 KiB  of 3 samples", "exchange of gradients  4.0 MiB  at most",
        "memory                 9.0 MiB", "sent per step          1.5 MiB  in 12 messages, and as much received",
        "time of it              1.57 s  at 1MB/s, if nothing hides it"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(plan_of_processes(plan, 10, {.processes = 4, .bandwidth = "1MB", .latency = "100ms", .overhead = "10ms"}),
              HasSubstr("time of it              2.09 s  at 1MB/s, 100ms of latency, 10ms of work per message, if"));
  EXPECT_THAT(plan_of_processes(plan, 10, {.processes = 1}), HasSubstr("sent per step"));
}

}  // namespace
}  // namespace gradus::cli

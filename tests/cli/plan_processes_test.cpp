#include "cli/commands/plan_processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gradus/core/error.h"
#include "support/temp_folder.h"

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
  for (const char* line : {"weights                2.0 MiB", "gradients              1.0 MiB",
                           "optimizer state        2.0 MiB  512.0 KiB with ZeroRedundancyOptimizer",
                           "kept for backward      3.0 KiB  of 3 samples", "exchange of gradients  4.0 MiB  at most",
                           "memory                 9.0 MiB", "sent per step          1.5 MiB  and as much received",
                           "time of it              1.57 s  at 1MB/s"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(plan_of_processes(plan, 10, {.processes = 1}), HasSubstr("sent per step"));
}

}  // namespace
}  // namespace gradus::cli

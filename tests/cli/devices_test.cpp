// gradus devices, as a user meets it.
#include "cli/commands/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.h"

namespace gradus::cli {
namespace {

using nlohmann::json;
using test::run_gradus;
using testing::HasSubstr;

TEST(DevicesCommand, SaysWhatIsThereAndWhyNot) {
  const auto table = run_gradus("devices");
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("processors"));
  EXPECT_THAT(table.out, HasSubstr("this version of Gradus has no kernels for CUDA"));
  const json all = json::parse(run_gradus("devices --json").out);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["device"], "cpu");
  EXPECT_EQ(all[0]["count"], 1);
  EXPECT_EQ(all[1]["count"], 0);
  EXPECT_EQ(all[2]["device"], "emulated");
}

}  // namespace
}  // namespace gradus::cli

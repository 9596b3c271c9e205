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
  EXPECT_THAT(table.out, HasSubstr("cuda"));
  const json all = json::parse(run_gradus("devices --json").out);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["device"], "cpu");
  EXPECT_EQ(all[0]["count"], 1);
  EXPECT_EQ(all[1]["device"], "cuda");
  EXPECT_EQ(all[2]["device"], "emulated");
}

// What CUDA's library is, as the command meets it, without a GPU or with one.
TEST(DevicesCommand, TellsWhyCudaIsNotThere) {
  const auto missing =
      test::run_shell("GRADUS_CUDA_LIBRARY=/nowhere/libgradus_cuda.so '" + test::command_path() + "' devices --json");
  EXPECT_EQ(missing.status, 0) << missing.err;
  EXPECT_EQ(json::parse(missing.out)[1]["count"], 0);
  EXPECT_THAT(missing.out, HasSubstr("this build has no kernels for CUDA"));
  // A file that is no library, and one of somebody else's.
  const test::TempFolder folder;
  test::put_file(folder / "libgradus_cuda.so", "no library");
  const auto broken = test::run_shell("GRADUS_CUDA_LIBRARY='" + folder / "libgradus_cuda.so" + "' '" +
                                      test::command_path() + "' devices --json");
  EXPECT_EQ(json::parse(broken.out)[1]["count"], 0);
  EXPECT_THAT(broken.out, HasSubstr("cannot load " + folder / "libgradus_cuda.so"));
  const auto refused = test::run_shell("GRADUS_CUDA_LIBRARY=/nowhere/libgradus_cuda.so '" + test::command_path() +
                                       "' train autoencoder --device cuda --out '" + folder / "run" + "'");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("--device: there is no device cuda:0: this build has no kernels for CUDA"));
}

}  // namespace
}  // namespace gradus::cli

// Standard streams that are full, closed, or lose their reader: results are not lost, and an exit status tells.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "support/command.h"

namespace gradus::cli {
namespace {

using test::run_shell;
using test::TempFolder;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string gradus(const std::string& arguments) { return "'" + test::command_path() + "' " + arguments; }

std::string training(const std::string& out, int steps = 30) {
  return gradus("train autoencoder --steps " + std::to_string(steps) +
                " --receiver-steps 20 --batch 32 --errors 2 --blocks 1000 --threads 1 --out " + out);
}

// Until the file has something, or for a minute.
std::string wait_for(const std::string& file) {
  return "n=0; while [ ! -s " + file + " ] && [ $n -lt 1200 ]; do n=$((n+1)); sleep 0.05; done";
}

std::int64_t last_step(const std::string& out) {
  const auto all = training::list_checkpoints(out + "/checkpoints");
  return all.empty() ? -1 : all.back().step;
}

TEST(Streams, AResultThatIsLostIsAnError) {
  for (const char* to : {" > /dev/full", " >&-"}) {
    for (const char* command : {"--version", "flops lenet --json", "flops lenet", "schema"}) {
      const auto result = run_shell(gradus(command) + to);
      EXPECT_EQ(result.status, 2) << command << to;
      EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    }
  }
}

TEST(Streams, AnErrorWithoutStandardErrorHasItsStatus) {
  EXPECT_EQ(run_shell(gradus("train no-such-recipe 2>&-")).status, 2);
  EXPECT_EQ(run_shell(gradus("train no-such-recipe 2>/dev/full")).status, 2);
  EXPECT_EQ(run_shell(gradus("no-such-command <&- >&- 2>&-")).status, 2);
}

TEST(Streams, ARunKeepsItsResults) {
  const TempFolder folder;
  ASSERT_EQ(run_shell(training(folder / "whole")).status, 0);
  int number = 0;
  for (const char* to : {" > /dev/full", " > /dev/full 2>&1", " >&-", " <&- >&- 2>&-", " 2>&-", " | true"}) {
    const std::string out = folder / std::to_string(number++);
    EXPECT_EQ(run_shell(training(out) + to).status, 0) << to;
    for (const char* file : {"autoencoder.pth", "metrics.jsonl", "bler.png"})
      EXPECT_EQ(test::file_bytes(out + "/" + file), test::file_bytes(folder / "whole/" + file)) << to << file;
    EXPECT_TRUE(std::filesystem::exists(out + "/summary.json")) << to;
  }
  EXPECT_THAT(run_shell(training(folder / "said") + " > /dev/full").err, HasSubstr("standard output"));
}

// Ctrl-C reaches `tee` too, which is gone before the run has saved.
TEST(Streams, AnInterruptedRunSavesWithoutItsReader) {
  const TempFolder folder;
  const std::string out = folder / "run";
  const std::string pid = folder / "pid";
  run_shell("( " + training(out, 10'000'000) + " 2>&1 & echo $! > " + pid + "; wait $!; echo $? > " +
            folder / "status" + " ) | sleep 0.5 & " + wait_for(out + "/metrics.jsonl") +
            "; sleep 0.7; kill -TERM $(cat " + pid + "); wait");
  const std::string status = test::file_bytes(folder / "status");
  EXPECT_EQ(status, "130\n");
  EXPECT_GT(last_step(out), 0);
}

TEST(Streams, ALostTerminalSaves) {
  for (const char* signals : {"-HUP $pid", "-TERM $pid; kill -HUP $pid"}) {
    const TempFolder folder;
    const auto result = run_shell(training(folder / "run", 10'000'000) + " & pid=$!; " +
                                  wait_for(folder / "run/metrics.jsonl") + "; kill " + signals + "; wait $pid");
    EXPECT_EQ(result.status, 130);
    EXPECT_GT(last_step(folder / "run"), 0);
    EXPECT_TRUE(std::filesystem::exists(folder / "run/summary.json"));
  }
}

}  // namespace
}  // namespace gradus::cli

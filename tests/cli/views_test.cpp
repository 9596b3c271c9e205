// What the training commands show besides metrics and progress: --tensorboard, --profile, --detect-anomaly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.h"

namespace gradus::cli {
namespace {

using test::run_gradus;
using test::TempFolder;
using testing::HasSubstr;
using testing::Not;

const std::string kShort = "train autoencoder --steps 30 --receiver-steps 20 --batch 32 --errors 2 --blocks 5000";

std::string events_of(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      return test::file_bytes(entry.path().string());
  return "";
}

TEST(Views, EventsHaveScalarsHistogramsAndTheCommand) {
  const TempFolder folder;
  ASSERT_EQ(run_gradus(kShort + " --out " + folder / "plain").status, 0);
  EXPECT_EQ(events_of(folder / "plain"), "");
  const auto run = run_gradus(kShort + " --tensorboard --out " + folder / "run");
  ASSERT_EQ(run.status, 0) << run.err;
  const std::string events = events_of(folder / "run");
  for (const char* part : {"brain.Event:2", "loss/joint", "loss/receiver", "lr/joint", "net/encoder.0.weight",
                           "net-gradients/decoder.2.bias", "command/text_summary", "--tensorboard"})
    EXPECT_THAT(events, HasSubstr(part));
  EXPECT_THAT(events, Not(HasSubstr("step/joint")));
  // It changes nothing of the run.
  EXPECT_EQ(test::file_bytes(folder / "run/metrics.jsonl"), test::file_bytes(folder / "plain/metrics.jsonl"));
}

TEST(Views, AProfileIsPrintedAndTraced) {
  const TempFolder folder;
  const auto run = run_gradus(kShort + " --profile 10 --out " + folder / "run");
  ASSERT_EQ(run.status, 0) << run.err;
  for (const char* part : {"10 steps, ", "linear", "backward", "encoder.0 (Linear + ", "Adam", "trace: "})
    EXPECT_THAT(run.out, HasSubstr(part));
  const auto trace = nlohmann::json::parse(test::file_bytes(folder / "run/trace.json"));
  int steps = 0;
  for (const auto& event : trace["traceEvents"]) steps += event["name"] == "Adam";
  EXPECT_EQ(steps, 10);
  const auto brief = run_gradus(
      "train autoencoder --steps 1 --receiver-steps 1 --batch 32 --errors 2 --blocks 5000 --profile 10 --out " +
      folder / "brief");
  EXPECT_EQ(brief.status, 0);
  EXPECT_THAT(brief.out, HasSubstr("no profile: there were only 2 steps"));
}

TEST(Views, AnAnomalyEndsTheRunWithItsName) {
  const TempFolder folder;
  EXPECT_EQ(run_gradus(kShort + " --detect-anomaly --out " + folder / "fine").status, 0);
  const auto run = run_gradus(kShort + " --lr 1e30 --detect-anomaly --out " + folder / "run");
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("DetectAnomaly: "));
  EXPECT_THAT(run.err, HasSubstr("in encoder."));
}

}  // namespace
}  // namespace gradus::cli

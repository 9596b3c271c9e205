// The training commands as a user meets them: results, errors, interruption.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>

#include "support/command.h"

namespace gradus::cli {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::run_gradus;
using test::TempFolder;
using testing::HasSubstr;
using testing::StartsWith;

json read_json(const std::string& path) { return json::parse(test::file_bytes(path)); }

// One line on standard error, exit status 2.
void expect_refused(const CommandResult& result, const std::string& part) {
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_THAT(result.err, StartsWith("gradus: "));
  EXPECT_THAT(result.err, HasSubstr(part));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

// An IDX file of `count` images of 28 x 28.
std::string idx(unsigned char count, std::size_t bytes) {
  std::string file{"\0\0\x08\x03\0\0\0", 7};
  file += static_cast<char>(count);
  file += std::string{"\0\0\0\x1c\0\0\0\x1c", 8};
  for (std::size_t i = 0; i < bytes; ++i) file += static_cast<char>(i * 37 % 251);
  return file;
}

const std::string kShort = "train autoencoder --steps 30 --receiver-steps 20 --batch 32 --errors 2 --blocks 5000";

TEST(TrainAutoencoder, WritesItsResults) {
  const TempFolder folder;
  const CommandResult run = run_gradus(kShort + " --out " + folder / "run");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Eb/N0"));
  EXPECT_THAT(run.out, HasSubstr("bler.png"));
  const json summary = read_json(folder / "run/summary.json");
  EXPECT_EQ(summary["command"], "train autoencoder");
  EXPECT_EQ(summary["encoder_unchanged"], true);
  EXPECT_EQ(summary["interrupted"], false);
  EXPECT_EQ(summary["joint"]["steps"], 30);
  EXPECT_EQ(summary["receiver"]["steps"], 20);
  ASSERT_EQ(summary["results"].size(), 9U);
  for (int db = 0; db <= 8; ++db) {
    const json& point = summary["results"][static_cast<std::size_t>(db)];
    EXPECT_EQ(point["ebn0_db"], db);
    for (const char* key : {"bler_joint", "bler_receiver", "bler_own_ml", "bler_hamming_ml", "bler_uncoded"}) {
      EXPECT_GE(point[key].get<double>(), 0) << key;
      EXPECT_LE(point[key].get<double>(), 1) << key;
    }
    EXPECT_LE(point["blocks"].get<std::int64_t>(), 5000 + 5000);
  }
  EXPECT_THAT(test::file_bytes(folder / "run/bler.png"), StartsWith("\x89PNG"));
  EXPECT_THAT(test::file_bytes(folder / "run/metrics.jsonl"), HasSubstr("\"phase\":\"receiver\""));
  // The network can be loaded, and is the one that was measured.
  models::AutoEncoder net(16, 7);
  const auto report = net.load_state_dict(io::load_state_dict(folder / "run/autoencoder.pth"));
  EXPECT_EQ(report.loaded.size(), 8U);
}

TEST(TrainAutoencoder, TheSeedDecidesEveryBit) {
  const TempFolder folder;
  const auto weights = [&](const std::string& flags) {
    EXPECT_EQ(run_gradus(kShort + " --overwrite --out " + folder / "run" + flags).status, 0);
    return io::load_state_dict(folder / "run/autoencoder.pth").at("decoder.0.weight").to_vector<float>();
  };
  const auto first = weights(" --seed 7 --threads 1");
  EXPECT_EQ(first, weights(" --seed 7 --threads 2"));
  EXPECT_NE(first, weights(" --seed 8"));
}

TEST(TrainAutoencoder, RefusesWhatIsWrongInOneLine) {
  const TempFolder folder;
  expect_refused(run_gradus("train autoencoder --bogus"), "--bogus");
  expect_refused(run_gradus("train autoencoder --messages 1"), "--messages");
  expect_refused(run_gradus("train autoencoder --lr -1"), "--lr");
  expect_refused(run_gradus("train"), "subcommand");
  expect_refused(run_gradus("train nothing"), "nothing");
  expect_refused(run_gradus(""), "subcommand");
  test::put_file(folder / "file", "x");
  expect_refused(run_gradus(kShort + " --out " + folder / "file"), "--out");
  expect_refused(run_gradus(kShort + " --out " + folder / "file/below"), "--out");
  EXPECT_EQ(test::file_bytes(folder / "file"), "x");
}

TEST(TrainAutoencoder, ExplainsItself) {
  for (const char* arguments : {"--help", "train --help", "train autoencoder --help", "train gan --help"}) {
    const CommandResult help = run_gradus(arguments);
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr("Usage: gradus"));
    EXPECT_EQ(help.err, "");
  }
  EXPECT_THAT(run_gradus("--version").out, StartsWith("gradus " + std::string(version())));
}

// Ends a run that would last for hours, once it is under way.
CommandResult interrupted(const std::string& arguments, const std::string& metrics) {
  return test::run_shell("'" + test::command_path() + "' " + arguments + " & pid=$!\n" +  //
                         "n=0; while [ ! -s '" + metrics +
                         "' ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done\n" + "kill -TERM $pid; wait $pid");
}

TEST(TrainAutoencoder, AnInterruptionSavesWhatWasReached) {
  const TempFolder folder;
  const CommandResult run = interrupted("train autoencoder --threads 1 --steps 100000000 --out " + folder / "run",
                                        folder / "run/metrics.jsonl");
  EXPECT_EQ(run.status, 130) << run.err;
  const json summary = read_json(folder / "run/summary.json");
  EXPECT_EQ(summary["interrupted"], true);
  EXPECT_GT(summary["joint"]["steps"].get<std::int64_t>(), 0);
  EXPECT_EQ(io::load_state_dict(folder / "run/autoencoder.pth").size(), 8U);
}

class TrainGan : public ::testing::Test {
 protected:
  std::string put(const std::string& bytes) {
    std::filesystem::create_directories(folder / "data");
    test::put_file(folder / "data/train-images-idx3-ubyte", bytes);
    return " --threads 1 --data " + folder / "data" + " --out " + folder / "run";
  }
  TempFolder folder;
};

TEST_F(TrainGan, WritesItsResults) {
  const CommandResult run = run_gradus("train gan --epochs 2 --batch 4" + put(idx(10, 10 * 784)));
  ASSERT_EQ(run.status, 0) << run.err;
  const json summary = read_json(folder / "run/summary.json");
  EXPECT_EQ(summary["images"], 10);
  EXPECT_EQ(summary["epochs"], 2);
  EXPECT_EQ(summary["steps"], 4);
  for (const char* file : {"run/samples-001.png", "run/samples-002.png"})
    EXPECT_THAT(test::file_bytes(folder / file), StartsWith("\x89PNG"));
  models::Generator generator;
  generator.load_state_dict(io::load_state_dict(folder / "run/generator.pth"));
  models::Discriminator discriminator;
  discriminator.load_state_dict(io::load_state_dict(folder / "run/discriminator.pth"));
}

TEST_F(TrainGan, RefusesWhatIsWrongInOneLine) {
  expect_refused(run_gradus("train gan --data " + folder / "nowhere" + " --out " + folder / "run"), "nowhere");
  expect_refused(run_gradus("train gan" + put("not an IDX file")), "train-images");
  expect_refused(run_gradus("train gan" + put(idx(10, 10 * 784 - 1))), "train-images");
  expect_refused(run_gradus("train gan" + put(idx(10, 10 * 784 + 1))), "train-images");
  expect_refused(run_gradus("train gan" + put(idx(0, 0))), "28 x 28");
  expect_refused(run_gradus("train gan --beta1 1" + put(idx(1, 784))), "beta");
  EXPECT_FALSE(std::filesystem::exists(folder / "run/summary.json"));
}

TEST_F(TrainGan, AnInterruptionSavesWhatWasReached) {
  const CommandResult run =
      interrupted("train gan --epochs 100000000 --batch 1" + put(idx(200, 200 * 784)), folder / "run/metrics.jsonl");
  EXPECT_EQ(run.status, 130) << run.err;
  const json summary = read_json(folder / "run/summary.json");
  EXPECT_EQ(summary["interrupted"], true);
  EXPECT_THAT(test::file_bytes(folder / "run/" + summary["samples"].get<std::string>()), StartsWith("\x89PNG"));
  EXPECT_EQ(io::load_state_dict(folder / "run/generator.pth").size(), 6U);
}

}  // namespace
}  // namespace gradus::cli

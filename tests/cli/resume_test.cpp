// Runs that stop and go on: by Ctrl-C, by SIGKILL at any moment, on a full disk. What they leave is what a run that
// never stopped leaves, bit for bit.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/command.h"

namespace gradus::cli {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::file_bytes;
using test::put_file;
using test::run_gradus;
using test::run_shell;
using test::TempFolder;
using testing::HasSubstr;

// Without what the clock decides.
json summary_of(const std::string& run) {
  json summary = json::parse(file_bytes(run + "/summary.json"));
  summary.erase("training_seconds");
  for (const char* phase : {"joint", "receiver"})
    if (summary.contains(phase)) summary[phase].erase("seconds");
  return summary;
}

void expect_same_run(const std::string& a, const std::string& b, const std::vector<std::string>& files) {
  EXPECT_EQ(summary_of(a), summary_of(b));
  for (const std::string& file : files) EXPECT_TRUE(file_bytes(a + "/" + file) == file_bytes(b + "/" + file)) << file;
}

// Starts the command and sends the signal `seconds` later, unless it has ended by then.
CommandResult stopped(const std::string& arguments, const std::string& signal, double seconds) {
  return run_shell("'" + test::command_path() + "' " + arguments + " & pid=$!; sleep " + std::to_string(seconds) +
                   "; kill -" + signal + " $pid 2>/dev/null; wait $pid");
}

const std::vector<std::string> kAutoencoderFiles{"metrics.jsonl", "autoencoder.pth", "bler.png"};
std::string autoencoder(int steps = 500) {
  return "train autoencoder --steps " + std::to_string(steps) +
         " --receiver-steps 400 --batch 32 --errors 2 --blocks 5000 --threads 1 --save-every 50";
}

class TrainGanResumed : public testing::Test {
 protected:
  TrainGanResumed() {
    std::string images{"\0\0\x08\x03\0\0\0\x50\0\0\0\x1c\0\0\0\x1c", 16};
    for (std::size_t i = 0; i < 80 * 784; ++i) images += static_cast<char>(i * i * 37 % 251);
    std::filesystem::create_directories(folder / "data");
    put_file(folder / "data/train-images-idx3-ubyte", images);
  }
  std::string command(int save_every = 7) {
    return "train gan --threads 1 --batch 8 --epochs 20 --data " + folder / "data" + " --save-every " +
           std::to_string(save_every);
  }
  TempFolder folder;
};

TEST(Resume, AfterSigkillAtAnyMomentTheAutoencoderGivesTheSameBits) {
  const TempFolder folder;
  ASSERT_EQ(run_gradus(autoencoder() + " --out " + folder / "whole").status, 0);
  int killed = 0;
  const std::string out = " --out " + folder / "run";
  CommandResult run = stopped(autoencoder() + out, "KILL", 0.15);
  for (double seconds = 0.08; run.status != 0 && killed < 40; seconds *= 1.2, ++killed) {
    ASSERT_EQ(run.status, 128 + SIGKILL) << run.err;
    const bool saved = !training::list_checkpoints(folder / "run/checkpoints").empty();
    run = stopped(saved ? "resume " + folder / "run" : autoencoder() + out, "KILL", seconds);
  }
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_GT(killed, 0);
  expect_same_run(folder / "whole", folder / "run", kAutoencoderFiles);
}

TEST_F(TrainGanResumed, AfterSigkillAtAnyMomentTheGanGivesTheSameBits) {
  ASSERT_EQ(run_gradus(command() + " --out " + folder / "whole").status, 0);
  int killed = 0;
  const std::string out = " --out " + folder / "run";
  CommandResult run = stopped(command() + out, "KILL", 0.3);
  for (double seconds = 0.15; run.status != 0 && killed < 40; seconds *= 1.3, ++killed) {
    ASSERT_EQ(run.status, 128 + SIGKILL) << run.err;
    const bool saved = !training::list_checkpoints(folder / "run/checkpoints").empty();
    run = stopped(saved ? "resume " + folder / "run" : command() + out, "KILL", seconds);
  }
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_GT(killed, 0);
  expect_same_run(
      folder / "whole", folder / "run",
      {"metrics.jsonl", "generator.pth", "discriminator.pth", "samples-001.png", "samples-013.png", "samples-020.png"});
}

TEST_F(TrainGanResumed, AnInterruptedRunGoesOnWithItsOptionsAndChanges) {
  ASSERT_EQ(run_gradus(command() + " --seed 5 --out " + folder / "whole").status, 0);
  // SIGTERM, as a shell's background jobs ignore SIGINT.
  const CommandResult first = run_shell("'" + test::command_path() + "' " + command(0) + " --seed 5 --out " +
                                        folder / "run" + " & pid=$!; while [ ! -e " + folder / "run/metrics.jsonl" +
                                        " ]; do sleep 0.01; done; sleep 0.05; kill -TERM $pid; wait $pid");
  ASSERT_EQ(first.status, 130) << first.err;
  EXPECT_EQ(summary_of(folder / "run")["interrupted"], true);
  std::filesystem::rename(folder / "data", folder / "moved");
  EXPECT_THAT(run_gradus("resume " + folder / "run").err, HasSubstr("train-images"));
  const CommandResult second = run_gradus("resume " + folder / "run" + " --data " + folder / "moved" + " --threads 2");
  ASSERT_EQ(second.status, 0) << second.err;
  expect_same_run(folder / "whole", folder / "run", {"metrics.jsonl", "generator.pth", "samples-020.png"});
  // A finished run has nothing left to do.
  const CommandResult third = run_gradus("resume " + folder / "run" + " --data=" + folder / "moved");
  ASSERT_EQ(third.status, 0) << third.err;
  expect_same_run(folder / "whole", folder / "run", {"metrics.jsonl", "generator.pth", "samples-020.png"});
}

// On a device of its own a run has the bits of one that never stopped, and the CPU's numbers but for rounding.
TEST_F(TrainGanResumed, OnADeviceItGoesOnWithItsBits) {
  const std::string options = " --device emulated";
  ASSERT_EQ(run_gradus(command(5) + options + " --steps 20 --out " + folder / "whole").status, 0);
  ASSERT_EQ(run_gradus(command(5) + options + " --steps 7 --out " + folder / "run").status, 0);
  const CommandResult rest = run_gradus("resume " + folder / "run" + " --steps=20");
  ASSERT_EQ(rest.status, 0) << rest.err;
  expect_same_run(folder / "whole", folder / "run", {"generator.pth", "discriminator.pth"});
  ASSERT_EQ(run_gradus(command(5) + " --steps 20 --out " + folder / "cpu").status, 0);
  const json here = summary_of(folder / "cpu"), there = summary_of(folder / "whole");
  EXPECT_NEAR(there["d_loss"].get<double>(), here["d_loss"].get<double>(), 1e-2);
  EXPECT_NEAR(there["g_loss"].get<double>(), here["g_loss"].get<double>(), 1e-2);
}

TEST(Resume, TheAutoencoderTrainsOnADevice) {
  const TempFolder folder;
  const std::string command =
      "train autoencoder --steps 20 --receiver-steps 5 --batch 32 --errors 2 --blocks 500 --threads 1 --out ";
  const CommandResult run = run_gradus(command + folder / "there" + " --device emulated");
  ASSERT_EQ(run.status, 0) << run.err;
  ASSERT_EQ(run_gradus(command + folder / "here").status, 0);
  const json here = summary_of(folder / "here"), there = summary_of(folder / "there");
  EXPECT_EQ(there["encoder_unchanged"], true);
  EXPECT_NEAR(there["joint"]["loss"].get<double>(), here["joint"]["loss"].get<double>(), 1e-3);
}

TEST(Resume, AFullDiskStopsNeitherTrainingNorWhatWasSaved) {
  const TempFolder folder;
  ASSERT_EQ(run_gradus(autoencoder() + " --out " + folder / "whole").status, 0);
  // No file may be larger than 48 blocks of 512 bytes: metrics.jsonl fits, a checkpoint does not.
  const CommandResult run = run_shell("trap '' XFSZ; ulimit -f 48; exec '" + test::command_path() + "' " +
                                      autoencoder() + " --out " + folder / "run");
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("File too large; training goes on\n"));
  EXPECT_THAT(run.err, HasSubstr("autoencoder.pth: File too large"));
  EXPECT_TRUE(training::list_checkpoints(folder / "run/checkpoints").empty());
  // Training went on: all of its lines are there.
  const std::string lines = file_bytes(folder / "run/metrics.jsonl"),
                    wanted = file_bytes(folder / "whole/metrics.jsonl");
  EXPECT_EQ(lines, wanted.substr(0, lines.size()));
  EXPECT_THAT(lines, HasSubstr("\"phase\":\"receiver\",\"step\":400"));
}

TEST(Resume, ADamagedLatestCheckpointIsPassedOver) {
  const TempFolder folder;
  ASSERT_EQ(run_gradus(autoencoder() + " --out " + folder / "whole").status, 0);
  std::filesystem::copy(folder / "whole", folder / "run", std::filesystem::copy_options::recursive);
  const auto all = training::list_checkpoints(folder / "run/checkpoints");
  ASSERT_EQ(all.size(), 3U);
  put_file(all.back().path, file_bytes(all.back().path).substr(0, 3000));
  const CommandResult run = run_gradus("resume " + folder / "run");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("going on from " + all[1].path));
  expect_same_run(folder / "whole", folder / "run", kAutoencoderFiles);
}

TEST(Resume, AFolderWithCheckpointsIsNotOverwritten) {
  const TempFolder folder;
  const std::string command = autoencoder(60) + " --out " + folder / "run";
  ASSERT_EQ(run_gradus(command).status, 0);
  const std::string metrics = file_bytes(folder / "run/metrics.jsonl");
  const CommandResult again = run_gradus(command + " --seed 2");
  EXPECT_EQ(again.status, 2);
  EXPECT_THAT(again.err, HasSubstr("gradus resume " + folder / "run"));
  EXPECT_EQ(file_bytes(folder / "run/metrics.jsonl"), metrics);
  ASSERT_EQ(run_gradus(command + " --seed 2 --overwrite").status, 0);
  EXPECT_NE(file_bytes(folder / "run/metrics.jsonl"), metrics);
  // What it made is a run too where it has no checkpoints.
  std::filesystem::remove_all(folder / "run/checkpoints");
  EXPECT_EQ(run_gradus(command).status, 2);
}

// A mistake in another option must not cost the run that is to be overwritten.
TEST(Resume, OverwritingBeginsWithTheRun) {
  const TempFolder folder;
  put_file(folder / "r.yaml",
           "networks: {net: [\"Linear(2, 2)\"]}\nlosses: {loss: \"net(randn(4, 2)).mean()\"}\n"
           "optimizers: {sgd: {type: SGD, lr: 0.1}}\nphases: [{steps: 3, minimize: loss}]\n");
  const std::string recipe = "train " + folder / "r.yaml" + " --overwrite --out " + folder / "run";
  ASSERT_EQ(run_gradus(recipe).status, 0);
  const auto contents = [&] {
    std::string all;
    for (const char* file : {"checkpoints/checkpoint-00000003.pth", "metrics.jsonl", "recipe.yaml", "summary.json"})
      all += file_bytes(folder / "run/" + file);
    return all;
  };
  const std::string before = contents();
  EXPECT_EQ(run_gradus(recipe + " --set optimizers.sgd.lr=no").status, 2);
  EXPECT_EQ(run_gradus("train gan --overwrite --data " + folder / "none" + " --out " + folder / "run").status, 2);
  EXPECT_EQ(run_gradus("train lenet --overwrite --data " + folder / "none" + " --out " + folder / "run").status, 2);
  EXPECT_EQ(contents(), before);
  EXPECT_EQ(run_gradus(recipe).status, 0);
  EXPECT_NE(contents(), before);
}

// Also before the first step, and after the last.
TEST(Resume, ARunThatBeganCanGoOn) {
  const TempFolder folder;
  ASSERT_EQ(run_gradus(autoencoder() + " --out " + folder / "whole").status, 0);
  const std::string out = folder / "run";
  const CommandResult killed =
      run_shell("'" + test::command_path() + "' " + autoencoder() + " --out " + out + " & pid=$!; while [ ! -e " + out +
                "/checkpoints/checkpoint-00000000.pth ]; do kill -0 $pid || exit 99; "
                "sleep 0.01; done; kill -KILL $pid; wait $pid");
  ASSERT_EQ(killed.status, 128 + SIGKILL) << killed.err;
  ASSERT_EQ(run_gradus("resume " + out).status, 0);
  expect_same_run(folder / "whole", out, kAutoencoderFiles);
  // Training is over, its results are not written.
  for (const char* file : {"summary.json", "autoencoder.pth", "bler.png"}) std::filesystem::remove(out + "/" + file);
  EXPECT_EQ(training::list_checkpoints(out + "/checkpoints").back().step, 900);
  ASSERT_EQ(run_gradus("resume " + out).status, 0);
  expect_same_run(folder / "whole", out, kAutoencoderFiles);
}

TEST_F(TrainGanResumed, GoesOnFromAnotherFolder) {
  ASSERT_EQ(run_gradus(command() + " --out " + folder / "whole").status, 0);
  std::filesystem::create_directories(folder / "elsewhere");
  const std::string gradus = "'" + test::command_path() + "' ";
  const CommandResult first =
      run_shell("cd " + folder.path() + "; " + gradus +
                "train gan --threads 1 --batch 8 --epochs 20 --data data --out run & pid=$!; while [ ! -e "
                "run/checkpoints/checkpoint-00000000.pth ]; do kill -0 $pid || exit 99; sleep 0.01; done; "
                "kill -KILL $pid; wait $pid");
  ASSERT_NE(first.status, 0);
  const CommandResult second = run_shell("cd " + folder / "elsewhere" + "; " + gradus + "resume ../run");
  ASSERT_EQ(second.status, 0) << second.err;
  expect_same_run(folder / "whole", folder / "run", {"metrics.jsonl", "generator.pth"});
  // A change is a path from here.
  std::filesystem::rename(folder / "data", folder / "elsewhere/moved");
  for (const char* change : {"--data moved", "--data=moved"})
    EXPECT_EQ(run_shell("cd " + folder / "elsewhere" + "; " + gradus + "resume ../run " + change).status, 0) << change;
}

TEST(Resume, OneRunPerFolder) {
  const TempFolder folder;
  const std::string long_run =
      "'" + test::command_path() + "' train autoencoder --steps 100000000 --out " + folder / "run";
  const CommandResult result = run_shell(long_run + " & pid=$!; while [ ! -s " + folder / "run/metrics.jsonl" +
                                         " ]; do kill -0 $pid || exit 99; sleep 0.05; done; " + long_run +
                                         "; status=$?; kill -KILL $pid; exit $status");
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("another run is writing to"));
}

TEST(Resume, RefusesWhatCannotGoOn) {
  const TempFolder folder;
  const auto refused = [](const CommandResult& run, const std::string& part) {
    EXPECT_EQ(run.status, 2);
    EXPECT_THAT(run.err, HasSubstr(part));
  };
  refused(run_gradus("resume " + folder / "none"), "there is no checkpoint in");
  refused(run_gradus("resume"), "DIR");
  // A file cannot make the command do anything but train.
  training::Checkpoint hostile;
  hostile.options.set("arguments", io::Value::list({"ckpt", "convert", "a", "b"}));
  training::CheckpointManager(folder / "hostile/checkpoints", hostile).save(1);
  refused(run_gradus("resume " + folder / "hostile"), "ckpt");
  ASSERT_EQ(run_gradus(autoencoder(60) + " --out " + folder / "run").status, 0);
  refused(run_gradus("resume " + folder / "run" + " --bogus 3"), "--bogus");
  refused(run_gradus("resume " + folder / "run" + " --messages 8"), "part 'net'");
  put_file(folder / "run/metrics.jsonl", "");
  refused(run_gradus("resume " + folder / "run"), "need its first");
}

}  // namespace
}  // namespace gradus::cli

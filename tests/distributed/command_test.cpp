// mpirun -n 3 gradus train ...: one run, whatever the number of processes.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "distributed/launch.h"

namespace gradus::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class CommandInProcesses : public testing::Test {
 protected:
  CommandInProcesses() {
    std::string rows = "a,b,y\n";
    for (int i = 0; i < 41; ++i)
      rows += std::to_string(i * 37 % 23) + "," + std::to_string(i * 11 % 17) + "," + std::to_string(i * 7 % 2) + "\n";
    put_file(folder / "rows.csv", rows);
    put_file(
        folder / "r.yaml",
        "seed: 4\n"
        "data: {dataset: \"CsvDataset(rows.csv, target=y)\", test: \"CsvDataset(rows.csv, target=y)\", "
        "batch_size: 16}\n"
        "networks: {net: {layers: [\"Linear(2, 6)\", \"BatchNorm1d(6)\", ReLU, \"Dropout(0.2)\", \"Linear(6, 2)\"]}}\n"
        "losses: {loss: \"cross_entropy(net(x), y)\"}\n"
        "optimizers: {adam: {type: Adam, lr: 1e-2}}\n"
        "phases: [{epochs: 20, minimize: loss}]\n"
        "evaluate: {metrics: {accuracy: \"accuracy(net(x), y)\", loss: \"cross_entropy(net(x), y)\"}}\n");
  }
  std::string command(const std::string& arguments) const {
    return "sh -c \"cd '" + folder.path() + "' && exec '" + command_path() + "' " + arguments + "\"";
  }
  // Of all that a run leaves, what the clock does not decide.
  json summary(const std::string& run) const {
    json summary = json::parse(file_bytes(folder / run + "/summary.json"));
    for (const char* key : {"training_seconds", "processes"}) summary.erase(key);
    for (const char* phase : {"joint", "receiver"})
      if (summary.contains(phase)) summary[phase].erase("seconds");
    return summary;
  }
  void expect_same(const std::string& a, const std::string& b, const std::string& weights) const {
    EXPECT_EQ(summary(a), summary(b));
    for (const std::string& file : {weights, std::string("metrics.jsonl")})
      EXPECT_TRUE(file_bytes(folder / a + "/" + file) == file_bytes(folder / b + "/" + file)) << a << b << file;
  }
  TempFolder folder;
};

TEST_F(CommandInProcesses, ARecipeGivesTheSameBitsAndOneLog) {
  const CommandResult alone = run_shell(command("train r.yaml --chunks 4 --out one"));
  ASSERT_EQ(alone.status, 0) << alone.err;
  for (const std::string& backend : backends()) {
    const std::string out = "run-" + backend;
    const CommandResult result = launch_program(backend, 3, command("train r.yaml --chunks 4 --out " + out));
    ASSERT_EQ(result.status, 0) << backend << result.err;
    expect_same("one", out, "net.pth");
    // As one process says it, and a line about the processes.
    const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
    EXPECT_EQ(lines(result.out), lines(alone.out) + 1) << result.out;
    EXPECT_THAT(result.out, HasSubstr("3 processes (" + backend + "), 4 chunks of every batch; threads of each: 1\n"));
    EXPECT_EQ(json::parse(file_bytes(folder / out + "/summary.json"))["processes"], 3);
  }
}

// One rank is asked to stop; all do, and any number goes on.
TEST_F(CommandInProcesses, AllStopWhenOneIsAskedTo) {
  const std::string train =
      "train autoencoder --steps 200 --receiver-steps 20 --batch 32 --errors 2 --blocks 4000 "
      "--chunks 4 --threads 1 --out ";
  ASSERT_EQ(run_shell(command(train + "one")).status, 0);
  for (const std::string& backend : backends()) {
    if (backend == "mpich") continue;  // as OpenMPI
    const std::string out = "stopped-" + backend, rank = backend == "openmpi" ? "$OMPI_COMM_WORLD_RANK" : "$RANK";
    // The shell of rank 1 asks its child once the run has begun.
    put_file(folder / "rank.sh", "cd '" + folder.path() + "'\n'" + command_path() + "' " + train + out +
                                     " & pid=$!\nif [ " + rank + " = 1 ]; then while [ ! -s " + out +
                                     "/metrics.jsonl ]; do sleep 0.02; done; kill -TERM $pid; fi\nwait $pid\n");
    const CommandResult result = launch_program(backend, 3, "sh '" + folder / "rank.sh'");
    EXPECT_NE(result.status, 0) << backend;
    EXPECT_TRUE(summary(out)["interrupted"]) << backend << result.err;
    EXPECT_THAT(result.err, Not(HasSubstr("gradus: "))) << backend;
    const CommandResult rest = launch_program(backend, 2, command("resume " + out));
    ASSERT_EQ(rest.status, 0) << backend << rest.err;
    expect_same("one", out, "autoencoder.pth");
  }
}

TEST_F(CommandInProcesses, AnErrorIsSaidOnce) {
  for (const std::string& backend : backends()) {
    if (backend == "mpich") continue;  // as OpenMPI
    const auto says = [&](const std::string& arguments, const std::string& what) {
      const CommandResult result = launch_program(backend, 3, command(arguments));
      EXPECT_NE(result.status, 0) << backend << arguments;
      const auto first = result.err.find(what);
      EXPECT_NE(first, std::string::npos) << backend << result.err;
      EXPECT_EQ(result.err.find(what, first + 1), std::string::npos) << backend << result.err;
    };
    says("train r.yaml --steps x --out bad", "--steps");
    if (backend != "openmpi") continue;  // the rest is the same for all
    says("train r.yaml --chunks 2 --out bad", "--chunks: 3 processes need at least as many chunks, got 2");
    says("train r.yaml --chunks 9 --out bad", "r.yaml:2:7: a batch of 16 samples in 9 chunks has chunks of one sample");
    says("train no-such-recipe --out bad", "there is no recipe 'no-such-recipe'");
    EXPECT_FALSE(std::filesystem::exists(folder / "bad/summary.json"));
  }
}

// A loader's shares, a test without duplicates, a picture that one rank alone meets and cannot read.
TEST_F(CommandInProcesses, PicturesAreSharedOut) {
  Generator generator(3);
  for (const std::string name : {"blue", "green"}) {
    std::filesystem::create_directories(folder / "pictures/" + name);
    for (int i = 0; i < 13; ++i) {
      Tensor picture = randint(0, 100, {3, 32, 32}, {}, &generator);
      picture.select(0, name == "blue" ? 2 : 1).add_(120);
      io::write_png(folder / "pictures/" + name + "/" + std::to_string(i) + ".png", picture.to(kUInt8));
    }
  }
  put_file(folder / "pictures/green/4.png", "torn");
  const std::string train =
      "finetune --model lenet --batch 6 --epochs 2 --held-out 0.3 --lr 0.02 --skip-damaged --chunks 4 --threads 1 "
      "--data pictures --out ";
  const CommandResult alone = run_shell(command(train + "one"));
  ASSERT_EQ(alone.status, 0) << alone.err;
  ASSERT_THAT(alone.out, HasSubstr("green/4.png"));
  for (const std::string& backend : backends()) {
    const CommandResult result = launch_program(backend, 3, command(train + "run-" + backend));
    ASSERT_EQ(result.status, 0) << backend << result.err;
    expect_same("one", "run-" + backend, "model.pth");
    EXPECT_THAT(result.out, HasSubstr("green/4.png")) << backend;
  }
}

}  // namespace
}  // namespace gradus::test

// A loss that is NaN or infinite, in every command that trains: what is said, what is written, how it ends.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/run/metrics.h"
#include "support/command.h"

namespace gradus::cli {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::run_gradus;
using test::TempFolder;
using testing::HasSubstr;
using testing::Not;

json summary_of(const std::string& run) { return json::parse(test::file_bytes(run + "/summary.json")); }

std::vector<json> lines_of(const std::string& run) {
  std::vector<json> lines;
  std::istringstream text(test::file_bytes(run + "/metrics.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
  return lines;
}

// The third of five samples is NaN.
std::string put_recipe(const TempFolder& folder, const std::string& more = "") {
  test::put_file(folder / "t.csv", "a,y\n1,2\n2,4\nnan,6\n4,8\n5,10\n");
  test::put_file(folder / "r.yaml", "data:\n  dataset: CsvDataset('" + folder / "t.csv', target=y)\n" +
                                        "  batch_size: 1\n  shuffle: false\n"
                                        "networks: {net: \"Linear(1, 1)\"}\n"
                                        "losses: {loss: \"mse_loss(net(x), reshape(float(y), [-1, 1]))\"}\n"
                                        "optimizers: {sgd: {type: SGD, lr: 0.01}}\n"
                                        "phases: [{epochs: 2, minimize: loss}]\n" +
                                        more);
  return folder / "r.yaml";
}

void expect_stopped(const CommandResult& result, const std::string& run, const std::string& loss) {
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_THAT(result.err, testing::ContainsRegex("gradus: step [0-9]+: " + loss + " is (nan|-?inf); the run ends"));
  const json summary = summary_of(run);
  const std::int64_t step = summary["diverged"]["step"];
  EXPECT_EQ(summary["diverged"][loss], nullptr);
  EXPECT_EQ(summary["interrupted"], true);
  bool logged = false;
  for (const json& line : lines_of(run))
    if (line.contains("nonfinite") && line["step"] == step) logged = line["nonfinite"].contains(loss);
  EXPECT_TRUE(logged);
}

TEST(NotFinite, StopsARecipeBeforeTheUpdate) {
  const TempFolder folder;
  const std::string run = folder / "run";
  const CommandResult result = run_gradus("train " + put_recipe(folder) + " --out " + run);
  expect_stopped(result, run, "loss");
  EXPECT_THAT(result.err, HasSubstr("step 3: loss is nan"));
  EXPECT_THAT(result.err, Not(HasSubstr("loss 0")));
  const json summary = summary_of(run);
  EXPECT_EQ(summary["nonfinite"], (json{{"losses.loss", "nan"}, {"diverged.loss", "nan"}}));
  EXPECT_TRUE(std::isfinite(io::load_state_dict(run + "/net.pth").at("weight").item()));
  // What was trained is there, and what is left can be.
  EXPECT_EQ(run_gradus("resume " + run + " --on-nan=skip").status, 0);
  EXPECT_EQ(summary_of(run)["steps"], 10);
}

TEST(NotFinite, IsLeftOutOrLetThroughWhereThatIsAskedFor) {
  const TempFolder folder;
  const std::string run = folder / "run";
  for (const std::string& skip : {"train " + put_recipe(folder) + " --on-nan skip --out " + run,
                                  "train " + put_recipe(folder, "on_nan: skip\n") + " --overwrite --out " + run}) {
    const CommandResult skipped = run_gradus(skip);
    EXPECT_EQ(skipped.status, 0) << skipped.err;
    EXPECT_THAT(skipped.err, HasSubstr("step 3: loss is nan; such updates are skipped"));
    EXPECT_THAT(skipped.err, HasSubstr("2 of 10 steps had a loss that is not finite"));
    EXPECT_EQ(summary_of(run)["nonfinite_steps"], 2);
    EXPECT_FALSE(summary_of(run).contains("nonfinite"));
  }
  const CommandResult result = run_gradus("train " + put_recipe(folder) + " --on-nan continue --out " + folder / "all");
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_THAT(result.err, HasSubstr("step 3: loss is nan; the run goes on"));
  EXPECT_THAT(result.err, HasSubstr("step 10: net.weight has numbers that are not finite"));
  EXPECT_EQ(summary_of(folder / "all")["nonfinite"]["losses.loss"], "nan");
  EXPECT_EQ(run_gradus("train " + put_recipe(folder) + " --on-nan never --out " + run).status, 2);
}

TEST(NotFinite, MetricsAreNamedAndNeverBest) {
  const TempFolder folder;
  const std::string run = folder / "run";
  const std::string path = put_recipe(folder, "evaluate: {metrics: {m: \"log(mean(net.weight) * 0 - 1)\"}, best: m}\n");
  std::string text = test::file_bytes(path);
  text.insert(text.find("  batch_size"), "  held_out: 0.2\n");
  test::put_file(path, text);
  const CommandResult result = run_gradus("train " + path + " --on-nan skip --out " + run);
  EXPECT_THAT(result.err, HasSubstr("test.m is nan"));
  EXPECT_THAT(result.out, HasSubstr("m: nan"));
  EXPECT_EQ(summary_of(run)["nonfinite"]["metrics.m"], "nan");
  EXPECT_FALSE(std::filesystem::exists(run + "/checkpoints/best.pth"));
}

TEST(NotFinite, IsSaidByTheLastUpdateToo) {
  const TempFolder folder;
  const std::string path = put_recipe(folder);
  const CommandResult result =
      run_gradus("train " + path + " --set data.limit=1 --set phases.0.epochs=1 --set optimizers.sgd.lr=3e38 --out " +
                 folder / "run");
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_THAT(result.err, HasSubstr("step 1: net.weight has numbers that are not finite"));
}

TEST(NotFinite, StopsTheTrainingPrograms) {
  const TempFolder folder;
  const std::string run = folder / "autoencoder";
  expect_stopped(run_gradus("train autoencoder --steps 50 --receiver-steps 5 --batch 32 --errors 2 --blocks 5000 "
                            "--lr 1e30 --out " +
                            run),
                 run, "loss");

  std::string images{"\0\0\x08\x03\0\0\0\x20\0\0\0\x1c\0\0\0\x1c", 16};
  for (int i = 0; i < 32 * 784; ++i) images += static_cast<char>(i * 37 % 251);
  test::put_file(folder / "train-images-idx3-ubyte", images);
  const std::string gan = folder / "gan";
  expect_stopped(run_gradus("train gan --lr 1e30 --batch 8 --data " + folder.path() + " --out " + gan), gan, "g_loss");

  std::filesystem::create_directories(folder / "pictures");
  for (const std::string name : {"a", "b"}) {
    std::filesystem::create_directories(folder / "pictures/" + name);
    for (int i = 0; i < 6; ++i)
      io::write_png(folder / ("pictures/" + name + "/" + std::to_string(i) + ".png"),
                    randint(0, 255, {3, 32, 32}).to(kUInt8));
  }
  for (const std::string command :
       {"train lenet --features-lr 1e30 --classifier-lr 1e30 ", "finetune --model lenet --lr 1e30 "}) {
    const std::string out = folder / (command.substr(0, 5) + "out");
    expect_stopped(run_gradus(command + "--epochs 9 --batch 2 --data " + folder / "pictures --out " + out), out,
                   "loss");
    for (const auto& [name, x] : io::load_state_dict(out + "/model.pth"))
      EXPECT_TRUE(std::isfinite(x.abs().max().item())) << name;
  }
}

TEST(NotFinite, CurvesHaveAGapAndAreNoLessThere) {
  const TempFolder folder;
  test::put_file(folder / "metrics.jsonl",
                 "{\"step\":1,\"loss\":null,\"note\":null,\"nonfinite\":{\"loss\":\"nan\"}}\n");
  Metrics metrics(folder / "metrics.jsonl");
  metrics.read();
  EXPECT_THAT(metrics.keys(), testing::ElementsAre("loss"));
  EXPECT_TRUE(std::isnan(metrics.curves().at("loss").y[0]));
  EXPECT_THAT(run_gradus("watch " + folder.path()).out, HasSubstr("loss nan"));
  EXPECT_EQ(run_gradus("plot " + folder.path()).status, 0);
}

}  // namespace
}  // namespace gradus::cli

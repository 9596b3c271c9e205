// --audit and --receipt of the training commands, gradus verify, and gradus plan without data.
#include <algorithm>

#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/command.h"

namespace gradus::cli {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::file_bytes;
using test::run_gradus;
using test::TempFolder;
using testing::HasSubstr;
using testing::Not;

// Two networks without data; the first is made with a mistake, the second is frozen at first.
const std::string kRecipe = R"yaml(
networks:
  net: ["Linear(4, 8)", ReLU, "Linear(8, 4)"SOFTMAX]
  other: "Linear(4, 1)"
values:
  x: "randn([16, 4])"
losses:
  loss: "cross_entropy(net(x), argmax(x, 1))"
  second: "mean(other(x) ** 2)"
optimizers:
  net_opt: {type: SGD, params: net, lr: 0.1}
  other_opt: {type: Adam, params: other, lr: 0.01}
phases:
- {name: first, steps: 12, minimize: loss, optimizer: net_opt, freeze: net.0}
- {name: second, steps: 8, minimize: second, optimizer: other_opt}
)yaml";

struct Watched : ::testing::Test {
  std::string recipe(bool mistake, const std::string& more = "") {
    std::string text = kRecipe + more;
    const std::string mark = "SOFTMAX";
    text.replace(text.find(mark), mark.size(), mistake ? ", \"Softmax(1)\"" : "");
    test::put_file(folder / "r.yaml", text);
    return "'" + folder / "r.yaml" + "'";
  }
  json read(const std::string& file) { return json::parse(file_bytes(folder / file)); }
  std::string out() { return " --out '" + folder / "run" + "'"; }
  static std::vector<std::string> rules(const json& report) {
    std::vector<std::string> names;
    for (const auto& finding : report["findings"]) names.push_back(finding["rule"]);
    return names;
  }
  TempFolder folder;
};

TEST_F(Watched, FindingsOfARecipeAreToldInItsLanguageAndChangeNoStatus) {
  const CommandResult run = run_gradus("train " + recipe(true) + " --audit" + out());
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("audit, after the first epoch:"));
  EXPECT_THAT(run.out, HasSubstr("normalised-twice (wrong)"));
  EXPECT_THAT(run.out, HasSubstr("leave out the Softmax"));
  EXPECT_THAT(run.out, Not(HasSubstr("optim::")));
  const json audit = read("run/audit.json");
  EXPECT_THAT(rules(audit["first_epoch"]), testing::Contains("normalised-twice"));
  EXPECT_THAT(rules(audit["end"]), testing::Contains("normalised-twice"));
  EXPECT_EQ(audit["end"]["steps"], 20);
}

TEST_F(Watched, ARecipeMayAskForTheAuditAndSayWhatIsMeant) {
  CommandResult run = run_gradus("train " + recipe(true, "audit: true\nexpect: {normalised-twice: \"*\"}\n") + out());
  EXPECT_EQ(run.status, 0) << run.err;
  const json audit = read("run/audit.json");
  EXPECT_EQ(rules(audit["end"]), std::vector<std::string>{}) << audit["end"]["findings"].dump(1);
  EXPECT_EQ(audit["end"]["expected"].size(), 1U);
  run = run_gradus("check " + recipe(false, "expect: {normalized-twice: \"*\"}\n"));
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("did you mean 'normalised-twice'"));
}

TEST_F(Watched, WithoutAMistakeNothingIsFound) {
  const CommandResult run = run_gradus("train " + recipe(false) + " --audit" + out());
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("nothing found; looked at: "));
  EXPECT_EQ(rules(read("run/audit.json")["end"]), std::vector<std::string>{});
}

TEST_F(Watched, TheReceiptOfARunIsVerifiedWithItsCheckpoints) {
  const CommandResult run = run_gradus("train " + recipe(false) + out() + " --receipt");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("receipt: "));
  const std::string receipt = "'" + folder / "run/receipt.json" + "' ";
  const auto verify = [&](const std::string& arguments) { return run_gradus("verify " + receipt + arguments); };
  CommandResult verdict = verify("'" + folder / "run/net.pth" + "'");
  EXPECT_EQ(verdict.status, 0) << verdict.out << verdict.err;
  EXPECT_THAT(verdict.out, HasSubstr("frozen: unchanged bits, 2 tensors"));
  EXPECT_THAT(verdict.out, HasSubstr("trained: as the run left them, 2 tensors"));
  EXPECT_THAT(verdict.out, HasSubstr("no optimizer moved what another owns"));
  EXPECT_EQ(verify("'" + folder / "run/other.pth" + "'").status, 0);
  std::string last;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run/checkpoints")) {
    const std::string path = entry.path().string();
    if (path.find("best") == std::string::npos) last = std::max(last, path);
  }
  verdict = verify("'" + last + "'");
  EXPECT_EQ(verdict.status, 0) << last << verdict.out << verdict.err;

  nn::StateDict dict = io::load_state_dict(folder / "run/net.pth");
  dict.set("0.bias", dict.at("0.bias") + 1e-3);
  io::save(folder / "changed.safetensors", dict);
  verdict = verify("--network net '" + folder / "changed.safetensors" + "'");
  EXPECT_EQ(verdict.status, 1) << verdict.err;
  EXPECT_THAT(verdict.out, HasSubstr("frozen: changed: net.0.bias"));
  dict = io::load_state_dict(folder / "run/net.pth");
  dict.set("2.bias", dict.at("2.bias") + 1e-3);
  io::save(folder / "later.pth", dict);
  EXPECT_EQ(verify("--network net '" + folder / "later.pth" + "'").status, 1);
  EXPECT_EQ(verify("--frozen --network net '" + folder / "later.pth" + "'").status, 0);
  dict.erase("2.weight");
  io::save(folder / "part.pth", dict);
  verdict = verify("--network net '" + folder / "part.pth" + "'");
  EXPECT_EQ(verdict.status, 1);
  EXPECT_THAT(verdict.out, HasSubstr("missing: net.2.weight"));

  io::save(folder / "foreign.pth", nn::StateDict{{"something", ones({2})}});
  verdict = verify("'" + folder / "foreign.pth" + "'");
  EXPECT_EQ(verdict.status, 2);
  EXPECT_THAT(verdict.err, HasSubstr("of another run"));
  verdict = run_gradus("verify '" + folder / "r.yaml" + "' '" + folder / "run/net.pth" + "'");
  EXPECT_EQ(verdict.status, 2);
  EXPECT_THAT(verdict.err, HasSubstr("is not a receipt"));
  EXPECT_EQ(run_gradus("train " + recipe(false) + " --receipt '" + folder / "r.yaml" + "' --out '" + folder / "b" + "'")
                .status,
            2);
}

TEST_F(Watched, AReceiptGoesOnWithAResumedRun) {
  const std::string file = folder / "whole.json";
  const CommandResult whole =
      run_gradus("train " + recipe(false) + " --out '" + folder / "whole" + "' --receipt '" + file + "'");
  ASSERT_EQ(whole.status, 0) << whole.err;
  // Ends early, and goes on.
  const CommandResult part = run_gradus("train " + recipe(false) + out() +
                                        " --receipt --save-every 5 --set phases.1.steps=1 --set phases.0.steps=12");
  ASSERT_EQ(part.status, 0) << part.err;
  const CommandResult resumed = run_gradus("resume '" + folder / "run" + "'");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  const json a = json::parse(file_bytes(file)), b = read("run/receipt.json");
  EXPECT_EQ(b["resumed"], 1);
  EXPECT_TRUE(b["broken"].empty()) << b["broken"];
  EXPECT_EQ(a["parameters"][0]["before"], b["parameters"][0]["before"]);
  EXPECT_EQ(a["parameters"][2]["after"], b["parameters"][2]["after"]);  // trained in the first phase alone
  EXPECT_EQ(b["steps"], 13);
}

TEST_F(Watched, EveryTrainingCommandHasThem) {
  const CommandResult run = run_gradus(
      "train autoencoder --steps 12 --receiver-steps 8 --batch 32 --errors 2 --blocks 500 --audit --receipt" + out());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("audit, of the run:"));
  const json audit = read("run/audit.json");
  for (const auto& finding : audit["end"]["findings"]) EXPECT_EQ(finding["severity"], "advice") << finding.dump(1);
  const json receipt = read("run/receipt.json");
  EXPECT_EQ(receipt["phases"].size(), 2U);
  const CommandResult verdict =
      run_gradus("verify '" + folder / "run/receipt.json" + "' '" + folder / "run/autoencoder.pth" + "'");
  EXPECT_EQ(verdict.status, 0) << verdict.out << verdict.err;
}

TEST_F(Watched, RemediesOfBuiltInCommandsAreOptions) {
  const CommandResult run = run_gradus(
      "train autoencoder --steps 12 --receiver-steps 8 --batch 32 --errors 2 --blocks 500 --lr 1e6 --audit" + out());
  ASSERT_EQ(run.status, 0) << run.err;
  bool found = false;
  const json audit = read("run/audit.json");
  for (const auto& finding : audit["end"]["findings"]) {
    if (finding["rule"] != "exploding-gradient") continue;
    found = true;
    EXPECT_EQ(finding["remedy"], "a smaller rate: --lr, and the options that end in -lr");
  }
  EXPECT_TRUE(found) << run.out;
}

TEST_F(Watched, PlanNeedsNeitherDataNorWeights) {
  const std::string text = R"yaml(
data: {dataset: "ImageFolder('NOWHERE/train')", transforms: ["Resize(32)", "CenterCrop(32)", ToTensor], batch_size: 256}
networks: {net: {model: "resnet18(num_classes=7)", weights: 'NOWHERE/w.pth'}}
losses: {loss: "cross_entropy(net(x), y)"}
optimizers: {opt: {type: SGD, lr: 0.1}}
phases: [{epochs: 1, minimize: loss}]
)yaml";
  test::put_file(folder / "big.yaml", text);
  const std::string plan = "plan '" + folder / "big.yaml" + "'";
  CommandResult result = run_gradus(plan);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("SGD[0]"));
  EXPECT_THAT(result.err, HasSubstr("blank samples stand for the data"));
  EXPECT_THAT(result.err, HasSubstr("fresh values stand for the weights of net"));
  result = run_gradus(plan + " --input 3x64x64 --classes 7");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, Not(HasSubstr("blank samples")));
  result = run_gradus(plan + " --input 3x64x64 --classes 10");
  EXPECT_EQ(result.status, 2);
  result = run_gradus(plan + " --input 3xx");
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("--input"));
  // A table does not say how many columns it has; training needs the data all the same.
  test::put_file(folder / "table.yaml", R"yaml(
data: {dataset: "CsvDataset('NOWHERE/t.csv', target=price, target_type=float)", batch_size: 8}
networks: {net: "Linear(5, 1)"}
losses: {loss: "mse_loss(squeeze(net(x), 1), y)"}
optimizers: {opt: {type: SGD, lr: 0.1}}
phases: [{epochs: 1, minimize: loss}]
)yaml");
  const std::string table = "'" + folder / "table.yaml" + "'";
  result = run_gradus("plan " + table);
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("--input"));
  EXPECT_EQ(run_gradus("plan " + table + " --input 5").status, 0);
  EXPECT_EQ(run_gradus("train " + table + out()).status, 2);
}

}  // namespace
}  // namespace gradus::cli

// Recipes as a user of the command meets them: gradus check, plan, schema, train and resume.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "recipe/language/language.h"
#include "recipe/support.h"
#include "support/command.h"

namespace gradus::recipe {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::CommandResult;
using test::file_bytes;
using test::run_gradus;
using test::TempFolder;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// A recipe of one's own: two groups, two phases, a metric, a picture.
const std::string kOwn = R"yaml(
data:
  dataset: FashionMNIST(root='PICTURES')
  test: FashionMNIST(root='PICTURES', train=false)
  transforms: [ToTensor, "Normalize(0.5, 0.5)", Flatten]
  batch_size: 8
networks:
  net: ["Linear(784, 16)", ReLU, "Linear(16, 10)"]
losses:
  loss: cross_entropy(net(x), y)
optimizers:
  sgd: {type: SGD, lr: 0.01, momentum: 0.9, groups: {net.2: {lr: 0.05}}}
phases:
- {name: all, epochs: 3, minimize: loss}
- {name: last, steps: 4, freeze: net.0, scale: {sgd: {lr: 0.5}}, minimize: loss}
evaluate:
  metrics: {accuracy: "accuracy(net(x), y)"}
  best: accuracy
  mode: max
outputs:
  images: {weights: {show: "net.0.weight", size: [28, 28], range: [-0.1, 0.1]}}
  log_every: 2
)yaml";

class RecipeCommand : public testing::Test {
 protected:
  // The recipe, with `to` in place of `from`.
  std::string own(const std::string& from = "", const std::string& to = "") {
    std::string text = kOwn;
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    for (const std::string mark = "PICTURES"; text.find(mark) != std::string::npos;)
      text.replace(text.find(mark), mark.size(), folder.path());
    test::put_file(folder / "own.yaml", text);
    return folder / "own.yaml";
  }
  TempFolder folder;
};

std::vector<json> lines_of(const std::string& path) {
  std::vector<json> lines;
  std::istringstream text(file_bytes(path));
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
  return lines;
}

json summary_of(const std::string& run) {
  json summary = json::parse(file_bytes(run + "/summary.json"));
  summary.erase("training_seconds");
  return summary;
}

// Exit status 2, nothing on standard output, and this on standard error.
void expect_refused(const CommandResult& result, const std::string& said) {
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, said + "\n");
}

TEST_F(RecipeCommand, CheckSaysInOneLineWhatIsFine) {
  put_fashion(folder);
  const std::string path = own();
  const CommandResult fine = run_gradus("check " + path);
  EXPECT_EQ(fine.status, 0);
  EXPECT_EQ(fine.out, path + ": fine: 12730 parameters in 1 network, 19 steps in 2 phases\n");
  EXPECT_EQ(fine.err, "");
  EXPECT_THAT(run_gradus("check " + path + " --set phases.last.steps=5 --set data.batch_size=4").out,
              HasSubstr("35 steps in 2 phases"));
}

TEST_F(RecipeCommand, EveryMistakeIsNamedWithItsPlaceByAllCommands) {
  put_fashion(folder);
  const std::string path = own("Linear(16", "Linaer(16");
  std::string text = file_bytes(path);
  text.replace(text.find("momentum"), 8, "momentun");
  text.replace(text.find("minimize: loss}\n- {name: last"), 8, "minimise");
  test::put_file(path, text);
  const std::string said = path + ":8:34: there is no layer 'Linaer'; did you mean 'Linear'?\n" +  //
                           path + ":12:30: optimizer sgd has no field 'momentun'; did you mean 'momentum'?\n" + path +
                           ":14:3: phase 1 needs minimize or updates, got neither\n" +  //
                           path + ":14:26: phase 1 has no field 'minimise'; did you mean 'minimize'?";
  expect_refused(run_gradus("check " + path), said);
  expect_refused(run_gradus("plan " + path), said);
  expect_refused(run_gradus("train " + path + " --out " + folder / "run"), said);
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST_F(RecipeCommand, WhatOnlyRunningShowsIsFoundBeforeTraining) {
  const std::string path = own();
  EXPECT_THAT(run_gradus("check " + path).err, HasSubstr(path + ":3:12: read_idx: no file " + folder / "train-images"));
  put_fashion(folder);
  own("Linear(16, 10)", "Linear(17, 10)");
  EXPECT_THAT(run_gradus("check " + path).err, HasSubstr(path + ":8:34: layer 2 cannot take [2, 16]: "));
  const CommandResult train = run_gradus("train " + path + " --out " + folder / "run");
  EXPECT_EQ(train.status, 2);
  EXPECT_THAT(train.err, HasSubstr(path + ":8:34: layer 2 cannot take [2, 16]: "));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

// Of one sample there is no variance: the last of 41, in batches of 8.
TEST_F(RecipeCommand, ALastBatchOfOneIsFoundBeforeTraining) {
  put_fashion(folder, 41);
  own("ReLU, ", "ReLU, BatchNorm1d(16), ");
  const CommandResult found = run_gradus("check " + folder / "own.yaml");
  EXPECT_EQ(found.status, 2);
  EXPECT_THAT(found.err, HasSubstr("the last of 41 samples is a batch of its own"));
  EXPECT_THAT(found.err, HasSubstr("drop_last: true"));
  for (const char* change : {"data.drop_last=true", "data.batch_size=7"})
    EXPECT_EQ(run_gradus("check " + folder / "own.yaml" + " --set " + change).status, 0) << change;
  own();
  EXPECT_EQ(run_gradus("check " + folder / "own.yaml").status, 0);
}

TEST_F(RecipeCommand, AWrongSetIsNamedAsItWasGiven) {
  put_fashion(folder);
  const std::string path = own();
  const auto refused = [&](const std::string& change, const std::string& said) {
    for (const std::string command : {"check ", "plan ", "train "})
      expect_refused(run_gradus(command + path + " --set '" + change + "'"), "--set " + said);
  };
  refused("data.bach_size=4", "data.bach_size: data has no field 'bach_size'; did you mean 'batch_size'?");
  refused("data.batch_size=many", "data.batch_size: data: batch_size needs a whole number of at least 1, got 'many'");
  refused("phases.lost.steps=4", "phases.lost.steps: the list has no item 'lost'; did you mean 'last'?");
  refused("networks.net.2=Liner(16, 10)", "networks.net.2: there is no layer 'Liner'; did you mean 'Linear'?");
  refused("optimizers.sgd.lr=-1",
          "optimizers.sgd.lr: SGD: group 1 ('others'): lr must be finite and at least 0, got -1");
  EXPECT_THAT(run_gradus("check " + path + " --set data.batch_size").err, HasSubstr("needs KEY=VALUE"));
}

TEST_F(RecipeCommand, ARecipeThatIsNotThereIsNamedWithTheNearest) {
  for (const std::string command : {"check", "plan", "train"}) {
    expect_refused(run_gradus(command + " lenet-group"),
                   "gradus: there is no recipe 'lenet-group', neither a file nor one that comes with Gradus; did you "
                   "mean 'lenet-groups'?");
    const CommandResult nowhere = run_gradus(command + " " + folder / "nowhere.yaml");
    EXPECT_EQ(nowhere.status, 2);
    EXPECT_THAT(nowhere.err, HasSubstr("there is no recipe '" + folder / "nowhere.yaml" + "'"));
    EXPECT_THAT(nowhere.err, HasSubstr("joint-then-decoder"));
    EXPECT_EQ(run_gradus(command + " " + folder.path()).status, 2);  // a folder
  }
  expect_refused(run_gradus("check"), "gradus: RECIPE is required (see --help)");
  expect_refused(run_gradus("train"), "gradus: train needs a recipe or a subcommand (see --help)");
}

TEST_F(RecipeCommand, PlanShowsGroupsAndRatesOfEachPhase) {
  put_fashion(folder);
  const CommandResult plan = run_gradus("plan " + own() + " --set optimizers.sgd.lr=0.02");
  ASSERT_EQ(plan.status, 0) << plan.err;
  EXPECT_EQ(plan.err, "");
  const std::size_t second = plan.out.find("\nlast\n");
  ASSERT_EQ(plan.out.find("all\n"), 0U);
  ASSERT_NE(second, std::string::npos);
  const std::string all = plan.out.substr(0, second), last = plan.out.substr(second);
  EXPECT_THAT(all, ContainsRegex("\n"
                                 R"(others +2 +12,560 +yes +SGD\[1\] +0\.02 )"));
  EXPECT_THAT(all, ContainsRegex("\n"
                                 R"(net\.2 +2 +170 +yes +SGD\[0\] +0\.05 )"));
  EXPECT_THAT(last, ContainsRegex("\n"
                                  R"(others +2 +12,560 +frozen +SGD\[1\] +0\.01 )"));
  EXPECT_THAT(last, ContainsRegex("\n"
                                  R"(net\.2 +2 +170 +yes +SGD\[0\] +0\.025 )"));
}

TEST_F(RecipeCommand, SchemaAndReferenceAreThoseOfTheReader) {
  const CommandResult schema = run_gradus("schema");
  EXPECT_EQ(schema.status, 0);
  EXPECT_EQ(json::parse(schema.out), json::parse(json_schema()));
  EXPECT_EQ(run_gradus("schema --reference").out, reference());
  EXPECT_EQ(run_gradus("schema more").status, 2);
}

// The weights are those of the same recipe in a program; that is compared with a program's own loop in twins_test.cpp.
TEST_F(RecipeCommand, TrainsARecipeOfOnesOwn) {
  put_fashion(folder);
  const std::string path = own(), run = folder / "run";
  const CommandResult result =
      run_gradus("train " + path + " --out " + run + " --set data.batch_size=10 --set phases.all.epochs=2 --seed 7");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("accuracy: "));
  EXPECT_THAT(result.out, HasSubstr("summary: " + run + "/summary.json\n"));

  const auto twin = trained(read_recipe(path, {"data.batch_size=10", "phases.all.epochs=2", "seed=7"}));
  nn::Sequential net(nn::Linear(784, 16), nn::ReLU(), nn::Linear(16, 10));
  net.load_state_dict(io::load_state_dict(run + "/net.pth"));
  expect_same(twin->network("net"), net, "net");

  const json summary = summary_of(run);
  EXPECT_EQ(summary["recipe"], "own");
  EXPECT_EQ(summary["changes"], (json{"data.batch_size=10", "phases.all.epochs=2", "seed=7"}));
  EXPECT_EQ(summary["seed"], 7);
  EXPECT_EQ(summary["steps"], 12);
  EXPECT_EQ(summary["interrupted"], false);
  EXPECT_EQ(summary["losses"]["loss"], twin->losses()[0].second);
  EXPECT_EQ(summary["metrics"]["accuracy"], twin->evaluate()[0].second);

  std::vector<std::int64_t> logged;
  std::size_t measured = 0;
  for (const json& line : lines_of(run + "/metrics.jsonl")) {
    if (line.contains("test.accuracy")) {
      ++measured;
      continue;
    }
    logged.push_back(line["step"]);
    const bool last = line["step"] > 8;
    EXPECT_EQ(line["phase"], last ? "last" : "all");
    EXPECT_DOUBLE_EQ(line["lr.sgd.net.2"].get<double>(), last ? 0.025 : 0.05);
    EXPECT_DOUBLE_EQ(line["lr.sgd.others"].get<double>(), last ? 0.005 : 0.01);
  }
  EXPECT_EQ(logged, (std::vector<std::int64_t>{2, 4, 6, 8, 10, 12}));
  EXPECT_EQ(measured, 3U);  // two epochs of the first phase, which ends with the second, and one of the other
  EXPECT_EQ(file_bytes(run + "/recipe.yaml"), file_bytes(path));
  for (const char* picture : {"/weights-001.png", "/weights-002.png", "/weights-003.png"})
    EXPECT_THAT(file_bytes(run + picture), testing::StartsWith("\x89PNG")) << picture;
}

TEST_F(RecipeCommand, TrainsOnADevice) {
  put_fashion(folder);
  const std::string run = "train " + own() + " --set phases.all.epochs=1 --out ";
  const CommandResult here = run_gradus(run + folder / "here"),
                      there = run_gradus(run + folder / "there --device emulated");
  ASSERT_EQ(there.status, 0) << there.err;
  ASSERT_EQ(here.status, 0) << here.err;
  EXPECT_NEAR(summary_of(folder / "there")["losses"]["loss"].get<double>(),
              summary_of(folder / "here")["losses"]["loss"].get<double>(), 1e-4);
}

TEST_F(RecipeCommand, AResumedRunKeepsItsRecipeAndItsChanges) {
  put_fashion(folder);
  const std::string path = own(), whole = folder / "whole", run = folder / "run";
  const std::string changes = " --set data.batch_size=10 --set phases.all.epochs=2 --save-every 3 --keep 0";
  ASSERT_EQ(run_gradus("train " + path + changes + " --out " + whole).status, 0);
  // As a crash after six of twelve steps leaves it. The file that it was started with is gone.
  fs::copy(whole, run, fs::copy_options::recursive);
  for (const auto& checkpoint : training::list_checkpoints(run + "/checkpoints"))
    if (checkpoint.step > 6) fs::remove(checkpoint.path);
  for (const char* file : {"/net.pth", "/summary.json", "/weights-003.png"}) fs::remove(run + file);
  fs::remove(path);
  const CommandResult result = run_gradus("resume " + run);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(summary_of(run), summary_of(whole));
  for (const char* file : {"/net.pth", "/metrics.jsonl", "/weights-003.png", "/recipe.yaml"})
    EXPECT_TRUE(file_bytes(run + file) == file_bytes(whole + file)) << file;
}

// By name, each with what its data needs and little to do.
TEST_F(RecipeCommand, TrainsWhatComesWithGradus) {
  const TempFolder photo_folder;
  put_photos(photo_folder);
  put_fashion(folder);
  manual_seed(5);
  io::save(folder / "resnet18.pth", models::resnet18({.num_classes = 10}).state_dict());

  const std::string clothes = " --set data.dataset.root=" + folder.path() + " --set data.batch_size=16";
  const std::string tested = clothes + " --set data.test.root=" + folder.path();
  const std::string photos = " --set data.dataset.root=" + photo_folder.path() + " --set data.batch_size=4";
  const std::string epoch = " --set phases.0.epochs=1", both = epoch + " --set phases.1.epochs=1";
  put_language_model(folder);
  const std::vector<std::pair<std::string, std::string>> all{
      {"lora-text", epoch + " --set 'networks.net.model=from_pretrained(" + folder / "gpt2" +
                        ")' --set data.dataset.path=" + folder / "book.txt" +
                        " --set data.dataset.tokenizer=" + folder / "gpt2" + " --set data.dataset.length=16"},
      {"joint-then-decoder",
       " --set data.batch_size=16 --set phases.joint.steps=5 --set phases.receiver.steps=5 --set evaluate.batches=2"},
      {"gan-alternation", clothes + epoch},
      {"wgan-gp", clothes + epoch},
      {"lenet-groups", tested + epoch},
      {"rate-by-editing", tested + both},
      {"rate-by-new-optimizer", tested + both},
      {"gradual-unfreezing",
       photos + " --set networks.net.weights.file=" + folder / "resnet18.pth" +
           " --set 'data.transforms.0=RandomResizedCrop(32)' --set 'data.test_transforms.0=Resize(32)' --set "
           "'data.test_transforms.1=CenterCrop(32)' --set phases.head.epochs=1 --set phases.layer4.epochs=1 --set "
           "phases.layer3.epochs=1 --set phases.all.epochs=1"},
      {"attention-head",
       photos + epoch + " --set 'networks.resnet.model=resnet18(num_classes=10)' --set networks.resnet.weights.file=" +
           folder / "resnet18.pth" +
           " --set 'networks.f=Conv2d(512, 64, 1)' --set 'networks.g=Conv2d(512, 64, 1)' --set 'networks.h=Conv2d(512, "
           "512, 1)' --set 'networks.fc=Linear(512, 3)' --set 'data.transforms.0=Resize(36)' --set "
           "'data.transforms.1=CenterCrop(32)'"},
  };
  std::size_t shipped = 0;
  for (const auto& file : fs::directory_iterator(test::source_path("recipes"))) {
    ++shipped;
    const std::string name = file.path().stem().string(), run = folder / name;
    const auto changes = std::find_if(all.begin(), all.end(), [&](const auto& known) { return known.first == name; });
    ASSERT_NE(changes, all.end()) << name;
    const CommandResult result = run_gradus("train " + name + changes->second + " --out " + run);
    ASSERT_EQ(result.status, 0) << name << ": " << result.err;
    const json summary = summary_of(run);
    EXPECT_EQ(summary["recipe"], name);
    EXPECT_GT(summary["steps"], 0) << name;
    for (const auto& [loss, value] : summary["losses"].items()) EXPECT_TRUE(value.is_number()) << name << ": " << loss;
    for (const NetworkPart& network : read_recipe(file.path().string()).networks)
      EXPECT_TRUE(fs::exists(run + "/" + network.name + ".pth")) << name << ": " << network.name;
    EXPECT_THAT(result.err, Not(HasSubstr("gradus:"))) << name;
  }
  EXPECT_EQ(shipped, all.size());
}

}  // namespace
}  // namespace gradus::recipe

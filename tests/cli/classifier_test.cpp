// Classifiers as a user meets them: train lenet, finetune, eval, predict.
#include <gmock/gmock.h>
#include <gradus/data.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/command.h"

namespace gradus::cli {
namespace {

using nlohmann::json;
using test::run_gradus;
using testing::HasSubstr;
using testing::Not;

void expect_refused(const std::string& arguments, const std::string& part) {
  const auto result = run_gradus(arguments);
  EXPECT_EQ(result.status, 2) << arguments;
  EXPECT_THAT(result.err, HasSubstr("gradus: "));
  EXPECT_THAT(result.err, HasSubstr(part));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

// Noisy pictures, each class of another colour.
void write_pictures(const std::string& folder, int count) {
  Generator generator(3);
  const char* names[] = {"blue", "green", "red"};
  for (int c = 0; c < 3; ++c) {
    std::filesystem::create_directories(folder + "/" + names[c]);
    for (int i = 0; i < count; ++i) {
      Tensor picture = randint(0, 100, {3, 30 + i % 3, 32 - i % 2}, {}, &generator);
      picture.select(0, 2 - c).add_(120);
      io::write_png(folder + "/" + names[c] + "/" + std::to_string(i) + ".png", picture.to(kUInt8));
    }
  }
}

class ClassifierTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new test::TempFolder;
    write_pictures(*shared_ / "pictures", 20);
    first_ = run_gradus(finetune("first", "--epochs 6 --lr 0.02"));
  }
  static void TearDownTestSuite() { delete shared_; }
  static std::string in(const std::string& name) { return *shared_ / name; }
  static std::string finetune(const std::string& out, const std::string& options) {
    return "finetune " + std::string(options.find("--model") == std::string::npos ? "--model lenet" : "") +
           " --batch 8 --workers 1 --seed 2 --data " + in("pictures") + " --out " + in(out) + " " + options;
  }
  static json summary(const std::string& out) { return json::parse(test::file_bytes(in(out) + "/summary.json")); }
  static Tensor weight(const std::string& out, const std::string& name) {
    return io::load_state_dict(in(out) + "/model.pth").at(name);
  }

  static test::TempFolder* shared_;
  static test::CommandResult first_;  // of the run "first"
};
test::TempFolder* ClassifierTest::shared_ = nullptr;
test::CommandResult ClassifierTest::first_;

TEST_F(ClassifierTest, LearnsTestsAndPredicts) {
  ASSERT_EQ(first_.status, 0) << first_.err;
  EXPECT_THAT(first_.out, HasSubstr("48 pictures to train on, 12 to test, 3 classes"));
  const json result = summary("first");
  EXPECT_EQ(result["classes"], (json{"blue", "green", "red"}));
  EXPECT_EQ(result["steps"], 36);
  EXPECT_GT(result["accuracy"].get<double>(), 0.9);
  EXPECT_THAT(test::file_bytes(in("first/metrics.jsonl")), HasSubstr("\"epoch\":6,\"step\":36"));

  const auto eval = run_gradus("eval " + in("first") + " --data " + in("pictures") + " --seed 2 --json");
  ASSERT_EQ(eval.status, 0) << eval.err;
  EXPECT_EQ(json::parse(eval.out)["accuracy"], result["accuracy"]);
  EXPECT_THAT(run_gradus("eval " + in("first") + " --data " + in("pictures")).out, HasSubstr("green"));

  std::ofstream(in("torn.png")) << "\x89PNG\r\n\x1a\n";
  const auto predict = run_gradus("predict " + in("first") + " " + in("torn.png") + " " + in("pictures/red/1.png"));
  EXPECT_EQ(predict.status, 2);
  EXPECT_THAT(predict.err, HasSubstr("torn.png"));
  EXPECT_THAT(predict.out, HasSubstr("1.png: red "));
  const auto top =
      json::parse(run_gradus("predict " + in("first") + " --json --top 2 " + in("pictures/blue/3.png")).out);
  EXPECT_EQ(top[0]["classes"].size(), 2U);
  EXPECT_EQ(top[0]["classes"][0]["class"], "blue");
}

TEST_F(ClassifierTest, TrainsANewHeadOnAFrozenBackbone) {
  const auto second = run_gradus(
      finetune("second", "--weights " + in("first/model.pth") + " --classes green,red --freeze backbone --epochs 3"));
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("8 tensors loaded"));
  EXPECT_THAT(second.out, HasSubstr("2 of other sizes, left as they are: classifier.4.weight"));
  EXPECT_EQ(summary("second")["classes"], (json{"green", "red"}));
  for (const char* name : {"features.0.weight", "classifier.2.bias"})
    EXPECT_TRUE(equal(weight("first", name), weight("second", name))) << name;
  EXPECT_EQ(weight("second", "classifier.4.weight").sizes(), (Shape{2, 84}));

  // Everything, after that; the features at a tenth of the rate.
  const auto third = run_gradus(finetune(
      "third", "--weights " + in("second/model.pth") + " --classes 1-2 --epochs 1 --lr 0.01 --lr 'features.*=0.001'"));
  ASSERT_EQ(third.status, 0) << third.err;
  EXPECT_THAT(third.out, HasSubstr("10 tensors loaded"));
  EXPECT_FALSE(equal(weight("second", "features.0.weight"), weight("third", "features.0.weight")));
}

TEST_F(ClassifierTest, CachedFeaturesTrainToTheSame) {
  const std::string options =
      "--weights " + in("first/model.pth") + " --classes 0,2 --freeze backbone --augment none --epochs 3";
  ASSERT_EQ(run_gradus(finetune("plain", options)).status, 0);
  const auto cached = run_gradus(finetune("cached", options + " --cache-features"));
  ASSERT_EQ(cached.status, 0) << cached.err;
  EXPECT_TRUE(allclose(weight("plain", "classifier.4.weight"), weight("cached", "classifier.4.weight"), 1e-4, 1e-6));
  EXPECT_EQ(summary("plain")["accuracy"], summary("cached")["accuracy"]);
  expect_refused(finetune("x", "--freeze backbone --cache-features"), "--augment none");
  expect_refused(finetune("x", "--freeze features --augment none --cache-features"), "'classifier.0.weight' is");
}

TEST_F(ClassifierTest, LearnsInMixedPrecisionToo) {
  const auto half = run_gradus(finetune("half", "--epochs 6 --lr 0.02 --bf16"));
  ASSERT_EQ(half.status, 0) << half.err;
  EXPECT_GT(summary("half")["accuracy"].get<double>(), 0.9);
  EXPECT_EQ(weight("half", "features.0.weight").dtype(), kFloat32);
  EXPECT_FALSE(equal(weight("half", "features.0.weight"), weight("first", "features.0.weight")));
}

TEST_F(ClassifierTest, ADamagedPictureIsAnErrorOrLeftOut) {
  write_pictures(in("some"), 6);
  std::ofstream(in("some/red/torn.jpg")) << "\xff\xd8\xff not a picture";
  const std::string run = "finetune --model lenet --batch 4 --epochs 1 --held-out 0.1 --data " + in("some");
  expect_refused(run + " --out " + in("refused"), "torn.jpg");
  const auto skipped = run_gradus(run + " --skip-damaged --out " + in("skipped"));
  ASSERT_EQ(skipped.status, 0) << skipped.err;
  EXPECT_THAT(skipped.out, HasSubstr("torn.jpg"));
  EXPECT_EQ(summary("skipped")["skipped"], 1);
}

TEST_F(ClassifierTest, RefusesWhatMakesNoSense) {
  expect_refused(finetune("x", "--model lenett"), "lenet");
  expect_refused(finetune("x", "--model autoencoder"), "three channels");
  expect_refused(finetune("x", "--classes 1-7"), "numbers 0 to 2");
  expect_refused(finetune("x", "--classes pink"), "blue, green, red");
  expect_refused(finetune("x", "--freeze 'layer9.*'"), "layer9.*");
  expect_refused(finetune("x", "--freeze '*'"), "nothing to train");
  expect_refused(finetune("x", "--lr features=fast"), "--lr");
  expect_refused(finetune("x", "--lr -1"), "--lr");
  expect_refused(finetune("x", "--held-out 0.001"), "--held-out");
  expect_refused(finetune("x", "--weights " + in("nothing.pth")), "nothing.pth");
  expect_refused("train lenet --data " + in("no-such-folder") + " --out " + in("x"), "no-such-folder");
  expect_refused("eval " + in("pictures") + " --data " + in("pictures"), "classifier.json");
  std::filesystem::create_directories(in("torn"));
  std::ofstream(in("torn/classifier.json")) << "{\"model\": \"lenet\"}";
  expect_refused("predict " + in("torn") + " a.png", "does not describe a classifier");
}

// IDX files: of Fashion-MNIST's form, with a border for LeNet.
TEST_F(ClassifierTest, LeNetTrainsItsTwoGroupsOnIdxFiles) {
  const auto number = [](std::int64_t n) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(n >> shift);
    return bytes;
  };
  std::filesystem::create_directories(in("idx"));
  for (const auto& [part, count] : {std::pair("train", 64), std::pair("t10k", 32)}) {
    std::string images{"\0\0\x08\x03", 4}, labels{"\0\0\x08\x01", 4};
    images += number(count) + number(28) + number(28);
    labels += number(count);
    for (int i = 0; i < count; ++i) {
      // A bright row, whose place is the class.
      for (int p = 0; p < 28 * 28; ++p) images += static_cast<char>(p / 28 / 9 == i % 3 ? 200 : 10);
      labels += static_cast<char>(i % 3);
    }
    std::ofstream(in("idx/") + part + "-images-idx3-ubyte", std::ios::binary) << images;
    std::ofstream(in("idx/") + part + "-labels-idx1-ubyte", std::ios::binary) << labels;
  }
  const std::string run = "train lenet --data " + in("idx") + " --classes 0-2 --batch 8 --epochs 5 --seed 1 --out ";
  const auto trained = run_gradus(run + in("lenet"));
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_GT(summary("lenet")["accuracy"].get<double>(), 0.9);
  EXPECT_EQ(weight("lenet", "features.0.weight").sizes(), (Shape{6, 3, 5, 5}));
  const auto eval = run_gradus("eval " + in("lenet") + " --classes 0-2 --data " + in("idx"));
  EXPECT_EQ(eval.status, 0) << eval.err;
  // A rate of 0 for one group leaves it where it began.
  ASSERT_EQ(run_gradus(run + in("still") + " --features-lr 0").status, 0);
  ASSERT_EQ(run_gradus(run + in("start") + " --features-lr 0 --classifier-lr 0").status, 0);
  EXPECT_TRUE(equal(weight("still", "features.0.weight"), weight("start", "features.0.weight")));
  EXPECT_FALSE(equal(weight("still", "classifier.0.weight"), weight("start", "classifier.0.weight")));
}

// EMNIST's letters under MNIST's names, and CIFAR's files without those of the names.
TEST_F(ClassifierTest, LabelsAreClassesBeforeAnythingIsLookedUpByThem) {
  const std::string letters = in("letters"), cifar = in("cifar");
  for (const std::string& folder : {letters, cifar}) std::filesystem::create_directories(folder);
  for (const std::string part : {"train", "t10k"}) {
    std::string images{"\0\0\x08\x03\0\0\0\x1a\0\0\0\x1c\0\0\0\x1c", 16}, labels{"\0\0\x08\x01\0\0\0\x1a", 8};
    for (int i = 1; i <= 26; ++i) labels += static_cast<char>(i);
    images.append(26 * 28 * 28, 'x');
    test::put_file(letters + "/" + part + "-images-idx3-ubyte", images);
    test::put_file(letters + "/" + part + "-labels-idx1-ubyte", labels);
  }
  expect_refused(
      "train lenet --epochs 1 --data " + letters + " --out " + in("letters-run"),
      letters + "/train-labels-idx1-ubyte, sample 9: there are 10 classes, so a label is from 0 to 9, got 10");

  std::string records;
  for (int i = 0; i < 10; ++i) records += static_cast<char>(i) + std::string(3072, 'x');
  for (const char* file :
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"})
    test::put_file(cifar + "/" + file + ".bin", records);
  const auto run = run_gradus("train lenet --epochs 1 --data " + cifar + " --out " + in("cifar-run"));
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("50 pictures to train on, 10 to test, 10 classes"));
}

}  // namespace
}  // namespace gradus::cli

// Classifiers as a user meets them: train lenet, finetune, eval, predict.
#include <gmock/gmock.h>
#include <gradus/data.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
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

TEST_F(ClassifierTest, ScoresThatAreNaNAreSaidAndNeverRight) {
  Tensor spoilt = weight("first", "classifier.4.bias").clone();
  spoilt[1] = std::nan("");
  nn::StateDict dict = io::load_state_dict(in("first/model.pth"));
  dict.set("classifier.4.bias", spoilt);
  io::save(in("nan.pth"), dict);
  const std::string with = in("first") + " --weights " + in("nan.pth");
  const auto eval = run_gradus("eval " + with + " --data " + in("pictures") + " --seed 2 --json");
  EXPECT_EQ(eval.status, 3);
  EXPECT_EQ(eval.err, "gradus: the scores of 12 of 12 pictures are NaN\n");
  EXPECT_EQ(json::parse(eval.out)["accuracy"], 0.0);
  EXPECT_EQ(json::parse(eval.out)["nan"], 12);
  const std::string picture = in("pictures/red/0.png");
  const auto predicted = run_gradus("predict " + with + " " + picture + " --json");
  EXPECT_EQ(predicted.status, 3);
  EXPECT_EQ(predicted.err, "gradus: " + picture + ": its scores are NaN\n");
  // The last update may leave numbers that are finite and of no use.
  const auto trained = run_gradus(finetune("huge", "--epochs 1 --lr 1e30 --on-nan skip"));
  EXPECT_EQ(trained.status, 3) << trained.err;
}

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

// The first checkpoint comes after the features, which may take hours.
TEST_F(ClassifierTest, KilledWhileItComputesFeaturesItBeginsAgain) {
  const std::string options = "--model resnet18 --size 96 --freeze backbone --augment none --epochs 1 --cache-features";
  ASSERT_EQ(run_gradus(finetune("undisturbed", options)).status, 0);
  const std::string out = in("killed");
  const auto killed =
      test::run_shell("'" + test::command_path() + "' " + finetune("killed", options) + " & pid=$!; while [ ! -e " +
                      out + "/start.pth ]; do kill -0 $pid || exit 99; done; kill -KILL $pid; wait $pid");
  ASSERT_EQ(killed.status, 128 + SIGKILL) << killed.err;
  ASSERT_TRUE(training::list_checkpoints(out + "/checkpoints").empty()) << "killed too late";
  const auto resumed = run_gradus("resume " + out);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(summary("killed")["accuracy"], summary("undisturbed")["accuracy"]);
  EXPECT_TRUE(equal(weight("killed", "fc.weight"), weight("undisturbed", "fc.weight")));
  EXPECT_FALSE(std::filesystem::exists(out + "/start.pth"));
  // What never began leaves nothing to resume.
  expect_refused(finetune("mistaken", "--freeze features --augment none --cache-features"), "'classifier.0.weight' is");
  expect_refused("resume " + in("mistaken"), "there is no checkpoint in");
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

const std::string kTorn = "\xff\xd8\xff not a picture";

// Pictures of 3 classes in train/ and val/.
void write_parts(const std::string& folder, int count) {
  write_pictures(folder + "/train", count);
  write_pictures(folder + "/val", count);
}

// Each is listed and counted once, whichever part it is of; those of the test, too.
TEST_F(ClassifierTest, DamagedPicturesAreCountedOnce) {
  write_parts(in("parts"), 4);
  test::put_file(in("parts/train/red/torn.jpg"), kTorn);
  test::put_file(in("parts/val/red/bad.jpg"), kTorn);
  const std::string run =
      "finetune --model lenet --batch 4 --epochs 3 --skip-damaged --data " + in("parts") + " --out ";
  const auto trained = run_gradus(run + in("counted"));
  ASSERT_EQ(trained.status, 0) << trained.err;
  const auto times = [](const std::string& text, const std::string& what) {
    int count = 0;
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(times(trained.out, "left out: "), 2) << trained.out;
  EXPECT_THAT(trained.out, HasSubstr("train/red/torn.jpg: decode_jpeg"));
  EXPECT_THAT(trained.out, HasSubstr("val/red/bad.jpg: decode_jpeg"));
  EXPECT_THAT(trained.out, HasSubstr("% on 12 pictures"));
  EXPECT_EQ(summary("counted")["skipped"], 2);
  // A run that goes on still knows those that it met before.
  std::filesystem::remove(in("counted/checkpoints/checkpoint-00000012.pth"));
  const auto resumed = run_gradus("resume " + in("counted"));
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(summary("counted")["skipped"], 2);

  expect_refused("eval " + in("counted") + " --data " + in("parts"), "bad.jpg");
  const auto eval = run_gradus("eval --skip-damaged " + in("counted") + " --data " + in("parts") + " --json");
  ASSERT_EQ(eval.status, 0) << eval.err;
  EXPECT_EQ(json::parse(eval.out)["pictures"], 12);
  EXPECT_EQ(json::parse(eval.out)["skipped"], 1);
  const auto cached = run_gradus(run + in("cached-damaged") + " --freeze backbone --augment none --cache-features");
  ASSERT_EQ(cached.status, 0) << cached.err;
  EXPECT_EQ(summary("cached-damaged")["skipped"], 2);
}

// Epochs are counted, however few batches one has; without any there is nothing to wait for.
TEST_F(ClassifierTest, ARunEndsWhateverCannotBeRead) {
  for (const char* name : {"a", "b"}) {
    std::filesystem::create_directories(in("torn-pictures/") + name);
    for (int i = 0; i < 6; ++i) test::put_file(in("torn-pictures/") + name + "/" + std::to_string(i) + ".jpg", kTorn);
  }
  const std::string run = "--model lenet --batch 2 --epochs 2 --skip-damaged --data " + in("torn-pictures");
  expect_refused("finetune " + run + " --out " + in("nothing"), "none of the 10 pictures to train on can be read");
  for (int i = 0; i < 6; ++i)
    io::write_png(in("torn-pictures/a/") + std::to_string(i) + ".png", full({3, 32, 32}, 9, {.dtype = kUInt8}));
  const auto some = run_gradus("finetune " + run + " --held-out 0.4 --out " + in("half-read"));
  ASSERT_EQ(some.status, 0) << some.err;
  EXPECT_THAT(test::file_bytes(in("half-read/metrics.jsonl")), HasSubstr("\"epoch\":2"));
  EXPECT_THAT(test::file_bytes(in("half-read/metrics.jsonl")), Not(HasSubstr("\"epoch\":3")));
}

TEST_F(ClassifierTest, ALastBatchOfOneEndsNoRun) {
  write_parts(in("thirteen"), 3);
  const auto run = run_gradus("finetune --model resnet18 --size 32 --batch 8 --epochs 1 --threads 1 --data " +
                              in("thirteen") + " --out " + in("one-left"));
  ASSERT_EQ(run.status, 0) << run.err;  // 9 pictures
  EXPECT_EQ(summary("one-left")["steps"], 1);
}

// Names are bytes; what is written is UTF-8.
TEST_F(ClassifierTest, NamesNeedNotBeUtf8) {
  write_pictures(in("latin"), 4);
  std::filesystem::rename(in("latin/red"), in("latin/caf\xe9"));
  std::filesystem::rename(in("latin/blue"), in("latin/caf\xe8"));
  const auto run =
      run_gradus("finetune --model lenet --epochs 1 --batch 4 --data " + in("latin") + " --out " + in("latin-run\xe9"));
  ASSERT_EQ(run.status, 0) << run.err;
  const json classes{"caf\\xe8", "caf\\xe9", "green"};
  EXPECT_EQ(summary("latin-run\xe9")["classes"], classes);
  EXPECT_EQ(json::parse(test::file_bytes(in("latin-run\xe9/classifier.json")))["classes"], classes);
  const std::string data = " --data " + in("latin");
  EXPECT_EQ(run_gradus("eval " + in("latin-run\xe9") + data + " --json").status, 0);
  EXPECT_EQ(run_gradus("eval " + in("latin-run\xe9") + data).status, 0);
  EXPECT_EQ(run_gradus("resume " + in("latin-run\xe9")).status, 0);
  std::filesystem::copy(in("latin/green/1.png"), in("latin/\xe9.png"));
  const auto predicted = run_gradus("predict " + in("latin-run\xe9") + " --json " + in("latin/\xe9.png"));
  ASSERT_EQ(predicted.status, 0) << predicted.err;
  EXPECT_TRUE(json::parse(predicted.out)[0].contains("classes"));
  const auto chosen = run_gradus("finetune --model lenet --epochs 1 --batch 4 --classes 'caf\xe9,green' --data " +
                                 in("latin") + " --out " + in("latin-two"));
  ASSERT_EQ(chosen.status, 0) << chosen.err;
  EXPECT_EQ(summary("latin-two")["classes"], (json{"caf\\xe9", "green"}));
}

// Where folders are numbered, numbers are their names, alone and in ranges.
TEST_F(ClassifierTest, NumbersMeanTheClassesOfThatName) {
  for (int i = 1; i <= 12; ++i) {
    std::filesystem::create_directories(in("numbered/") + std::to_string(i));
    for (int k = 0; k < 2; ++k)
      io::write_png(in("numbered/") + std::to_string(i) + "/" + std::to_string(k) + ".png",
                    full({3, 8, 8}, 10 * i, {.dtype = kUInt8}));
  }
  const std::string run = "finetune --model lenet --epochs 1 --held-out 0.4 --overwrite --data " + in("numbered") +
                          " --out " + in("chosen") + " --classes ";
  for (const auto& [text, names] : {std::pair<std::string, json>{"1,2,3", {"1", "2", "3"}},
                                    {"1-3", {"1", "2", "3"}},
                                    {"' 1 , 2 - 3 ,2'", {"1", "2", "3"}},
                                    {"9-11", {"10", "11", "9"}},
                                    {"12,2", {"12", "2"}}}) {
    ASSERT_EQ(run_gradus(run + text).status, 0) << text;
    EXPECT_EQ(summary("chosen")["classes"], names) << text;
  }
  expect_refused(run + "0", "there is no class '0'");
  expect_refused(run + "0-3", "there is no class '0-3'");
  expect_refused(run + "10-13", "there is no class '10-13'");
  expect_refused(run + "3-1", "ends before it begins");
  expect_refused(run + "1,,2", "there is no class ''");
}

// Hidden and foreign entries, empty folders, train/ without val/.
TEST_F(ClassifierTest, FoldersAreTakenAsSystemsLeaveThem) {
  namespace fs = std::filesystem;
  write_parts(in("real"), 4);
  for (const char* name : {"train/.ipynb_checkpoints", "__MACOSX/train", "train/@eaDir", "train/empty", "val/empty"})
    fs::create_directories(in("real/") + name);
  test::put_file(in("real/train/red/._1.jpg"), "Mac OS X");
  test::put_file(in("real/train/red/a.webp"), "RIFF");
  fs::create_symlink("nowhere.png", in("real/train/red/x.png"));
  ASSERT_EQ(::mkfifo(in("real/train/red/y.png").c_str(), 0600), 0);
  fs::remove_all(in("real/val/green"));
  const std::string run = "finetune --model lenet --epochs 1 --batch 4 --overwrite --out " + in("real-run");
  const auto trained = run_gradus(run + " --data " + in("real"));
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("12 pictures to train on, 8 to test, 3 classes"));
  for (const char* what : {"1 .webp files (", "1 links to nowhere (", "1 special files (", "the folder 'empty'"})
    EXPECT_THAT(trained.out, HasSubstr(std::string("left out: ") + what));
  EXPECT_EQ(summary("real-run")["classes"], (json{"blue", "green", "red"}));
  fs::rename(in("real/val"), in("real/other"));
  const auto alone = run_gradus(run + " --data " + in("real"));
  ASSERT_EQ(alone.status, 0) << alone.err;
  EXPECT_THAT(alone.out, HasSubstr("10 pictures to train on, 2 to test, 3 classes"));
  write_pictures(in("real/valid/more"), 1);
  expect_refused(run + " --data " + in("real"), "the class 'more'");
}

// A picture is shown turned as its EXIF data say, in training and in use.
TEST_F(ClassifierTest, PicturesStandAsTheirExifDataSay) {
  const auto picture = [&](const std::string& name, const Tensor& pixels, bool turned) {
    io::write_jpeg(in(name), pixels, 100);
    if (!turned) return;
    const std::string bytes = test::file_bytes(in(name));
    const std::string exif(
        "\xff\xe1\0\x22"
        "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0",
        36);
    test::put_file(in(name), bytes.substr(0, 2) + exif + bytes.substr(2));
  };
  Tensor pixels = zeros({3, 32, 32}, {.dtype = kUInt8});
  pixels.narrow(1, 0, 16).fill_(200);
  picture("upright.jpg", pixels, false);
  picture("turned.jpg", flip(pixels, {1, 2}), true);  // by half a turn
  const auto result = run_gradus("predict --json " + in("first") + " " + in("upright.jpg") + " " + in("turned.jpg"));
  ASSERT_EQ(result.status, 0) << result.err;
  const json both = json::parse(result.out);
  EXPECT_EQ(both[0]["classes"], both[1]["classes"]);
}

TEST_F(ClassifierTest, GoesOnWithTheSameDataOnly) {
  write_pictures(in("mine"), 6);
  const std::string run = in("same-data");
  ASSERT_EQ(run_gradus("finetune --model lenet --epochs 1 --batch 4 --data " + in("mine") + " --out " + run).status, 0);
  EXPECT_EQ(run_gradus("resume " + run).status, 0);
  write_pictures(in("copied"), 6);
  EXPECT_EQ(run_gradus("resume " + run + " --data " + in("copied")).status, 0);
  for (int i = 0; i < 6; ++i)
    std::filesystem::copy(in("mine/red/1.png"), in("copied/blue/" + std::to_string(i) + ".png"),
                          std::filesystem::copy_options::overwrite_existing);
  expect_refused("resume " + run + " --data " + in("copied"), "the run was started with other data");
  std::filesystem::remove(in("copied/blue/2.png"));
  expect_refused("resume " + run + " --data " + in("copied"), "samples then,");
  std::filesystem::rename(in("copied/blue"), in("copied/violet"));
  expect_refused("resume " + run + " --data " + in("copied"), "other classes");
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
  // On a device of its own, training and test come to the same.
  const auto there = run_gradus(run + in("there") + " --device emulated");
  ASSERT_EQ(there.status, 0) << there.err;
  const auto judged = run_gradus("eval " + in("lenet") + " --device emulated --classes 0-2 --data " + in("idx"));
  EXPECT_EQ(judged.out, eval.out) << judged.err;
  const auto refused = run_gradus("eval " + in("lenet") + " --device emulated:3 --data " + in("idx"));
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("--device: there is no device emulated:3"));
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

// gradus flops, as a user meets it.
#include "cli/commands/flops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/command.h"

namespace gradus::cli {
namespace {

using nlohmann::json;
using test::run_gradus;
using testing::HasSubstr;

TEST(Flops, ListsTheModels) {
  const auto run = run_gradus("flops");
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("autoencoder"));
  EXPECT_THAT(run.out, HasSubstr("messages=16 uses=7"));
  EXPECT_THAT(run.out, HasSubstr("3x224x224"));
}

TEST(Flops, PrintsATableAndJson) {
  const auto table = run_gradus("flops lenet --set num_classes=7 --batch 2");
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("lenet on [2, 3, 32, 32]"));
  EXPECT_THAT(table.out, HasSubstr("[2, 7]"));
  EXPECT_THAT(table.out, HasSubstr("Conv2d"));
  EXPECT_THAT(run_gradus("flops lenet --depth 1").out, testing::Not(HasSubstr("Conv2d")));
  const json all = json::parse(run_gradus("flops lenet --json").out);
  EXPECT_EQ(all["layers"][0]["parameters"], 62006);
  EXPECT_GT(all["layers"][0]["backward"]["flops"], all["layers"][0]["forward"]["flops"]);
  const json frozen = json::parse(run_gradus("flops lenet --json --freeze 'features.*' --freeze 'classifier.0'").out);
  EXPECT_EQ(frozen["layers"][0]["trainable"], 120 * 84 + 84 + 84 * 10 + 10);
  EXPECT_EQ(frozen["layers"][1]["path"], "features");
  EXPECT_EQ(frozen["layers"][1]["backward"]["flops"], 0);
  const json forward = json::parse(run_gradus("flops lenet --json --forward-only").out);
  EXPECT_EQ(forward["layers"][0]["backward"]["flops"], 0);
}

TEST(Flops, NamesMistakes) {
  const auto error_of = [](const std::string& arguments) {
    const auto run = run_gradus("flops " + arguments);
    EXPECT_EQ(run.status, 2) << arguments;
    return run.err;
  };
  EXPECT_THAT(error_of("lenett"), HasSubstr("did you mean 'lenet'?"));
  EXPECT_THAT(error_of("lenet --input 3x"), HasSubstr("--input: need positive sizes, as in 3x224x224, got '3x'"));
  EXPECT_THAT(error_of("lenet --input 3x-1x5"), HasSubstr("--input"));
  EXPECT_THAT(error_of("lenet --input 1x28x28"), HasSubstr("[1, 1, 28, 28]"));
  EXPECT_THAT(error_of("lenet --set classes"), HasSubstr("NAME=VALUE"));
  EXPECT_THAT(error_of("lenet --set num_clases=3"), HasSubstr("did you mean 'num_classes'?"));
  EXPECT_THAT(error_of("lenet --set num_classes=ten"), HasSubstr("num_classes needs a value like 10, got 'ten'"));
  EXPECT_THAT(error_of("lenet --freeze nothing"), HasSubstr("nothing"));
}

// Layers in channels-last have one operation for the whole of their backward.
TEST(Flops, CountTheBackwardOfBatchNormalisation) {
  const json all = json::parse(run_gradus("flops resnet18 --input 3x64x64 --train --json").out);
  int norms = 0;
  for (const json& layer : all["layers"]) {
    if (layer["type"] != "BatchNorm2d") continue;
    ++norms;
    EXPECT_GT(layer["backward"]["flops"], 0) << layer["path"];
  }
  EXPECT_EQ(norms, 20);
}

}  // namespace
}  // namespace gradus::cli

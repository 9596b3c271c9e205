// Weights as people bring them to finetune, eval and ckpt: wrapped, renamed, in folders, or of another network.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "support/command.h"

namespace gradus::cli {
namespace {

using io::Value;
using test::run_gradus;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class WeightsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new test::TempFolder;
    Generator generator(3);
    for (const char* name : {"a", "b"}) {
      std::filesystem::create_directories(in("pictures/") + name);
      for (int i = 0; i < 8; ++i)
        io::write_png(in("pictures/") + name + "/" + std::to_string(i) + ".png",
                      randint(0, 255, {3, 32, 32}, {}, &generator).to(kUInt8));
    }
    manual_seed(1);
    net_ = models::make("lenet", {{"num_classes", std::int64_t{5}}})->state_dict();
  }
  static void TearDownTestSuite() { delete shared_; }
  static std::string in(const std::string& name) { return *shared_ / name; }
  static Value prefixed(const std::string& prefix) {
    Value dict = Value::dict();
    for (const auto& [name, tensor] : net_) dict.set(prefix + name, tensor);
    return dict;
  }
  // One epoch with the backbone as it is in the file.
  static test::CommandResult finetune(const std::string& weights, const std::string& options = "") {
    return run_gradus("finetune --model lenet --epochs 1 --batch 8 --workers 1 --freeze backbone --overwrite --data " +
                      in("pictures") + " --out " + in("out") + " --weights " + weights + " " + options);
  }
  static void expect_loaded(const test::CommandResult& result) {
    EXPECT_EQ(result.status, 0) << result.err;
    const nn::StateDict now = io::load_state_dict(in("out/model.pth"));
    for (const auto& [name, tensor] : net_) {
      if (name.starts_with("features")) {
        EXPECT_TRUE(equal(now.at(name), tensor)) << name;
      }
    }
  }

  static test::TempFolder* shared_;
  static nn::StateDict net_;
};
test::TempFolder* WeightsTest::shared_ = nullptr;
nn::StateDict WeightsTest::net_;

TEST_F(WeightsTest, FinetuneFindsTheDictionaryThatFits) {
  for (const Value& file :
       {prefixed(""), prefixed("module."),
        Value::dict({{"state_dict", prefixed("module.")}, {"epoch", 3}, {"best_acc1", tensor(70.0)}}),
        Value::dict({{"state_dict", prefixed("model.")}, {"loops", Value::dict({{"state_dict", Value::dict()}})}})}) {
    io::save(in("file.pth"), file);
    expect_loaded(finetune(in("file.pth")));
  }
  std::filesystem::create_directories(in("hub"));
  io::save(in("hub/model.safetensors"), prefixed(""));
  expect_loaded(finetune(in("hub")));
}

TEST_F(WeightsTest, AtAndRenameDecide) {
  Value other = prefixed("");
  for (const auto& [key, value] : prefixed("").entries()) other.set(key, zeros(value.as_tensor().sizes()));
  io::save(in("two.pth"), Value::dict({{"models", Value::list({other, prefixed("")})}}));
  const auto both = finetune(in("two.pth"));
  EXPECT_EQ(both.status, 2);
  EXPECT_THAT(both.err, AllOf(HasSubstr("gradus: --weights: "), HasSubstr("choose with --at or --rename"),
                              Not(HasSubstr("{.at"))));
  const auto second = finetune(in("two.pth"), "--at models.1");
  expect_loaded(second);
  EXPECT_THAT(second.out, HasSubstr("two.pth at models.1: "));
  EXPECT_THAT(finetune(in("two.pth"), "--at models.2").err, HasSubstr("--at: there is no '2' at models"));

  Value renamed = Value::dict();
  for (const auto& [name, tensor] : net_) renamed.set("net/" + name + "/x", tensor);
  io::save(in("renamed.pth"), renamed);
  expect_loaded(finetune(in("renamed.pth"), "--rename 'net/*/x=*'"));
  expect_loaded(finetune(in("renamed.pth"), R"(--rename '/^net.(.*)\/x$/=\1')"));
  EXPECT_THAT(finetune(in("renamed.pth"), "--rename 'nte/*/x=*'").err,
              HasSubstr("the pattern 'nte/*/x' matches none of the"));
}

TEST_F(WeightsTest, LittleThatFitsIsRefused) {
  std::filesystem::remove_all(in("out"));
  Value little = Value::dict({{"extra", ones({1})}});
  const auto first = *net_.begin();
  little.set(first.first, first.second);
  for (auto [name, tensor] : net_) {
    if (name == first.first) continue;
    std::replace(name.begin(), name.end(), '.', '_');
    little.set("blocks." + name, tensor);
  }
  io::save(in("little.pth"), little);
  const auto result = finetune(in("little.pth"));
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("gradus: --weights: of the "), HasSubstr(" only 1 fit "),
                                HasSubstr("of these sizes it has 'blocks."), HasSubstr("--partial")));
  EXPECT_FALSE(std::filesystem::exists(in("out")));
  const auto partial = finetune(in("little.pth"), "--partial");
  EXPECT_EQ(partial.status, 0) << partial.err;

  io::save(in("none.pth"), Value::dict({{"x", ones({2})}}));
  EXPECT_THAT(finetune(in("none.pth"), "--partial").err, HasSubstr("--weights: no tensor of"));
}

TEST_F(WeightsTest, WhatIsFrozenMustBeInTheFile) {
  Value most = prefixed("");
  most.erase(net_.begin()->first);
  io::save(in("most.pth"), most);
  const auto result = finetune(in("most.pth"));
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("--freeze: 1 parameters that stay as they are"), HasSubstr(net_.begin()->first)));
  EXPECT_EQ(finetune(in("most.pth"), "--partial").status, 0);
}

TEST_F(WeightsTest, EvalTakesOtherWeights) {
  io::save(in("file.pth"), prefixed(""));
  ASSERT_EQ(finetune(in("file.pth"), "--save-every 1").status, 0);
  const std::string eval = "eval " + in("out") + " --data " + in("pictures") + " --json";
  const auto own = run_gradus(eval);
  EXPECT_EQ(own.status, 0) << own.err;
  EXPECT_EQ(run_gradus(eval + " --weights " + in("out/checkpoints/best.pth")).out, own.out);
  EXPECT_THAT(run_gradus(eval + " --weights " + in("file.pth")).err, HasSubstr("names or sizes do not agree"));
}

TEST_F(WeightsTest, CkptConvertTakesWhatShowPrints) {
  io::save(in("x.pth"),
           Value::dict({{"models", Value::list({Value::dict({{"w", ones({2})}}), Value::dict({{"w", zeros({2})}})})},
                        {"a.b", Value::dict({{"w", ones({3})}})},
                        {0, Value::dict({{"w", ones({4})}, {"n", 1}})}}));
  EXPECT_THAT(run_gradus("ckpt show " + in("x.pth")).out,
              AllOf(HasSubstr("models.0.w"), HasSubstr("a.b.w"), HasSubstr("0.w")));
  const std::pair<const char*, std::int64_t> places[] = {{"models.1", 2}, {"a.b", 3}, {"0", 4}};
  for (const auto& [at, size] : places) {
    const auto result = run_gradus("ckpt convert " + in("x.pth") + " " + in("x.safetensors") + " --at " + at);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(io::load(in("x.safetensors")).as_tensor({"w"}).numel(), size);
  }
  EXPECT_THAT(run_gradus("ckpt convert " + in("x.pth") + " " + in("x.safetensors") + " --at 0").out,
              HasSubstr("left out, not a tensor: n"));
  EXPECT_THAT(run_gradus("ckpt convert " + in("x.pth") + " " + in("x.safetensors")).err,
              HasSubstr("it holds 4 dictionaries of tensors: models.0, models.1, a.b, 0; choose one with --at"));
  EXPECT_EQ(run_gradus("ckpt diff --rename y=z " + in("x.pth") + " " + in("x.pth")).status, 2);
}

}  // namespace
}  // namespace gradus::cli

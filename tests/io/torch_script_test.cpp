// TorchScript's archives and what LibTorch's torch::save writes: names and values, and no program is run.
#include <gmock/gmock.h>
#include <gradus/io.h>
#include <gradus/nn.h>
#include <gradus/ops.h>
#include <gtest/gtest.h>

#include "io/checkpoint/read_any.h"
#include "io/expected.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::fixture;
using testing::UnorderedElementsAre;

std::vector<double> numbers(const Tensor& x) { return x.detach().contiguous().view({x.numel()}).to_vector<double>(); }

TEST(TorchScript, IsADictOfAttributes) {
  const Value net = load(fixture("scripted.pt"));
  EXPECT_EQ(numbers(net.as_tensor({"0", "fc", "weight"})), (std::vector<double>{0, 1, 2, 3}));
  EXPECT_TRUE(net.as_tensor({"0", "fc", "weight"}).requires_grad());
  EXPECT_EQ(net.at({"0", "names"}).to_string(), "['a', 'b']");
  EXPECT_EQ(net.as_int({"0", "table", "k"}), 1);
  EXPECT_EQ(net.at({"0", "numbers"}).to_string(), "[1, 2]");
  EXPECT_EQ(net.at({"0", "floats"}).to_string(), "[1.5]");
  EXPECT_EQ(net.at({"0", "flags"}).to_string(), "[True]");
  EXPECT_EQ(net.at({"0", "pair"}).to_string(), "(1, 2.5)");
  EXPECT_EQ(net.as_string({"0", "device"}), "cpu");
  EXPECT_EQ(numbers(net.as_tensor({"0", "tensors", 0})), (std::vector<double>{1, 1}));
  EXPECT_EQ(read_path(fixture("scripted.pt"), {.verify = true}).format, "TorchScript or LibTorch archive");
}

TEST(TorchScript, ItsStateDictHasWholeNames) {
  const nn::StateDict dict = load_state_dict(fixture("scripted.pt"));
  EXPECT_THAT(dict.keys(), UnorderedElementsAre("0.shift", "0.fc.weight", "0.fc.bias", "1.weight", "1.bias",
                                                "1.running_mean", "1.running_var", "1.num_batches_tracked"));
  nn::Sequential net(nn::Sequential(), nn::BatchNorm1d(2));
  net.load_state_dict(load_state_dict(fixture("scripted.pt"), {.fit = net.state_dict()}), {.strict = false});
  EXPECT_EQ(numbers(net.state_dict().at("1.weight")), (std::vector<double>{2, 3}));
}

TEST(TorchScript, TracedAndFrozen) {
  nn::Linear net(2, 2);
  net.load_state_dict(load_state_dict(fixture("traced.pt")));
  EXPECT_EQ(numbers(net.weight), (std::vector<double>{0, 1, 2, 3}));
  EXPECT_EQ(numbers(net.bias), (std::vector<double>{1, 2}));
  // Freezing makes constants of the weights, which have no names any more.
  const Value constants = load(fixture("frozen.pt")).at({"constants"});
  ASSERT_GE(constants.size(), 2u);
  EXPECT_EQ(numbers(constants.as_tensor({0})), (std::vector<double>{0, 1, 2, 3}));
}

struct Net : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(3, 2));
  nn::Sequential tail = add("tail", nn::Sequential(nn::Linear(2, 2), nn::BatchNorm1d(2)));
  Tensor scale = register_buffer("scale", ones({}));
};

TEST(LibTorch, AModuleIsReadIntoTheSameModule) {
  Net net;
  const nn::LoadReport report = net.load_state_dict(load_state_dict(fixture("libtorch_module.pt")));
  EXPECT_EQ(report.loaded.size(), net.state_dict().size());
  EXPECT_TRUE(report.unexpected.empty());
  EXPECT_EQ(numbers(net.state_dict().at("tail.0.weight")), (std::vector<double>{2, 3, 4, 5}));
  EXPECT_EQ(numbers(net.state_dict().at("tail.1.bias")), (std::vector<double>{5, 6}));
  EXPECT_EQ(net.state_dict().at("scale").item(), 4);
}

TEST(LibTorch, TensorsAndOptimizersAreNamesAndValues) {
  EXPECT_EQ(load(fixture("libtorch_tensor.pt")).as_tensor({"0"}).sizes(), (Shape{2, 3}));
  const Value tensors = load(fixture("libtorch_tensors.pt"));
  EXPECT_EQ(numbers(tensors.as_tensor({"0"})), (std::vector<double>{1, 1}));
  EXPECT_EQ(tensors.as_tensor({"1"}).dtype(), kInt64);
  const Value adam = load(fixture("libtorch_adam.pt"));
  ASSERT_EQ(adam.size({"state"}), 2u);
  for (const auto& [key, state] : adam.entries({"state"})) {
    EXPECT_EQ(state.as_int({"step"}), 1);
    EXPECT_GT(state.as_tensor({"exp_avg"}).numel(), 0);
  }
}

}  // namespace
}  // namespace gradus::io

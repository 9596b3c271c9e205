// Layers with an input of channels and positions, as modules, against PyTorch's: tests/traces/layers.json.
#include <gradus/autograd.h>
#include <gradus/gradus.h>

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/message.h"
#include "support/paths.h"

namespace gradus {
namespace {

using test::message_of;

using nlohmann::json;

class Registry {
 public:
  template <class M>
  void put(const std::string& name, M module) {
    modules_[name] = std::make_shared<M>(std::move(module));
  }
  std::map<std::string, std::shared_ptr<nn::Module>> take() { return std::move(modules_); }

 private:
  std::map<std::string, std::shared_ptr<nn::Module>> modules_;
};

// The cases of make_layers.py, in its order.
std::map<std::string, std::shared_ptr<nn::Module>> layers() {
  Registry r;
  r.put("conv1d", nn::Conv1d(4, 6, 3));
  r.put("conv1d_same", nn::Conv1d(4, 6, 4, {.padding = "same", .dilation = 2}));
  r.put("conv2d", nn::Conv2d(4, 6, 3));
  r.put(
      "conv2d_all",
      nn::Conv2d(4, 6, {3, 2}, {.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2, .bias = false}));
  r.put("conv2d_unbatched", nn::Conv2d(4, 6, 3, {.padding = "valid"}));
  r.put("conv2d_reflect", nn::Conv2d(4, 6, 3, {.stride = 2, .padding = {1, 2}, .padding_mode = "reflect"}));
  r.put("conv2d_replicate", nn::Conv2d(4, 6, 3, {.padding = 1, .padding_mode = "replicate"}));
  r.put("conv2d_circular", nn::Conv2d(4, 6, {4, 3}, {.padding = "same", .padding_mode = "circular"}));
  r.put("conv3d", nn::Conv3d(4, 2, 3, {.padding = 1, .groups = 2}));
  r.put("conv_transpose1d", nn::ConvTranspose1d(4, 6, 3, {.stride = 2, .groups = 2, .bias = false, .dilation = 2}));
  r.put("conv_transpose2d", nn::ConvTranspose2d(4, 6, 3, {.stride = 2, .padding = 1, .output_padding = 1}));
  r.put("conv_transpose3d",
        nn::ConvTranspose3d(4, 2, {3, 2, 3}, {.stride = {2, 1, 1}, .padding = {1, 0, 1}, .output_padding = {1, 0, 0}}));
  r.put("max_pool1d", nn::MaxPool1d(3));
  r.put("max_pool2d", nn::MaxPool2d(3, {.stride = 2, .padding = 1}));
  r.put("max_pool2d_all",
        nn::MaxPool2d({3, 2}, {.stride = {{2, 1}}, .padding = {1, 0}, .dilation = 2, .ceil_mode = true}));
  r.put("max_pool3d", nn::MaxPool3d(2));
  r.put("avg_pool1d", nn::AvgPool1d(3, {.stride = 2, .padding = 1}));
  r.put("avg_pool2d", nn::AvgPool2d(3, {.stride = 1}));
  r.put("avg_pool2d_all",
        nn::AvgPool2d({3, 2}, {.stride = 2, .padding = {1, 0}, .ceil_mode = true, .count_include_pad = false}));
  r.put("avg_pool3d", nn::AvgPool3d({2, 3, 4}, {.stride = 2, .padding = 1, .divisor_override = 5}));
  r.put("adaptive_avg_pool1d", nn::AdaptiveAvgPool1d(5));
  r.put("adaptive_avg_pool2d", nn::AdaptiveAvgPool2d({1, 1}));
  r.put("adaptive_avg_pool2d_same", nn::AdaptiveAvgPool2d({kSameSize, 4}));
  r.put("adaptive_avg_pool3d", nn::AdaptiveAvgPool3d(2));
  r.put("adaptive_max_pool1d", nn::AdaptiveMaxPool1d(4));
  r.put("adaptive_max_pool2d", nn::AdaptiveMaxPool2d({5, 3}));
  r.put("adaptive_max_pool3d", nn::AdaptiveMaxPool3d({kSameSize, 2, 3}));
  r.put("batch_norm1d", nn::BatchNorm1d(4));
  r.put("batch_norm1d_line", nn::BatchNorm1d(4, {.momentum = {}}));
  r.put("batch_norm2d", nn::BatchNorm2d(4));
  r.put("batch_norm2d_eval", nn::BatchNorm2d(4));
  r.put("batch_norm2d_plain", nn::BatchNorm2d(4, {.eps = 1e-3, .affine = false}));
  r.put("batch_norm2d_no_bias", nn::BatchNorm2d(4, {.bias = false}));
  r.put("batch_norm2d_untracked", nn::BatchNorm2d(4, {.track_running_stats = false}));
  r.put("batch_norm3d", nn::BatchNorm3d(4, {.momentum = 0.3}));
  r.put("instance_norm1d", nn::InstanceNorm1d(4));
  r.put("instance_norm2d", nn::InstanceNorm2d(4, {.affine = true, .track_running_stats = true}));
  r.put("instance_norm2d_eval", nn::InstanceNorm2d(4, {.affine = true, .track_running_stats = true}));
  r.put("instance_norm2d_unbatched", nn::InstanceNorm2d(4));
  r.put("instance_norm3d", nn::InstanceNorm3d(4, {.momentum = {}, .track_running_stats = true}));
  r.put("layer_norm", nn::LayerNorm(6));
  r.put("layer_norm_two", nn::LayerNorm({5, 6}, {.eps = 1e-6, .bias = false}));
  r.put("layer_norm_plain", nn::LayerNorm({5, 6}, {.elementwise_affine = false}));
  r.put("rms_norm", nn::RMSNorm(6));
  r.put("rms_norm_two", nn::RMSNorm({5, 6}, {.eps = 1e-6}));
  r.put("rms_norm_plain", nn::RMSNorm({5, 6}, {.elementwise_affine = false}));
  r.put("group_norm", nn::GroupNorm(2, 4));
  r.put("group_norm_plain", nn::GroupNorm(4, 4, {.eps = 1e-3, .affine = false}));
  r.put("upsample", nn::Upsample({.scale_factor = {2}}));
  r.put("upsample_size", nn::Upsample({.size = {5, 9}, .mode = "bilinear", .align_corners = true}));
  r.put("upsample_factors", nn::Upsample({.scale_factor = {2, 1.5}, .mode = "bicubic"}));
  r.put("upsample_line", nn::Upsample({.size = {4}, .mode = "linear"}));
  r.put("upsampling_nearest2d", nn::UpsamplingNearest2d({.scale_factor = {3}}));
  r.put("upsampling_bilinear2d", nn::UpsamplingBilinear2d({.size = {8}}));
  r.put("pixel_shuffle", nn::PixelShuffle(2));
  r.put("pixel_unshuffle", nn::PixelUnshuffle(2));
  r.put("zero_pad1d", nn::ZeroPad1d(1));
  r.put("zero_pad2d", nn::ZeroPad2d({1, 2, 3, -1}));
  r.put("zero_pad3d", nn::ZeroPad3d(1));
  r.put("constant_pad1d", nn::ConstantPad1d(2, 3.5));
  r.put("constant_pad2d", nn::ConstantPad2d({0, 1, 2, 0}, 3));
  r.put("constant_pad3d", nn::ConstantPad3d(1, -1.0));
  r.put("reflection_pad1d", nn::ReflectionPad1d(2));
  r.put("reflection_pad2d", nn::ReflectionPad2d({1, 2, 0, 3}));
  r.put("reflection_pad3d", nn::ReflectionPad3d(1));
  r.put("replication_pad1d", nn::ReplicationPad1d({3, 0}));
  r.put("replication_pad2d", nn::ReplicationPad2d(2));
  r.put("replication_pad3d", nn::ReplicationPad3d(1));
  r.put("circular_pad1d", nn::CircularPad1d(2));
  r.put("circular_pad2d", nn::CircularPad2d({1, 2, 3, 0}));
  r.put("circular_pad3d", nn::CircularPad3d(1));
  r.put("dropout1d", nn::Dropout1d(0.25));
  r.put("dropout2d", nn::Dropout2d());
  r.put("dropout3d", nn::Dropout3d());
  r.put("dropout2d_eval", nn::Dropout2d());
  r.put("unflatten", nn::Unflatten(1, {2, 2}));
  r.put("hardtanh", nn::Hardtanh(-0.5, 0.25));
  r.put("hardtanh_inplace", nn::Hardtanh(-1, 1, true));
  r.put("relu6", nn::ReLU6());
  r.put("relu6_inplace", nn::ReLU6(true));
  r.put("leaky_relu_inplace", nn::LeakyReLU(0.2, true));
  return r.take();
}

Shape shape(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }

std::vector<double> numbers(const json& j) { return j.get<std::vector<double>>(); }

TEST(Layers, AreThoseOfPyTorch) {
  const json trace = json::parse(std::ifstream(test::source_path("tests/traces/layers.json")));
  const auto modules = layers();
  ASSERT_EQ(trace["cases"].size(), modules.size());
  for (const json& recorded : trace["cases"]) {
    const std::string name = recorded["name"];
    SCOPED_TRACE(name);
    nn::Module& module = *modules.at(name);
    EXPECT_EQ(recorded["repr"], module.to_string());
    const nn::StateDict dict = module.state_dict();
    EXPECT_EQ(dict.size(), recorded["state"].size());
    for (const auto& [key, sizes] : recorded["state"].items()) EXPECT_EQ(dict.at(key).sizes(), shape(sizes)) << key;
    if (!recorded.contains("shape")) continue;

    module.to(kFloat64);
    test::fill(module);
    module.train(!recorded["eval"].get<bool>());
    const Tensor x = test::uniform("x", shape(recorded["shape"])).requires_grad_();
    const Tensor y = module(x);
    ASSERT_EQ(y.sizes(), shape(recorded["sizes"]));
    test::expect_sketch(y, numbers(recorded["output"]), 1e-12, "output");
    sum(y * test::uniform("y", y.sizes())).backward();
    const auto& grads = recorded["grads"];
    test::expect_sketch(x.grad(), numbers(grads["x"]), 1e-12, "gradient of x");
    EXPECT_EQ(grads.size(), 1 + module.parameters().size());
    for (const auto& [key, p] : module.named_parameters())
      test::expect_sketch(p.grad(), numbers(grads[key]), 1e-12, key);
    EXPECT_EQ(recorded["buffers"].size(), module.buffers().size());
    for (const auto& [key, b] : module.named_buffers())
      test::expect_sketch(b, numbers(recorded["buffers"][key]), 1e-12, key);
  }
}

TEST(Layers, StartAsPyTorchs) {
  manual_seed(3);
  const nn::Conv2d conv(6, 40, {3, 5}, {.groups = 2});
  const double bound = 1 / std::sqrt(3.0 * 3 * 5);
  for (const Tensor& p : conv.parameters()) {
    EXPECT_LE(p.detach().abs().max().item(), bound);
    EXPECT_GT(p.detach().abs().max().item(), 0.9 * bound);
    EXPECT_LT(std::abs(p.detach().mean().item()), 0.3 * bound);
  }
  // The fan of a transposed convolution is that of its weight as it lies in memory, as in PyTorch.
  const nn::ConvTranspose2d transposed(40, 6, {3, 5}, {.groups = 2});
  EXPECT_EQ(transposed.weight.sizes(), (Shape{40, 3, 3, 5}));
  for (const Tensor& p : transposed.parameters()) EXPECT_LE(p.detach().abs().max().item(), bound);
  EXPECT_GT(transposed.weight.detach().abs().max().item(), 0.9 * bound);

  nn::BatchNorm2d norm(3);
  EXPECT_EQ(norm.weight.to_vector<double>(), (std::vector<double>{1, 1, 1}));
  EXPECT_EQ(norm.bias.to_vector<double>(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(norm.running_mean.to_vector<double>(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(norm.running_var.to_vector<double>(), (std::vector<double>{1, 1, 1}));
  EXPECT_EQ(norm.num_batches_tracked.dtype(), kInt64);
  norm(randn({4, 3, 2, 2}));
  EXPECT_EQ(norm.num_batches_tracked.item<std::int64_t>(), 1);
  norm.reset_running_stats();
  EXPECT_EQ(norm.num_batches_tracked.item<std::int64_t>(), 0);
  EXPECT_EQ(norm.running_var.to_vector<double>(), (std::vector<double>{1, 1, 1}));
}

TEST(Layers, AFrozenBatchNormUsesItsStatisticsAndLeavesThem) {
  manual_seed(4);
  nn::Sequential net(nn::Conv2d(3, 4, 3), nn::BatchNorm2d(4), nn::ReLU(true), nn::Dropout2d(0.5));
  const Tensor x = randn({5, 3, 6, 6});
  net(x);
  nn::freeze(net);
  net.train();
  const nn::StateDict before = nn::clone(net).state_dict();
  const Tensor frozen = net(x);
  for (const auto& [name, tensor] : net.state_dict()) EXPECT_TRUE(equal(tensor, before.at(name))) << name;
  EXPECT_FALSE(frozen.requires_grad());
  net.eval();
  EXPECT_TRUE(equal(net(x), frozen));
  nn::unfreeze(net);
  net.train();
  net(x);
  EXPECT_FALSE(equal(net.state_dict().at("1.running_mean"), before.at("1.running_mean")));
  EXPECT_EQ(net.state_dict().at("1.num_batches_tracked").item(), 2);
}

// requires_grad = false is not freezing: statistics go on moving, and an audit says so.
TEST(Layers, AnAuditFindsDriftingStatistics) {
  manual_seed(5);
  nn::Sequential net(nn::Conv2d(3, 4, 3), nn::BatchNorm2d(4), nn::Conv2d(4, 2, 4));
  optim::SGD optimizer(net.parameters(), {.lr = 0.1});
  const auto findings = [&] {
    optim::Audit audit(net, {optimizer});
    optimizer.minimize(square(net(randn({5, 3, 6, 6}))).mean());
    return audit.report().findings;
  };
  EXPECT_TRUE(findings().empty());
  net[1].requires_grad_(false);
  ASSERT_EQ(findings().size(), 1u);
  EXPECT_EQ(findings()[0].rule, "drifting-statistics");
  nn::freeze(net[1]);
  EXPECT_TRUE(findings().empty());
}

// As in files from before PyTorch 0.4.1.
TEST(Layers, StatesMayLackTheCountOfBatches) {
  nn::Sequential net(nn::Linear(3, 3), nn::BatchNorm1d(3));
  net(randn({4, 3}));
  nn::StateDict dict = net.state_dict();
  dict.erase("1.num_batches_tracked");
  const nn::LoadReport report = net.load_state_dict(dict);
  EXPECT_TRUE(report.missing.empty());
  EXPECT_EQ(report.loaded.size(), 6u);
  EXPECT_EQ(net.state_dict().at("1.num_batches_tracked").item(), 1);
  dict.erase("1.running_mean");
  EXPECT_THROW(net.load_state_dict(dict), ValueError);
}

TEST(Layers, DropoutOfChannelsDropsWholeOnes) {
  manual_seed(6);
  nn::Dropout2d dropout(0.5);
  const Tensor y = dropout(ones({20, 10, 3, 3}));
  const Tensor first = y.select(3, 0).select(2, 0);
  EXPECT_TRUE(equal(y, first.unsqueeze(2).unsqueeze(3).expand({20, 10, 3, 3}).contiguous()));
  EXPECT_GT(first.eq(Tensor::scalar(0, kFloat32)).to(kFloat32).sum().item(), 60);
  EXPECT_GT(first.eq(Tensor::scalar(2, kFloat32)).to(kFloat32).sum().item(), 60);
  dropout.eval();
  EXPECT_EQ(dropout(y).to_vector<float>(), y.to_vector<float>());
}

TEST(Layers, ATransposedConvolutionTakesTheSizeItShouldGive) {
  nn::ConvTranspose2d up(2, 3, 3, {.stride = 2, .padding = 1});
  const Tensor x = randn({1, 2, 5, 6});
  EXPECT_EQ(up(x).sizes(), (Shape{1, 3, 9, 11}));
  EXPECT_EQ(up(x, {10, 11}).sizes(), (Shape{1, 3, 10, 11}));
  EXPECT_TRUE(allclose(up(x, {10, 12}).narrow(2, 0, 9).narrow(3, 0, 11), up(x)));
  EXPECT_NE(message_of([&] {
              up(x, {11, 11});
            }).find("from 9 to 10 in dimension -2, got output_size [11, 11]"),
            std::string::npos);
  EXPECT_THROW(up(x, {10}), ShapeError);
}

// In place, activations give what they give otherwise, and the same gradients.
TEST(Layers, ActivationsInPlace) {
  manual_seed(7);
  const Tensor x = (randn({4, 5}, {.dtype = kFloat64}) * 5).requires_grad_();
  const auto agree = [&](nn::Module& plain, nn::Module& inplace) {
    Tensor y = plain(x), copy = x * 1;
    const Tensor z = inplace(copy);
    EXPECT_TRUE(z.is_same(copy) || z.data_ptr() == copy.data_ptr());
    EXPECT_TRUE(equal(y, z));
    EXPECT_TRUE(equal(autograd::grad({square(y).sum()}, {x})[0], autograd::grad({square(z).sum()}, {x})[0]));
  };
  nn::ReLU relu, relu_inplace(true);
  nn::LeakyReLU leaky(0.2), leaky_inplace(0.2, true);
  nn::ReLU6 relu6, relu6_inplace(true);
  agree(relu, relu_inplace);
  agree(leaky, leaky_inplace);
  agree(relu6, relu6_inplace);
  // No gradient at the bounds themselves, as in PyTorch.
  const Tensor ends = tensor({0.0, 6.0, 3.0}, {.requires_grad = true});
  EXPECT_EQ(autograd::grad({relu6_inplace(ends * 1).sum()}, {ends})[0].to_vector<double>(),
            (std::vector<double>{0, 0, 1}));
  EXPECT_THROW(nn::Hardtanh(1, 1), ValueError);
}

TEST(Layers, RefuseWhatCannotWork) {
  EXPECT_EQ(message_of([] { nn::Conv2d(3, 4, 3, {.groups = 2}); }),
            "Conv2d: in_channels and out_channels must be multiples of groups, which is at least 1, got 3, 4 and 2");
  EXPECT_EQ(message_of([] { nn::Conv1d(4, 4, 0); }), "Conv1d: kernel_size must be at least 1, got (0,)");
  EXPECT_EQ(message_of([] { nn::Conv2d(3, 4, 3, {.stride = 2, .padding = "same"}); }),
            "Conv2d: padding 'same' needs stride 1, got (2, 2)");
  EXPECT_EQ(message_of([] { nn::Conv2d(3, 4, 3, {.padding_mode = "mirror"}); }),
            "Conv2d: padding_mode must be 'zeros', 'reflect', 'replicate' or 'circular', got 'mirror'");
  EXPECT_THROW(nn::Conv2d(3, 4, 3, {.padding = "full"}), ValueError);
  EXPECT_THROW(nn::Conv2d(3, 4, {1, 2, 3}), ValueError);
  EXPECT_THROW(nn::Conv2d(std::int64_t{1} << 40, 1 << 30, 3), ShapeError);
  EXPECT_EQ(message_of([] {
              nn::BatchNorm2d(3)(ones({2, 3, 4}));
            }),
            "BatchNorm2d: needs x of 4 dimensions, got [2, 3, 4]");
  EXPECT_EQ(message_of([] {
              nn::BatchNorm1d(3)(ones({2, 3, 4, 4}));
            }),
            "BatchNorm1d: needs x of 2 or 3 dimensions, got [2, 3, 4, 4]");
  EXPECT_THROW(nn::BatchNorm2d(-1), ValueError);
  EXPECT_THROW(nn::InstanceNorm2d(3)(ones({3, 4})), ShapeError);
  EXPECT_EQ(message_of([] { nn::GroupNorm(3, 4); }), "GroupNorm: num_groups must divide num_channels, got 3 and 4");
  EXPECT_THROW(nn::GroupNorm(2, 4)(ones({2, 6, 3})), ShapeError);
  EXPECT_THROW(nn::Upsample({}), ValueError);
  EXPECT_THROW(nn::Upsample({.size = {4}, .scale_factor = {2}}), ValueError);
  EXPECT_THROW(nn::PixelShuffle(0), ValueError);
  EXPECT_EQ(message_of([] { nn::Dropout2d(1.5); }), "Dropout2d: p must be in [0, 1], got 1.5");
  EXPECT_THROW(nn::AdaptiveAvgPool2d(-3), ValueError);
  // A batch that cannot be normalised moves no statistics.
  nn::BatchNorm1d norm(3);
  EXPECT_THROW(norm(ones({1, 3})), ValueError);
  EXPECT_EQ(norm.num_batches_tracked.item(), 0);
}

}  // namespace
}  // namespace gradus

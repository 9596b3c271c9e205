// PyTorch's everyday lines, as they read here.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <sstream>

#include "support/temp_folder.h"

namespace gradus {
namespace {

namespace F = nn::functional;

TEST(Idioms, SaveAndLoadACheckpoint) {
  const test::TempFolder folder;
  const std::string path = folder / "checkpoint.pth";
  nn::Sequential net(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2));
  optim::Adam opt(net.parameters(), {.lr = 0.01});
  const Tensor x = randn({8, 3}), y = randint(0, 2, {8});
  const auto step = [&](nn::Sequential& of, optim::Adam& by) {
    by.zero_grad();
    F::cross_entropy(of(x), y).backward();
    by.step();
  };
  step(net, opt);
  io::save(io::Value::dict(
               {{"epoch", 5}, {"model_state_dict", net.state_dict()}, {"optimizer_state_dict", opt.state_dict()}}),
           path);

  nn::Sequential again(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2));
  optim::Adam resumed(again.parameters(), {.lr = 0.5});
  const io::Value checkpoint = io::load(path);
  EXPECT_EQ(checkpoint["epoch"].as_int(), 5);
  again.load_state_dict(checkpoint["model_state_dict"]);
  resumed.load_state_dict(checkpoint["optimizer_state_dict"]);
  EXPECT_EQ(*resumed.param_groups()[0].lr, 0.01);
  step(net, opt);
  step(again, resumed);
  for (const auto& [name, value] : net.state_dict()) EXPECT_TRUE(equal(value, again.state_dict().at(name))) << name;
  EXPECT_THROW(checkpoint["scheduler"], ValueError);
}

TEST(Idioms, SaveAndLoadWeights) {
  const test::TempFolder folder;
  nn::Linear net(3, 2), same(3, 2), third(3, 2);
  io::save(net.state_dict(), folder / "a.pth");
  io::save(folder / "b.safetensors", net.state_dict());
  same.load_state_dict(io::load(folder / "a.pth"));
  third.load_state_dict(io::load(folder / "b.safetensors"));
  EXPECT_TRUE(equal(net.weight, same.weight) && equal(net.bias, third.bias));
  EXPECT_THROW(io::save(io::Value("text"), folder / "c.pth"), ValueError);
}

TEST(Idioms, ANewHeadOfTheRightWidth) {
  models::ResNet net = models::resnet18();
  net.fc = nn::Linear(net.fc.in_features, 2);
  EXPECT_EQ(net.fc.in_features, 512);
  EXPECT_EQ(net.fc.out_features, 2);
  EXPECT_EQ(net.conv1.in_channels, 3);
  EXPECT_EQ(net.conv1.out_channels, 64);
  EXPECT_EQ(net.conv1.kernel_size, (Spatial<2>(7)));
  EXPECT_EQ(net.bn1.num_features, 64);
  EXPECT_EQ(nn::Embedding(10, 3).embedding_dim, 3);
  EXPECT_EQ(nn::LSTM(4, 7).hidden_size, 7);
  EXPECT_EQ(nn::ConvTranspose2d(4, 6, 3).out_channels, 6);
}

TEST(Idioms, HooksThatOnlyLook) {
  nn::Linear net(3, 2);
  Shape before, after;
  const std::size_t first = net.register_forward_pre_hook([&](nn::Module&, const Tensor& in) { before = in.sizes(); });
  net.register_forward_hook([&](auto&, auto&, auto& out) { after = out.sizes(); });
  net(ones({5, 3}));
  EXPECT_EQ(before, (Shape{5, 3}));
  EXPECT_EQ(after, (Shape{5, 2}));
  net.remove_hook(first);
  net(ones({1, 3}));
  EXPECT_EQ(before, (Shape{5, 3}));
  EXPECT_EQ(after, (Shape{1, 2}));
  net.register_forward_hook([](nn::Module&, const Tensor&, const Tensor& out) { return out * 0; });
  EXPECT_EQ(net(ones({1, 3})).abs().max().item(), 0);
}

TEST(Idioms, InitialValuesByOptionNames) {
  Tensor by_name = empty({20, 30}), by_place = empty({20, 30});
  manual_seed(3);
  nn::init::kaiming_normal_(by_name, {.mode = "fan_out", .nonlinearity = "relu"});
  manual_seed(3);
  nn::init::kaiming_normal_(by_place, 0, nn::init::FanMode::FanOut, "relu");
  EXPECT_TRUE(equal(by_name, by_place));
  EXPECT_THROW(nn::init::kaiming_uniform_(by_name, {.mode = "fan"}), ValueError);
}

TEST(Idioms, OptionsByNameAndOneNumberForAll) {
  const Tensor x = randn({2, 3, 4, 4});
  EXPECT_TRUE(equal(F::normalize(x, {.dim = -1}), F::normalize(x, 2, -1)));
  EXPECT_TRUE(equal(F::cosine_similarity(x[0], x[1], {.dim = 0}), F::cosine_similarity(x[0], x[1], 0)));
  const Tensor twice = F::interpolate(x, {.scale_factor = {2, 2}, .mode = "bilinear", .align_corners = false});
  EXPECT_TRUE(equal(F::interpolate(x, {.scale_factor = 2, .mode = "bilinear", .align_corners = false}), twice));
  EXPECT_TRUE(equal(F::interpolate(x, {.size = 8, .mode = "bilinear", .align_corners = false}), twice));
  EXPECT_TRUE(equal(nn::Upsample({.scale_factor = 2, .mode = "bilinear", .align_corners = false})(x), twice));
}

TEST(Idioms, ParametersAsOneVector) {
  nn::Linear net(3, 2);
  const Tensor all = nn::utils::parameters_to_vector(net.parameters());
  EXPECT_EQ(all.sizes(), (Shape{8}));
  (all * all).sum().backward();
  EXPECT_TRUE(allclose(net.weight.grad(), net.weight.detach() * 2));
  const Tensor bias = net.bias.detach().clone();
  nn::utils::vector_to_parameters(arange(8).to(kFloat32), net.parameters());
  EXPECT_TRUE(equal(net.weight.detach(), tensor({{0.f, 1.f, 2.f}, {3.f, 4.f, 5.f}})));
  EXPECT_TRUE(equal(net.bias.detach(), tensor({6.f, 7.f})));
  EXPECT_TRUE(net.weight.requires_grad() && net.weight.is_leaf());
  EXPECT_THROW(nn::utils::vector_to_parameters(ones({7}), net.parameters()), ValueError);
  EXPECT_TRUE(equal(net.bias.detach(), tensor({6.f, 7.f})));
  EXPECT_THROW(nn::utils::parameters_to_vector({net.bias, ones({1}, {.dtype = kFloat64})}), ValueError);
  EXPECT_EQ(nn::utils::parameters_to_vector({}).numel(), 0);
}

TEST(Idioms, MemoryOfTheCaller) {
  std::vector<std::int64_t> numbers{1, 2, 3};
  const Tensor x = from_blob(numbers.data(), {3});
  EXPECT_EQ(x.dtype(), kInt64);
  numbers[1] = 7;
  EXPECT_EQ(x[1].item<int>(), 7);
}

TEST(Idioms, Print) {
  std::ostringstream out;
  out << ones({2, 3}).sizes() << ", " << kFloat64 << " on " << Device() << "\n"
      << nn::Sequential(nn::Linear(3, 2), nn::ReLU());
  EXPECT_EQ(
      out.str(),
      "[2, 3], float64 on cpu\nSequential(\n  (0): Linear(in_features=3, out_features=2, bias=True)\n  (1): ReLU()\n)");
}

}  // namespace
}  // namespace gradus

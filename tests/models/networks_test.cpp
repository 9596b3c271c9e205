// The image networks against torchvision's (tests/fixtures/torchvision.json): names and sizes of all parameters and
// buffers, what they start from, what they print.
#include <gradus/autograd.h>
#include <gradus/models/alexnet.h>
#include <gradus/models/dcgan.h>
#include <gradus/models/lenet.h>
#include <gradus/models/mobilenet.h>
#include <gradus/models/resnet_attention.h>
#include <gradus/models/vgg.h>
#include <gradus/models/vit.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/init.h>
#include <gradus/random.h>

#include <gtest/gtest.h>

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;

const json& torchvision(const std::string& name) {
  static const json all = json::parse(std::ifstream(test::source_path("tests/fixtures/torchvision.json")));
  return all[name];
}

std::int64_t count(const nn::Module& net) {
  std::int64_t n = 0;
  for (const Tensor& p : net.parameters()) n += p.numel();
  return n;
}

// As make_torchvision.py's.
json digest(const nn::StateDict& dict) {
  std::uint64_t h = 0xCBF29CE484222325;
  for (const auto& [name, x] : dict) {
    for (const char c : name + " " + to_string(x.sizes()) + "\n") {
      h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    }
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, h);
  return json::array({dict.size(), text});
}

// Constants are equal; of random numbers the deviation is, and the largest tells a uniform distribution from a normal.
void expect_start(const std::string& name, const Tensor& given, const json& row) {
  const Tensor x = given.detach().to(kFloat64);
  if (row.size() == 3) {
    EXPECT_EQ(x.min().item(), row[2].get<double>()) << name;
    EXPECT_EQ(x.max().item(), row[2].get<double>()) << name;
  } else if (x.numel() >= 500) {
    const double deviation = x.std().item(), wanted = row[2];
    EXPECT_NEAR(deviation / wanted, 1, 6 / std::sqrt(static_cast<double>(x.numel()))) << name;
    EXPECT_EQ(x.abs().max().item() / deviation > 2, row[3] > 2) << name;
  }
}

void expect_torchvisions(const std::string& name, const std::function<std::unique_ptr<nn::Module>()>& make) {
  SCOPED_TRACE(name);
  manual_seed(1);
  const auto net = make();
  const nn::StateDict dict = net->state_dict();
  const json& recorded = torchvision(name);
  EXPECT_EQ(count(*net), recorded["parameters"]);
  if (recorded.contains("state")) {
    std::size_t i = 0;
    for (const auto& [key, x] : dict) {
      ASSERT_LT(i, recorded["state"].size());
      const json& row = recorded["state"][i++];
      ASSERT_EQ(row[0], key);
      ASSERT_EQ(x.sizes(), Shape(row[1].get<std::vector<std::int64_t>>())) << key;
      expect_start(key, x, row);
    }
  }
  EXPECT_EQ(recorded["digest"], digest(dict));
  if (recorded.contains("repr")) {
    EXPECT_EQ(recorded["repr"], net->to_string());
  }
}

template <class M>
std::unique_ptr<nn::Module> own(M module) {
  return std::make_unique<M>(std::move(module));
}

TEST(Networks, AreNamedSizedAndStartedAsTorchvisions) {
  using namespace models;
  expect_torchvisions("alexnet", [] { return own(AlexNet()); });
  expect_torchvisions("mobilenet_v2", [] { return own(MobileNetV2()); });
  expect_torchvisions("vit_b_16", [] { return own(vit_b_16()); });
  expect_torchvisions("resnet18", [] { return own(resnet18()); });
  expect_torchvisions("resnet34", [] { return own(resnet34()); });
  expect_torchvisions("resnet50", [] { return own(resnet50()); });
  expect_torchvisions("resnet101", [] { return own(resnet101()); });
  expect_torchvisions("resnet152", [] { return own(resnet152()); });
}

TEST(Networks, VggsAreTorchvisions) {
  using namespace models;
  // Each depth and each kind once: they are large.
  expect_torchvisions("vgg11", [] { return own(vgg11()); });
  expect_torchvisions("vgg13_bn", [] { return own(vgg13_bn()); });
  expect_torchvisions("vgg16", [] { return own(vgg16()); });
  expect_torchvisions("vgg19_bn", [] { return own(vgg19_bn()); });
}

TEST(Networks, GiveScoresAndGradients) {
  manual_seed(2);
  const auto run = [](nn::Module& net, std::int64_t size, std::int64_t classes) {
    const Tensor y = net(randn({2, 3, size, size}));
    ASSERT_EQ(y.sizes(), (Shape{2, classes}));
    y.sum().backward();
    for (const auto& [name, p] : net.named_parameters()) EXPECT_TRUE(p.grad().defined()) << name;
  };
  models::LeNet lenet(7);
  run(lenet, 32, 7);
  EXPECT_EQ(count(models::LeNet()), 62006);
  models::AlexNet alexnet({.num_classes = 5});
  run(alexnet, 63, 5);
  models::MobileNetV2 mobilenet({.num_classes = 3, .width_mult = 0.35});
  EXPECT_EQ(count(mobilenet), 399971);  // torchvision's with these options
  run(mobilenet, 64, 3);
  models::VisionTransformer vit({.image_size = 32,
                                 .patch_size = 8,
                                 .num_layers = 2,
                                 .num_heads = 2,
                                 .hidden_dim = 16,
                                 .mlp_dim = 32,
                                 .num_classes = 4,
                                 .representation_size = 8});
  run(vit, 32, 4);
  EXPECT_EQ(count(models::vit_ti_16()), 5717416);
  EXPECT_THROW(vit(randn({2, 3, 40, 40})), ShapeError);
  models::ResNet resnext(models::ResNet::Block::Bottleneck, {1, 1, 1, 1},
                         {.num_classes = 4, .groups = 32, .width_per_group = 4});
  EXPECT_EQ(resnext.get_parameter("layer1.0.conv2.weight").sizes(), (Shape{128, 4, 3, 3}));
  run(resnext, 64, 4);
}

TEST(Networks, OptionsAreChecked) {
  EXPECT_THROW(models::VGG(12), ValueError);
  EXPECT_THROW(models::MobileNetV2({.width_mult = 0}), ValueError);
  EXPECT_THROW(models::VisionTransformer({.image_size = 30}), ValueError);
  EXPECT_THROW(models::ResNet(models::ResNet::Block::Basic, {1, 1, 1, 1}, {.groups = 2}), ValueError);
  EXPECT_THROW(models::ResNet(models::ResNet::Block::Basic, {1, 0, 1, 1}), ValueError);
  EXPECT_THROW(models::InvertedResidual(8, 8, 3, 6), ValueError);
}

TEST(Networks, ResidualBranchesMayStartAtZero) {
  manual_seed(3);
  models::ResNet net(models::ResNet::Block::Bottleneck, {1, 1, 1, 1}, {.zero_init_residual = true});
  EXPECT_EQ(net.get_parameter("layer3.0.bn3.weight").detach().abs().max().item(), 0);
  EXPECT_EQ(net.get_parameter("layer3.0.bn2.weight").detach().min().item(), 1);
  models::ResNet basic(models::ResNet::Block::Basic, {1, 1, 1, 1}, {.zero_init_residual = true});
  EXPECT_EQ(basic.get_parameter("layer3.0.bn2.weight").detach().abs().max().item(), 0);
}

TEST(Networks, AHeadIsReplaced) {
  models::ResNet net = models::resnet18({.num_classes = 7});
  net.fc = nn::Linear(512, 3);
  EXPECT_EQ(net(randn({2, 3, 32, 32})).sizes(), (Shape{2, 3}));
  EXPECT_EQ(net.features(randn({2, 3, 33, 64})).sizes(), (Shape{2, 512, 2, 2}));
  EXPECT_EQ(net.state_dict().at("fc.weight").sizes(), (Shape{3, 512}));
}

TEST(ResNetAttention, FreezesTheNetworkAndTrainsTheRest) {
  manual_seed(4);
  models::ResNet backbone(models::ResNet::Block::Bottleneck, {1, 1, 1, 1});
  const Tensor stem = backbone.conv1.weight;
  models::ResNetAttention net(std::move(backbone));
  EXPECT_TRUE(net.resnet.conv1.weight.is_same(stem));
  EXPECT_EQ(net.gamma.item(), 0);
  EXPECT_EQ(net.f.weight.sizes(), (Shape{512, 2048, 1, 1}));
  EXPECT_EQ(net.h.weight.sizes(), (Shape{2048, 2048, 1, 1}));
  std::vector<std::string> trained;
  for (const auto& [name, p] : net.named_parameters()) {
    if (p.requires_grad()) trained.push_back(name);
  }
  EXPECT_EQ(trained, (std::vector<std::string>{"gamma", "resnet.fc.weight", "resnet.fc.bias", "f.weight", "f.bias",
                                               "g.weight", "g.bias", "h.weight", "h.bias"}));
  EXPECT_FALSE(nn::is_frozen(net) || nn::is_frozen(net.resnet) || nn::is_frozen(net.f));
  EXPECT_TRUE(nn::is_frozen(net.resnet.layer1) && nn::is_frozen(net.resnet.bn1));
  net.train();
  EXPECT_FALSE(net.resnet.bn1.is_training());
  // gamma is 0: the scores are those of the network without attention.
  const Tensor x = randn({1, 3, 193, 193});
  EXPECT_TRUE(allclose(net(x), net.resnet.fc(net.resnet.features(x).mean({2, 3})), 1e-4, 1e-5));
  EXPECT_EQ(net.resnet.bn1.num_batches_tracked.item(), 0);
  EXPECT_THROW(net(randn({1, 3, 260, 193})), ShapeError);
}

// Each result is a mean of h over all positions, weighed by the softmax of f . g.
TEST(ResNetAttention, AttendsAsDocumented) {
  manual_seed(5);
  models::ResNetAttention net(models::ResNet(models::ResNet::Block::Basic, {1, 1, 1, 1}), 4);
  EXPECT_EQ(net.f.weight.sizes(), (Shape{128, 512, 1, 1}));
  net.to(kFloat64);
  nn::init::constant_(net.gamma, 0.5);
  const Tensor x = randn({1, 512, 2, 3}, {.dtype = kFloat64});
  const NoGrad guard;
  const Tensor y = flatten(net.attend(x), 2)[0], in = flatten(x, 2)[0];
  const Tensor f = flatten(net.f(x), 2)[0], g = flatten(net.g(x), 2)[0], h = flatten(net.h(x), 2)[0];
  for (std::int64_t j = 0; j < 6; ++j) {
    std::vector<double> weights;
    double total = 0;
    for (std::int64_t i = 0; i < 6; ++i) {
      weights.push_back(std::exp(dot(select(f, 1, i).contiguous(), select(g, 1, j).contiguous()).item()));
      total += weights.back();
    }
    Tensor seen = zeros({512}, {.dtype = kFloat64});
    for (std::int64_t i = 0; i < 6; ++i) seen = seen + select(h, 1, i) * (weights[static_cast<std::size_t>(i)] / total);
    EXPECT_TRUE(allclose(select(y, 1, j), seen * 0.5 + select(in, 1, j), 1e-10, 1e-12)) << j;
  }
}

TEST(Dcgan, HasTheExamplesNamesAndStart) {
  manual_seed(6);
  models::DcganGenerator g;
  models::DcganDiscriminator d;
  EXPECT_EQ(count(g), 3576704);
  EXPECT_EQ(count(d), 2765568);
  EXPECT_EQ(g.get_parameter("main.0.weight").sizes(), (Shape{100, 512, 4, 4}));
  EXPECT_EQ(d.get_parameter("main.11.weight").sizes(), (Shape{1, 512, 4, 4}));
  EXPECT_NEAR(g.get_parameter("main.3.weight").detach().std().item(), 0.02, 1e-4);
  EXPECT_NEAR(g.get_parameter("main.1.weight").detach().mean().item(), 1, 5e-3);
  EXPECT_NEAR(d.get_parameter("main.6.weight").detach().std().item(), 0.02, 5e-3);
  const Tensor images = g(randn({2, 100, 1, 1}));
  EXPECT_EQ(images.sizes(), (Shape{2, 3, 64, 64}));
  EXPECT_EQ(d(images).sizes(), (Shape{2}));
}

}  // namespace
}  // namespace gradus

// Forward, loss, every gradient and 20 training steps of the image networks, against PyTorch's in float64:
// tests/traces/networks.json. Relative to each tensor's norm they agree to 1e-8 in float64, and to 1e-4 in float32.
#include <gradus/autograd.h>
#include <gradus/models/dcgan.h>
#include <gradus/models/lenet.h>
#include <gradus/models/resnet_attention.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/functional.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/control/groups.h>
#include <gradus/optim/sgd.h>

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/paths.h"

namespace gradus {
namespace {

namespace F = nn::functional;
using nlohmann::json;

const json& trace(const std::string& name) {
  static const json all = json::parse(std::ifstream(test::source_path("tests/traces/networks.json")));
  for (const json& network : all["networks"])
    if (network["name"] == name) return network;
  throw ValueError("no trace of " + name);
}

Shape shape(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }
std::vector<double> numbers(const json& j) { return j.get<std::vector<double>>(); }

struct Tolerance {
  Dtype dtype;
  double error;  // of a tensor relative to its norm, of a loss relative to 1 + loss
};
constexpr Tolerance kDouble{kFloat64, 1e-8}, kFloat{kFloat32, 1e-4};

// make_networks.py's steady().
void steady(nn::Module& net) {
  const NoGrad guard;
  for (auto& [name, parameter] : net.named_parameters()) {
    Tensor p = parameter;
    if (name.ends_with("bn3.weight")) {
      p.mul_(0.2);
    } else if (name.ends_with("bn1.bias") || name.ends_with("bn2.bias") || name.ends_with("bn3.bias")) {
      p.add_(sign(p), name.ends_with("bn3.bias") ? 1 : 2);
    } else if (name == "f.weight" || name == "g.weight") {
      p.mul_(0.1);
    }
  }
}

void expect_gradients(const nn::Module& net, const json& recorded, const Tolerance& t) {
  std::size_t with_gradient = 0;
  for (const auto& [name, p] : net.named_parameters()) {
    if (!p.grad().defined()) continue;
    ++with_gradient;
    ASSERT_TRUE(recorded.contains(name)) << name;
    if (name == "f.bias") {  // adds the same to all that a softmax is taken of
      EXPECT_LT(p.grad().abs().max().item(), t.error) << name;
      continue;
    }
    test::expect_sketch(p.grad(), numbers(recorded[name]), t.error, "gradient of " + name);
  }
  EXPECT_EQ(with_gradient, recorded.size());
}

void expect_state(const nn::Module& net, const json& recorded, const Tolerance& t) {
  const nn::StateDict dict = net.state_dict();
  EXPECT_EQ(dict.size(), recorded.size());
  for (const auto& [name, x] : dict) {
    ASSERT_TRUE(recorded.contains(name)) << name;
    test::expect_sketch(x, numbers(recorded[name]), t.error, name + " after all steps");
  }
}

template <class Net, class Optimizer>
void replay(const std::string& name, Net& net, Optimizer& optimizer, const Tolerance& t) {
  const json& recorded = trace(name);
  const Tensor x = test::uniform(recorded["image"].get<std::string>(), shape(recorded["shape"])).to(t.dtype);
  const Tensor labels = remainder(arange(x.size(0)) * 7, tensor(std::int64_t{10}));
  const std::vector<double> losses = numbers(recorded["losses"]);
  ASSERT_EQ(losses.size(), 20U);
  for (std::size_t step = 0; step < losses.size(); ++step) {
    optimizer.zero_grad();
    const Tensor y = net(x), loss = F::cross_entropy(y, labels);
    loss.backward();
    if (step == 0) {
      test::expect_sketch(y, numbers(recorded["output"]), t.error, "output");
      expect_gradients(net, recorded["grads"], t);
      for (const auto& [key, b] : net.named_buffers()) {
        test::expect_sketch(b, numbers(recorded["buffers"][key]), t.error, key);
      }
    }
    optimizer.step();
    EXPECT_NEAR(loss.item(), losses[step], t.error * (1 + losses[step])) << "loss of step " << step;
  }
  if (t.dtype == kFloat64) expect_state(net, recorded["state"], t);
}

class Traces : public testing::TestWithParam<Tolerance> {
 protected:
  // As recorded: numbers in float64, then this type.
  void prepare(nn::Module& net, void (*change)(nn::Module&) = nullptr) {
    net.to(kFloat64);
    test::fill(net);
    if (change != nullptr) change(net);
    net.to(GetParam().dtype);
  }
};

TEST_P(Traces, LeNet) {
  models::LeNet net;
  prepare(net);
  optim::SGD optimizer({{.params = net.features.parameters()}, {.params = net.classifier.parameters(), .lr = 1e-2}},
                       {.lr = 1e-3, .momentum = 0.9});
  replay("lenet", net, optimizer, GetParam());
}

void replay_resnet(const std::string& name, models::ResNet net, const Tolerance& t) {
  optim::SGD optimizer(net.parameters(), {.lr = 1e-4, .momentum = 0.9, .weight_decay = 1e-4});
  replay(name, net, optimizer, t);
}

TEST_P(Traces, ResNet18) {
  models::ResNet net = models::resnet18({.num_classes = 10});
  prepare(net);
  replay_resnet("resnet18", net, GetParam());
}

TEST_P(Traces, ResNet50) {
  models::ResNet net = models::resnet50({.num_classes = 10});
  prepare(net, steady);
  replay_resnet("resnet50", net, GetParam());
}

TEST_P(Traces, ResNetAttention) {
  models::ResNetAttention net(models::ResNet(models::ResNet::Block::Bottleneck, {1, 1, 1, 1}));
  prepare(net, steady);
  optim::Adam optimizer(optim::filter(net.parameters(), [](const Tensor& p) { return p.requires_grad(); }),
                        {.lr = 0.00001, .betas = {{0.9, 0.999}}, .eps = 1e-08, .weight_decay = 1e-5});
  replay("resnet_attention", net, optimizer, GetParam());
}

TEST_P(Traces, Dcgan) {
  const Tolerance t = GetParam();
  const json& recorded = trace("dcgan");
  const std::int64_t batch = recorded["batch"], noise = recorded["noise"];
  const models::DcganOptions sizes{.noise = noise, .features = recorded["features"].get<std::int64_t>()};
  models::DcganGenerator g(sizes);
  models::DcganDiscriminator d(sizes);
  prepare(g);
  prepare(d);
  const optim::AdamOptions adam{.lr = 0.0002, .betas = {{0.5, 0.999}}};
  optim::Adam d_optimizer(d.parameters(), adam), g_optimizer(g.parameters(), adam);
  const Tensor one = ones({batch}, {.dtype = t.dtype}), zero = zeros({batch}, {.dtype = t.dtype});
  for (std::size_t step = 0; step < recorded["losses"].size(); ++step) {
    const std::string number = std::to_string(step);
    d.zero_grad();
    const Tensor real =
        F::binary_cross_entropy(d(test::uniform("image " + number, {batch, 3, 64, 64}).to(t.dtype)), one);
    real.backward();
    const Tensor images = g(test::uniform("noise " + number, {batch, noise, 1, 1}).to(t.dtype));
    const Tensor fake = F::binary_cross_entropy(d(images.detach()), zero);
    fake.backward();
    if (step == 0) expect_gradients(d, recorded["d_grads"], t);
    d_optimizer.step();
    g.zero_grad();
    const Tensor fooled = F::binary_cross_entropy(d(images), one);
    fooled.backward();
    if (step == 0) {
      expect_gradients(g, recorded["g_grads"], t);
      test::expect_sketch(images, numbers(recorded["output"]), t.error, "images");
    }
    g_optimizer.step();
    const std::vector<double> losses = numbers(recorded["losses"][step]);
    EXPECT_NEAR(real.item() + fake.item(), losses[0], t.error * (1 + losses[0])) << "step " << step;
    EXPECT_NEAR(fooled.item(), losses[1], t.error * (1 + losses[1])) << "step " << step;
  }
  if (t.dtype == kFloat64) {
    expect_state(g, recorded["state"]["g"], t);
    expect_state(d, recorded["state"]["d"], t);
  }
}

std::string name_of(const testing::TestParamInfo<Tolerance>& p) { return to_string(p.param.dtype); }
INSTANTIATE_TEST_SUITE_P(Networks, Traces, testing::Values(kDouble, kFloat), name_of);

}  // namespace
}  // namespace gradus

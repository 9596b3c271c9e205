// The generator's step leaves the discriminator as it was, bit for bit; the autoencoder's second phase the encoder.
#include <gradus/flops.h>
#include <gradus/models/autoencoder.h>
#include <gradus/models/gan.h>
#include <gradus/nn/functional.h>
#include <gradus/optim/adam.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gradus {
namespace {

namespace F = nn::functional;

struct Snapshot {
  std::vector<Tensor> values, grads, first, second;
  Snapshot(const nn::Module& net, const optim::Optimizer& opt) {
    for (const Tensor& p : net.parameters()) {
      values.push_back(p.detach().clone());
      grads.push_back(p.grad().defined() ? p.grad().clone() : Tensor());
      first.push_back(opt.state_of(p, "exp_avg").clone());
      second.push_back(opt.state_of(p, "exp_avg_sq").clone());
    }
  }
  void expect_same(const Snapshot& other) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_TRUE(equal(values[i], other.values[i])) << "parameter " << i;
      EXPECT_EQ(grads[i].defined(), other.grads[i].defined());
      if (grads[i].defined()) {
        EXPECT_TRUE(equal(grads[i], other.grads[i])) << "gradient " << i;
      }
      EXPECT_TRUE(equal(first[i], other.first[i])) << "exp_avg " << i;
      EXPECT_TRUE(equal(second[i], other.second[i])) << "exp_avg_sq " << i;
    }
  }
};

TEST(Gan, TheGeneratorsStepLeavesTheDiscriminatorUntouched) {
  manual_seed(1);
  models::Discriminator D;
  models::Generator G;
  optim::Adam d_optimizer(D.parameters(), {.lr = 3e-4}), g_optimizer(G.parameters(), {.lr = 3e-4});
  const Tensor real = rand({8, 784}) * 2 - 1, real_label = ones({8, 1}), fake_label = zeros({8, 1});
  for (int step = 0; step < 3; ++step) {
    const Tensor fake = G(randn({8, 100})).detach();
    d_optimizer.minimize(F::binary_cross_entropy(D(real), real_label) + F::binary_cross_entropy(D(fake), fake_label));
    const Snapshot before(D, d_optimizer);
    const Tensor generator_before = G.parameters()[0].detach().clone();
    g_optimizer.minimize(F::binary_cross_entropy(D(G(randn({8, 100}))), real_label));
    Snapshot(D, d_optimizer).expect_same(before);
    EXPECT_TRUE(before.grads[0].defined());
    EXPECT_FALSE(equal(G.parameters()[0], generator_before));
  }
}

TEST(Gan, TheGradientThroughTheDiscriminatorIsTheWholeGradient) {
  manual_seed(2);
  models::Discriminator D;
  models::Generator G;
  const Tensor z = randn({4, 100}), label = ones({4, 1});
  F::binary_cross_entropy(D(G(z)), label).backward();
  std::vector<Tensor> full;
  for (Tensor& p : G.parameters()) full.push_back(p.grad().clone());
  G.zero_grad();
  D.zero_grad();
  F::binary_cross_entropy(D(G(z)), label).backward({.inputs = G.parameters()});
  for (std::size_t i = 0; i < full.size(); ++i) EXPECT_TRUE(equal(G.parameters()[i].grad(), full[i])) << i;
  for (const Tensor& p : D.parameters()) EXPECT_FALSE(p.grad().defined());
}

// The products that the discriminator's weight gradients would take are not made; all others are.
TEST(Gan, TheGeneratorsStepDoesNotComputeTheDiscriminatorsWeightGradients) {
  manual_seed(1);
  models::Discriminator D;
  models::Generator G;
  optim::Adam opt(G.parameters());
  const Tensor noise = randn({16, 100});
  const auto products = [&](const std::function<void(const Tensor&)>& backward) {
    const Tensor loss = F::binary_cross_entropy(D(G(noise)), ones({16, 1}));
    const FlopCounter counter;
    backward(loss);
    return counter.by_operation().at("mm");
  };
  const auto whole = products([](const Tensor& loss) { loss.backward(); });
  const auto own = products([&](const Tensor& loss) { opt.minimize(loss); });
  EXPECT_EQ(whole.calls - own.calls, 3);
  EXPECT_EQ(whole.flops - own.flops, 2 * 16 * (784 * 256 + 256 * 256 + 256 * 1));
  // What remains: the gradients of the activations of both networks and of the generator's weights.
  const std::int64_t d = 784 * 256 + 256 * 256 + 256, g = 100 * 256 + 256 * 256 + 256 * 784;
  EXPECT_EQ(own.flops, 2 * 16 * (d + g + (g - 100 * 256)));
}

TEST(AutoEncoder, CodeWordsHaveTheirEnergyAndNames) {
  models::AutoEncoder net(16, 7);
  const Tensor code = net.encode(eye(16));
  EXPECT_TRUE(allclose(code.pow(2).sum(1), full({16}, 7.0), 1e-5));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : net.named_parameters()) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"encoder.0.weight", "encoder.0.bias", "encoder.2.weight", "encoder.2.bias",
                                      "decoder.0.weight", "decoder.0.bias", "decoder.2.weight", "decoder.2.bias"}));
  EXPECT_THROW(models::AutoEncoder(1, 7), ValueError);
  EXPECT_NEAR(models::noise_sigma(0, 4, 7), std::sqrt(7.0 / 8), 1e-12);
}

TEST(AutoEncoder, TheDecodersOptimizerLeavesTheEncoder) {
  manual_seed(3);
  models::AutoEncoder net;
  optim::Adam receiver(net.decoder.parameters(), {.lr = 1e-2});
  const nn::StateDict before = nn::clone(net).state_dict();
  const Tensor messages = arange(16);
  for (int i = 0; i < 3; ++i) receiver.minimize(F::cross_entropy(net(eye(16), 0.5), messages));
  for (const auto& [name, tensor] : net.state_dict()) {
    EXPECT_EQ(equal(tensor, before.at(name)), name.starts_with("encoder")) << name;
  }
  for (const Tensor& p : net.encoder.parameters()) EXPECT_FALSE(p.grad().defined());
}

}  // namespace
}  // namespace gradus

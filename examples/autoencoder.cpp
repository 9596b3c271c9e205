// An autoencoder for 16 messages over 7 uses of a noisy channel (O'Shea and Hoydis, 2017). Encoder and decoder train
// together; then the decoder is trained alone, by an optimizer that owns nothing else.
// Usage: autoencoder [STEPS OF EACH PHASE]
#include <gradus/nn/containers.h>
#include <gradus/nn/functional.h>
#include <gradus/nn/init.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim/adam.h>
#include <gradus/random.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace gradus;

struct AutoEncoder : nn::Module {
  nn::Sequential encoder = add("encoder", nn::Sequential(nn::Linear(16, 128), nn::LeakyReLU(), nn::Linear(128, 7)));
  nn::Sequential decoder = add("decoder", nn::Sequential(nn::Linear(7, 128), nn::LeakyReLU(), nn::Linear(128, 16)));
  double sigma = std::sqrt(7 / (2 * 4 * std::pow(10, 0.4)));  // 4 bits in 7 uses at Eb/N0 = 4 dB

  // One-hot messages [batch, 16] -> scores [batch, 16].
  Tensor forward(const Tensor& message) override {
    const Tensor x = encoder(message);
    const Tensor sent = x * (std::sqrt(7.0) / x.norm(2, 1, true));  // every code word has energy 7
    return decoder(sent + randn_like(sent.detach()) * sigma);
  }
};

void weight_init(nn::Module& module) {
  if (auto* layer = module.as<nn::Linear>()) {
    nn::init::xavier_uniform_(layer->weight);
    nn::init::zeros_(layer->bias);
  }
}

// The loss of the last step.
double train(AutoEncoder& net, optim::Optimizer& optimizer, int steps) {
  double last = 0;
  for (int step = 0; step < steps; ++step) {
    const Tensor message = randint(0, 16, {256});
    const Tensor scores = net(one_hot(message, 16).to(kFloat32));
    const Tensor loss = nn::functional::cross_entropy(scores, message);
    optimizer.zero_grad();
    loss.backward({.inputs = optimizer.parameters()});  // gradients for what this optimizer owns, and for nothing else
    optimizer.step();
    last = loss.item();
  }
  return last;
}

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 2000;
  manual_seed(1);
  AutoEncoder net;
  net.apply(weight_init);

  optim::Adam joint(net.parameters(), {.lr = 1e-3});
  std::printf("joint training: loss %.4f\n", train(net, joint, steps));

  const Tensor before = net.get_parameter("encoder.0.weight").detach().clone();
  optim::Adam receiver(net.decoder.parameters(), {.lr = 1e-3});
  std::printf("decoder alone:  loss %.4f\n", train(net, receiver, steps));

  const bool unchanged = equal(before, net.get_parameter("encoder.0.weight"));
  std::printf("the encoder is %s\n", unchanged ? "unchanged" : "changed");
  return unchanged ? 0 : 1;
}

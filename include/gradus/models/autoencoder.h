// An autoencoder for messages over a noisy channel: O'Shea and Hoydis, "An Introduction to Deep Learning for the
// Physical Layer" (2017, arXiv 1702.00832).
#pragma once

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/linear.h>

namespace gradus::models {

// Additive white Gaussian noise: x + sigma n, n normal(0, 1). The gradient passes unchanged.
Tensor awgn(const Tensor& x, double sigma, gradus::Generator* generator = nullptr);

// The deviation of the noise per real channel use at an Eb/N0 in dB, for code words of energy `uses` that carry `bits`:
// sigma^2 = 1 / (2 R Eb/N0), R = bits / uses.
double noise_sigma(double ebn0_db, double bits, double uses);

// One of `messages` as a one-hot vector -> `uses` real numbers of energy `uses` -> the channel -> scores per message.
class AutoEncoder : public nn::Module {
 public:
  const std::int64_t messages, uses;
  nn::Sequential encoder, decoder;

  explicit AutoEncoder(std::int64_t messages = 16, std::int64_t uses = 7);
  // One-hot [batch, messages] -> code words [batch, uses], each of energy `uses`.
  Tensor encode(const Tensor& one_hot);
  // Received [batch, uses] -> scores [batch, messages], for cross entropy.
  Tensor decode(const Tensor& received) { return decoder(received); }
  // Through a channel with this deviation of the noise.
  Tensor forward(const Tensor& one_hot, double sigma) { return decode(awgn(encode(one_hot), sigma)); }
  Tensor operator()(const Tensor& one_hot, double sigma) {
    return call([&] { return forward(one_hot, sigma); });
  }
  // Without noise.
  Tensor forward(const Tensor& one_hot) override { return decode(encode(one_hot)); }
  using nn::Module::operator();
};

}  // namespace gradus::models

#include <gradus/models/autoencoder.h>

#include <cmath>

#include "kernels/math.h"

namespace gradus::models {

Tensor awgn(const Tensor& x, double sigma, gradus::Generator* generator) {
  return x + randn_like(x.detach(), {}, generator) * sigma;
}

double noise_sigma(double ebn0_db, double bits, double uses) {
  return std::sqrt(uses / (2 * bits * math::pow(10.0, ebn0_db / 10)));
}

AutoEncoder::AutoEncoder(std::int64_t message_count, std::int64_t channel_uses)
    : messages(message_count),
      uses(channel_uses),
      encoder(add("encoder", nn::Sequential(nn::Linear(messages, 128), nn::LeakyReLU(), nn::Linear(128, uses)))),
      decoder(add("decoder", nn::Sequential(nn::Linear(uses, 128), nn::LeakyReLU(), nn::Linear(128, messages)))) {
  if (messages < 2 || uses < 1) {
    throw ValueError("AutoEncoder: needs at least 2 messages and 1 channel use, got " + std::to_string(messages) +
                     " and " + std::to_string(uses));
  }
}

Tensor AutoEncoder::encode(const Tensor& one_hot) {
  const Tensor x = encoder(one_hot);
  return x * (std::sqrt(static_cast<double>(uses)) / x.norm(2, 1, true));
}

}  // namespace gradus::models

// The article's generative adversarial network for 28 x 28 images: Goodfellow et al. (2014), fully connected.
#pragma once

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/linear.h>

namespace gradus::models {

// Images [batch, 784] in [-1, 1] -> the probability that they are real, [batch, 1].
class Discriminator : public nn::Module {
 public:
  nn::Sequential dis;
  Discriminator();
  Tensor forward(const Tensor& x) override { return dis(x); }
};

// Noise [batch, 100] -> images [batch, 784] in [-1, 1].
class Generator : public nn::Module {
 public:
  nn::Sequential gen;
  Generator();
  Tensor forward(const Tensor& z) override { return gen(z); }
};

}  // namespace gradus::models

// The deep convolutional generative adversarial network of PyTorch's examples, for 64 x 64 images: Radford et al.,
// "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks" (2016). Names, shapes
// and initial values are that example's.
#pragma once

#include <gradus/nn/containers.h>

namespace gradus::models {

struct DcganOptions {
  std::int64_t noise = 100;    // nz: numbers an image is made from
  std::int64_t features = 64;  // ngf, ndf: channels of the layer next to the image
  std::int64_t channels = 3;   // nc: of the image
};

// Noise [batch, noise, 1, 1] -> images [batch, channels, 64, 64] in [-1, 1].
class DcganGenerator : public nn::Module {
 public:
  nn::Sequential main;
  explicit DcganGenerator(const DcganOptions& options = {});
  Tensor forward(const Tensor& z) override { return main(z); }
};

// Images [batch, channels, 64, 64] -> the probability that they are real, [batch].
class DcganDiscriminator : public nn::Module {
 public:
  nn::Sequential main;
  explicit DcganDiscriminator(const DcganOptions& options = {});
  Tensor forward(const Tensor& x) override;
};

}  // namespace gradus::models

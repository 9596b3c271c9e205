#include <gradus/models/dcgan.h>
#include <gradus/nn/init.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/normalization.h>

namespace gradus::models {

namespace {

// Kernels normal(0, 0.02), weights of normalisations normal(1, 0.02): the example's weights_init.
void start(nn::Module& net) {
  for (nn::Module* module : net.modules()) {
    if (auto* conv = module->as<nn::Conv2d>()) {
      nn::init::normal_(conv->weight, 0, 0.02);
    } else if (auto* transposed = module->as<nn::ConvTranspose2d>()) {
      nn::init::normal_(transposed->weight, 0, 0.02);
    } else if (auto* norm = module->as<nn::BatchNorm2d>()) {
      nn::init::normal_(norm->weight, 1, 0.02);
    }
  }
}

}  // namespace

DcganGenerator::DcganGenerator(const DcganOptions& o) : Module("Generator") {
  nn::Sequential layers;
  const auto up = [&](std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t padding) {
    layers.append(nn::ConvTranspose2d(in, out, 4, {.stride = stride, .padding = padding, .bias = false}));
  };
  std::int64_t in = 8 * o.features;
  up(o.noise, in, 1, 0);
  for (; in > o.features; in /= 2) {
    layers.append(nn::BatchNorm2d(in)).append(nn::ReLU(true));
    up(in, in / 2, 2, 1);
  }
  layers.append(nn::BatchNorm2d(in)).append(nn::ReLU(true));
  up(in, o.channels, 2, 1);
  layers.append(nn::Tanh());
  main = add("main", layers);
  start(*this);
}

DcganDiscriminator::DcganDiscriminator(const DcganOptions& o) : Module("Discriminator") {
  nn::Sequential layers;
  const auto down = [&](std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t padding) {
    layers.append(nn::Conv2d(in, out, 4, {.stride = stride, .padding = padding, .bias = false}));
  };
  down(o.channels, o.features, 2, 1);
  layers.append(nn::LeakyReLU(0.2, true));
  for (std::int64_t in = o.features; in < 8 * o.features; in *= 2) {
    down(in, 2 * in, 2, 1);
    layers.append(nn::BatchNorm2d(2 * in)).append(nn::LeakyReLU(0.2, true));
  }
  down(8 * o.features, 1, 1, 0);
  layers.append(nn::Sigmoid());
  main = add("main", layers);
  start(*this);
}

Tensor DcganDiscriminator::forward(const Tensor& x) { return reshape(main(x), {-1}); }

}  // namespace gradus::models

#include "models/initial.h"

#include <gradus/nn/init.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/linear.h>

namespace gradus::models {

void start_convolutions(nn::Module& net) {
  for (nn::Module* module : net.modules()) {
    auto* conv = module->as<nn::Conv2d>();
    if (conv == nullptr) continue;
    nn::init::kaiming_normal_(conv->weight, 0, nn::init::FanMode::FanOut, "relu");
    if (conv->bias.defined()) nn::init::zeros_(conv->bias);
  }
}

void start_linear(nn::Module& net, double deviation) {
  for (nn::Module* module : net.modules()) {
    auto* linear = module->as<nn::Linear>();
    if (linear == nullptr) continue;
    nn::init::normal_(linear->weight, 0, deviation);
    nn::init::zeros_(linear->bias);
  }
}

}  // namespace gradus::models

// What torchvision's convolutional networks start from. Normalisations keep their ones and zeros.
#pragma once

#include <gradus/nn/module.h>

namespace gradus::models {

// Kaiming normal by fan-out, biases 0.
void start_convolutions(nn::Module& net);

// Normal with this deviation, biases 0.
void start_linear(nn::Module& net, double deviation);

}  // namespace gradus::models

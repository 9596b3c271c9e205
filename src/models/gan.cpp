#include <gradus/models/gan.h>

namespace gradus::models {

Discriminator::Discriminator()
    : dis(add("dis", nn::Sequential(nn::Linear(784, 256), nn::LeakyReLU(0.2),  //
                                    nn::Linear(256, 256), nn::LeakyReLU(0.2),  //
                                    nn::Linear(256, 1), nn::Sigmoid()))) {}

Generator::Generator()
    : gen(add("gen", nn::Sequential(nn::Linear(100, 256), nn::ReLU(true),  //
                                    nn::Linear(256, 256), nn::ReLU(true),  //
                                    nn::Linear(256, 784), nn::Tanh()))) {}

}  // namespace gradus::models

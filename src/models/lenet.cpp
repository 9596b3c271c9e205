#include <gradus/models/lenet.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/layers/pooling.h>

namespace gradus::models {

LeNet::LeNet(std::int64_t num_classes)
    : features(add("features", nn::Sequential(nn::Conv2d(3, 6, 5), nn::ReLU(), nn::MaxPool2d(2, {.stride = 2}),  //
                                              nn::Conv2d(6, 16, 5), nn::ReLU(), nn::MaxPool2d(2, {.stride = 2})))),
      classifier(add("classifier", nn::Sequential(nn::Linear(16 * 5 * 5, 120), nn::ReLU(),  //
                                                  nn::Linear(120, 84), nn::ReLU(),          //
                                                  nn::Linear(84, num_classes)))) {}

Tensor LeNet::forward(const Tensor& x) { return classifier(flatten(features(x), 1)); }

}  // namespace gradus::models

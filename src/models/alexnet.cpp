#include <gradus/models/alexnet.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/linear.h>

namespace gradus::models {

AlexNet::AlexNet(const AlexNetOptions& o)
    : Module("AlexNet"),
      features(add("features", nn::Sequential(nn::Conv2d(3, 64, 11, {.stride = 4, .padding = 2}), nn::ReLU(true),  //
                                              nn::MaxPool2d(3, {.stride = 2}),                                     //
                                              nn::Conv2d(64, 192, 5, {.padding = 2}), nn::ReLU(true),              //
                                              nn::MaxPool2d(3, {.stride = 2}),                                     //
                                              nn::Conv2d(192, 384, 3, {.padding = 1}), nn::ReLU(true),             //
                                              nn::Conv2d(384, 256, 3, {.padding = 1}), nn::ReLU(true),             //
                                              nn::Conv2d(256, 256, 3, {.padding = 1}), nn::ReLU(true),             //
                                              nn::MaxPool2d(3, {.stride = 2})))),
      avgpool(add("avgpool", nn::AdaptiveAvgPool2d({6, 6}))),
      classifier(add("classifier", nn::Sequential(nn::Dropout(o.dropout), nn::Linear(256 * 6 * 6, 4096), nn::ReLU(true),
                                                  nn::Dropout(o.dropout), nn::Linear(4096, 4096), nn::ReLU(true),
                                                  nn::Linear(4096, o.num_classes)))) {}

Tensor AlexNet::forward(const Tensor& x) { return classifier(flatten(avgpool(features(x)), 1)); }

}  // namespace gradus::models

#include <gradus/models/resnet_attention.h>
#include <gradus/nn/freeze.h>

namespace gradus::models {

namespace {

std::int64_t channels_of(const ResNet& net) { return net.fc.weight.size(1); }

}  // namespace

ResNetAttention::ResNetAttention(ResNet&& pretrained, std::int64_t num_classes)
    : Module("RESNET_attention"),
      resnet(add("resnet", std::move(pretrained))),
      f(channels_of(resnet), channels_of(resnet) / 4, 1),
      g(channels_of(resnet), channels_of(resnet) / 4, 1),
      h(channels_of(resnet), channels_of(resnet), 1),
      softmax(-1),
      avgpool(7, {.stride = 1}) {
  nn::freeze(*this);  // what is here so far
  f = add("f", f);
  g = add("g", g);
  h = add("h", h);
  softmax = add("softmax", softmax);
  gamma = add("gamma", nn::Parameter(zeros({1})));
  avgpool = add("avgpool", avgpool);
  resnet.fc = nn::Linear(channels_of(resnet), num_classes);
  train();  // modules that hold something new no longer count as frozen
}

Tensor ResNetAttention::attend(const Tensor& x) {
  const Tensor query = flatten(g(x), 2), key = flatten(f(x), 2), value = flatten(h(x), 2);  // [batch, channels, HW]
  const Tensor attention = softmax(bmm(transpose(query, 1, 2), key));
  const Tensor seen = bmm(value, transpose(attention, 1, 2));
  return gamma * view(seen, x.sizes()) + x;
}

Tensor ResNetAttention::forward(const Tensor& x) {
  const Tensor y = avgpool(attend(resnet.features(x)));
  if (y.size(2) != 1 || y.size(3) != 1) {
    throw ShapeError("RESNET_attention: needs images [batch, 3, 193 to 224, 193 to 224], got " +
                     gradus::to_string(x.sizes()));
  }
  return resnet.fc(flatten(y, 1));
}

}  // namespace gradus::models

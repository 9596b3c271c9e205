// W9: a U-Net of 3 levels on 8 images of 96 x 96, widened by transposed convolutions or by resizing. SGD with momentum.
#include <memory>
#include <vector>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

nn::Sequential two_convolutions(std::int64_t in, std::int64_t out) {
  return nn::Sequential(nn::Conv2d(in, out, 3, {.padding = 1, .bias = false}), nn::BatchNorm2d(out), nn::ReLU(true),
                        nn::Conv2d(out, out, 3, {.padding = 1, .bias = false}), nn::BatchNorm2d(out), nn::ReLU(true));
}

struct UNet : nn::Module {
  bool resizes;
  nn::Sequential down1 = add("down1", two_convolutions(3, 32)), down2 = add("down2", two_convolutions(32, 64));
  nn::Sequential bottom = add("bottom", two_convolutions(64, 128));
  nn::Sequential widen2, widen1;
  nn::Sequential up2 = add("up2", two_convolutions(128, 64)), up1 = add("up1", two_convolutions(64, 32));
  nn::Conv2d head = add("head", nn::Conv2d(32, 2, 1));

  explicit UNet(bool by_resizing)
      : resizes(by_resizing), widen2(add("widen2", widening(128, 64))), widen1(add("widen1", widening(64, 32))) {}

  nn::Sequential widening(std::int64_t in, std::int64_t out) const {
    if (!resizes) return nn::Sequential(nn::ConvTranspose2d(in, out, 2, {.stride = 2}));
    return nn::Sequential(nn::Upsample({.scale_factor = {2}, .mode = "bilinear"}), nn::Conv2d(in, out, 1));
  }
  Tensor forward(const Tensor& x) override {
    const Tensor a = down1(x), b = down2(max_pool2d(a, 2)), c = bottom(max_pool2d(b, 2));
    const Tensor d = up2(cat(std::vector<Tensor>{b, widen2(c)}, 1));
    return head(up1(cat(std::vector<Tensor>{a, widen1(d)}, 1)));
  }
};

struct Training {
  static constexpr std::int64_t kBatch = 8, kSide = 96;
  UNet net;
  Tensor images = numbers_like({kBatch, 3, kSide, kSide}, 100, 1);
  Tensor classes = remainder(arange(kBatch * kSide * kSide), tensor(2)).reshape({kBatch, kSide, kSide});
  optim::SGD optimizer;

  explicit Training(bool resizes) : net(resizes), optimizer(net.parameters(), {.lr = 0.01, .momentum = 0.9}) {
    set_weights(net);
  }

  Tensor step() {
    optimizer.zero_grad();
    const Tensor loss = F::cross_entropy(net(images), classes);
    loss.backward();
    optimizer.step();
    return loss;
  }
};

Case make(bool resizes) {
  const auto training = std::make_shared<Training>(resizes);
  return {.step = [=] { training->step(); }, .losses = [=] { return losses_of(3, [&] { return training->step(); }); }};
}

const bool added = add("w9", {{"unet/96", [] { return make(false); }}, {"unet-resized/96", [] { return make(true); }}});

}  // namespace
}  // namespace suite

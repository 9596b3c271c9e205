// W3: LeNet for 3 x 32 x 32 images, batch 64, SGD with momentum over two groups of parameters.
#include <memory>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

struct Training {
  static constexpr std::int64_t kBatch = 64;
  models::LeNet net;
  Tensor images = numbers_like({kBatch, 3, 32, 32}, 100, 1);
  Tensor classes = remainder(arange(kBatch), tensor(10));
  optim::SGD optimizer;

  Training()
      : optimizer({{.params = net.features.parameters()}, {.params = net.classifier.parameters(), .lr = 1e-2}},
                  {.lr = 1e-3, .momentum = 0.9}) {
    set_parameters(net, 1);
  }

  Tensor step() {
    const Tensor loss = F::cross_entropy(net(images), classes);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss;
  }
};

Case make() {
  const auto training = std::make_shared<Training>();
  return {.step = [=] { training->step(); }, .losses = [=] { return losses_of(10, [&] { return training->step(); }); }};
}

const bool added = add("w3", {{"step/64", make}});

}  // namespace
}  // namespace suite

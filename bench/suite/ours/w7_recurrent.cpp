// W7: recurrent networks: two layers of 384, 100 positions, batch 20, SGD.
#include <memory>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

template <class Net>
struct Training {
  static constexpr std::int64_t kLength = 100, kBatch = 20, kWidth = 384;
  Net net = Net(kWidth, kWidth, {.num_layers = 2});
  Tensor x = numbers_like({kLength, kBatch, kWidth}, 100, 1), target = numbers_like({kLength, kBatch, kWidth}, 101, 1);
  optim::SGD optimizer{net.parameters(), {.lr = 0.1}};

  Training() { set_parameters(net, 1); }

  Tensor step() {
    optimizer.zero_grad();
    const Tensor loss = F::mse_loss(net(x).first, target);
    loss.backward();
    optimizer.step();
    return loss;
  }
};

template <class Net>
Case make() {
  const auto training = std::make_shared<Training<Net>>();
  return {.step = [=] { training->step(); }, .losses = [=] { return losses_of(5, [&] { return training->step(); }); }};
}

const bool added = add("w7", {{"lstm/384", make<nn::LSTM>}, {"gru/384", make<nn::GRU>}});

}  // namespace
}  // namespace suite

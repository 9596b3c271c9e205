// W11: large plain products: a perceptron of 4 layers of 2,048, batch 128, SGD; and a product of two matrices of 1,000
// in double precision.
#include <memory>
#include <vector>

#include "ours/workloads.h"

namespace suite {
namespace {

using namespace gradus;
namespace F = nn::functional;

struct Perceptron {
  static constexpr std::int64_t kBatch = 128, kWidth = 2048;
  nn::Sequential net{nn::Linear(kWidth, kWidth), nn::ReLU(), nn::Linear(kWidth, kWidth), nn::ReLU(),
                     nn::Linear(kWidth, kWidth), nn::ReLU(), nn::Linear(kWidth, kWidth)};
  Tensor x = numbers_like({kBatch, kWidth}, 100, 1), target = numbers_like({kBatch, kWidth}, 101, 1);
  optim::SGD optimizer{net.parameters(), {.lr = 0.01}};

  Perceptron() { set_parameters(net, 1); }

  Tensor step() {
    optimizer.zero_grad();
    const Tensor loss = F::mse_loss(net(x), target);
    loss.backward();
    optimizer.step();
    return loss;
  }
};

Case make_perceptron() {
  const auto training = std::make_shared<Perceptron>();
  return {.step = [=] { training->step(); }, .losses = [=] { return losses_of(5, [&] { return training->step(); }); }};
}

Case make_double() {
  const Tensor a = numbers_like({1000, 1000}, 1, 1).to(kFloat64), b = numbers_like({1000, 1000}, 2, 1).to(kFloat64);
  return {.step = [=] { static_cast<void>(mm(a, b)); },
          .losses = [=] { return std::vector<double>{mean(square(mm(a, b))).item()}; }};
}

const bool added = add("w11", {{"perceptron/2048", make_perceptron}, {"float64/1000", make_double}});

}  // namespace
}  // namespace suite

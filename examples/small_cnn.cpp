// Trains a convolutional network on synthetic data for 20 steps: the numbers show that a build computes the same as
// others.
#include <gradus/nn.h>
#include <gradus/optim.h>
#include <gradus/random.h>

#include <cstdio>

using namespace gradus;

int main() {
  manual_seed(1);
  nn::Sequential net{nn::Conv2d(1, 8, 3),
                     nn::BatchNorm2d(8),
                     nn::ReLU(),
                     nn::MaxPool2d(2, {.stride = 2}),
                     nn::Conv2d(8, 24, 3),
                     nn::ReLU(),
                     nn::MaxPool2d(2, {.stride = 2}),
                     nn::Flatten(),
                     nn::Linear(24 * 5 * 5, 64),
                     nn::Tanh(),
                     nn::Linear(64, 10)};
  optim::SGD optimizer(net.parameters(), {.lr = 0.02, .momentum = 0.9});
  const Tensor images = randn({32, 1, 28, 28}), labels = randint(0, 10, {32});
  for (int step = 0; step < 20; ++step) {
    const Tensor loss = nn::functional::cross_entropy(net(images), labels);
    optimizer.minimize(loss);
    std::printf("%.9g\n", loss.item());
  }
}

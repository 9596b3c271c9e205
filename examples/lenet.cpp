// LeNet with two learning rates: that of the classifier is a thousand times larger; then all rates fall.
// Usage: lenet [STEPS]
#include <gradus/gradus.h>

#include <cstdio>
#include <cstdlib>

using namespace gradus;

struct LeNet : nn::Module {
  nn::Sequential features =
      add("features", nn::Sequential(nn::Conv2d(3, 6, 5), nn::ReLU(), nn::MaxPool2d(2, {.stride = 2}),
                                     nn::Conv2d(6, 16, 5), nn::ReLU(), nn::MaxPool2d(2, {.stride = 2})));
  nn::Sequential classifier = add("classifier", nn::Sequential(nn::Linear(16 * 5 * 5, 120), nn::ReLU(),
                                                               nn::Linear(120, 84), nn::ReLU(), nn::Linear(84, 10)));
  Tensor forward(const Tensor& x) override { return classifier(features(x).view({-1, 16 * 5 * 5})); }
};

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 100;
  manual_seed(1);
  LeNet net;
  optim::SGD optimizer({{.params = net.features.parameters()}, {.params = net.classifier.parameters(), .lr = 1e-2}},
                       {.lr = 1e-5, .momentum = 0.9});

  // Pictures of noise with random classes, which the network can only memorise.
  const Tensor images = randn({32, 3, 32, 32}), labels = randint(0, 10, {32});
  double first = 0, last = 0;
  for (int step = 0; step < steps; ++step) {
    const Tensor loss = nn::functional::cross_entropy(net(images), labels);
    optimizer.minimize(loss);
    last = loss.item();
    if (step == 0) first = last;
    if (step == steps / 2)
      for (auto& group : optimizer.param_groups()) group.lr = *group.lr * 0.1;
  }
  std::printf("loss %.3f -> %.3f\n", first, last);
  return last < first ? 0 : 1;
}

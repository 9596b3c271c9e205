// Training part of a network, for docs/from-pytorch.md. Exits with status 1 if anything is not as that page says.
#include <gradus/gradus.h>

#include <cstdio>
#include <cstdlib>

using namespace gradus;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

std::size_t trainable(const nn::Module& net) {
  return optim::filter(net, [](const Tensor& p) { return p.requires_grad(); }).size();
}

struct Backbone : nn::Module {
  nn::Sequential features = add("features", nn::Sequential(nn::Linear(8, 8), nn::ReLU(), nn::Linear(8, 8), nn::ReLU(),
                                                           nn::Linear(8, 8), nn::ReLU(), nn::Linear(8, 8), nn::ReLU()));
  nn::Linear fc = add("fc", nn::Linear(8, 4));
  Tensor forward(const Tensor& x) override { return fc(features(x)); }
};

void by_loop() {
  nn::Linear m(10, 10);
  for (Tensor& p : m.parameters()) p.requires_grad_(false);
  expect(trainable(m) == 0, "a loop switches every parameter off");

  Tensor j = randn({5, 5}, {.requires_grad = true});
  expect(j.requires_grad(), "a tensor says so when it is made");
}

void by_index() {
  nn::DataParallel net{Backbone()};
  auto parameters = net.module.features.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (i < 6) {
      parameters[i].requires_grad_(false);
    } else {
      parameters[i].requires_grad_(true);
    }
  }
  expect(trainable(net) == 2 + 2, "the last layer of the features and the classifier train");
}

// Members are initialised in the order of their declaration, like the statements of a Python constructor.
struct PartlyFrozen : nn::Module {
  nn::Linear layer1 = add("layer1", nn::Linear(8, 8));
  nn::Linear layer2 = add("layer2", nn::Linear(8, 8));
  bool frozen_above = switch_off();  // everything declared above, and nothing below
  nn::Linear fc1 = add("fc1", nn::Linear(8, 8));
  nn::Linear fc2 = add("fc2", nn::Linear(8, 4));
  Tensor forward(const Tensor& x) override { return fc2(relu(fc1(relu(layer2(relu(layer1(x))))))); }

 private:
  bool switch_off() {
    for (Tensor& p : parameters()) p.requires_grad_(false);
    return true;
  }
};

void in_mid_constructor() {
  PartlyFrozen net;
  expect(!net.layer2.weight.requires_grad() && net.fc1.weight.requires_grad(), "only what is declared above is off");

  optim::SGD optimizer(optim::filter(net.parameters(), [](auto& p) { return p.requires_grad(); }), {.lr = 1e-3});
  const Tensor before = net.layer1.weight.detach().clone();
  optimizer.minimize(net(randn({4, 8})).pow(2).mean());
  expect(equal(before, net.layer1.weight), "what is off does not move");
}

// What PyTorch lacks: a state that neither a later train() nor an old gradient undoes.
void frozen_for_good() {
  Backbone model;
  optim::Adam optimizer(model.parameters(), {.weight_decay = 1e-2});
  nn::freeze(model, "features");
  const Tensor before = model.features.get_parameter("0.weight").detach().clone();
  model.train();
  for (int i = 0; i < 3; ++i) optimizer.minimize(model(randn({4, 8})).pow(2).mean());
  expect(equal(before, model.features.get_parameter("0.weight")), "a frozen parameter is not even decayed");

  nn::unfreeze(model, "features.6");
  optimizer.minimize(model(randn({4, 8})).pow(2).mean());
  expect(optimizer.steps_of(model.features.get_parameter("6.weight")) == 1, "from now on it trains");
}

int main() {
  manual_seed(1);
  by_loop();
  by_index();
  in_mid_constructor();
  frozen_for_good();
  std::printf("all is as it says\n");
}

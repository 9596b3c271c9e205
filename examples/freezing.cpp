// Training part of a network: what docs/from-pytorch.md shows. Ends with status 1 if anything is not as it says.
#include <gradus/gradus.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

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

// Members are made in their order, as statements of a Python constructor are.
struct PartlyFrozen : nn::Module {
  nn::Linear layer1 = add("layer1", nn::Linear(8, 8));
  nn::Linear layer2 = add("layer2", nn::Linear(8, 8));
  bool frozen_above = switch_off();  // what stands above, and nothing below
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
  expect(!net.layer2.weight.requires_grad() && net.fc1.weight.requires_grad(), "only what stands above is off");

  optim::SGD optimizer(optim::filter(net.parameters(), [](auto& p) { return p.requires_grad(); }), {.lr = 1e-3});
  const Tensor before = net.layer1.weight.detach().clone();
  optimizer.minimize(net(randn({4, 8})).pow(2).mean());
  expect(equal(before, net.layer1.weight), "what is off does not move");
}

void matching_keys(const std::string& file) {
  Backbone other;
  io::save(file, other.state_dict());

  struct Model : nn::Module {
    nn::Sequential features = add("features", nn::Sequential(nn::Linear(8, 8), nn::ReLU(), nn::Linear(8, 8)));
    nn::Linear head = add("head", nn::Linear(8, 2));
  };
  Model model;
  nn::StateDict model_dict = model.state_dict();
  nn::StateDict pretrained_dict;
  for (const auto& [k, v] : io::load_state_dict(file))
    if (model_dict.contains(k)) pretrained_dict.set(k, v);
  model_dict.update(pretrained_dict);
  model.load_state_dict(model_dict);
  expect(equal(model.features.get_parameter("0.weight"), other.features.get_parameter("0.weight")), "keys match");

  // The same in one call, with an account of it.
  const nn::LoadReport report = model.load_state_dict(io::load_state_dict(file), {.strict = false});
  expect(report.loaded.size() == 4 && report.missing.size() == 2 && report.unexpected.size() == 6, "the report");
}

void all_but_one_layer() {
  Backbone model;
  for (auto& [k, v] : model.named_parameters()) {
    if (k != "fc.weight" && k != "fc.bias") v.requires_grad_(false);
  }
  optim::Adam optimizer2({model.fc.weight, model.fc.bias}, {.lr = 1e-3, .betas = {{0.9, 0.999}}, .weight_decay = 1e-5});
  optimizer2.minimize(model(randn({4, 8})).pow(2).mean());
  expect(trainable(model) == 2, "one layer trains");
}

void a_group_more() {
  Backbone model;
  model.features.requires_grad_(false);
  optim::SGD optimizer(model.fc.parameters(), {.lr = 0.1, .momentum = 0.9});
  optimizer.minimize(model(randn({4, 8})).pow(2).mean());

  model.features.requires_grad_(true);
  optimizer.add_param_group({.params = model.features.parameters(), .lr = 1e-3});
  optimizer.minimize(model(randn({4, 8})).pow(2).mean());

  const optim::OptimizerState state = optimizer.state_dict();
  optimizer.load_state_dict(state);
  expect(optimizer.steps_of(model.fc.weight) == 2 && state.params.size() == 10,
         "momentum goes on, and is saved by name");
}

// What PyTorch lacks: a state that no later train() and no leftover gradient undoes.
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

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  manual_seed(1);
  by_loop();
  by_index();
  in_mid_constructor();
  matching_keys(folder + "/pretrained.pth");
  all_but_one_layer();
  a_group_more();
  frozen_for_good();
  std::printf("all is as it says\n");
}

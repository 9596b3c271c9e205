// Weights from another program, training one of their layers, and adding a group during training, for
// docs/from-pytorch.md. Exits with status 1 if anything is not as that page says. Usage: state_dicts [FOLDER FOR FILES]
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

void matching_keys(const std::string& file) {
  Backbone other;
  io::save(other.state_dict(), file);

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

  // The same in one call, with a report.
  const nn::LoadReport report = model.load_state_dict(io::load_state_dict(file), {.strict = false});
  expect(report.loaded.size() == 4 && report.missing.size() == 2 && report.unexpected.size() == 6, "the report");
}

void all_but_one_layer() {
  Backbone model;
  for (auto& [k, v] : model.named_parameters()) {
    if (k != "fc.weight" && k != "fc.bias") v.requires_grad_(false);
  }
  optim::Adam optimizer2({model.fc.weight, model.fc.bias}, {.lr = 1e-3, .betas = {0.9, 0.999}, .weight_decay = 1e-5});
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

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  manual_seed(1);
  matching_keys(folder + "/pretrained.pth");
  all_but_one_layer();
  a_group_more();
  std::printf("all is as it says\n");
}

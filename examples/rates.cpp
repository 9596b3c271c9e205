// Different rates for different parameters, for docs/from-pytorch.md.
#include <gradus/gradus.h>

#include <cstdio>
#include <cstdlib>

using namespace gradus;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not so: %s\n", what);
  std::exit(1);
}

struct Net : nn::Module {
  nn::Sequential features = add("features", nn::Sequential(nn::Linear(8, 8), nn::ReLU(), nn::Linear(8, 8), nn::ReLU()));
  nn::Sequential classifier =
      add("classifier", nn::Sequential(nn::Linear(8, 8), nn::ReLU(), nn::Linear(8, 8), nn::ReLU(), nn::Linear(8, 4)));
  Tensor forward(const Tensor& x) override { return classifier(features(x)); }
};

void by_submodule() {
  Net net;
  optim::SGD optimizer({{.params = net.features.parameters()},  // takes 1e-5
                        {.params = net.classifier.parameters(), .lr = 1e-2}},
                       {.lr = 1e-5});
  expect(optimizer.param_groups()[0].lr == 1e-5 && optimizer.param_groups()[1].lr == 1e-2, "each group has its rate");

  // The same by name.
  optim::SGD by_name(optim::groups<optim::SGD>(net, {{"features.*", {}}, {"classifier.*", {.lr = 1e-2}}}),
                     {.lr = 1e-5});
  expect(by_name.param_groups()[1].lr == 1e-2, "patterns give the same groups");
}

void by_listed_layers() {
  Net net;
  nn::ModuleList special_layers(net.classifier[0], net.classifier[2]);
  const auto special_layers_params = special_layers.parameters();
  const optim::Params base_params = optim::filter(net.parameters(), [&](const Tensor& p) {
    for (const Tensor& special : special_layers_params)
      if (p.is_same(special)) return false;
    return true;
  });
  optim::SGD optimizer({{.params = base_params}, {.params = special_layers.parameters(), .lr = 0.01}}, {.lr = 0.001});
  expect(optimizer.group_params(0).size() == 6 && optimizer.group_params(1).size() == 4, "two layers are special");
}

// A new optimizer starts without momentum; the audit says so.
void decay_by_rebuilding() {
  Net net;
  optim::Audit audit(net);
  const double old_lr = 0.1;
  std::optional<optim::SGD> optimizer;
  optimizer.emplace(net.parameters(), optim::SGDOptions{.lr = old_lr, .momentum = 0.9});
  optimizer->minimize(net(randn({4, 8})).pow(2).mean());

  optimizer.emplace(std::vector<optim::SGDOptions>{{.params = net.features.parameters()},
                                                   {.params = net.classifier.parameters(), .lr = old_lr * 0.1}},
                    optim::SGDOptions{.lr = 1e-5, .momentum = 0.9});
  optimizer->minimize(net(randn({4, 8})).pow(2).mean());
  expect(audit.report().has("momentum-lost"), "the audit names the loss");
}

// Editing the groups keeps it.
void decay_by_editing() {
  Net net;
  optim::Audit audit(net);
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  optimizer.minimize(net(randn({4, 8})).pow(2).mean());
  for (auto& param_group : optimizer.param_groups()) param_group.lr = *param_group.lr * 0.1;
  optimizer.minimize(net(randn({4, 8})).pow(2).mean());
  expect(audit.report().findings.empty() && optimizer.steps_of(net.parameters()[0]) == 2, "momentum goes on");
  std::printf("%s\n", optimizer.to_string().c_str());
}

int main() {
  manual_seed(1);
  by_submodule();
  by_listed_layers();
  decay_by_rebuilding();
  decay_by_editing();
}

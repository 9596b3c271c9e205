// Checkpoints, for docs/checkpoints.md.
// Usage: checkpoints [FOLDER FOR FILES]
#include <gradus/gradus.h>

#include <cstdio>

using namespace gradus;

struct Net : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(4, 8));
  nn::Linear head = add("head", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return head(relu(fc(x))); }
};

void save_and_load(const std::string& path) {
  Net net;
  io::save(net.state_dict(), path);
  net.load_state_dict(io::load_state_dict(path));
}

void start_from_a_pretrained_network(const std::string& path) {
  Net net;
  const auto pretrained = io::load_state_dict(path, {.fit = net.state_dict()});
  const auto report = net.load_state_dict(pretrained, {.strict = false, .skip_mismatched = true});
  std::printf("%s\n", report.to_string().c_str());
}

void whole_checkpoint(const std::string& path) {
  Net net;
  optim::Adam opt(net, {.lr = 1e-3});
  opt.minimize(net(ones({2, 4})).pow(2).mean());

  io::save(io::Value::dict({{"epoch", 12}, {"model", net.state_dict()}, {"optimizer", opt.state_dict()}}), path);

  const io::Value checkpoint = io::load(path);
  net.load_state_dict(checkpoint["model"]);
  opt.load_state_dict(checkpoint["optimizer"]);
  std::printf("epoch %d, rate %g\n", static_cast<int>(checkpoint.as_int({"epoch"})),
              checkpoint.as_double({"optimizer", "param_groups", 0, "lr"}));
}

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  save_and_load(folder + "/net.safetensors");
  io::save(folder + "/pretrained.pth",
           io::Value::dict({{"state_dict", io::Value::dict({{"module.fc.weight", ones({8, 4})},
                                                            {"module.fc.bias", zeros({8})},
                                                            {"module.head.weight", ones({9, 8})},
                                                            {"module.head.bias", ones({9})}})}}));
  start_from_a_pretrained_network(folder + "/pretrained.pth");
  whole_checkpoint(folder + "/run.pth");
  return 0;
}

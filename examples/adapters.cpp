// A network that was trained on one task is adapted to another: LoRA beside frozen layers, saved, loaded and merged.
#include <gradus/gradus.h>

#include <cstdio>
#include <string>

using namespace gradus;
namespace F = nn::functional;

// Points of the plane, and on which side of a wave they lie.
struct Task {
  Tensor x = rand({256, 2}) * 4 - 2;
  Tensor y;
  explicit Task(double phase) : y((select(x, 1, 1) > sin(select(x, 1, 0) * 2 + phase)).to(kInt64)) {}
};

nn::Sequential network() {
  return nn::Sequential(nn::Linear(2, 32), nn::Tanh(), nn::Linear(32, 32), nn::Tanh(), nn::Linear(32, 2));
}

double train(nn::Sequential& net, const Task& task, optim::Optimizer& optimizer, int steps) {
  double loss = 0;
  for (int i = 0; i < steps; ++i) {
    const Tensor error = F::cross_entropy(net(task.x), task.y);
    optimizer.minimize(error);
    loss = error.item();
  }
  return loss;
}

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  manual_seed(1);
  nn::Sequential net = network();
  const Task first(0), second(1.5), third(-1);
  optim::AdamW all(net.parameters(), {.lr = 1e-2});
  std::printf("the network:       loss %.3f\n", train(net, first, all, 300));

  nn::lora(net, "2", {.rank = 4, .alpha = 8, .name = "second"});
  nn::lora(net, "*", {.rank = 4, .alpha = 8, .name = "third"});
  optim::AdamW for_second(nn::adapter_parameters(net, "second"), {.lr = 1e-2});
  optim::AdamW for_third(nn::adapter_parameters(net, "third"), {.lr = 2e-2});
  nn::set_adapter(net, "second");
  std::printf("adapter 'second':  loss %.3f\n", train(net, second, for_second, 200));
  nn::set_adapter(net, "third");
  std::printf("adapter 'third':   loss %.3f\n", train(net, third, for_third, 200));
  nn::set_adapter(net, "");
  std::printf("the network again: loss %.3f\n", F::cross_entropy(net(first.x), first.y).item());

  {
    const nn::BatchAdapters batch(net, {"second", "third", ""});
    const Tensor scores = net(rand({3, 2}));  // each sample with its own
    std::printf("one batch of three: %s\n", to_string(scores.sizes()).c_str());
  }

  training::save_adapter(net, folder + "/third", {.name = "third"});
  nn::Sequential other = network();
  other.load_state_dict(nn::StateDict(net.state_dict()), {.strict = false});
  training::load_adapter(other, folder + "/third", {.name = "third"});
  std::printf("loaded:            loss %.3f\n", F::cross_entropy(other(third.x), third.y).item());

  const nn::MergeReport report = nn::merge_adapter(other, "third", [&] { return other(third.x); });
  std::printf("merged into %zu layers: outputs up to %.3g changed by at most %.1g\n", report.layers.size(),
              report.largest_output, report.largest_output_change);
  nn::unmerge_adapter(other);  // the base has its bits again

  nn::parametrize(net, "0.weight", [](nn::Module& layer, const std::string& name) { nn::spectral_norm(layer, name); });
  net(first.x);
  std::printf("parameters of layer 0: %s\n", net[0].named_parameters()[1].first.c_str());
}

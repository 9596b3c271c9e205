// A layer of your own, in your own program: parameters, a buffer, a mode, an error. For docs/adding-a-layer.md.
#include <gradus/gradus.h>

#include <cstdio>
#include <string>

using namespace gradus;

// Divides each feature by its root mean square and scales it: [batch, features] -> the same. In training the mean
// square is the batch's, and a running average of it is kept; in evaluation it is the average.
struct ScaleNorm : nn::Module {
  std::int64_t features;
  nn::Parameter gain = add("gain", nn::Parameter(ones({features})));
  nn::Buffer running_square = add("running_square", nn::Buffer(ones({features})));

  explicit ScaleNorm(std::int64_t n) : Module("ScaleNorm", std::to_string(n)), features(n) {}

  Tensor forward(const Tensor& x) override {
    if (x.dim() != 2 || x.size(1) != features)
      throw ShapeError("ScaleNorm: need [batch, " + std::to_string(features) + "], got " +
                       gradus::to_string(x.sizes()));
    if (!is_training()) return x * rsqrt(running_square + 1e-5) * gain;
    const Tensor square = x.pow(2).mean(0);
    {
      NoGrad guard;
      running_square.mul_(0.9).add_(square * 0.1);
    }
    return x * rsqrt(square + 1e-5) * gain;
  }
};

int main() {
  manual_seed(1);
  nn::Sequential net(nn::Linear(4, 8), ScaleNorm(8), nn::ReLU(), nn::Linear(8, 1));
  std::printf("%s\n", net.to_string().c_str());
  for (const auto& [name, tensor] : net.state_dict())
    std::printf("%-18s %s\n", name.c_str(), to_string(tensor.sizes()).c_str());

  optim::AdamW optimizer(net.parameters(), {.lr = 0.01});
  const Tensor x = randn({64, 4}) * 5;
  const Tensor y = x.sum(1, true);
  const double before = nn::functional::mse_loss(net(x), y).item();
  for (int step = 0; step < 100; ++step) optimizer.minimize(nn::functional::mse_loss(net(x), y));
  net.eval();
  const double after = nn::functional::mse_loss(net(x), y).item();
  std::printf("loss %.3f -> %.3f\n", before, after);

  bool refused = false;
  try {
    ScaleNorm(8)(randn({2, 5}));
  } catch (const ShapeError& error) {
    refused = true;
    std::printf("%s\n", error.what());
  }
  return after < before && refused ? 0 : 1;
}

// Checkpoints know no devices: saved on one, they go on on any.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/temp_folder.h"
#include "support/tested_device.h"

namespace gradus::training {
namespace {

using test::tested_device;

struct Training {
  nn::Sequential net{nn::Conv2d(1, 4, 3), nn::BatchNorm2d(4), nn::ReLU(), nn::Flatten(), nn::Linear(64, 3)};
  optim::Adam optimizer{net.parameters(), {.lr = 1e-2}};
  optim::swa_utils::AveragedModel<nn::Sequential> average{
      net, {.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(0.9)}};
  std::int64_t step = 0;
  Device device;
  Checkpoint state;

  explicit Training(Device d) : device(d) {
    state.add("net", net);
    state.add("average", average);
    state.add("optimizer", optimizer);
    state.add("step", step);
    // In float64, where rounding that differs stays small.
    net.to(kFloat64);
    average.to(kFloat64);
    net.to(device);
    average.to(device);
  }
  double run(std::int64_t steps) {
    double last = 0;
    for (std::int64_t i = 0; i < steps; ++i, ++step) {
      Generator generator(static_cast<std::uint64_t>(step));
      const Tensor x = randn({8, 1, 6, 6}, {.dtype = kFloat64}, &generator).to(device);
      const Tensor y = remainder(arange(8), tensor(3)).to(device);
      const Tensor loss = nn::functional::cross_entropy(net(x), y);
      optimizer.minimize(loss);
      average.update_parameters(net);
      last = loss.item();
    }
    return last;
  }
};

std::vector<double> end_of(Training& training) {
  std::vector<double> values{training.run(4)};
  for (const auto* module : {static_cast<nn::Module*>(&training.net), static_cast<nn::Module*>(&training.average)})
    for (const auto& [name, x] : module->state_dict())
      for (const double v : x.to_vector<double>()) values.push_back(v);
  return values;
}

TEST(CheckpointsOfDevices, GoOnOnAnyDevice) {
  const test::TempFolder folder;
  const Device devices[] = {kCPU, tested_device()};
  std::vector<std::vector<double>> ends;
  for (const Device from : devices) {
    manual_seed(1);
    Training first(from);
    first.run(3);
    const std::string path = folder / (to_string(from) + ".pth");
    first.state.save(path);
    ends.push_back(end_of(first));  // of one that never stopped
    for (const Device to : devices) {
      manual_seed(2);
      Training second(to);
      second.state.load(path);
      EXPECT_EQ(second.step, 3);
      EXPECT_EQ(second.net.parameters()[0].device(), to);
      ends.push_back(end_of(second));
      if (to == from) {
        EXPECT_EQ(ends.back(), ends[ends.size() - (to == kCPU ? 2 : 3)]) << "the same bits on one device";
      }
    }
  }
  for (const auto& end : ends) {
    ASSERT_EQ(end.size(), ends[0].size());
    for (std::size_t i = 0; i < end.size(); ++i)
      EXPECT_NEAR(end[i], ends[0][i], 1e-6 * std::max(1.0, std::abs(ends[0][i]))) << i;
  }
}

}  // namespace
}  // namespace gradus::training

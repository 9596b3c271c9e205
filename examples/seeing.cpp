// What one can see of a training run: its plan, the network's costs, where time goes, curves for TensorBoard, and where
// the first value that is not finite came from.
// Usage: seeing FOLDER
#include <gradus/autograd/detect_anomaly.h>
#include <gradus/io/tensorboard.h>
#include <gradus/nn/containers.h>
#include <gradus/nn/freeze.h>
#include <gradus/nn/functional.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/nn/summary.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/control/plan.h>
#include <gradus/optim/lr_scheduler.h>
#include <gradus/profiler.h>
#include <gradus/random.h>

#include <cstdio>
#include <string>

using namespace gradus;

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  manual_seed(1);
  nn::Sequential net(nn::Linear(8, 64), nn::ReLU(), nn::Linear(64, 64), nn::ReLU(), nn::Linear(64, 3));
  nn::freeze(net, "0");

  optim::Adam optimizer(net.parameters(), {.lr = 1e-2});
  optim::lr_scheduler::CosineAnnealingLR schedule(optimizer, {.T_max = 100});

  const nn::Summary costs = nn::summary(net, {32, 8});
  std::printf("%s\n", costs.to_string().c_str());

  const optim::Plan plan =
      optim::plan({{"net", net}}, {optimizer}, {.schedules = {schedule}, .costs = {{"net", costs}}, .samples = 32});
  std::printf("%s\n", plan.to_string().c_str());

  io::SummaryWriter writer(folder);
  Profiler profiler;
  for (int step = 0; step < 100; ++step) {
    const Tensor x = randn({32, 8});
    const Tensor classes = argmax(x.narrow(1, 0, 3), 1);
    const Tensor loss = nn::functional::cross_entropy(net(x), classes);
    optimizer.minimize(loss);
    schedule.step();
    writer.add_scalar("loss", loss.item(), step);
    if (step % 20 == 0) writer.add_histogram("weights", net.get_parameter("4.weight"), step);
  }
  profiler.stop();
  std::printf("%s\n", profiler.table(8).c_str());
  profiler.export_chrome_trace(folder + "/trace.json");

  try {
    const autograd::DetectAnomaly scope;
    const Tensor x = randn({32, 8}) * 1e38;
    net(x * x);
  } catch (const AutogradError& e) {
    std::printf("%s\n", e.what());
    return 0;
  }
  return 1;
}

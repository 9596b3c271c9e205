// Training that stops and goes on. Run it twice: the second run goes on where the first one stopped, and ends with the
// same bits as a run that never stopped.
// Usage: resume FOLDER [STEPS]
#include <gradus/nn/containers.h>
#include <gradus/nn/functional.h>
#include <gradus/nn/layers/activation.h>
#include <gradus/nn/layers/dropout.h>
#include <gradus/nn/layers/linear.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/lr_scheduler.h>
#include <gradus/optim/swa_utils.h>
#include <gradus/random.h>
#include <gradus/training/checkpoint_manager.h>

#include <cstdio>
#include <cstdlib>

using namespace gradus;

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: resume FOLDER [STEPS]\n");
    return 2;
  }
  const std::string folder = argv[1];
  const std::int64_t steps = argc > 2 ? std::atoll(argv[2]) : 1000;

  manual_seed(1);
  nn::Sequential net(nn::Linear(8, 32), nn::ReLU(), nn::Dropout(0.1), nn::Linear(32, 1));
  optim::swa_utils::AveragedModel ema(net, {.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(0.99)});
  optim::Adam optimizer(net.parameters(), {.lr = 1e-2});
  optim::lr_scheduler::CosineAnnealingLR scheduler(optimizer, {.T_max = 1000});
  std::int64_t step = 0;
  double loss = 0;

  training::Checkpoint state;
  state.add("net", net);
  state.add("ema", ema);
  state.add("optimizer", optimizer);
  state.add("scheduler", scheduler);
  state.add("step", step);
  state.add("loss", loss);

  const auto train_step = [&] {
    const Tensor x = randn({64, 8});
    const Tensor l = nn::functional::mse_loss(net(x), x.sum(1, true));
    optimizer.minimize(l);
    scheduler.step();
    ema.update_parameters(net);
    loss = l.item();
  };

  training::CheckpointManager manager(folder, state, {.every_steps = 100, .every_minutes = 10, .keep = 3});
  if (const auto from = manager.load_latest())
    std::printf("going on from step %lld\n", static_cast<long long>(from->step));
  while (step < steps) {
    train_step();
    manager.step(++step);
  }
  manager.wait();
  std::printf("step %lld: loss %.9g\n", static_cast<long long>(step), loss);
  return 0;
}

// Schedules, for docs/schedules.md.
#include <gradus/nn.h>
#include <gradus/optim.h>
#include <gradus/random.h>

#include <cstdio>

using namespace gradus;

// Stands in for an epoch of training.
void train_epoch(nn::Sequential& net, optim::Optimizer& opt) {
  const Tensor x = randn({8, 4});
  opt.minimize((net(x) - x).pow(2).mean());
}

void one_schedule(nn::Sequential& net) {
  optim::SGD opt(net, {.lr = 0.1, .momentum = 0.9});
  optim::lr_scheduler::StepLR scheduler(opt, {.step_size = 30, .gamma = 0.1});
  for (int epoch = 0; epoch < 90; ++epoch) {
    train_epoch(net, opt);
    scheduler.step();
  }
  std::printf("StepLR ends at %g\n", scheduler.get_last_lr()[0]);
}

void one_after_the_other(nn::Sequential& net) {
  optim::SGD opt(net, {.lr = 0.1});
  optim::lr_scheduler::LinearLR warm(opt, {.start_factor = 0.1, .total_iters = 5});
  optim::lr_scheduler::CosineAnnealingLR cosine(opt, {.T_max = 85, .eta_min = 1e-4});
  optim::lr_scheduler::SequentialLR scheduler(opt, {warm, cosine}, {5});
  for (int epoch = 0; epoch < 90; ++epoch) {
    train_epoch(net, opt);
    scheduler.step();
  }
  std::printf("SequentialLR ends at %g\n", scheduler.get_last_lr()[0]);
}

void group_by_group(nn::Sequential& net) {
  optim::AdamW opt({{.params = net[0].parameters(), .lr = 1e-4}, {.params = net[1].parameters(), .lr = 1e-3}});
  optim::lr_scheduler::ExponentialLR rate(opt, {{.gamma = 0.9}, {.gamma = 0.99}});
  optim::lr_scheduler::WarmupCosineLR decay(opt, {.total_steps = 90, .end_factor = 0.1, .option = "weight_decay"});
  for (int epoch = 0; epoch < 90; ++epoch) {
    train_epoch(net, opt);
    rate.step();
    decay.step();
  }
  std::printf("%s\n", opt.to_string().c_str());
}

void on_a_plateau(nn::Sequential& net) {
  optim::SGD opt(net, {.lr = 0.1});
  optim::lr_scheduler::ReduceLROnPlateau scheduler(opt, {.factor = 0.5, .patience = 5});
  for (int epoch = 0; epoch < 90; ++epoch) {
    train_epoch(net, opt);
    NoGrad guard;
    const Tensor x = ones({8, 4});
    scheduler.step((net(x) - x).pow(2).mean().item());
  }
  std::printf("ReduceLROnPlateau: best %g\n", scheduler.best());
}

void resumed(nn::Sequential& net) {
  optim::SGD opt(net, {.lr = 0.1});
  optim::lr_scheduler::StepLR scheduler(opt, {.step_size = 30});
  scheduler.step(40);
  const optim::OptimizerState optimizer_state = opt.state_dict();
  const optim::lr_scheduler::State state = scheduler.state_dict();

  optim::SGD opt2(net, {.lr = 0.1});
  optim::lr_scheduler::StepLR scheduler2(opt2, {.step_size = 30});
  opt2.load_state_dict(optimizer_state);
  scheduler2.load_state_dict(state);
  std::printf("goes on at %g\n", scheduler2.get_last_lr()[0]);
}

int main() {
  manual_seed(0);
  nn::Sequential net(nn::Linear(4, 8), nn::Linear(8, 4));
  one_schedule(net);
  one_after_the_other(net);
  group_by_group(net);
  on_a_plateau(net);
  resumed(net);
}

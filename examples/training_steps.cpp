// What happens around an optimizer's step, for docs/training-steps.md.
#include <gradus/gradus.h>

#include <cstdio>

using namespace gradus;

Tensor loss(nn::Sequential& net) {
  const Tensor x = randn({8, 4});
  return (net(x) - x).pow(2).mean();
}

void clipping_by_hand(nn::Sequential& net) {
  optim::SGD opt(net, {.lr = 0.1});
  opt.zero_grad();
  loss(net).backward();
  const Tensor norm = nn::utils::clip_grad_norm_(net.parameters(), 1.0);
  opt.step();
  std::printf("norm %g\n", norm.item());
}

void clipping_as_a_policy(nn::Sequential& net) {
  optim::AdamW opt(net, {.lr = 1e-3});
  optim::lr_scheduler::WarmupCosineLR scheduler(opt, {.warmup_steps = 10, .total_steps = 100});
  opt.set_clipping({.max_norm = 1.0, .nonfinite = optim::NonFinite::skip});
  for (int i = 0; i < 100; ++i) {
    opt.zero_grad();
    loss(net).backward();
    if (opt.step()) scheduler.step();
  }
  std::printf("skipped %lld steps\n", static_cast<long long>(opt.skipped_steps()));
}

void accumulation(nn::Sequential& net) {
  optim::SGD opt(net, {.lr = 0.1});
  const int parts = 4;
  opt.zero_grad();
  for (int i = 0; i < parts; ++i) (loss(net) / parts).backward();
  opt.step();
}

void averages(nn::Sequential& net) {
  using namespace optim::swa_utils;
  optim::Adam opt(net, {.lr = 1e-3});
  AveragedModel ema(net, {.multi_avg_fn = get_ema_multi_avg_fn(0.99)});
  for (int i = 0; i < 100; ++i) {
    opt.minimize(loss(net));
    ema.update_parameters(net);
  }
  ema.eval();
  std::printf("of the average: %g\n", loss(ema.module).item());
}

void lookahead(nn::Sequential& net) {
  optim::Adam adam(net, {.lr = 1e-3});
  optim::Lookahead opt(adam, {.k = 5, .alpha = 0.5});
  for (int i = 0; i < 100; ++i) opt.minimize(loss(net));
}

void mixed_precision(nn::Sequential& net) {
  optim::AdamW opt(net, {.lr = 1e-3});
  amp::GradScaler scaler;
  for (int i = 0; i < 100; ++i) {
    opt.zero_grad();
    Tensor out;
    {
      const Autocast scope(kFloat16);
      out = loss(net);
    }
    scaler.scale(out).backward();
    scaler.unscale_(opt);  // only because the next line looks at the gradients
    nn::utils::clip_grad_norm_(net.parameters(), 1.0);
    scaler.step(opt);
    scaler.update();
  }
  std::printf("the scale is %g\n", scaler.get_scale());
}

void recorded(nn::Sequential& net) {
  optim::AdamW opt(net, {.lr = 1e-3});
  const Tensor x = zeros({8, 4}), y = zeros({8, 4});
  GraphedStep step([&] {
    opt.zero_grad();
    const Tensor loss = nn::functional::mse_loss(net(x), y);
    loss.backward();
    opt.step();
    return loss;
  });
  for (int i = 0; i < 100; ++i) {
    x.copy_(randn({8, 4}));
    y.copy_(x * 2);
    step();
  }
  std::printf("loss %g\n", step().item());
}

int main() {
  manual_seed(0);
  nn::Sequential net(nn::Linear(4, 8), nn::Linear(8, 4));
  clipping_by_hand(net);
  clipping_as_a_policy(net);
  accumulation(net);
  averages(net);
  lookahead(net);
  mixed_precision(net);
  recorded(net);
}

// Correct programs, each of a kind that looks like a mistake. audit_correct_test.cpp has more.
#include <cmath>

#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

struct Actor : nn::Module {
  nn::Linear trunk = add("trunk", nn::Linear(4, 16)), policy = add("policy", nn::Linear(16, 3)),
             value = add("value", nn::Linear(16, 1));
  std::pair<Tensor, Tensor> both(const Tensor& x) {
    const Tensor h = tanh(trunk(x));
    return {policy(h), value(h).squeeze(1)};
  }
  Tensor forward(const Tensor& x) override { return policy(tanh(trunk(x))); }
};

// Several epochs over the same rollout, clipped ratios, one loss of three parts.
AuditReport ppo() {
  Actor net;
  optim::Adam opt(net, {.lr = 3e-4});
  Audit audit(net, {opt});
  for (int rollout = 0; rollout < 3; ++rollout) {
    const Tensor state = randn({32, 4}), action = randint(0, 3, {32, 1});
    Tensor old, returns, advantage;
    {
      const NoGrad guard;
      const auto [scores, values] = net.both(state);
      old = gather(log_softmax(scores, 1), 1, action).squeeze(1);
      returns = randn({32});
      advantage = returns - values;
    }
    for (int epoch = 0; epoch < 3; ++epoch) {
      const auto [scores, values] = net.both(state);
      const Tensor logp = log_softmax(scores, 1);
      const Tensor ratio = exp(gather(logp, 1, action).squeeze(1) - old);
      const Tensor clipped = minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage);
      const Tensor entropy = -(exp(logp) * logp).sum(1).mean();
      opt.zero_grad();
      (-clipped.mean() + 0.5 * square(values - returns).mean() - 0.01 * entropy).backward();
      nn::utils::clip_grad_norm_(net.parameters(), 0.5);
      opt.step();
    }
  }
  return audit.report();
}

AuditReport diffusion() {
  const Data data;
  nn::Sequential net(nn::Linear(5, 16), nn::SiLU(), nn::Linear(16, 4)), ema = nn::clone(net);
  nn::freeze(ema);
  optim::AdamW opt(net, {.lr = 1e-3});
  Audit audit({{"net", net}, {"ema", ema}}, {opt});
  for (int i = 0; i < 12; ++i) {
    const Tensor t = rand({64, 1}), noise = randn({64, 4});
    const Tensor noisy = sqrt(1 - t) * data.x + sqrt(t) * noise;
    opt.minimize(F::mse_loss(net(cat({noisy, t}, 1)), noise));
    const NoGrad guard;
    const auto from = net.parameters();
    auto to = ema.parameters();
    for (std::size_t k = 0; k < to.size(); ++k) to[k].mul_(0.99).add_(from[k] * 0.01);
  }
  return audit.report();
}

AuditReport distillation() {
  const Data data;
  Regularised teacher;
  teacher.eval();
  Net student;
  optim::SGD opt(student, {.lr = 0.1});
  Audit audit({{"student", student}, {"teacher", teacher}}, {opt});
  train(opt, data, 3, [&](const Tensor& x, const Tensor& y) {
    Tensor soft;
    {
      const NoGrad guard;
      soft = softmax(teacher(x) / 4, 1);
    }
    const Tensor out = student(x);
    return 0.5 * F::cross_entropy(out, y) +
           8 * F::kl_div(log_softmax(out / 4, 1), soft, {.reduction = nn::Reduction::BatchMean});
  });
  return audit.report();
}

struct TwoTasks : nn::Module {
  nn::Sequential trunk = add("trunk", nn::Sequential(nn::Linear(4, 8), nn::BatchNorm1d(8), nn::ReLU()));
  nn::Linear classes = add("classes", nn::Linear(8, 3)), number = add("number", nn::Linear(8, 1));
  Tensor forward(const Tensor& x) override { return classes(trunk(x)); }
};

AuditReport frozen_parts() {
  const Data data;
  TwoTasks net;
  nn::freeze(net.trunk);
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 12; ++i) {
    const Tensor h = net.trunk(data.x);
    opt.minimize(i % 2 == 0 ? F::cross_entropy(net.classes(h), data.y)
                            : F::mse_loss(net.number(h).squeeze(1), data.target));
  }
  return audit.report();
}

// Masks of zeros on weights and gradients, as pruning finds them.
AuditReport lottery_ticket() {
  const Data data;
  Net net;
  std::map<std::string, Tensor> masks;
  for (auto& [name, p] : net.named_parameters()) {
    masks[name] = (abs(p.detach()) > 0.15).to(kFloat32);
    const NoGrad guard;
    Tensor weight = p;
    weight *= masks[name];
  }
  optim::SGD opt(net, {.lr = 0.1, .momentum = 0.9});
  Audit audit(net, {opt});
  for (int i = 0; i < 15; ++i) {
    opt.zero_grad();
    F::cross_entropy(net(data.x), data.y).backward();
    opt.step();
    const NoGrad guard;
    for (auto& [name, p] : net.named_parameters()) {
      Tensor weight = p;
      weight *= masks[name];
    }
  }
  return audit.report();
}

AuditReport stochastic_weight_averaging() {
  const Data data;
  Regularised net;
  optim::swa_utils::AveragedModel<Regularised> swa(net);
  optim::SGD opt(net, {.lr = 0.1, .momentum = 0.9});
  optim::lr_scheduler::CosineAnnealingLR cosine(opt, {.T_max = 4});
  Audit audit({{"net", net}, {"swa", swa}}, {opt});
  for (int epoch = 0; epoch < 5; ++epoch) {
    net.train();
    train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
    if (epoch < 3)
      cosine.step();
    else
      swa.update_parameters(net);
    net.eval();
  }
  swa.train();  // statistics of the average
  const NoGrad guard;
  for (auto& [x, y] : data.loader()) swa(x);
  return audit.report();
}

AuditReport cyclic_rates() {
  const Data data;
  Net net;
  optim::SGD opt(net, {.lr = 0.01, .momentum = 0.9});
  optim::lr_scheduler::CyclicLR schedule(opt, {.base_lr = 0.001, .max_lr = 0.1, .step_size_up = 3});
  Audit audit(net, {opt});
  for (int i = 0; i < 30; ++i) {
    opt.minimize(F::cross_entropy(net(data.x), data.y));
    schedule.step();
  }
  return audit.report();
}

AuditReport warm_restarts() {
  const Data data;
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  optim::lr_scheduler::CosineAnnealingWarmRestarts schedule(opt, {.T_0 = 4, .T_mult = 2});
  Audit audit(net, {opt});
  for (int i = 0; i < 30; ++i) {
    opt.minimize(F::cross_entropy(net(data.x), data.y));
    schedule.step();
  }
  return audit.report();
}

AuditReport monte_carlo_dropout() {
  const Data data;
  Regularised net;
  optim::Adam opt(net);
  Audit audit(net, {opt});
  for (int epoch = 0; epoch < 3; ++epoch) {
    net.train();
    train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
    net.eval();
    net.drop.train();
    const NoGrad guard;
    Tensor sum = softmax(net(data.x), 1);
    for (int k = 0; k < 3; ++k) sum = sum + softmax(net(data.x), 1);
    argmax(sum, 1);
  }
  return audit.report();
}

// Tarvainen and Valpola: the teacher is an average of the student, and keeps its noise.
AuditReport mean_teacher() {
  const Data data;
  Regularised student, teacher = nn::clone(student);
  optim::SGD opt(student, {.lr = 0.05});
  Audit audit({{"student", student}, {"teacher", teacher}}, {opt});
  train(opt, data, 3, [&](const Tensor& x, const Tensor& y) {
    Tensor wanted;
    {
      const NoGrad guard;
      const auto from = student.parameters();
      auto to = teacher.parameters();
      for (std::size_t k = 0; k < to.size(); ++k) to[k].mul_(0.9).add_(from[k] * 0.1);
      wanted = softmax(teacher(x), 1);
    }
    const Tensor out = student(x);
    return F::cross_entropy(out, y) + F::mse_loss(softmax(out, 1), wanted);
  });
  return audit.report();
}

AuditReport supervised_contrastive() {
  const Data data;
  Net net;
  optim::Adam opt(net);
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) {
    const Tensor z = F::normalize(net(data.x));
    const Tensor same = (data.y.unsqueeze(1) == data.y).to(kFloat32) * (1 - eye(64));
    const Tensor logp = log_softmax(matmul(z, z.transpose(0, 1)) / 0.5 - eye(64) * 1e9, 1);
    opt.minimize(-((same * logp).sum(1) / (same.sum(1) + 1e-6)).mean());
  }
  return audit.report();
}

AuditReport simsiam() {
  const Data data;
  nn::Sequential encoder(nn::Linear(4, 16), nn::BatchNorm1d(16), nn::ReLU(), nn::Linear(16, 8)), head(nn::Linear(8, 8));
  std::vector<Tensor> all = encoder.parameters();
  for (const Tensor& p : head.parameters()) all.push_back(p);
  optim::SGD opt(all, {.lr = 0.05});
  Audit audit({{"encoder", encoder}, {"head", head}}, {opt});
  for (int i = 0; i < 8; ++i) {
    const Tensor z1 = encoder(data.x + 0.1 * randn({64, 4})), z2 = encoder(data.x + 0.1 * randn({64, 4}));
    opt.minimize(
        -(F::cosine_similarity(head(z1), z2.detach()).mean() + F::cosine_similarity(head(z2), z1.detach()).mean()) / 2);
  }
  return audit.report();
}

struct Vae : nn::Module {
  nn::Linear encoder = add("encoder", nn::Linear(4, 8)), mean = add("mean", nn::Linear(8, 2)),
             log_variance = add("log_variance", nn::Linear(8, 2)), decoder = add("decoder", nn::Linear(2, 4));
  Tensor forward(const Tensor& x) override {
    const Tensor h = relu(encoder(x)), m = mean(h), lv = log_variance(h);
    const Tensor z = m + exp(lv / 2) * randn({x.size(0), 2});
    return F::mse_loss(decoder(z), x) - 0.05 * (1 + lv - square(m) - exp(lv)).sum(1).mean();
  }
};

AuditReport variational() {
  const Data data;
  Vae net;
  optim::Adam opt(net);
  Audit audit(net, {opt});
  for (int i = 0; i < 12; ++i) {
    opt.zero_grad();
    net(data.x).backward();
    opt.step();
  }
  return audit.report();
}

AuditReport accumulation_with_a_schedule() {
  const Data data;
  Net net;
  optim::SGD opt(net, {.lr = 0.1, .momentum = 0.9});
  optim::lr_scheduler::OneCycleLR schedule(opt, {.max_lr = 0.1, .total_steps = 7});
  Audit audit(net, {opt});
  std::int64_t i = 0;
  for (int epoch = 0; epoch < 6; ++epoch) {
    for (auto& [x, y] : data.loader()) {
      (F::cross_entropy(net(x), y) / 4).backward();
      if (++i % 4 != 0) continue;
      opt.step();
      opt.zero_grad();
      schedule.step();
    }
  }
  return audit.report();
}

struct Recurrent : nn::Module {
  nn::GRU gru = add("gru", nn::GRU(2, 8));
  nn::Linear out = add("out", nn::Linear(8, 1));
};

AuditReport truncated_backpropagation() {
  Recurrent net;
  optim::Adam opt(net, {.lr = 1e-2});
  Audit audit(net, {opt});
  const Tensor series = randn({24, 4, 2});
  for (int epoch = 0; epoch < 2; ++epoch) {
    Tensor state;
    for (std::int64_t t = 0; t < 24; t += 6) {
      const auto [y, next] = net.gru(series.narrow(0, t, 6), state);
      opt.zero_grad();
      F::mse_loss(net.out(y).squeeze(2), series.narrow(0, t, 6).sum(2)).backward();
      opt.step();
      state = next.detach();
    }
  }
  return audit.report();
}

// Soft actor-critic: a learnt temperature with an optimizer of its own, two critics, slow targets.
AuditReport soft_actor_critic() {
  nn::Sequential actor(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1), nn::Tanh());
  nn::Sequential q1(nn::Linear(5, 8), nn::ReLU(), nn::Linear(8, 1)), q2(nn::Linear(5, 8), nn::ReLU(), nn::Linear(8, 1));
  nn::Sequential t1 = nn::clone(q1), t2 = nn::clone(q2);
  Tensor log_alpha = zeros({1}, {.requires_grad = true});
  std::vector<Tensor> critics = q1.parameters();
  for (const Tensor& p : q2.parameters()) critics.push_back(p);
  optim::Adam a_opt(actor, {.lr = 1e-3}), q_opt(critics, {.lr = 1e-3}), alpha_opt({log_alpha}, {.lr = 1e-3});
  Audit audit({{"actor", actor}, {"q1", q1}, {"q2", q2}, {"t1", t1}, {"t2", t2}}, {a_opt, q_opt, alpha_opt});
  for (int i = 0; i < 12; ++i) {
    const Tensor s = randn({16, 4}), a = randn({16, 1}), reward = randn({16, 1}), next = randn({16, 4});
    Tensor wanted;
    {
      const NoGrad guard;
      const Tensor sa = cat({next, actor(next)}, 1);
      wanted = reward + 0.9 * minimum(t1(sa), t2(sa));
    }
    const Tensor sa = cat({s, a}, 1);
    q_opt.zero_grad();
    (F::mse_loss(q1(sa), wanted) + F::mse_loss(q2(sa), wanted)).backward();
    q_opt.step();
    const Tensor mine = actor(s), entropy = -square(mine);
    a_opt.zero_grad();
    (exp(log_alpha).detach() * square(mine) - minimum(q1(cat({s, mine}, 1)), q2(cat({s, mine}, 1)))).mean().backward();
    a_opt.step();
    alpha_opt.zero_grad();
    (log_alpha * (entropy.detach() + 0.5)).mean().backward();
    alpha_opt.step();
    const NoGrad guard;
    for (auto [slow, fast] : {std::pair(&t1, &q1), std::pair(&t2, &q2)}) {
      const auto from = fast->parameters();
      auto to = slow->parameters();
      for (std::size_t k = 0; k < to.size(); ++k) to[k].mul_(0.99).add_(from[k] * 0.01);
    }
  }
  return audit.report();
}

AuditReport gradual_unfreezing() {
  const Data data;
  Net net;
  nn::freeze(net.a);
  optim::SGD opt({{.params = net.a.parameters(), .lr = 0.01}, {.params = net.b.parameters(), .lr = 0.1}}, {});
  Audit audit(net, {opt});
  train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
  nn::unfreeze(net.a);
  train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
  return audit.report();
}

AuditReport fast_gradient_sign() {
  const Data data;
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 10; ++i) {
    Tensor attacked = data.x.clone().requires_grad_();
    F::cross_entropy(net(attacked), data.y).backward();
    const Tensor worse = (attacked.detach() + 0.1 * sign(attacked.grad())).detach();
    opt.zero_grad();
    F::cross_entropy(net(worse), data.y).backward();
    opt.step();
  }
  return audit.report();
}

AuditReport mixup_and_smoothing() {
  const Data data;
  Net net;
  optim::AdamW opt(net);
  Audit audit(net, {opt});
  for (int i = 0; i < 10; ++i) {
    const double share = 0.7;
    const Tensor order = randperm(64);
    const Tensor t = one_hot(data.y, 3).to(kFloat32);
    const Tensor x = share * data.x + (1 - share) * index_select(data.x, 0, order);
    opt.minimize(
        F::cross_entropy(net(x), share * t + (1 - share) * index_select(t, 0, order), {.label_smoothing = 0.1}));
  }
  return audit.report();
}

// Scores bounded by 10 tanh, as pointer networks have them.
AuditReport bounded_scores() {
  const Data data;
  Net net;
  optim::Adam opt(net);
  Audit audit(net, {opt});
  train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(10 * tanh(net(x)), y); });
  return audit.report();
}

// Brier's score is a square of probabilities; the accuracy of the batch that is trained on costs no forward.
AuditReport brier_with_running_accuracy() {
  const Data data;
  Regularised net;
  optim::Adam opt(net);
  Audit audit(net, {opt});
  double right = 0;
  train(opt, data, 3, [&](const Tensor& x, const Tensor& y) {
    const Tensor p = softmax(net(x), 1);
    right += (argmax(p, 1) == y).to(kFloat32).sum().item();
    return F::mse_loss(p, one_hot(y, 3).to(kFloat32));
  });
  return audit.report();
}

AuditReport full_batches_with_step_decay() {
  const Data data;
  Net net;
  optim::SGD opt(net, {.lr = 0.5});
  optim::lr_scheduler::StepLR schedule(opt, {.step_size = 8});
  Audit audit(net, {opt});
  for (int epoch = 0; epoch < 24; ++epoch) {
    opt.minimize(F::cross_entropy(net(data.x), data.y));
    schedule.step();
  }
  return audit.report();
}

AuditReport discriminator_steps_more_often() {
  const Data data;
  nn::Sequential G(nn::Linear(2, 8), nn::ReLU(), nn::Linear(8, 4)),
      D(nn::Linear(4, 8), nn::LeakyReLU(), nn::Linear(8, 1));
  optim::Adam g(G, {.lr = 1e-3}), d(D, {.lr = 1e-3});
  Audit audit({{"G", G}, {"D", D}}, {g, d});
  for (int i = 0; i < 6; ++i) {
    for (int k = 0; k < 3; ++k) {
      d.zero_grad();
      (softplus(-D(data.x)).mean() + softplus(D(G(randn({64, 2})).detach())).mean()).backward();
      d.step();
    }
    D.requires_grad_(false);
    g.zero_grad();
    softplus(-D(G(randn({64, 2})))).mean().backward();
    g.step();
    D.requires_grad_(true);
  }
  return audit.report();
}

AuditReport new_optimizer_for_a_second_phase() {
  const Data data;
  Net net;
  const auto loss = [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); };
  std::optional<optim::Adam> first(std::in_place, net, optim::AdamOptions{.lr = 1e-2});
  Audit audit(net, {*first});
  train(*first, data, 2, loss);
  optim::SGD second(net.b, {.lr = 0.01});
  nn::freeze(net.a);
  train(second, data, 2, loss);
  return audit.report();
}

}  // namespace

std::vector<CorrectProgram> correct() {
  return {
      {"PPO, several epochs over one rollout", ppo},
      {"diffusion with an average by hand", diffusion},
      {"distillation", distillation},
      {"two tasks over a frozen trunk", frozen_parts},
      {"lottery tickets: masks on weights after each step", lottery_ticket},
      {"stochastic weight averaging, and its statistics", stochastic_weight_averaging},
      {"cyclic rates", cyclic_rates},
      {"warm restarts", warm_restarts},
      {"Monte Carlo dropout", monte_carlo_dropout},
      {"mean teacher, whose noise stays on", mean_teacher},
      {"supervised contrastive loss", supervised_contrastive},
      {"SimSiam", simsiam},
      {"a variational autoencoder", variational},
      {"accumulation with a schedule of the steps", accumulation_with_a_schedule},
      {"truncated backpropagation through time", truncated_backpropagation},
      {"soft actor-critic with a learnt temperature", soft_actor_critic},
      {"gradual unfreezing", gradual_unfreezing},
      {"adversarial training by the gradient's sign", fast_gradient_sign},
      {"mixup with label smoothing", mixup_and_smoothing},
      {"scores bounded by 10 tanh", bounded_scores},
      {"Brier's score with a running accuracy", brier_with_running_accuracy},
      {"step decay over full batches", full_batches_with_step_decay},
      {"a critic that steps more often, switched off in between", discriminator_steps_more_often},
      {"a second phase with an optimizer of its own", new_optimizer_for_a_second_phase},
  };
}

}  // namespace gradus::programs

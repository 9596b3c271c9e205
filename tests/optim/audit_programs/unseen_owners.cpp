// Programs that were written without a look at the rules: shapes of kinds 8 to 14 that an earlier audit passed over.
#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

namespace S = optim::lr_scheduler;
using optim::swa_utils::AveragedModel;
using optim::swa_utils::get_ema_multi_avg_fn;

nn::StateDict copied(const nn::StateDict& dict) {
  nn::StateDict copy;
  for (const auto& [name, tensor] : dict) copy.set(name, tensor.detach().clone());
  return copy;
}

struct Critic : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 16)), b = add("b", nn::Linear(16, 2));
  Tensor forward(const Tensor& x) override { return b(relu(a(x))); }
};

// Q learning whose target is `next(state)`.
template <class Next, class After>
AuditReport q_learning(Critic& q, const optim::AuditedModels& models, Next&& next, After&& after) {
  optim::Adam opt(q, {.lr = 1e-3});
  Audit audit(models, {opt});
  for (int step = 0; step < 30; ++step) {
    const Tensor state = randn({32, 4}), action = randint(0, 2, {32, 1}), reward = randn({32, 1});
    const Tensor wanted = reward + 0.99 * next(randn({32, 4}));
    opt.minimize(F::mse_loss(gather(q(state), 1, action), wanted));
    after(step);
  }
  return audit.report();
}

AuditReport fit(Net& net, const optim::AuditedModels& models, optim::Optimizer& opt, int steps,
                const std::function<void(int)>& after = {}) {
  const Data data;
  Audit audit(models, {opt});
  for (int i = 0; i < steps; ++i) {
    opt.zero_grad();
    F::cross_entropy(net(data.x), data.y).backward();
    opt.step();
    if (after) after(i);
  }
  return audit.report();
}

}  // namespace

Programs unseen_owners() {
  return {
      {8, "a sum of losses for the log, with their graphs", "graph-kept",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         Tensor total = zeros({});
         for (int i = 0; i < 12; ++i) {
           const Tensor loss = F::cross_entropy(net(data.x), data.y);
           opt.minimize(loss);
           total = total + (mistake ? loss : loss.detach());
         }
         return audit.report();
       },
       "item()"},

      {9, "the best weights kept as state_dict(), and loaded at the end", "loaded-into-itself",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         nn::StateDict best;
         for (int i = 0; i < 40; ++i) {
           opt.minimize(F::cross_entropy(net(data.x), data.y));
           if (i == 35) best = mistake ? net.state_dict() : copied(net.state_dict());
         }
         net.load_state_dict(best);
         return audit.report();
       },
       "clone()"},
      {9, "the target network is a handle, and only the network that learns is audited", "loaded-into-itself",
       [](bool mistake) {
         Critic q, target = mistake ? q : nn::clone(q);
         return q_learning(
             q, q,
             [&](const Tensor& state) {
               const NoGrad guard;
               return amax(target(state), 1, true);
             },
             [&](int step) {
               if (step % 5 == 4) target.load_state_dict(q.state_dict());
             });
       }},
      {9, "the target network of a DQN is never updated", "target-still",
       [](bool mistake) {
         Critic q, target = nn::clone(q);
         return q_learning(
             q, {{"q", q}, {"target", target}},
             [&](const Tensor& state) {
               const NoGrad guard;
               return amax(target(state), 1, true);
             },
             [&](int step) {
               if (!mistake && step % 10 == 9) target.load_state_dict(q.state_dict());
             });
       },
       "load_state_dict"},
      {9, "a DQN whose target is its own output, and recorded", "target-recorded",
       [](bool mistake) {
         Critic q;
         return q_learning(
             q, q,
             [&](const Tensor& state) {
               const Tensor best = amax(q(state), 1, true);
               return mistake ? best : best.detach();
             },
             [](int) {});
       },
       "detach()"},
      {9, "a penalty on the distance to what was kept with detach()", "kept-handle",
       [](bool mistake) {
         const Data data;
         Net net;
         std::vector<Tensor> kept;
         for (const Tensor& p : net.parameters()) kept.push_back(mistake ? p.detach() : p.detach().clone());
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int i = 0; i < 6; ++i) {
           Tensor loss = F::cross_entropy(net(data.x), data.y);
           for (std::size_t k = 0; k < kept.size(); ++k) loss = loss + square(net.parameters()[k] - kept[k]).sum();
           opt.minimize(loss);
         }
         return audit.report();
       },
       "detach().clone()"},
      {9, "one block appended several times", "shared-module",
       [](bool mistake) {
         const Data data;
         nn::Sequential block(nn::Linear(8, 8), nn::ReLU()), net(nn::Linear(4, 8));
         for (int i = 0; i < 3; ++i) net.append(mistake ? block : nn::clone(block));
         net.append(nn::Linear(8, 3));
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int i = 0; i < 6; ++i) opt.minimize(F::cross_entropy(net(data.x), data.y));
         return audit.report();
       },
       "nn::clone"},

      {10, "a part that an earlier phase froze, in the optimizer of the next", "frozen-yet-owned",
       [](bool mistake) {
         Net net;
         nn::freeze(net.a);
         if (!mistake) nn::unfreeze(net.a);
         optim::SGD opt(net, {.lr = 0.1});
         return fit(net, net, opt, 8);
       },
       "nn::unfreeze"},
      {10, "a part switched off, which momentum moves on", "moved-while-off",
       [](bool mistake) {
         Net net;
         optim::SGD opt(net, {.lr = 0.1, .momentum = 0.9});
         const Data data;
         Audit audit(net, {opt});
         for (int i = 0; i < 12; ++i) {
           if (i == 6 && mistake) net.a.requires_grad_(false);
           if (i == 6 && !mistake) nn::freeze(net.a);
           opt.zero_grad(false);
           F::cross_entropy(net(data.x), data.y).backward();
           opt.step();
         }
         return audit.report();
       }},
      {10, "the generator's loss by backward() through the discriminator", "gradient-on-the-way",
       [](bool mistake) {
         nn::Sequential G(nn::Linear(2, 8), nn::ReLU(), nn::Linear(8, 4)),
             D(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
         optim::Adam g(G), d(D);
         Audit audit({{"G", G}, {"D", D}}, {g, d});
         for (int i = 0; i < 8; ++i) {
           d.minimize((D(G(randn({16, 2})).detach()) - D(randn({16, 4}))).mean());
           const Tensor loss = -D(G(randn({16, 2}))).mean();
           g.zero_grad();
           if (mistake)
             loss.backward();
           else
             loss.backward({.inputs = g.parameters()});
           g.step();
         }
         return audit.report();
       }},

      {12, "a resumed run that loads the optimizer, but not its schedule", "schedule-restarted",
       [](bool mistake) {
         Net net;
         optim::Adam first(net, {.lr = 1e-2});
         S::CosineAnnealingLR first_schedule(first, {.T_max = 20});
         fit(net, net, first, 8, [&](int) { first_schedule.step(); });
         optim::Adam opt(net, {.lr = 1e-2});
         S::CosineAnnealingLR schedule(opt, {.T_max = 20});
         const Data data;
         Audit audit(net, {opt});
         opt.load_state_dict(first.state_dict());
         if (!mistake) schedule.load_state_dict(first_schedule.state_dict());
         for (int i = 0; i < 6; ++i) {
           opt.minimize(F::cross_entropy(net(data.x), data.y));
           schedule.step();
         }
         return audit.report();
       },
       "schedule.load_state_dict"},
      {12, "an average that is evaluated, and was never updated", "average-unused",
       [](bool mistake) {
         const Data data;
         Net net;
         AveragedModel<Net> ema(net, {.multi_avg_fn = get_ema_multi_avg_fn(0.9)});
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int i = 0; i < 12; ++i) {
           opt.minimize(F::cross_entropy(net(data.x), data.y));
           if (!mistake) ema.update_parameters(net);
         }
         const NoGrad guard;
         ema(data.x);
         return audit.report();
       },
       "update_parameters"},

      {13, "the betas of Adam the wrong way round", "swapped-betas",
       [](bool mistake) {
         Net net;
         const std::pair<double, double> usual(0.9, 0.999), swapped(0.999, 0.9);
         optim::Adam opt(net, {.betas = mistake ? swapped : usual});
         return fit(net, net, opt, 6);
       }},
      {13, "a decay that takes half of every weight at each step", "huge-decay",
       [](bool mistake) {
         Net net;
         optim::AdamW opt(net, {.lr = 1e-2, .weight_decay = mistake ? 50.0 : 1e-2});
         return fit(net, net, opt, 6);
       }},

      {14, "a teacher whose forward is recorded, and its gradients computed", "unowned",
       [](bool mistake) {
         const Data data;
         Net student;
         nn::Sequential teacher(nn::Linear(4, 32), nn::ReLU(), nn::Linear(32, 3));
         optim::SGD opt(student, {.lr = 0.1});
         Audit audit({{"teacher", teacher}, {"student", student}}, {opt});
         if (!mistake) nn::freeze(teacher);
         for (int i = 0; i < 6; ++i) {
           const Tensor wanted = softmax(teacher(data.x), 1);
           opt.zero_grad();
           F::kl_div(log_softmax(student(data.x), 1), wanted, {.reduction = nn::Reduction::BatchMean}).backward();
           opt.step();
         }
         return audit.report();
       },
       "nn::freeze(teacher)"},
      {14, "two optimizers that step on one gradient of a shared trunk", "two-owners",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD whole(net, {.lr = 0.1}), trunk(net.a, {.lr = 0.1});
         Audit audit(net, {whole});
         for (int i = 0; i < 6; ++i) {
           whole.zero_grad();
           F::cross_entropy(net(data.x), data.y).backward();
           whole.step();
           if (mistake) trunk.step();
         }
         return audit.report();
       }},
      {14, "tied weights of which one is replaced", "half-tied",
       [](bool mistake) {
         struct Tied : nn::Module {
           nn::Linear in = add("in", nn::Linear(4, 4)), out = add("out", nn::Linear(4, 4));
         } net;
         net.out.weight = net.in.weight;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         if (mistake) net.out.weight = nn::Parameter(net.in.weight.detach().clone());
         for (int i = 0; i < 4; ++i) opt.minimize(square(net.out(net.in(randn({8, 4})))).mean());
         return audit.report();
       }},
  };
}

std::vector<CorrectProgram> unseen_correct() {
  return {
      {"an ensemble of snapshots, run beside the network",
       [] {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         std::vector<Net> snapshots;
         Audit audit(net, {opt});
         for (int i = 0; i < 20; ++i) {
           opt.minimize(F::cross_entropy(net(data.x), data.y));
           if (i % 5 == 4) snapshots.push_back(nn::clone(net));
         }
         const NoGrad guard;
         for (Net& snapshot : snapshots) snapshot(data.x);
         return audit.report();
       }},
      {"a head on the features of a backbone in evaluation mode",
       [] {
         const Data data;
         struct Probe : nn::Module {
           nn::Sequential backbone =
               add("backbone", nn::Sequential(nn::Linear(4, 8), nn::BatchNorm1d(8), nn::Dropout(0.5)));
           nn::Linear head = add("head", nn::Linear(8, 3));
           Tensor forward(const Tensor& x) override { return head(backbone(x)); }
         } net;
         net.backbone.requires_grad_(false);
         net.eval();
         optim::SGD opt(net.head, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int i = 0; i < 8; ++i) opt.minimize(F::cross_entropy(net(data.x), data.y));
         return audit.report();
       }},
      {"DCGAN's two losses by backward(), added for the log",
       [] {
         nn::Sequential G(nn::Linear(2, 8), nn::ReLU(), nn::Linear(8, 4)),
             D(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
         optim::Adam g(G), d(D);
         Audit audit({{"G", G}, {"D", D}}, {g, d});
         const Tensor real = ones({16, 1}), fake = zeros({16, 1});
         double last = 0;
         for (int i = 0; i < 12; ++i) {
           d.zero_grad();
           const Tensor of_real = F::binary_cross_entropy_with_logits(D(randn({16, 4})), real);
           of_real.backward();
           const Tensor made = G(randn({16, 2}));
           const Tensor of_fake = F::binary_cross_entropy_with_logits(D(made.detach()), fake);
           of_fake.backward();
           last = (of_real + of_fake).item();
           d.step();
           g.zero_grad();
           F::binary_cross_entropy_with_logits(D(made), real).backward();
           g.step();
         }
         static_cast<void>(last);
         return audit.report();
       }},
      {"a recurrent network whose gradients explode, and are clipped",
       [] {
         struct Net : nn::Module {
           nn::RNN rnn = add("rnn", nn::RNN(4, 16, {.nonlinearity = "relu", .batch_first = true}));
           nn::Linear out = add("out", nn::Linear(16, 1));
           Tensor forward(const Tensor& x) override { return out(rnn(x).first.select(1, -1)); }
         } net;
         const Tensor recurrent = net.rnn.get_parameter("weight_hh_l0");
         {
           const NoGrad guard;
           recurrent.mul_(2.5);
         }
         optim::SGD opt(net, {.lr = 1e-2});
         opt.set_clipping({.max_norm = 1.0});
         Audit audit(net, {opt});
         const Tensor x = randn({16, 30, 4}), y = randn({16, 1});
         for (int i = 0; i < 10; ++i) opt.minimize(F::mse_loss(net(x), y));
         AuditReport report = audit.report();
         // Advice would be no failure of this program, but clipping is the remedy of this one.
         if (report.has("exploding-gradient")) report.findings.front().severity = optim::Severity::wrong;
         return report;
       }},
      {"schedules of the rate and of the decay, side by side",
       [] {
         const Data data;
         Net net;
         optim::AdamW opt(net, {.lr = 1e-3, .weight_decay = 0.01});
         S::CosineAnnealingLR rate(opt, {.T_max = 20});
         S::LinearLR decay(opt, {.start_factor = 1, .end_factor = 0.1, .total_iters = 20, .option = "weight_decay"});
         Audit audit(net, {opt});
         for (int i = 0; i < 20; ++i) {
           opt.minimize(F::cross_entropy(net(data.x), data.y));
           rate.step();
           decay.step();
         }
         return audit.report();
       }},
  };
}

}  // namespace gradus::programs

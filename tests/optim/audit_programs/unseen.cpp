// Programs that were written without a look at the rules: shapes of kinds 1 to 7 that an earlier audit passed over.
#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

namespace S = optim::lr_scheduler;

// A regression whose last layer is an activation.
template <class Activation>
AuditReport bounded(bool mistake, Activation&& activation, bool positive) {
  const Data data;
  nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
  if (mistake) net.append(activation);
  const Tensor wanted = (positive ? data.target : data.target - data.target.mean()).unsqueeze(1);
  optim::SGD opt(net, {.lr = 0.01});
  Audit audit(net, {opt});
  for (int i = 0; i < 8; ++i) opt.minimize(F::mse_loss(net(data.x), wanted));
  return audit.report();
}

struct Tagger : nn::Module {
  nn::Embedding embed = add("embed", nn::Embedding(6, 8));
  nn::GRU gru = add("gru", nn::GRU(8, 8, {.batch_first = true}));
  nn::Linear out = add("out", nn::Linear(8, 6));
  Tensor forward(const Tensor& x) override { return out(gru(embed(x)).first); }
};

struct OwnNorm : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 8)), b = add("b", nn::Linear(8, 3));
  nn::Buffer mean = add("mean", nn::Buffer(zeros({8}))), var = add("var", nn::Buffer(ones({8})));
  bool forgets;
  explicit OwnNorm(bool mistake) : forgets(mistake) {}
  Tensor forward(const Tensor& x) override {
    return b(relu(batch_norm(a(x), mean, var, {}, {}, forgets || is_training())));
  }
};

// A residual branch with a gate of zero: a parameter, or a buffer by mistake.
struct Gated : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 4)), b = add("b", nn::Linear(4, 3));
  nn::Buffer fixed;
  nn::Parameter learnt;
  explicit Gated(bool mistake) {
    if (mistake)
      fixed = add("gate", nn::Buffer(zeros({1})));
    else
      learnt = add("gate", nn::Parameter(zeros({1})));
  }
  Tensor forward(const Tensor& x) override {
    const Tensor gate = learnt.defined() ? Tensor(learnt) : Tensor(fixed);
    return b(x + gate * tanh(a(x)));
  }
};

struct Inputs {
  Data data;
  Net net;
  optim::SGD opt{net, {.lr = 0.1}};
  Tensor loss() { return F::cross_entropy(net(data.x), data.y); }
};

// 60 steps of SGD; `after` is told the number of each.
template <class Make, class After>
AuditReport scheduled(Make&& make, After&& after, int steps = 60) {
  Inputs in;
  auto schedule = make(in.opt);
  Audit audit(in.net, {in.opt});
  for (int i = 0; i < steps; ++i) {
    in.opt.minimize(in.loss());
    after(*schedule, in.opt, i);
  }
  return audit.report();
}

const auto kEach = [](auto& schedule, optim::SGD&, int) { schedule.step(); };

AuditReport tasks(double weight) {
  struct Two : nn::Module {
    nn::Linear trunk = add("trunk", nn::Linear(4, 8)), a = add("a", nn::Linear(8, 3)), b = add("b", nn::Linear(8, 1));
  } net;
  const Data data;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 12; ++i) {
    const Tensor h = relu(net.trunk(data.x));
    opt.minimize(F::cross_entropy(net.a(h), data.y) + weight * F::mse_loss(net.b(h).squeeze(1), data.target));
  }
  return audit.report();
}

// Features are divided by their length, of which one is zero, or one sample is missing.
AuditReport features(bool zero_row, bool missing, bool careful) {
  Data data;
  nn::Linear a(4, 4, {.bias = false}), b(4, 3);
  if (zero_row) data.x[3] = 0;
  if (missing) data.x[{5, 1}] = std::numeric_limits<double>::quiet_NaN();
  optim::SGD opt({{.params = a.parameters()}, {.params = b.parameters()}}, {.lr = 0.1});
  opt.set_clipping({.nonfinite = optim::NonFinite::propagate});
  Audit audit({{"a", a}, {"b", b}}, {opt});
  for (int i = 0; i < 6; ++i) {
    const Tensor h = a(data.x);
    opt.minimize(F::cross_entropy(b(careful ? F::normalize(h) : h / h.norm(2, 1, true)), data.y));
  }
  return audit.report();
}

}  // namespace

Programs unseen() {
  return {
      {1, "ReLU after the last layer of a regression with targets below zero", "out-of-range",
       [](bool mistake) { return bounded(mistake, nn::ReLU(), false); }, "relu in 3 (ReLU)"},
      {1, "Sigmoid after the last layer, and targets that are not in [0, 1]", "out-of-range",
       [](bool mistake) { return bounded(mistake, nn::Sigmoid(), true); }, "[0, 1]"},
      {1, "Tanh after the last layer, and targets beyond 1", "out-of-range",
       [](bool mistake) { return bounded(mistake, nn::Tanh(), true); }, "[-1, 1]"},
      {1, "BCEWithLogitsLoss of labels -1 and 1", "out-of-range",
       [](bool mistake) {
         const Data data;
         nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         const Tensor label = (data.y == 1).to(kFloat32).unsqueeze(1);
         for (int i = 0; i < 6; ++i)
           opt.minimize(F::binary_cross_entropy_with_logits(net(data.x), mistake ? label * 2 - 1 : label));
         return audit.report();
       },
       "(y + 1) / 2"},
      {1, "log_softmax over the time of a sequence, not over its classes", "wrong-dimension",
       [](bool mistake) {
         Tagger net;
         optim::Adam opt(net, {.lr = 1e-2});
         Audit audit(net, {opt});
         for (int i = 0; i < 6; ++i) {
           const Tensor x = randint(0, 6, {8, 5});
           const Tensor scores = log_softmax(net(x), mistake ? 1 : 2);
           opt.minimize(F::nll_loss(scores.reshape({-1, 6}), x.reshape({-1})));
         }
         return audit.report();
       },
       "another dimension"},

      {2, "F::batch_norm by the batch in evaluation too", "statistics-in-evaluation",
       [](bool mistake) {
         const Data data;
         OwnNorm net(mistake);
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           net.eval();
           const NoGrad guard;
           net(data.x);
         }
         return audit.report();
       },
       "is_training()"},
      {2, "steps of the optimizer in the validation, too", "trained-in-evaluation",
       [](bool mistake) {
         const Data data, other;
         Regularised net;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           net.eval();
           if (mistake) {
             opt.minimize(F::cross_entropy(net(other.x), other.y));
           } else {
             const NoGrad guard;
             net(other.x);
           }
           net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         }
         return audit.report();
       },
       "no step in a validation"},
      {2, "a validation in evaluation mode that is recorded", "recorded-evaluation",
       [](bool mistake) {
         const Data data, other;
         Regularised net;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 4; ++epoch) {
           net.train();
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           net.eval();
           const GradMode mode(mistake);
           F::cross_entropy(net(other.x), other.y).item();
         }
         return audit.report();
       },
       "NoGrad"},

      {4, "a loss made anew of its own number", "loss-without-graph",
       [](bool mistake) {
         Inputs in;
         Audit audit(in.net, {in.opt});
         for (int i = 0; i < 6; ++i) {
           const Tensor loss = in.loss();
           in.opt.zero_grad();
           (mistake ? tensor(loss.item(), {.requires_grad = true}) : loss).backward();
           in.opt.step();
         }
         return audit.report();
       }},
      {4, "codes that are rounded", "zero-gradient",
       [](bool mistake) {
         const Data data;
         Net net;
         nn::Linear head(3, 3);
         optim::SGD opt({{.params = net.parameters()}, {.params = head.parameters()}}, {.lr = 0.1});
         Audit audit({{"net", net}, {"head", head}}, {opt});
         for (int i = 0; i < 12; ++i) {
           const Tensor h = net(data.x), code = round(h);
           opt.minimize(F::cross_entropy(head(mistake ? code : h + (code - h).detach()), data.y));
         }
         return audit.report();
       },
       "ends at round"},
      {4, "a gate of zero that is a buffer, and meant to learn", "zero-gradient",
       [](bool mistake) {
         const Data data;
         Gated net(mistake);
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         for (int i = 0; i < 12; ++i) opt.minimize(F::cross_entropy(net(data.x), data.y));
         return audit.report();
       },
       "nn::Parameter"},
      {4, "the loss of one of two tasks has the weight zero", "zero-gradient",
       [](bool mistake) { return tasks(mistake ? 0.0 : 0.1); }, "ends at mul"},

      {5, "ReduceLROnPlateau that is never stepped", "schedule-unused",
       [](bool mistake) {
         return scheduled([](optim::SGD& opt) { return std::make_unique<S::ReduceLROnPlateau>(opt); },
                          [=](auto& plateau, optim::SGD&, int i) {
                            if (!mistake) plateau.step(1.0 / (i + 1));
                          });
       },
       "ReduceLROnPlateau"},
      {5, "ReduceLROnPlateau stepped with the loss of each batch", "schedule-over",
       [](bool mistake) {
         return scheduled(
             [](optim::SGD& opt) {
               return std::make_unique<S::ReduceLROnPlateau>(opt, S::ReduceLROnPlateauOptions{.patience = 1});
             },
             [=](auto& plateau, optim::SGD&, int i) {
               if (mistake)
                 plateau.step(i % 7 == 0 ? 0.5 : 1.0 + 0.1 * (i % 3));
               else if (i % 10 == 9)
                 plateau.step(1.0 / i);
             });
       },
       "once in an epoch"},
      {5, "a schedule stepped after each batch and after each epoch", "schedule-twice",
       [](bool mistake) {
         return scheduled(
             [](optim::SGD& opt) {
               return std::make_unique<S::CosineAnnealingLR>(opt, S::CosineAnnealingLROptions{.T_max = 70});
             },
             [=](auto& schedule, optim::SGD&, int i) {
               schedule.step();
               if (mistake && i % 10 == 9) schedule.step();
             });
       },
       "in one place"},
      {5, "a warm-up and a cosine side by side that were meant one after the other", "schedules-together",
       [](bool mistake) {
         Inputs in;
         S::LinearLR warm(in.opt, {.start_factor = 0.1, .total_iters = 10});
         S::CosineAnnealingLR cosine(in.opt, {.T_max = 50});
         std::optional<S::SequentialLR> both;
         if (!mistake) both.emplace(in.opt, std::vector<S::LRScheduler>{warm, cosine}, std::vector<std::int64_t>{10});
         Audit audit(in.net, {in.opt});
         for (int i = 0; i < 20; ++i) {
           in.opt.minimize(in.loss());
           if (both) {
             both->step();
           } else {
             warm.step();
             cosine.step();
           }
         }
         return audit.report();
       },
       "SequentialLR"},
      {5, "both schedules of a GAN on the generator's optimizer", "schedules-together",
       [](bool mistake) {
         nn::Sequential G(nn::Linear(2, 8), nn::ReLU(), nn::Linear(8, 4)),
             D(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 1));
         optim::Adam g(G), d(D);
         S::ExponentialLR of_g(g, {.gamma = 0.99}), of_d(mistake ? g : d, {.gamma = 0.99});
         Audit audit({{"G", G}, {"D", D}}, {g, d});
         for (int i = 0; i < 8; ++i) {
           d.minimize((D(G(randn({16, 2})).detach()) - D(randn({16, 4}))).mean());
           g.minimize(-D(G(randn({16, 2}))).mean());
           of_g.step();
           of_d.step();
         }
         return audit.report();
       },
       "Adam(D) has no schedule"},
      {5, "a schedule stepped after each micro-batch of an accumulation", "schedule-twice",
       [](bool mistake) {
         Inputs in;
         S::CosineAnnealingLR schedule(in.opt, {.T_max = 40});
         Audit audit(in.net, {in.opt});
         for (int i = 0; i < 24; ++i) {
           (in.loss() / 4).backward();
           const bool last = i % 4 == 3;
           if (last) in.opt.step();
           if (last) in.opt.zero_grad();
           if (last || mistake) schedule.step();
         }
         return audit.report();
       }},
      {5, "a schedule made anew in each epoch", "schedule-rebuilt",
       [](bool mistake) {
         Inputs in;
         Audit audit(in.net, {in.opt});
         std::optional<S::LinearLR> schedule;
         for (int epoch = 0; epoch < 5; ++epoch) {
           if (mistake || epoch == 0)
             schedule.emplace(in.opt, S::LinearLROptions{.start_factor = 0.5, .total_iters = 20});
           for (int i = 0; i < 5; ++i) {
             in.opt.minimize(in.loss());
             schedule->step();
           }
         }
         return audit.report();
       },
       "before the loop"},
      {5, "milestones after the last epoch", "schedule-late",
       [](bool mistake) {
         return scheduled(
             [=](optim::SGD& opt) {
               const std::int64_t first = mistake ? 30 : 10;
               return std::make_unique<S::MultiStepLR>(opt, S::MultiStepLROptions{.milestones = {first, 2 * first}});
             },
             [](auto& schedule, optim::SGD&, int i) {
               if (i % 4 == 3) schedule.step();
             });
       },
       "first change"},
      {5, "a rate set by hand, which OneCycleLR sets again", "rate-overwritten",
       [](bool mistake) {
         return scheduled(
             [](optim::SGD& opt) {
               return std::make_unique<S::OneCycleLR>(
                   opt, S::OneCycleLROptions{.max_lr = 0.1, .total_steps = 60, .cycle_momentum = false});
             },
             [=](auto& schedule, optim::SGD& opt, int i) {
               schedule.step();
               if (mistake && i % 10 == 9)
                 for (auto& group : opt.param_groups()) group.lr = 0.01;
             });
       }},
      {5, "a rate that is zero for the second half", "zero-rate",
       [](bool mistake) {
         return scheduled(
             [=](optim::SGD& opt) {
               return std::make_unique<S::WarmupLinearLR>(
                   opt, S::WarmupLinearLROptions{.warmup_steps = 5, .total_steps = mistake ? 50 : 100});
             },
             kEach, 100);
       }},

      {6, "rows divided by their length, one of which is zero", "not-finite",
       [](bool mistake) { return features(true, false, !mistake); }, "made by div"},
      {6, "a layer that is off for every sample", "dead-units",
       [](bool mistake) {
         Inputs in;
         if (mistake) {
           const NoGrad guard;
           in.net.a.bias.fill_(-100);
         }
         Audit audit(in.net, {in.opt});
         for (int i = 0; i < 8; ++i) in.opt.minimize(in.loss());
         return audit.report();
       }},
      {6, "a value that is missing in the data", "not-finite",
       [](bool mistake) { return features(false, mistake, true); }, "isfinite"},
      {6, "a logarithm of probabilities by hand", "not-finite",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         opt.set_clipping({.nonfinite = optim::NonFinite::propagate});
         Audit audit(net, {opt});
         for (int i = 0; i < 6; ++i) {
           const Tensor scores = net(data.x) * 400;
           const Tensor likelihood = gather(softmax(scores, 1), 1, data.y.unsqueeze(1)).log();
           opt.minimize(mistake ? -likelihood.mean() : F::cross_entropy(scores, data.y) / 400);
         }
         return audit.report();
       },
       "log_softmax"},
  };
}

}  // namespace gradus::programs

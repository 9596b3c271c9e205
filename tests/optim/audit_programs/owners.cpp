// Kinds 9, 10 and 14: who owns what, and handles where copies were meant.
#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

struct Q : nn::Module {
  nn::Linear a = add("a", nn::Linear(4, 16)), b = add("b", nn::Linear(16, 2));
  Tensor forward(const Tensor& x) override { return b(relu(a(x))); }
};

enum class Dqn { right, handle, target_gets_gradients, target_in_optimizer };

// Deep Q learning on random transitions; the target follows every fifth step.
AuditReport dqn(Dqn how) {
  Q q, target = how == Dqn::handle ? q : nn::clone(q);
  std::vector<Tensor> owned = q.parameters();
  if (how == Dqn::target_in_optimizer)
    for (const Tensor& p : target.parameters()) owned.push_back(p);
  optim::Adam opt(owned, {.lr = 1e-3});
  Audit audit({{"q", q}, {"target", target}}, {opt});
  for (int step = 0; step < 20; ++step) {
    const Tensor state = randn({32, 4}), next = randn({32, 4}), reward = randn({32}), action = randint(0, 2, {32, 1});
    Tensor wanted;
    if (how == Dqn::target_gets_gradients || how == Dqn::target_in_optimizer) {
      wanted = reward + 0.99 * amax(target(next), 1);
    } else {
      const NoGrad guard;
      wanted = reward + 0.99 * amax(target(next), 1);
    }
    opt.zero_grad();
    F::smooth_l1_loss(gather(q(state), 1, action).squeeze(1), wanted).backward();
    opt.step();
    if (step % 5 == 4) target.load_state_dict(q.state_dict());
  }
  return audit.report();
}

struct Gan {
  nn::Sequential G{nn::Linear(2, 8), nn::ReLU(), nn::Linear(8, 4)};
  nn::Sequential D{nn::Linear(4, 8), nn::LeakyReLU(), nn::Linear(8, 1)};
  optim::Adam g{G, {.lr = 1e-3}}, d{D, {.lr = 1e-3}};
  Audit audit{{{"G", G}, {"D", D}}, {g, d}};
  Tensor real = ones({16, 1}), fake = zeros({16, 1});
  Tensor sample() { return G(randn({16, 2})); }
  Tensor judged(const Tensor& x, const Tensor& label) { return F::binary_cross_entropy_with_logits(D(x), label); }
};

AuditReport frozen_discriminator(bool mistake) {
  const Data data;
  Gan gan;
  for (int i = 0; i < 8; ++i) {
    gan.d.zero_grad();
    const Tensor d_loss = gan.judged(data.x.narrow(0, 0, 16), gan.real) + gan.judged(gan.sample().detach(), gan.fake);
    if (d_loss.requires_grad()) d_loss.backward();
    gan.d.step();
    gan.D.requires_grad_(false);
    gan.g.zero_grad();
    gan.judged(gan.sample(), gan.real).backward();
    gan.g.step();
    if (!mistake) gan.D.requires_grad_(true);
  }
  return gan.audit.report();
}

// DCGAN's loop: both losses by backward(), and who clears what.
AuditReport dcgan(bool detach, bool clear_generator) {
  const Data data;
  Gan gan;
  for (int i = 0; i < 8; ++i) {
    gan.d.zero_grad();
    gan.judged(data.x.narrow(0, 0, 16), gan.real).backward();
    const Tensor made = gan.sample();
    gan.judged(detach ? made.detach() : made, gan.fake).backward({.retain_graph = !detach});
    gan.d.step();
    if (clear_generator) gan.g.zero_grad();
    gan.judged(detach ? made : gan.sample(), gan.real).backward();
    gan.g.step();
  }
  return gan.audit.report();
}

struct Tied : nn::Module {
  nn::Embedding embed = add("embed", nn::Embedding(6, 4));
  nn::Linear out = add("out", nn::Linear(4, 6, {.bias = false}));
  Tensor forward(const Tensor& x) override { return out(embed(x).mean(1)); }
};

AuditReport tied(bool mistake) {
  Tied net;
  if (mistake)
    net.out.weight = nn::Parameter(net.embed.weight.detach().clone());
  else
    net.out.weight = net.embed.weight;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  for (int i = 0; i < 5; ++i) {
    const Tensor words = randint(0, 6, {16, 3});
    opt.minimize(F::cross_entropy(net(words), words.select(1, 0)));
  }
  return audit.report();
}

}  // namespace

Programs owners() {
  return {
      {9, "the target network of a DQN is another handle", "same-network",
       [](bool mistake) { return dqn(mistake ? Dqn::handle : Dqn::right); }},
      {9, "the target network of a DQN gets gradients", "target-gradient",
       [](bool mistake) { return dqn(mistake ? Dqn::target_gets_gradients : Dqn::right); }},
      {9, "the target network of a DQN is in the optimizer too", "target-trained",
       [](bool mistake) { return dqn(mistake ? Dqn::target_in_optimizer : Dqn::right); }},
      {9, "the best weights kept as state_dict()", "kept-handle",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         nn::StateDict best;
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           if (mistake)
             best = net.state_dict();
           else
             for (auto& [name, tensor] : net.state_dict()) best.set(name, tensor.detach().clone());
         }
         return audit.report();
       }},
      {9, "an average kept as handles, and updated in place", "changed-by-hand",
       [](bool mistake) {
         const Data data;
         Net net;
         std::map<std::string, Tensor> ema;
         for (auto& [name, p] : net.named_parameters()) ema[name] = mistake ? p.detach() : p.detach().clone();
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 3, [&](const Tensor& x, const Tensor& y) {
           const NoGrad guard;
           for (auto& [name, p] : net.named_parameters()) ema[name].mul_(0.9).add_(p.detach() * 0.1);
           const EnableGrad again;
           return F::cross_entropy(net(x), y);
         });
         return audit.report();
       }},

      {10, "a part that is off and owned, and never on", "off-yet-owned",
       [](bool mistake) {
         const Data data;
         Net net;
         if (mistake)
           net.a.requires_grad_(false);
         else
           nn::freeze(net.a);
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 3, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {10, "a discriminator switched off for the generator's step, and not on again", "nothing-to-train",
       frozen_discriminator},
      {10, "a part that an earlier phase switched off", "left-off",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         const auto epoch = [&] {
           train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         };
         epoch();
         net.a.requires_grad_(false);
         epoch();
         if (!mistake) net.a.requires_grad_(true);
         epoch();
         return audit.report();
       }},
      {10, "DCGAN without detach, the generator's gradients not cleared", "foreign-gradient",
       [](bool mistake) { return dcgan(!mistake, !mistake); }},
      {10, "DCGAN without detach, the generator's gradients cleared", "wasted-gradient",
       [](bool mistake) { return dcgan(!mistake, true); }},

      {14, "weights that were tied and are equal copies now", "equal-start", tied},
      {14, "two networks under two names that are one", "same-network",
       [](bool mistake) {
         const Data data;
         Net net, other = mistake ? net : Net();
         optim::SGD a(net, {.lr = 0.1}), b(other, {.lr = 0.1});
         Audit audit({{"first", net}, {"second", other}}, {a, b});
         for (int i = 0; i < 4; ++i) {
           a.minimize(F::cross_entropy(net(data.x), data.y));
           b.minimize(F::cross_entropy(other(data.x), data.y));
         }
         return audit.report();
       }},
      {14, "an optimizer of a network that was replaced as a whole", "elsewhere",
       [](bool mistake) {
         const Data data;
         Net old, net;
         optim::SGD opt(mistake ? old : net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {14, "half of a network in no optimizer", "unowned",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(mistake ? net.b.parameters() : net.parameters(), {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {14, "Adam with a rate of 10", "large-updates",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::Adam opt(net, {.lr = mistake ? 10.0 : 1e-3});
         Audit audit(net, {opt});
         train(opt, data, 3, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {14, "Adam with a rate of 1e-9", "small-updates",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::Adam opt(net, {.lr = mistake ? 1e-8 : 1e-3});
         Audit audit(net, {opt});
         train(opt, data, 3, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
  };
}

}  // namespace gradus::programs

// Kinds 4, 8, 11 and 12: backward, accumulation, clipping, step and state.
#include <cmath>
#include <limits>

#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

// Twelve turns with Adam over the whole data; `turn` does what comes after forward.
template <class Turn>
AuditReport turns(Turn&& turn) {
  const Data data;
  Net net;
  optim::Adam opt(net, {.lr = 1e-2});
  Audit audit(net, {opt});
  for (int i = 0; i < 12; ++i) turn(net, opt, F::cross_entropy(net(data.x), data.y), i);
  return audit.report();
}

// Micro-batches of 16, four for each step.
template <class Turn>
AuditReport micro_batches(Turn&& turn) {
  const Data data;
  Net net;
  optim::SGD opt(net, {.lr = 0.1});
  Audit audit(net, {opt});
  std::int64_t i = 0;
  opt.zero_grad();
  for (int epoch = 0; epoch < 5; ++epoch) {
    data::DataLoader loader = data.loader();
    for (auto& [x, y] : loader) turn(opt, F::cross_entropy(net(x), y), i++);
  }
  return audit.report();
}

AuditReport lbfgs(bool mistake) {
  const Data data;
  Net net;
  optim::LBFGS opt(net, {.lr = 0.5, .max_iter = 4});
  Audit audit(net, {opt});
  for (int i = 0; i < 4; ++i) {
    opt.step([&] {
      if (!mistake) opt.zero_grad();
      const Tensor loss = F::cross_entropy(net(data.x), data.y);
      loss.backward();
      return loss;
    });
  }
  return audit.report();
}

}  // namespace

Programs steps() {
  return {
      {4, "no step() in the loop", "never-stepped",
       [](bool mistake) {
         return turns([=](Net&, optim::Adam& opt, const Tensor& loss, int) {
           opt.zero_grad();
           loss.backward();
           if (!mistake) opt.step();
         });
       }},
      {4, "zero_grad() between backward and step", "cleared-too-early",
       [](bool mistake) {
         return turns([=](Net&, optim::Adam& opt, const Tensor& loss, int) {
           if (!mistake) opt.zero_grad();
           loss.backward();
           if (mistake) opt.zero_grad();
           opt.step();
         });
       }},
      {4, "a step only every hundredth turn, gradients cleared in each", "never-stepped",
       [](bool mistake) {
         return turns([=](Net&, optim::Adam& opt, const Tensor& loss, int i) {
           opt.zero_grad();
           loss.backward();
           if (!mistake || (i + 1) % 100 == 0) opt.step();
         });
       }},
      {4, "a new tensor made of the loss's number", "no-gradients",
       [](bool mistake) {
         return turns([=](Net&, optim::Adam& opt, const Tensor& loss, int) {
           opt.zero_grad();
           if (mistake)
             tensor(loss.item(), {.requires_grad = true}).backward();
           else
             loss.backward();
           opt.step();
         });
       }},
      {4, "every step skipped, as one weight gets an infinite gradient", "steps-skipped",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         opt.set_clipping({.max_norm = 1, .nonfinite = optim::NonFinite::skip});
         Audit audit(net, {opt});
         train(opt, data, 3, [&](const Tensor& x, const Tensor& y) {
           const Tensor loss = F::cross_entropy(net(x), y);
           return mistake ? loss + sqrt(net.a.weight.sum() * 0) : loss;
         });
         return audit.report();
       }},
      {4, "gradients clipped to a norm of 0", "clipped-to-zero",
       [](bool mistake) {
         return turns([=](Net& net, optim::Adam& opt, const Tensor& loss, int) {
           opt.zero_grad();
           loss.backward();
           nn::utils::clip_grad_norm_(net.parameters(), mistake ? 0.0 : 1.0);
           opt.step();
         });
       }},
      {4, "the optimizer of a clone", "elsewhere",
       [](bool mistake) {
         const Data data;
         Net net, copy = nn::clone(net);
         optim::SGD opt(mistake ? copy : net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {4, "features that were detached", "unreached",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) {
           const Tensor features = relu(net.a(x));
           return F::cross_entropy(net.b(mistake ? features.detach() : features), y);
         });
         return audit.report();
       }},
      {4, "features computed under NoGrad", "unreached",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) {
           Tensor features;
           if (mistake) {
             const NoGrad guard;
             features = relu(net.a(x));
           } else {
             features = relu(net.a(x));
           }
           return F::cross_entropy(net.b(features), y);
         });
         return audit.report();
       }},
      {4, "a mask that is zero everywhere", "zero-gradient",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         const Tensor mask = mistake ? zeros({8}) : ones({8});
         Audit audit(net, {opt});
         train(opt, data, 2,
               [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net.b(relu(net.a(x)) * mask), y); });
         return audit.report();
       }},
      {4, "a rate below the rounding of float32", "lost-update",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = mistake ? 1e-11 : 1e-2});
         Audit audit(net, {opt});
         train(opt, data, 2, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},
      {4, "weights that are NaN before training", "not-finite",
       [](bool mistake) {
         const Data data;
         Net net;
         if (mistake) {
           const NoGrad guard;
           net.a.weight /= net.a.weight.sum() * 0;
         }
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit(net, {opt});
         train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         return audit.report();
       }},

      {8, "cleared at each micro-batch, a step every fourth", "accumulation-cleared",
       [](bool mistake) {
         return micro_batches([=](optim::SGD& opt, const Tensor& loss, std::int64_t i) {
           if (mistake || i % 4 == 0) opt.zero_grad();
           (loss / 4).backward();
           if (i % 4 == 3) opt.step();
         });
       }},
      {8, "four micro-batches, their losses not divided", "accumulation-not-divided",
       [](bool mistake) {
         return micro_batches([=](optim::SGD& opt, const Tensor& loss, std::int64_t i) {
           (mistake ? loss : loss / 4).backward();
           if (i % 4 != 3) return;
           opt.step();
           opt.zero_grad();
         });
       }},
      {8, "a step at each micro-batch, cleared every fourth", "stale-gradient",
       [](bool mistake) {
         return micro_batches([=](optim::SGD& opt, const Tensor& loss, std::int64_t i) {
           (loss / 4).backward();
           if (mistake || i % 4 == 3) opt.step();
           if (i % 4 == 3) opt.zero_grad();
         });
       }},
      {8, "no zero_grad() at all", "stale-gradient",
       [](bool mistake) {
         return turns([=](Net&, optim::Adam& opt, const Tensor& loss, int) {
           if (!mistake) opt.zero_grad();
           loss.backward();
           opt.step();
         });
       }},
      {8, "backward twice, with retain_graph to silence the error", "backward-twice",
       [](bool mistake) {
         return turns([=](Net&, optim::Adam& opt, const Tensor& loss, int) {
           opt.zero_grad();
           if (mistake) loss.backward({.retain_graph = true});
           loss.backward();
           opt.step();
         });
       }},

      {11, "clip_grad_norm_ after step()", "clip-too-late",
       [](bool mistake) {
         return turns([=](Net& net, optim::Adam& opt, const Tensor& loss, int) {
           opt.zero_grad();
           loss.backward();
           if (!mistake) nn::utils::clip_grad_norm_(net.parameters(), 1.0);
           opt.step();
           if (mistake) nn::utils::clip_grad_norm_(net.parameters(), 1.0);
         });
       }},
      {11, "clip_grad_norm_ before backward()", "clip-too-early",
       [](bool mistake) {
         return turns([=](Net& net, optim::Adam& opt, const Tensor& loss, int) {
           opt.zero_grad();
           if (mistake) nn::utils::clip_grad_norm_(net.parameters(), 1.0);
           loss.backward();
           if (!mistake) nn::utils::clip_grad_norm_(net.parameters(), 1.0);
           opt.step();
         });
       }},
      {11, "clip_grad_value_ of the last layer alone", "clip-part",
       [](bool mistake) {
         return turns([=](Net& net, optim::Adam& opt, const Tensor& loss, int) {
           opt.zero_grad();
           loss.backward();
           nn::utils::clip_grad_value_(mistake ? net.b.parameters() : net.parameters(), 1.0);
           opt.step();
         });
       }},
      {11, "an LBFGS closure without zero_grad()", "closure-adds", lbfgs},

      {12, "an optimizer made anew in each epoch", "momentum-lost",
       [](bool mistake) {
         const Data data;
         Net net;
         const auto make = [&] {
           return std::make_unique<optim::SGD>(net, optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
         };
         auto opt = make();
         Audit audit(net, {*opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           if (mistake) opt = make();
           train(*opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
         }
         return audit.report();
       }},
      {12, "an AveragedModel that is never updated", "average-unused",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::swa_utils::AveragedModel<Net> ema(net, {.multi_avg_fn = optim::swa_utils::get_ema_multi_avg_fn(0.9)});
         optim::SGD opt(net, {.lr = 0.1});
         Audit audit({{"net", net}, {"ema", ema}}, {opt});
         for (int epoch = 0; epoch < 3; ++epoch) {
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           if (!mistake) ema.update_parameters(net);
         }
         return audit.report();
       }},
      {12, "the optimizer within a Lookahead is stepped", "inner-stepped",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::Adam inner(net, {.lr = 1e-2});
         optim::Lookahead opt(inner, {.k = 3});
         Audit audit(net, {opt});
         for (int i = 0; i < 9; ++i) {
           opt.zero_grad();
           F::cross_entropy(net(data.x), data.y).backward();
           if (mistake)
             inner.step();
           else
             opt.step();
         }
         return audit.report();
       }},
      {12, "a resumed run that loads the network and the schedule, but not the optimizer", "state-not-loaded",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::Adam first(net, {.lr = 1e-2});
         optim::lr_scheduler::CosineAnnealingLR first_schedule(first, {.T_max = 10});
         for (int epoch = 0; epoch < 2; ++epoch) {
           train(first, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           first_schedule.step();
         }
         Net again;
         again.load_state_dict(net.state_dict());
         optim::Adam opt(again, {.lr = 1e-2});
         optim::lr_scheduler::CosineAnnealingLR schedule(opt, {.T_max = 10});
         schedule.load_state_dict(first_schedule.state_dict());
         if (!mistake) opt.load_state_dict(first.state_dict());
         Audit audit(again, {opt});
         for (int epoch = 0; epoch < 2; ++epoch) {
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(again(x), y); });
           schedule.step();
         }
         return audit.report();
       }},
  };
}

}  // namespace gradus::programs

// Kind 5: rates and what drives them.
#include "optim/audit_programs/programs.h"

namespace gradus::programs {

namespace {

namespace S = optim::lr_scheduler;
using Step = std::function<void()>;

// Three epochs of four batches; what a schedule does after each batch and after each epoch.
template <class Make>
AuditReport epochs(Make&& make, int count = 3) {
  const Data data;
  Net net;
  optim::SGD opt(net, {.lr = 0.1, .momentum = 0.9});
  auto [per_batch, per_epoch] = make(opt);
  Audit audit(net, {opt});
  for (int epoch = 0; epoch < count; ++epoch) {
    data::DataLoader loader = data.loader();
    loader.set_epoch(epoch);
    for (auto& [x, y] : loader) {
      opt.zero_grad();
      F::cross_entropy(net(x), y).backward();
      opt.step();
      if (per_batch) per_batch();
    }
    if (per_epoch) per_epoch();
  }
  return audit.report();
}

template <class Schedule>
std::pair<Step, Step> by(bool batch, std::shared_ptr<Schedule> schedule) {
  const Step step = [schedule] { schedule->step(); };
  return batch ? std::pair<Step, Step>(step, nullptr) : std::pair<Step, Step>(nullptr, step);
}

}  // namespace

Programs schedules() {
  return {
      {5, "a schedule that is never stepped", "schedule-unused",
       [](bool mistake) {
         return epochs([=](optim::SGD& opt) {
           const auto schedule = std::make_shared<S::StepLR>(opt, S::StepLROptions{.step_size = 1, .gamma = 0.5});
           const Step keep = [schedule] {}, step = [schedule] { schedule->step(); };
           return std::pair<Step, Step>(nullptr, mistake ? keep : step);
         });
       }},
      {5, "schedule.step() before optimizer.step()", "schedule-first",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.1});
         S::CosineAnnealingLR schedule(opt, {.T_max = 100});
         Audit audit(net, {opt});
         for (int i = 0; i < 8; ++i) {
           if (mistake) schedule.step();
           opt.minimize(F::cross_entropy(net(data.x), data.y));
           if (!mistake) schedule.step();
         }
         return audit.report();
       }},
      {5, "the schedule of an optimizer that was replaced", "idle-schedule",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD old(net, {.lr = 0.1}), opt(net, {.lr = 0.1});
         S::StepLR schedule(mistake ? static_cast<optim::Optimizer&>(old) : opt, {.step_size = 2});
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 4; ++epoch) {
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           schedule.step();
         }
         return audit.report();
       }},
      {5, "a cosine over the epochs, stepped after each batch", "schedule-over",
       [](bool mistake) {
         return epochs([=](optim::SGD& opt) {
           return by(true, std::make_shared<S::CosineAnnealingLR>(
                               opt, S::CosineAnnealingLROptions{.T_max = mistake ? 3 : 12}));
         });
       }},
      {5, "StepLR of two epochs, stepped after each batch", "schedule-over",
       [](bool mistake) {
         return epochs(
             [=](optim::SGD& opt) {
               return by(mistake, std::make_shared<S::StepLR>(opt, S::StepLROptions{.step_size = 2}));
             },
             4);
       }},
      {5, "ExponentialLR of epochs, stepped after each batch", "schedule-over",
       [](bool mistake) {
         return epochs(
             [=](optim::SGD& opt) {
               return by(mistake, std::make_shared<S::ExponentialLR>(opt, S::ExponentialLROptions{.gamma = 0.5}));
             },
             4);
       }},
      {5, "a rate that is zero after a third of the training", "zero-rate",
       [](bool mistake) {
         return epochs([=](optim::SGD& opt) {
           return by(true,
                     std::make_shared<S::PolynomialLR>(opt, S::PolynomialLROptions{.total_iters = mistake ? 4 : 12}));
         });
       }},
      {5, "OneCycleLR over all batches, stepped after each epoch", "schedule-late",
       [](bool mistake) {
         return epochs([=](optim::SGD& opt) {
           return by(!mistake,
                     std::make_shared<S::OneCycleLR>(opt, S::OneCycleLROptions{.max_lr = 0.1, .total_steps = 12}));
         });
       }},
      {5, "a warm-up in batches, stepped after each epoch", "schedule-late",
       [](bool mistake) {
         return epochs([=](optim::SGD& opt) {
           return by(!mistake,
                     std::make_shared<S::WarmupCosineLR>(
                         opt, S::WarmupCosineLROptions{.warmup_steps = 4, .total_steps = 12, .start_factor = 0.1}));
         });
       }},
      {5, "a warm-up from zero that is never stepped", "zero-rate",
       [](bool mistake) {
         return epochs([=](optim::SGD& opt) {
           const auto schedule =
               std::make_shared<S::WarmupCosineLR>(opt, S::WarmupCosineLROptions{.warmup_steps = 4, .total_steps = 13});
           const Step keep = [schedule] {}, step = [schedule] { schedule->step(); };
           return std::pair<Step, Step>(mistake ? keep : step, nullptr);
         });
       }},
      {5, "a division of whole numbers in LambdaLR", "zero-rate",
       [](bool mistake) {
         return epochs([=](optim::SGD& opt) {
           return by(true, std::make_shared<S::LambdaLR>(opt, [=](double t) {
                       const int warm = 100, step = static_cast<int>(t) + 1;
                       return mistake ? static_cast<double>(step / warm) : static_cast<double>(step) / warm;
                     }));
         });
       }},
      {5, "ReduceLROnPlateau of an accuracy, with mode min", "wrong-mode",
       [](bool mistake) {
         const Data data;
         Net net;
         optim::SGD opt(net, {.lr = 0.02});
         S::ReduceLROnPlateau plateau(opt, {.mode = mistake ? "min" : "max", .patience = 0});
         Audit audit(net, {opt});
         for (int epoch = 0; epoch < 8; ++epoch) {
           train(opt, data, 1, [&](const Tensor& x, const Tensor& y) { return F::cross_entropy(net(x), y); });
           plateau.step(0.5 + 0.05 * epoch);  // the accuracy
         }
         return audit.report();
       }},
  };
}

}  // namespace gradus::programs

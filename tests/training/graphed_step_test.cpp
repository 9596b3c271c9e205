// Recorded steps: small networks learn with them as they do without, bit for bit.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/emulated/device.h"
#include "support/tested_device.h"

namespace gradus::test {
namespace {

namespace F = nn::functional;
const Device kTested = tested_device();

struct Workload {
  std::vector<std::shared_ptr<nn::Module>> nets;
  std::vector<std::shared_ptr<optim::Optimizer>> optimizers;
  std::function<void()> next;  // new inputs
  std::function<Tensor()> step;
  std::function<void()> after = [] {};
};

template <class... Layers>
std::shared_ptr<nn::Sequential> net_of(Layers&&... layers) {
  auto net = std::make_shared<nn::Sequential>(std::forward<Layers>(layers)...);
  net->to(kTested);
  return net;
}

// Of three classes.
struct Batches {
  Generator generator{7};
  Tensor x, y;
  explicit Batches(const Shape& sizes)
      : x(zeros(sizes, {.device = kTested})), y(zeros({sizes[0]}, {.dtype = kInt64, .device = kTested})) {}
  void next() {
    NoGrad guard;
    x.copy_(randn(x.sizes(), {}, &generator));
    y.copy_(randint(0, 3, y.sizes(), {}, &generator));
  }
};

Workload classifier(const std::shared_ptr<nn::Module>& net, const std::shared_ptr<optim::Optimizer>& optimizer,
                    const Shape& sizes) {
  const auto batches = std::make_shared<Batches>(sizes);
  return {.nets = {net},
          .optimizers = {optimizer},
          .next = [=] { batches->next(); },
          .step =
              [=] {
                optimizer->zero_grad();
                const Tensor loss = F::cross_entropy((*net)(batches->x), batches->y);
                loss.backward();
                optimizer->step();
                return loss;
              }};
}

Workload mlp() {
  const auto net = net_of(nn::Linear(6, 16), nn::Tanh(), nn::Linear(16, 3));
  return classifier(
      net,
      std::make_shared<optim::SGD>(
          net->parameters(), optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-3, .nesterov = true}),
      {8, 6});
}

Workload cnn() {
  const auto net =
      net_of(nn::Conv2d(2, 4, 3), nn::BatchNorm2d(4), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(), nn::Linear(16, 3));
  return classifier(net,
                    std::make_shared<optim::Adam>(net->parameters(), optim::AdamOptions{.lr = 1e-2, .amsgrad = true}),
                    {5, 2, 6, 6});
}

// Clipped by value, with a rate that changes at every step.
Workload with_dropout() {
  const auto net = net_of(nn::Linear(6, 20), nn::ReLU(), nn::Dropout(0.4), nn::Linear(20, 3));
  const auto optimizer = std::make_shared<optim::AdamW>(net->parameters(), optim::AdamWOptions{.lr = 1e-2});
  optimizer->set_clipping({.max_value = 0.05, .nonfinite = optim::NonFinite::propagate});
  const auto scheduler = std::make_shared<optim::lr_scheduler::ExponentialLR>(
      *optimizer, optim::lr_scheduler::ExponentialLROptions{.gamma = 0.9});
  Workload made = classifier(net, optimizer, {8, 6});
  made.after = [scheduler] { scheduler->step(); };
  return made;
}

Workload transformer() {
  struct Net : nn::Module {
    nn::Embedding embedding{11, 8};
    nn::TransformerEncoderLayer layer{8, 2, {.dim_feedforward = 12, .dropout = 0.2, .batch_first = true}};
    nn::Linear head{8, 11};
    Net() {
      add("embedding", embedding);
      add("layer", layer);
      add("head", head);
    }
    Tensor forward(const Tensor& x) override { return head(layer(embedding(x))); }
  };
  const auto net = std::make_shared<Net>();
  net->to(kTested);
  const auto optimizer = std::make_shared<optim::NAdam>(net->parameters(), optim::NAdamOptions{.lr = 1e-2});
  const auto generator = std::make_shared<Generator>(5);
  const Tensor x = zeros({3, 5}, {.dtype = kInt64, .device = kTested}), y = zeros_like(x);
  return {.nets = {net},
          .optimizers = {optimizer},
          .next =
              [=]() mutable {
                x.copy_(randint(0, 11, {3, 5}, {}, generator.get()));
                y.copy_(randint(0, 11, {3, 5}, {}, generator.get()));
              },
          .step =
              [=] {
                optimizer->zero_grad();
                const Tensor loss = F::cross_entropy((*net)(x).reshape({15, 11}), y.reshape({15}));
                loss.backward();
                optimizer->step();
                return loss;
              }};
}

Workload lstm() {
  struct Net : nn::Module {
    nn::LSTM recurrent{4, 6, {.num_layers = 2, .batch_first = true, .dropout = 0.3}};
    nn::Linear head{6, 3};
    Net() {
      add("recurrent", recurrent);
      add("head", head);
    }
    Tensor forward(const Tensor& x) override { return head(recurrent(x).first.select(1, -1)); }
  };
  const auto net = std::make_shared<Net>();
  net->to(kTested);
  return classifier(net, std::make_shared<optim::Adagrad>(net->parameters(), optim::AdagradOptions{.lr = 0.05}),
                    {4, 7, 4});
}

// Two optimizers in turn, and noise that is drawn on the device.
Workload gan() {
  const auto G = net_of(nn::Linear(4, 8), nn::LeakyReLU(0.2), nn::Linear(8, 6), nn::Tanh());
  const auto D = net_of(nn::Linear(6, 8), nn::LeakyReLU(0.2), nn::Dropout(0.3), nn::Linear(8, 1));
  const auto g = std::make_shared<optim::Adam>(G->parameters(), optim::AdamOptions{.lr = 2e-3, .betas = {0.5, 0.999}});
  const auto d = std::make_shared<optim::RMSprop>(D->parameters(), optim::RMSpropOptions{.lr = 2e-3, .momentum = 0.5});
  const auto batches = std::make_shared<Batches>(Shape{8, 6});
  const Tensor real = ones({8, 1}, {.device = kTested}), fake = zeros({8, 1}, {.device = kTested});
  return {.nets = {G, D},
          .optimizers = {g, d},
          .next = [=] { batches->next(); },
          .step =
              [=] {
                const Tensor made = (*G)(randn({8, 4}, {.device = kTested}));
                const Tensor d_loss = F::binary_cross_entropy_with_logits((*D)(batches->x), real) +
                                      F::binary_cross_entropy_with_logits((*D)(made.detach()), fake);
                d->zero_grad();
                d_loss.backward();
                d->step();
                const Tensor g_loss = F::binary_cross_entropy_with_logits((*D)(made), real);
                g->minimize(g_loss);
                return d_loss + g_loss;
              }};
}

struct Named {
  const char* name;
  Workload (*make)();
};
const Named kAll[] = {{"Mlp", mlp},   {"Cnn", cnn}, {"Dropout", with_dropout}, {"Transformer", transformer},
                      {"Lstm", lstm}, {"Gan", gan}};

// All that a run leaves.
std::vector<double> left_by(const Workload& work, const std::vector<Tensor>& losses) {
  std::vector<double> all;
  const auto take = [&](const Tensor& x) {
    if (!x.defined()) return;
    for (const double v : x.to_vector<double>()) all.push_back(v);
  };
  for (const Tensor& loss : losses) take(loss);
  for (const auto& net : work.nets) {
    for (const auto& [name, x] : net->state_dict()) take(x);
    for (const Tensor& p : net->parameters()) take(p.grad());
  }
  for (const auto& optimizer : work.optimizers) {
    for (const auto& [name, state] : optimizer->state_dict().params) {
      all.push_back(static_cast<double>(state.step));
      for (const auto& [key, x] : state.tensors) take(x);
      for (const auto& [key, x] : state.numbers) all.push_back(x);
    }
  }
  all.push_back(static_cast<double>(default_generator().offset()));
  return all;
}

constexpr int kSteps = 20;

std::vector<double> run_plainly(const Named& named) {
  manual_seed(11);
  const Workload work = named.make();
  std::vector<Tensor> losses;
  for (int i = 0; i < kSteps; ++i) {
    work.next();
    losses.push_back(work.step().detach());
    work.after();
  }
  return left_by(work, losses);
}

class GraphedStepsOfDevices : public testing::TestWithParam<Named> {};

TEST_P(GraphedStepsOfDevices, LearnAsPlainOnesDo) {
  const std::vector<double> plain = run_plainly(GetParam());
  manual_seed(11);
  const Workload work = GetParam().make();
  int calls = 0;
  GraphedStep step([&] {
    ++calls;
    return work.step();
  });
  std::vector<Tensor> losses;
  emulated::set_delays(50);
  for (int i = 0; i < kSteps; ++i) {
    work.next();
    EXPECT_EQ(step.is_recorded(), i > 3);
    const auto before = emulated::counters();
    const Tensor loss = step();
    const auto after = emulated::counters();
    if (i > 3 && kTested.type == DeviceType::Emulated) {
      EXPECT_EQ(after.launches, before.launches) << "no kernel is asked for by itself";
      EXPECT_EQ(after.synchronizations, before.synchronizations);
      EXPECT_EQ(after.repeated_steps, before.repeated_steps + 1);
    }
    losses.push_back(loss.clone());
    work.after();
  }
  emulated::set_delays(0);
  EXPECT_EQ(calls, 4) << "three that warm up, and the recorded one";
  EXPECT_EQ(step.recordings(), 1);
  EXPECT_EQ(step.repetitions(), kSteps - 4);
  EXPECT_EQ(left_by(work, losses), plain);
}

INSTANTIATE_TEST_SUITE_P(All, GraphedStepsOfDevices, testing::ValuesIn(kAll),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace gradus::test

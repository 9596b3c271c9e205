// What recorded steps refuse, what they notice between two of them, and what they leave.
#include <gradus/cuda.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kernels/emulated/device.h"
#include "support/message.h"
#include "support/tested_device.h"

namespace gradus::test {
namespace {

namespace F = nn::functional;
const Device kTested = tested_device();

// Learns y from x; the same at each construction after the same seed.
struct Learner {
  nn::Sequential net{nn::Linear(4, 5), nn::Dropout(0.3), nn::Linear(5, 2)};
  optim::SGD optimizer{net.parameters(), {.lr = 0.1, .momentum = 0.9, .dampening = 0.1}};
  Tensor x, y;

  explicit Learner(Device device = kTested) {
    net.to(device);
    x = randn({6, 4}).to(device);
    y = randn({6, 2}).to(device);
  }
  Tensor loss() { return F::mse_loss(net(x), y); }
  Tensor step() {
    optimizer.zero_grad();
    const Tensor made = loss();
    made.backward();
    optimizer.step();
    return made;
  }
  std::vector<double> state() const {
    std::vector<double> all;
    for (const auto& [name, p] : net.state_dict())
      for (const double v : p.to_vector<double>()) all.push_back(v);
    for (const auto& [name, one] : optimizer.state_dict().params) {
      all.push_back(static_cast<double>(one.step));
      for (const auto& [key, value] : one.tensors)
        for (const double v : value.to_vector<double>()) all.push_back(v);
    }
    for (const Tensor& p : net.parameters()) {
      all.push_back(p.grad().defined());
      if (p.grad().defined())
        for (const double v : p.grad().to_vector<double>()) all.push_back(v);
    }
    all.push_back(static_cast<double>(default_generator().offset()));
    return all;
  }
};

nn::StateDict weights_of(const Learner& learner) {
  nn::StateDict copies;
  for (const auto& [name, x] : learner.net.state_dict()) copies.set(name, x.detach().clone());
  return copies;
}

// Runs twice from one seed, with a recorded step and without one: `before(learner, i)` comes before step i. Returns how
// often the step was recorded.
std::int64_t expect_same(
    int steps, const std::function<void(Learner&, int)>& before,
    const std::function<Tensor(Learner&)>& function = [](Learner& l) { return l.step(); }) {
  std::vector<std::vector<double>> ends;
  std::int64_t recordings = 0;
  for (const bool recorded : {false, true}) {
    manual_seed(3);
    Learner learner;
    GraphedStep step([&] { return function(learner); }, {.warmup = 1});
    std::vector<Tensor> losses;
    for (int i = 0; i < steps; ++i) {
      before(learner, i);
      losses.push_back((recorded ? step() : function(learner)).detach().clone());
    }
    ends.push_back(learner.state());
    for (const Tensor& loss : losses) ends.back().push_back(loss.item());
    recordings = step.recordings();
  }
  EXPECT_EQ(ends[1], ends[0]);
  return recordings;
}

TEST(GraphedStep, CallsItsFunctionEachTimeOnTheCpu) {
  Learner learner(kCPU);
  int calls = 0;
  GraphedStep step([&] {
    ++calls;
    return learner.step();
  });
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(step().requires_grad());
  EXPECT_EQ(calls, 6);
  EXPECT_FALSE(step.is_recorded());
  EXPECT_EQ(learner.optimizer.steps_of(learner.net.parameters()[0]), 6);
}

TEST(GraphedStep, RefusesWhatIsNoStep) {
  EXPECT_EQ(message_of<ValueError>([] { GraphedStep(nullptr); }), "GraphedStep: needs a function, got none");
  EXPECT_EQ(message_of<ValueError>([] { GraphedStep([] { return Tensor(); }, {.warmup = 0}); }),
            "GraphedStep: warmup must be at least 1, got 0");
  GraphedStep inner([] { return Tensor(); }), outer([&] { return inner(); });
  EXPECT_EQ(message_of<ValueError>([&] { outer(); }), "GraphedStep: a step cannot be part of another one");
}

// Where checks of an index note what they find is made once, and kept.
void make_what_is_kept() {
  index_select(ones({2}).to(kTested), 0, zeros({1}, {.dtype = kInt64}).to(kTested));
  synchronize(kTested);
}

struct Refused {
  std::string said;
  std::function<void(Learner&)> call;
  bool makes = false;  // something, when it is called first
};

TEST(GraphedStepOfDevices, NamesWhatCannotBeRecorded) {
  make_what_is_kept();
  amp::GradScaler scaler;
  Generator own(1);
  const Tensor here = ones({6, 4});
  std::optional<optim::Muon> muon;
  std::optional<optim::Adafactor> adafactor;
  std::optional<optim::Lookahead> lookahead;
  std::optional<optim::lr_scheduler::ExponentialLR> scheduler;
  std::optional<optim::swa_utils::AveragedModel<nn::Sequential>> average;
  const std::vector<Refused> all{
      {"item: ", [](Learner& l) { l.loss().item(); }},
      {"a copy to the CPU (cpu(), to_vector(), printing): ", [](Learner& l) { l.x.to_vector<float>(); }},
      {"a copy to the CPU (cpu(), to_vector(), printing): ", [](Learner& l) { l.x.cpu(); }},
      {"a copy to the CPU (cpu(), to_vector(), printing): ", [](Learner& l) { l.x.to_string(); }},
      {"a copy from the CPU (to(), copy_()): ", [&](Learner& l) { l.x.copy_(here); }},
      {"a copy from the CPU (to(), copy_()): ", [&](Learner&) { randn({3}).to(kTested); }, true},
      {"synchronize: ", [](Learner&) { synchronize(kTested); }},
      {"nonzero: ", [](Learner& l) { nonzero(l.x > 0); }},
      {"nonzero: ", [](Learner& l) { masked_select(l.x, l.x > 0); }},
      {"randperm: ", [](Learner&) { randperm(5, {.device = kTested}); }},
      {"a draw of random numbers: ", [&](Learner&) { randn({3}, {.device = kTested}, &own); }},
      {"a draw of random numbers: ",
       [](Learner&) {
         manual_seed(1);
         randn({3}, {.device = kTested});
       }},
      {"clip_grad_norm_: ", [](Learner& l) { nn::utils::clip_grad_norm_(l.net.parameters(), 1); }},
      {"SGD.step with a limit on the norm or a check for NaN: ",
       [](Learner& l) {
         l.optimizer.set_clipping({.max_norm = 1});
         l.optimizer.step();
       }},
      {"SGD.step with a closure: ", [](Learner& l) { l.optimizer.step([&] { return l.loss(); }); }},
      {"GradScaler.scale: ", [&](Learner& l) { scaler.scale(l.loss()); }},
      {"Muon: ",
       [&](Learner& l) {
         if (!muon) muon.emplace(l.net.parameters(), optim::MuonOptions{.fallback = "auto"});
         muon->step();
       },
       true},
      {"Adafactor: ",
       [&](Learner& l) {
         if (!adafactor) adafactor.emplace(l.net.parameters());
         adafactor->step();
       },
       true},
      {"Lookahead(SGD): ",
       [&](Learner& l) {
         if (!lookahead) lookahead.emplace(l.optimizer);
         lookahead->step();
       },
       true},
      {"ExponentialLR.step: ",
       [&](Learner& l) {
         if (!scheduler) scheduler.emplace(l.optimizer, optim::lr_scheduler::ExponentialLROptions{.gamma = 0.9});
         scheduler->step();
       },
       true},
      {"AveragedModel.update_parameters: ",
       [&](Learner& l) {
         if (!average) average.emplace(l.net);
         average->update_parameters(l.net);
       },
       true},
  };
  for (const Refused& one : all) {
    manual_seed(3);
    Learner learner;
    learner.step();  // makes what is made once
    bool refuses = false;
    GraphedStep step(
        [&] {
          const Tensor loss = learner.step();
          if (refuses) one.call(learner);
          return loss;
        },
        {.warmup = 1});
    step();
    if (one.makes) one.call(learner);
    refuses = true;
    const std::vector<double> before = learner.state();
    const auto held = cuda::memory_allocated(kTested);
    for (int k = 0; k < 2; ++k) {
      const std::string said = message_of([&] { step(); });
      EXPECT_TRUE(said.starts_with(one.said + "cannot be part of a GraphedStep, since ")) << one.said << said;
      EXPECT_FALSE(step.is_recorded());
      EXPECT_EQ(learner.state(), before) << one.said;
      EXPECT_EQ(cuda::memory_allocated(kTested), held) << one.said;
    }
    refuses = false;
    learner.optimizer.remove_clipping();
    step();
    EXPECT_TRUE(step.is_recorded()) << one.said;
    step();
    EXPECT_EQ(step.repetitions(), 1) << one.said;
    muon.reset();
    adafactor.reset();
    lookahead.reset();
    scheduler.reset();
    average.reset();
  }
}

TEST(GraphedStepOfDevices, TakesNewOptionsWithoutANewRecording) {
  const auto recordings = expect_same(8, [](Learner& l, int i) {
    auto& group = l.optimizer.param_groups()[0];
    group.lr = 0.1 / (i + 1);
    if (i == 4) group.weight_decay = 0.2;
    if (i == 5) group.momentum = 0.5;
    if (i == 6) group.maximize = true;
  });
  EXPECT_EQ(recordings, 1);
}

TEST(GraphedStepOfDevices, NoticesWhatChanged) {
  // A frozen parameter, and one that has no gradient any longer.
  EXPECT_EQ(expect_same(9,
                        [](Learner& l, int i) {
                          if (i == 4) nn::freeze(l.net[0]);
                        }),
            2);
  EXPECT_EQ(expect_same(9,
                        [](Learner& l, int i) {
                          if (i == 4) l.net[0].parameters()[0].requires_grad_(false);
                        }),
            2);
  // State that is loaded, or needed from now on.
  std::optional<optim::OptimizerState> saved;
  std::vector<std::map<std::string, Tensor>> old;  // whose memory is still there
  for (const bool keep : {false, true}) {
    EXPECT_EQ(expect_same(9,
                          [&](Learner& l, int i) {
                            if (i == 3) saved = l.optimizer.state_dict();
                            if (i != 5) return;
                            for (const Tensor& p : l.net.parameters())
                              if (keep) old.push_back(l.optimizer.state_tensors(p));
                            l.optimizer.load_state_dict(*saved);
                          }),
              2);
  }
  EXPECT_EQ(expect_same(9,
                        [](Learner& l, int i) {
                          if (i == 0) l.optimizer.param_groups()[0].momentum = 0;
                          if (i == 4) l.optimizer.param_groups()[0].momentum = 0.9;
                        }),
            2);
  // Weights that are loaded are written into the same memory.
  std::optional<nn::StateDict> weights;
  EXPECT_EQ(expect_same(9,
                        [&](Learner& l, int i) {
                          if (i == 3) weights = weights_of(l);
                          if (i == 5) l.net.load_state_dict(*weights);
                        }),
            1);
  // Other memory of an input.
  EXPECT_EQ(expect_same(9,
                        [](Learner& l, int i) {
                          if (i == 4) l.x = l.x * 2;
                        }),
            2);
  // A parameter that moved away and back.
  EXPECT_EQ(expect_same(9,
                        [](Learner& l, int i) {
                          if (i == 4) l.net.to(kCPU).to(kTested);
                        }),
            2);
}

TEST(GraphedStepOfDevices, NoticesANewGroup) {
  nn::Linear* added = nullptr;
  const auto extended = [&](Learner& l) {
    l.optimizer.zero_grad();
    const Tensor loss = F::mse_loss((*added)(l.net(l.x)), l.y);
    loss.backward();
    l.optimizer.step();
    return loss;
  };
  std::optional<nn::Linear> head;
  const auto recordings = expect_same(
      9,
      [&](Learner& l, int i) {
        if (i == 0) {
          manual_seed(4);
          head.emplace(2, 2);
          head->to(kTested);
          added = &*head;
        }
        if (i == 5) l.optimizer.add_param_group({.params = head->parameters(), .lr = 0.01});
      },
      extended);
  EXPECT_EQ(recordings, 2);
}

TEST(GraphedStepOfDevices, ResetsGradientsWhereTheFunctionDoes) {
  const auto at_the_end = [](Learner& l) {
    const Tensor loss = l.loss();
    loss.backward();
    l.optimizer.step();
    l.optimizer.zero_grad();
    return loss;
  };
  const auto never = [](Learner& l) {
    const Tensor loss = l.loss();
    loss.backward();
    l.optimizer.step();
    return loss;
  };
  const auto to_zero = [](Learner& l) {
    l.optimizer.zero_grad(false);
    const Tensor loss = l.loss();
    loss.backward();
    l.optimizer.step();
    return loss;
  };
  const auto nothing = [](Learner&, int) {};
  const auto outside = [](Learner& l, int) { l.optimizer.zero_grad(); };
  EXPECT_EQ(expect_same(6, nothing, at_the_end), 1);
  EXPECT_EQ(expect_same(6, nothing, never), 1) << "gradients add up";
  EXPECT_EQ(expect_same(6, nothing, to_zero), 1);
  EXPECT_EQ(expect_same(6, outside, never), 1);
  EXPECT_EQ(expect_same(6, outside, to_zero), 1);
  // Reset outside at first, and then no longer.
  EXPECT_EQ(expect_same(
                9,
                [](Learner& l, int i) {
                  if (i < 5) l.optimizer.zero_grad();
                },
                never),
            2);
  // Added up at first, and then reset.
  EXPECT_EQ(expect_same(
                9,
                [](Learner& l, int i) {
                  if (i >= 5) l.optimizer.zero_grad();
                },
                never),
            2);
}

TEST(GraphedStepOfDevices, LeavesTheUpdateToAnOptimizerOutside) {
  std::vector<std::vector<double>> ends;
  for (const bool recorded : {false, true}) {
    manual_seed(3);
    Learner learner;
    const auto function = [&] {
      const Tensor loss = learner.loss();
      loss.backward();
      return loss;
    };
    GraphedStep step(function, {.warmup = 1, .parameters = learner.net.parameters()});
    for (int i = 0; i < 6; ++i) {
      learner.optimizer.zero_grad();
      recorded ? step() : function();
      nn::utils::clip_grad_norm_(learner.net.parameters(), 0.1);
      learner.optimizer.step();
    }
    EXPECT_EQ(step.repetitions(), recorded ? 4 : 0);
    ends.push_back(learner.state());
  }
  EXPECT_EQ(ends[0], ends[1]);
}

TEST(GraphedStepOfDevices, RefusesInputsInOtherMemoryEachTime) {
  manual_seed(3);
  Learner learner;
  GraphedStep step([&] { return learner.step(); }, {.warmup = 1});
  std::string said;
  for (int i = 0; i < 8 && said.empty(); ++i) {
    learner.x = randn({6, 4}).to(kTested);
    const std::vector<double> before = learner.state();
    try {
      step();
    } catch (const ValueError& error) {
      said = error.what();
      EXPECT_EQ(learner.state(), before);
    }
  }
  EXPECT_NE(said.find("write new inputs into the tensors that it uses with copy_"), std::string::npos) << said;
  EXPECT_NO_THROW(step());
}

TEST(GraphedStepOfDevices, GoesOnFromACheckpoint) {
  std::vector<std::vector<double>> ends;
  std::optional<optim::OptimizerState> state;
  std::optional<nn::StateDict> weights;
  std::uint64_t offset = 0;
  {
    manual_seed(3);
    Learner learner;
    GraphedStep step([&] { return learner.step(); }, {.warmup = 1});
    for (int i = 0; i < 7; ++i) step();
    state = learner.optimizer.state_dict();
    for (const auto& [name, one] : state->params) EXPECT_EQ(one.step, 7) << name;
    weights = weights_of(learner);
    offset = default_generator().offset();
    for (int i = 0; i < 5; ++i) step();
    ends.push_back(learner.state());
  }
  for (const bool recorded : {false, true}) {
    manual_seed(3);
    Learner learner;
    GraphedStep step([&] { return learner.step(); }, {.warmup = 1});
    for (int i = 0; i < 4; ++i) recorded ? step() : learner.step();
    learner.net.load_state_dict(*weights);
    learner.optimizer.load_state_dict(*state);
    default_generator().set_offset(offset);
    for (int i = 0; i < 5; ++i) recorded ? step() : learner.step();
    EXPECT_EQ(step.repetitions(), recorded ? 5 : 0);
    ends.push_back(learner.state());
  }
  EXPECT_EQ(ends[0], ends[1]);
  EXPECT_EQ(ends[0], ends[2]);
}

TEST(GraphedStepOfDevices, GivesItsMemoryBack) {
  make_what_is_kept();
  manual_seed(3);
  Learner learner;
  learner.step();
  learner.optimizer.zero_grad();
  const auto before = cuda::memory_allocated(kTested);
  Tensor kept;
  {
    GraphedStep step([&] { return learner.step(); }, {.warmup = 1});
    for (int i = 0; i < 5; ++i) kept = step();
    const auto held = cuda::memory_allocated(kTested);
    EXPECT_GT(held, before);
    for (int i = 0; i < 5; ++i) step();
    EXPECT_EQ(cuda::memory_allocated(kTested), held) << "steps allocate nothing";
    // What others allocate is none of the step's.
    const Tensor other = full({64, 64}, 3.0, {.device = kTested});
    step();
    EXPECT_EQ(other.sum().item(), 3.0 * 64 * 64);
    const std::vector<double> now = learner.state();
    step.reset();
    EXPECT_EQ(learner.state(), now) << "gradients outlive the recording";
    step();
    EXPECT_FALSE(step.is_recorded());
    step();
    EXPECT_TRUE(step.is_recorded());
  }
  const Tensor filler = full({512}, 7.0, {.device = kTested});
  kept = kept + filler.sum();
  EXPECT_TRUE(std::isfinite(kept.item()));
  kept = Tensor();
  learner.optimizer.zero_grad();
  EXPECT_EQ(cuda::memory_allocated(kTested), before + 512 * 4);
}

TEST(GraphedStepOfDevices, ReadsNothingThatTheStepHasNotWritten) {
  // Memory is used again within the recording; on the emulated device, what was not written is NaN.
  Tensor x = ones({100}, {.device = kTested});
  GraphedStep step(
      [&] {
        Tensor y = x;
        for (int i = 0; i < 5; ++i) y = y * 2 - x;
        return y.sum();
      },
      {.warmup = 1});
  for (int i = 0; i < 6; ++i) {
    x.fill_(i);
    EXPECT_EQ(step().item(), 100.0 * i);
  }
  EXPECT_EQ(step.repetitions(), 4);
}

TEST(GraphedStepOfDevices, CopiesTheSameFromTheHostEachTime) {
  const Tensor x = rand({4, 4}).to(kTested);
  float added = 1;
  int calls = 0;
  GraphedStep step(
      [&] {
        if (++calls == 1) tensor({5.0f, 6.0f}).to(kTested);  // what is made once
        const Tensor mask = tril(ones({4, 4})).to(kTested), more = tensor({added, 2.0f, 3.0f, 4.0f}).to(kTested);
        return masked_fill(x * mask, mask == 0, 7.0).sum() + more.sum();
      },
      {.warmup = 1});
  std::vector<double> sums;
  for (int i = 0; i < 4; ++i) {
    const Tensor others = full({64}, 9.0, {.device = kTested});  // in memory that the step gave back
    sums.push_back(step().item());
  }
  EXPECT_EQ(sums, std::vector<double>(4, sums[0]));
  EXPECT_EQ(step.repetitions(), 2);
  step.reset();
  step();
  added = 2;
  EXPECT_EQ(
      message_of([&] { step(); }),
      "a copy from the CPU (to(), copy_()): cannot be part of a GraphedStep, since it does not bring the values of "
      "the call before: write them into a tensor of the device before the step");
}

TEST(GraphedStepOfDevices, FindsIndicesOutOfRange) {
  const Tensor table = arange(5).to(kFloat32).to(kTested);
  const Tensor index = zeros({3}, {.dtype = kInt64, .device = kTested});
  GraphedStep step([&] { return index_select(table, 0, index).sum(); }, {.warmup = 1});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(step().item(), 0);
  for (int k = 0; k < 2; ++k) {
    index.copy_(tensor({1, 7, 2}));
    step();
    EXPECT_EQ(message_of<IndexError>([] { synchronize(kTested); }),
              "index_select: index must be in [0, 5), got 7 at position [1]");
    index.copy_(tensor({1, 4, 2}));
    EXPECT_EQ(step().item(), 7);
  }
  index.copy_(tensor({1, 9, 2}));
  step();
  step.reset();
  EXPECT_THROW(synchronize(kTested), IndexError) << "though the recording is gone";
}

TEST(GraphedStepOfDevices, NeedsTheSameOptimizers) {
  manual_seed(3);
  Learner learner;
  std::optional<optim::SGD> second;
  GraphedStep step(
      [&] {
        const Tensor loss = learner.step();
        if (second) second->step();
        return loss;
      },
      {.warmup = 1});
  step();
  second.emplace(learner.net.parameters(), optim::SGDOptions{.lr = 0.1});
  EXPECT_EQ(message_of([&] { step(); }),
            "GraphedStep: SGD steps when the function is recorded, and did not when it was called before");
  learner.step();
  step.reset();
  step();
  step();
  step();
  EXPECT_EQ(step.repetitions(), 1);
  second.reset();  // without which the step is another one
  step();
  EXPECT_FALSE(step.is_recorded());
  step();
  step();
  EXPECT_EQ(step.repetitions(), 2);
  nn::Linear here(2, 2);
  second.emplace(here.parameters());
  step.reset();
  step();
  EXPECT_EQ(
      message_of([&] { step(); }),
      "SGD.step: cannot be part of a GraphedStep, since it updates parameters on cpu, and the step is recorded on " +
          to_string(kTested));
}

TEST(GraphedStepOfDevices, MakesNoStateInTheRecording) {
  manual_seed(3);
  Learner learner;
  bool first = true;
  GraphedStep step(
      [&] {
        learner.optimizer.zero_grad();
        const Tensor loss = first ? learner.net[2](learner.net[0](learner.x).detach()).sum() : learner.loss();
        loss.backward();
        learner.optimizer.step();
        return loss;
      },
      {.warmup = 1});
  step();
  first = false;
  EXPECT_EQ(
      message_of([&] { step(); }),
      "SGD: cannot be part of a GraphedStep, since the state of '0.weight' would be made in it, at each step anew");
  step.reset();
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(step.repetitions(), 1);
}

TEST(GraphedStepOfDevices, ForgivesAnErrorOfTheHost) {
  manual_seed(3);
  Learner learner;
  GraphedStep step([&] { return learner.step(); }, {.warmup = 1});
  for (int i = 0; i < 4; ++i) step();
  const std::vector<double> before = learner.state();
  learner.optimizer.param_groups()[0].lr = -1;
  EXPECT_THROW(step(), ValueError);
  EXPECT_EQ(learner.state(), before);
  learner.optimizer.param_groups()[0].lr = 0.1;
  step();
  EXPECT_EQ(step.repetitions(), 3);
}

TEST(GraphedStepOfDevices, RunsPlainlyWhileSomebodyWatches) {
  int calls = 0, counted = 0;
  const auto function = [&](Learner& l) {
    ++calls;
    return l.step();
  };
  std::optional<FlopCounter> counter;
  expect_same(
      10,
      [&](Learner&, int i) {
        if (i == 0) calls = 0;
        if (i == 4) counter.emplace();
        if (i == 7) {
          counted = static_cast<int>(counter->total() > 0);
          counter.reset();
        }
      },
      function);
  EXPECT_EQ(calls, 1 + 1 + 3);
  EXPECT_EQ(counted, 1);
}

TEST(GraphedStepOfDevices, RefusesHooksThatItWouldNotCall) {
  manual_seed(3);
  Learner learner;
  GraphedStep step([&] { return learner.step(); }, {.warmup = 1});
  for (int i = 0; i < 3; ++i) step();
  const std::vector<double> before = learner.state();
  const auto hook = learner.optimizer.register_step_post_hook([](optim::Optimizer&) {});
  const std::string expected =
      "SGD.step with hooks: cannot be part of a GraphedStep, since they are called by the host";
  EXPECT_EQ(message_of([&] { step(); }), expected) << "repeating";
  EXPECT_EQ(learner.state(), before);
  step.reset();
  step();
  EXPECT_EQ(message_of([&] { step(); }), expected) << "recording";
  EXPECT_EQ(learner.optimizer.steps_of(learner.net.parameters()[0]), 4);
  learner.optimizer.remove_hook(hook);
  step();
  step();
  EXPECT_EQ(step.repetitions(), 2);
}

TEST(GraphedStepOfDevices, RunsOutOfMemoryAsOthersDo) {
  make_what_is_kept();
  if (kTested.type != DeviceType::Emulated) GTEST_SKIP() << "only the emulated device's memory has a limit";
  manual_seed(3);
  Learner learner;
  bool large = false;
  GraphedStep step(
      [&] {
        if (large) ones({1000, 1000}, {.device = kTested});
        return learner.step();
      },
      {.warmup = 1});
  step();
  large = true;
  const std::vector<double> before = learner.state();
  const auto held = cuda::memory_allocated(kTested);
  emulated::set_limit(std::size_t{1} << 20);
  EXPECT_THROW(step(), OutOfMemory);
  emulated::set_limit(0);
  EXPECT_EQ(learner.state(), before);
  EXPECT_EQ(cuda::memory_allocated(kTested), held);
  step();
  EXPECT_TRUE(step.is_recorded());
}

TEST(GraphedStepOfDevices, HasTheDeviceForItself) {
  manual_seed(3);
  Learner learner;
  std::string said;
  bool asks = false;
  GraphedStep step(
      [&] {
        if (asks) std::thread([&] { said = message_of([] { ones({3}, {.device = kTested}); }); }).join();
        return learner.step();
      },
      {.warmup = 1});
  step();
  asks = true;
  step();
  EXPECT_EQ(said, "GraphedStep: another thread records a step, and meanwhile no other thread may use the device");
  std::thread([&] { said = std::to_string(ones({3}, {.device = kTested}).sum().item()); }).join();
  EXPECT_EQ(said, "3.000000");
  step();
  EXPECT_EQ(step.repetitions(), 1);
}

}  // namespace
}  // namespace gradus::test

// What holds for the state of every optimizer.
#include <gradus/core/parallel.h>
#include <gradus/random.h>
#include <gtest/gtest.h>

#include "optim/all_optimizers.h"
#include "optim/problem.h"

namespace gradus {
namespace {

using test::OptimizerKind;
using test::Problem;

struct Session {
  Problem problem{test::family_trace(), "parameters"};
  std::vector<Tensor> tensors = problem.tensors();
  std::unique_ptr<optim::Optimizer> opt;
  explicit Session(const OptimizerKind& kind) : opt(kind.make(problem.groups(tensors))) {
    for (std::size_t group = 0; group < opt->group_count(); ++group) test::set_options(*opt, group, kind.full);
  }
  void steps(int first, int last) {
    for (int t = first; t < last; ++t) {
      opt->step([&] {
        problem.set_gradients(tensors, t, false);
        return tensor(problem.loss(tensors, t), {.dtype = kFloat64});
      });
    }
  }
};

TEST(OptimizerFamily, ContinuesFromItsStateWithTheSameBits) {
  for (const OptimizerKind& kind : test::all_optimizers()) {
    SCOPED_TRACE(kind.name);
    Session whole(kind), stopped(kind), resumed(kind);
    whole.steps(0, 70);
    stopped.steps(0, 40);  // before the late parameter's first update
    for (std::size_t k = 0; k < stopped.tensors.size(); ++k)
      resumed.tensors[k].detach().copy_(stopped.tensors[k].detach());
    const optim::OptimizerState state = stopped.opt->state_dict();
    stopped.steps(40, 50);  // the saved state is a copy
    const auto report = resumed.opt->load_state_dict(state);
    EXPECT_EQ(report.loaded.size(), state.params.size());
    resumed.steps(40, 70);
    EXPECT_EQ(resumed.problem.values(resumed.tensors), whole.problem.values(whole.tensors));
    const auto expected = whole.opt->state_dict(), got = resumed.opt->state_dict();
    ASSERT_EQ(got.params.size(), expected.params.size());
    for (const auto& [name, param] : expected.params) {
      EXPECT_EQ(got.params.at(name).step, param.step) << name;
      EXPECT_EQ(got.params.at(name).numbers, param.numbers) << name;
      ASSERT_EQ(got.params.at(name).tensors.size(), param.tensors.size()) << name;
      for (const auto& [key, tensor] : param.tensors)
        EXPECT_TRUE(equal(got.params.at(name).tensors.at(key), tensor)) << name << "." << key;
    }
  }
}

TEST(OptimizerFamily, OneWithoutAGradientIsLeftAlone) {
  for (const OptimizerKind& kind : test::all_optimizers()) {
    if (!kind.separable) continue;
    SCOPED_TRACE(kind.name);
    Session session(kind);
    session.steps(0, 20);
    Tensor& first = session.tensors[0];
    first.zero_grad();
    const auto before = first.to_vector<double>();
    const auto state = session.opt->state_dict().params.at("a");
    for (int i = 0; i < 3; ++i) session.opt->step();
    EXPECT_EQ(first.to_vector<double>(), before);
    const auto after = session.opt->state_dict().params.at("a");
    EXPECT_EQ(after.step, state.step);
    EXPECT_EQ(after.numbers, state.numbers);
    for (const auto& [key, tensor] : state.tensors) EXPECT_TRUE(equal(after.tensors.at(key), tensor)) << key;
  }
}

// Any way to cut the parameters into groups with the same options gives the same bits.
TEST(OptimizerFamily, RegroupingChangesNothing) {
  for (const OptimizerKind& kind : test::all_optimizers()) {
    if (!kind.separable) continue;
    SCOPED_TRACE(kind.name);
    Session two(kind), one(kind);
    std::vector<Tensor> reversed(one.tensors.rbegin(), one.tensors.rend());
    one.opt = kind.make({optim::Params(reversed)});
    test::set_options(*one.opt, 0, kind.full);
    two.steps(0, 60);
    one.steps(0, 60);
    EXPECT_EQ(one.problem.values(one.tensors), two.problem.values(two.tensors));
  }
}

// Large enough for several threads, in all the ways that rules cut their work.
TEST(OptimizerFamily, TheSameBitsForAnyNumberOfThreads) {
  const int saved = get_num_threads();
  for (const OptimizerKind& kind : test::all_optimizers()) {
    SCOPED_TRACE(kind.name);
    const auto run = [&](int threads) {
      set_num_threads(threads);
      Generator generator(7);
      std::vector<Tensor> tensors;
      for (const Shape& shape : {Shape{90, 1100}, Shape{70001}, Shape{60, 70, 3, 3}, Shape{200, 300}, Shape{5}}) {
        tensors.push_back(randn(shape, {}, &generator).requires_grad_());
        tensors.back().set_grad(randn(shape, {}, &generator));
      }
      const auto opt = kind.make({optim::Params(tensors)});
      test::set_options(*opt, 0, kind.full);
      for (int i = 0; i < 3; ++i) opt->step([&] { return (tensors[0].detach().sum() + i); });
      std::vector<Tensor> values;
      for (const Tensor& p : tensors) values.push_back(p.detach());
      return values;
    };
    const auto one = run(1), three = run(3);
    set_num_threads(saved);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(equal(one[i], three[i])) << "parameter " << i;
  }
}

TEST(OptimizerFamily, AnEmptyParameterIsNoObstacle) {
  for (const OptimizerKind& kind : test::all_optimizers()) {
    if (kind.name == "LBFGS") continue;  // needs a closure: lbfgs_test.cpp
    SCOPED_TRACE(kind.name);
    Tensor empty = zeros({0, 3}).requires_grad_(), full = ones({2, 3}).requires_grad_();
    const auto opt = kind.make({optim::Params(std::vector<Tensor>{empty, full})});
    for (int i = 0; i < 2; ++i) {
      empty.set_grad(zeros({0, 3}));
      full.set_grad(ones({2, 3}));
      opt->step();
    }
    EXPECT_TRUE(isfinite(full).all().item<bool>());
    EXPECT_EQ(empty.numel(), 0);
  }
}

}  // namespace
}  // namespace gradus

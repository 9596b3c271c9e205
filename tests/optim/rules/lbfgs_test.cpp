// LBFGS against PyTorch: losses, counts of evaluations and iterations, and points over 30 steps.
#include <gtest/gtest.h>

#include <cmath>

#include "optim/all_optimizers.h"
#include "optim/problem.h"

namespace gradus {
namespace {

using nlohmann::json;

struct Task {
  Tensor c, target, x, y;
  explicit Task(const json& problem) : c(vector(problem["c"])), target(vector(problem["target"])), x(), y() {
    const Tensor start = vector(problem["start"]);
    x = start.narrow(0, 0, 6).clone().reshape({2, 3}).requires_grad_();
    y = start.narrow(0, 6, 2).clone().requires_grad_();
    x.set_name("x");
    y.set_name("y");
  }
  static Tensor vector(const json& j) { return tensor(j.get<std::vector<double>>(), {.dtype = kFloat64}); }
  Tensor loss() const {
    const Tensor z = cat({x.reshape({-1}), y});
    return ((z - target).pow(2) * c * 0.5 + sin(z * cat({z.narrow(0, 1, 7), z.narrow(0, 0, 1)})) * 0.5).sum();
  }
  Tensor evaluate() {
    x.zero_grad();
    y.zero_grad();
    const Tensor value = loss();
    value.backward();
    return value;
  }
  std::vector<double> point() const { return cat({x.detach().reshape({-1}), y.detach()}).to_vector<double>(); }
};

TEST(LBFGS, FollowsPyTorch) {
  const json& trace = test::family_trace();
  for (const json& recorded : trace["lbfgs"]) {
    SCOPED_TRACE(recorded["options"].dump());
    Task task(trace["lbfgs_problem"]);
    optim::LBFGS opt({task.x, task.y});
    test::set_options(opt, 0, test::options_of(recorded["options"]));
    for (std::size_t step = 0; step < recorded["steps"].size(); ++step) {
      const double loss = opt.step([&] { return task.evaluate(); }).item(), expected = recorded["steps"][step][0];
      ASSERT_NEAR(loss, expected, 1e-9 * std::abs(expected)) << "step " << step;
      const auto numbers = opt.state_dict().params.at("x").numbers;
      ASSERT_EQ(numbers.at("func_evals"), recorded["steps"][step][1].get<double>()) << "step " << step;
      ASSERT_EQ(numbers.at("n_iter"), recorded["steps"][step][2].get<double>()) << "step " << step;
      const auto point = task.point();
      for (std::size_t i = 0; i < point.size(); ++i) {
        const double e = recorded["samples"][step][i];
        ASSERT_NEAR(point[i], e, 1e-9 * std::abs(e)) << "step " << step << ", element " << i;
      }
    }
  }
  EXPECT_EQ(trace["lbfgs"].size(), 15u);
}

TEST(LBFGS, NeedsAClosureAndOneGroup) {
  Task task(test::family_trace()["lbfgs_problem"]);
  optim::LBFGS opt(task.x);
  task.evaluate();
  EXPECT_THROW(opt.step(), ValueError);
  EXPECT_THROW(opt.add_param_group({.params = task.y}), ValueError);
  EXPECT_THROW(optim::LBFGS({{.params = task.x}, {.params = task.y}}), ValueError);
}

TEST(LBFGS, AClosureThatThrowsLeavesTheParametersAtTheLastIteration) {
  Task task(test::family_trace()["lbfgs_problem"]);
  optim::LBFGS opt({task.x, task.y}, {.line_search_fn = "strong_wolfe"});
  const auto before = task.point();
  int calls = 0;
  EXPECT_THROW(opt.step([&] {
    if (++calls == 2) throw ValueError("stop");
    return task.evaluate();
  }),
               ValueError);
  EXPECT_EQ(task.point(), before);
}

TEST(LBFGS, PartsOfAStateAreRefused) {
  Task task(test::family_trace()["lbfgs_problem"]), other(test::family_trace()["lbfgs_problem"]);
  optim::LBFGS opt({task.x, task.y}, {.max_iter = 3}), resumed({other.x, other.y}, {.max_iter = 3});
  for (int i = 0; i < 3; ++i) opt.step([&] { return task.evaluate(); });
  auto state = opt.state_dict();
  state.params.erase("y");
  resumed.load_state_dict(state, {.strict = false});
  const auto before = other.point();
  EXPECT_THROW(resumed.step([&] { return other.evaluate(); }), ValueError);
  EXPECT_EQ(other.point(), before);
}

TEST(LBFGS, AnEmptyParameterIsNoObstacle) {
  Tensor empty = zeros({0, 3}).requires_grad_(), full = ones({2, 3}).requires_grad_();
  optim::LBFGS opt({empty, full}, {.line_search_fn = "strong_wolfe"});
  for (int i = 0; i < 2; ++i) {
    opt.step([&] {
      opt.zero_grad();
      const Tensor loss = sum(square(full)) + sum(empty);
      loss.backward();
      return loss;
    });
  }
  EXPECT_LT(max(abs(full.detach())).item(), 1e-5);
}

}  // namespace
}  // namespace gradus

// Parameters over 1,001 steps against PyTorch's, for every optimizer and combination of options that it has too.
#include <gtest/gtest.h>

#include <cmath>

#include "optim/all_optimizers.h"
#include "optim/problem.h"

namespace gradus {
namespace {

using nlohmann::json;

void expect_close(const std::vector<double>& values, const json& expected, const std::string& what) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double e = expected[i];
    ASSERT_NEAR(values[i], e, 1e-9 * std::abs(e)) << what << ", element " << i;
  }
}

void replay(const json& recorded) {
  const std::string name = recorded["optimizer"];
  const test::Problem problem(test::family_trace(), name == "Muon" ? "matrices" : "parameters");
  std::vector<Tensor> tensors = problem.tensors();
  const auto opt = test::optimizer_kind(name).make(problem.groups(tensors));
  test::set_options(*opt, 0, test::options_of(recorded["options"]));
  json other = recorded["options"];
  other.update(recorded["override"]);
  test::set_options(*opt, 1, test::options_of(other));
  const bool maximize = recorded["options"].value("maximize", false);
  for (int t = 0; t <= 1000; ++t) {
    problem.set_gradients(tensors, t, maximize);
    opt->step();
    if (t % 100 == 0) {
      expect_close(problem.values(tensors), recorded["samples"][static_cast<std::size_t>(t / 100)],
                   "step " + std::to_string(t));
    }
  }
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    if (!problem.parameters[k].frozen) continue;
    EXPECT_EQ(tensors[k].to_vector<double>(), problem.parameters[k].start);
  }
  if (recorded.contains("averages")) {
    std::vector<Tensor> averages;
    for (const Tensor& p : tensors) averages.push_back(opt->state_of(p, "ax"));
    expect_close(problem.values(averages), recorded["averages"], "averages");
  }
}

TEST(OptimizerFamily, FollowsPyTorchOver1001Steps) {
  std::map<std::string, int> replayed;
  for (const json& recorded : test::family_trace()["cases"]) {
    const std::string name = recorded["optimizer"];
    // PyTorch's own traces of Muon went through bfloat16.
    if (recorded.value("newton_schulz", "") == "bfloat16") continue;
    SCOPED_TRACE(name + " " + recorded["options"].dump());
    ASSERT_NO_FATAL_FAILURE(replay(recorded));
    ++replayed[name];
  }
  EXPECT_EQ(replayed.size(), 13u);
}

}  // namespace
}  // namespace gradus

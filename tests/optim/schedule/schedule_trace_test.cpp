// Every schedule against PyTorch's over 1,000 steps.
#include <gtest/gtest.h>

#include "optim/schedule/schedules.h"

namespace gradus {
namespace {

using nlohmann::json;

double momentum_of(const optim::Optimizer& opt, std::size_t group) {
  if (std::string(opt.name()) == "SGD") return std::get<double>(opt.option(group, "momentum"));
  return std::get<std::pair<double, double>>(opt.option(group, "betas")).first;
}

TEST(ScheduleTraces, ThousandStepsOfEverySchedule) {
  const json& trace = test::schedules_trace();
  const auto kept = trace["steps"].get<std::vector<int>>();
  std::size_t compared = 0;
  for (const json& recorded : trace["cases"]) {
    const json& options = recorded["options"];
    SCOPED_TRACE(recorded["schedule"].get<std::string>() + " " + options.dump());
    const auto opt = test::make_scheduled(recorded["optimizer"]);
    auto scheduler = test::make_scheduler(recorded["schedule"], options, *opt);
    const char* momentum = recorded.contains("momentum") ? "momentum" : recorded.contains("beta1") ? "beta1" : nullptr;
    std::size_t next = 0;
    for (int t = 0; t < 1000; ++t) {
      if (kept[next] == t) {
        for (std::size_t g = 0; g < 2; ++g) {
          const double base = g == 0 ? 0.1 : 0.01;
          ASSERT_NEAR(std::get<double>(opt->option(g, "lr")), recorded["lr"][g][next].get<double>(), 1e-9 * base)
              << "group " << g << ", step " << t;
          if (momentum) {
            ASSERT_NEAR(momentum_of(*opt, g), recorded[momentum][g][next].get<double>(), 1e-9)
                << "group " << g << ", step " << t;
          }
          ++compared;
        }
        ++next;
      }
      if (auto* plateau = std::get_if<optim::lr_scheduler::ReduceLROnPlateau>(&scheduler)) {
        plateau->step(trace["metrics"][options["metrics"].get<std::string>()][static_cast<std::size_t>(t)]);
      } else if (t + 1 < 1000) {
        std::get<optim::lr_scheduler::LRScheduler>(scheduler).step();
      }
    }
  }
  EXPECT_EQ(trace["cases"].size(), 56u);
  EXPECT_EQ(compared, 56 * 2 * kept.size());
}

TEST(ScheduleTraces, WhatPyTorchRefusesIsRefused) {
  std::size_t refused = 0;
  for (const json& invalid : test::invalid_schedules()) {
    const std::string name = invalid["schedule"];
    optim::SGD opt(tensor({0.0}, {.dtype = kFloat64, .requires_grad = true}), {.lr = 0.1});
    try {
      test::make_scheduler(name, invalid["options"], opt);
      ADD_FAILURE() << name << " took " << invalid["options"].dump();
    } catch (const ValueError& e) {
      ++refused;
      EXPECT_EQ(std::string(e.what()).rfind("SGD: " + name + ": ", 0), 0u) << e.what();
      EXPECT_EQ(*opt.param_groups()[0].lr, 0.1) << name;
    }
  }
  EXPECT_GE(refused, 23u);
}

}  // namespace
}  // namespace gradus

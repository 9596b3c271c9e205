// Loss scaling, against PyTorch's.
#include <gradus/gradus.h>

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/emulated/device.h"
#include "support/formula.h"
#include "support/message.h"
#include "support/paths.h"
#include "support/temp_folder.h"
#include "support/tested_device.h"

namespace gradus::amp {
namespace {

using nlohmann::json;
using test::message_of;
using test::uniform;
using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

double number(const json& x) {
  if (!x.is_string()) return x.get<double>();
  return x == "nan" ? kNaN : x == "inf" ? kInf : -kInf;
}

const json& trace() {
  static const json all = json::parse(std::ifstream(test::source_path("tests/traces/amp.json")));
  return all;
}

Tensor labels(std::int64_t step, std::int64_t count) { return remainder(arange(count) * 7 + step, tensor(3)); }

void expect_state(nn::Module& net, const json& state, double tolerance) {
  const nn::StateDict own = net.state_dict();
  for (const auto& [name, wanted] : state.items()) {
    SCOPED_TRACE(name);
    const auto values = own.at(name).to_vector<double>();
    ASSERT_EQ(values.size(), wanted["data"].size());
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], number(wanted["data"][i]), tolerance) << i;
  }
}

// One weight, whose gradient is what a test says.
struct One {
  Tensor w = ones({2}).requires_grad_();
  optim::SGD opt{std::vector<Tensor>{w}, {.lr = 1}};
  void backward(GradScaler& scaler, double gradient) {
    opt.zero_grad();
    scaler.scale((w * gradient).sum()).backward();
  }
  std::vector<float> values() const { return w.to_vector<float>(); }
};

TEST(GradScalerTrace, TwoOptimizersAndClipping) {
  const json& recorded = trace()["scaler"];
  nn::Sequential net(nn::Linear(6, 8), nn::Tanh(), nn::Linear(8, 3));
  net.to(kFloat64);
  test::fill(net);
  optim::SGD first(net[0].parameters(), {.lr = 0.1, .momentum = 0.9});
  optim::Adam last(net[2].parameters(), {.lr = 0.01});
  const json& options = recorded["options"];
  GradScaler scaler({.init_scale = options["init_scale"],
                     .growth_factor = options["growth_factor"],
                     .backoff_factor = options["backoff_factor"],
                     .growth_interval = options["growth_interval"]});
  int skipped = 0;
  for (std::size_t t = 0; t < recorded["steps"].size(); ++t) {
    SCOPED_TRACE(t);
    const auto step = static_cast<std::int64_t>(t);
    const json& wanted = recorded["steps"][t];
    const std::string at = std::to_string(t);
    const Tensor loss = nn::functional::cross_entropy(net(uniform("x " + at, {5, 6})), labels(step, 5));
    ASSERT_NEAR(loss.item(), number(wanted[0]), 1e-9);
    net.zero_grad();
    scaler.scale(loss).backward();
    if (recorded["spoiled"].contains(at)) {
      for (const auto& [layer, value] : recorded["spoiled"][at].items()) {
        const NoGrad guard;
        Tensor element = net[std::stoul(layer)].parameters()[0].grad()[{0, 0}];
        element.fill_(number(value));
      }
    }
    scaler.unscale_(first);
    nn::utils::clip_grad_norm_(net[0].parameters(), 0.3);
    EXPECT_EQ(scaler.step(first), wanted[1][0].get<bool>());
    EXPECT_EQ(scaler.step(last), wanted[1][1].get<bool>());
    skipped += wanted[1][0] == wanted[1][1] ? 0 : 1;
    if (recorded["set"].contains(at)) {
      scaler.update(recorded["set"][at].get<double>());
    } else {
      scaler.update();
    }
    ASSERT_EQ(scaler.get_scale(), wanted[2].get<double>());
    ASSERT_EQ(scaler.state_dict().as_int({"_growth_tracker"}), wanted[3].get<std::int64_t>());
  }
  EXPECT_GE(skipped, 3) << "steps of one optimizer only";
  expect_state(net, recorded["state"], 1e-9);
}

// On the CPU and on a device: the overflows of float16 itself.
TEST(GradScalerTrace, AutocastInFloat16) {
  for (const Device device : {kCPU, test::tested_device()}) {
    SCOPED_TRACE(to_string(device));
    const json& recorded = trace()["autocast"];
    nn::Sequential net(nn::Conv2d(2, 8, 3), nn::BatchNorm2d(8), nn::ReLU(), nn::Flatten(), nn::Linear(72, 16),
                       nn::ReLU(), nn::Linear(16, 3));
    net.to(kFloat64);
    test::fill(net);
    net.to(kFloat32);
    net.to(device);
    optim::SGD opt(net.parameters(), {.lr = 0.05, .momentum = 0.9});
    GradScaler scaler(
        {.init_scale = recorded["options"]["init_scale"], .growth_interval = recorded["options"]["growth_interval"]});
    int skipped = 0;
    for (std::size_t t = 0; t < recorded["steps"].size(); ++t) {
      SCOPED_TRACE(t);
      const auto step = static_cast<std::int64_t>(t);
      const json& wanted = recorded["steps"][t];
      const bool large = std::find(recorded["large"].begin(), recorded["large"].end(), t) != recorded["large"].end();
      const Tensor x =
          uniform("v " + std::to_string(t), {8, 2, 5, 5}).to(kFloat32) * (large ? recorded["by"].get<double>() : 1.0);
      const Tensor y = labels(step, 8).to(device);
      opt.zero_grad();
      Tensor loss;
      {
        const Autocast scope(kFloat16);
        const Tensor output = net(x.to(device));
        EXPECT_EQ(output.dtype(), kFloat16);
        loss = nn::functional::cross_entropy(output, y);
        EXPECT_EQ(loss.dtype(), kFloat32);
      }
      if (large) {
        EXPECT_TRUE(std::isnan(loss.item()));
      } else {
        ASSERT_NEAR(loss.item(), number(wanted[0]), 4e-3);
      }
      scaler.scale(loss).backward();
      ASSERT_EQ(scaler.step(opt), wanted[1][0].get<bool>());
      skipped += wanted[1][0].get<bool>() ? 0 : 1;
      scaler.update();
      ASSERT_EQ(scaler.get_scale(), wanted[2].get<double>());
    }
    EXPECT_GE(skipped, 8);
    expect_state(net, recorded["state"], 1e-2);
  }
}

TEST(GradScalerTest, LeavesOutTheStepOfAnOptimizerWhoseGradientOverflows) {
  One a, b;
  GradScaler scaler({.init_scale = 4});
  a.backward(scaler, kInf);
  b.backward(scaler, 0.25);
  EXPECT_FALSE(scaler.step(a.opt));
  EXPECT_TRUE(scaler.step(b.opt));
  scaler.update();
  EXPECT_EQ(scaler.get_scale(), 2);
  EXPECT_EQ(a.values(), (std::vector<float>{1, 1}));
  EXPECT_EQ(b.values(), (std::vector<float>{0.75, 0.75}));
  EXPECT_EQ(a.opt.steps_of(a.w), 0);
  // NaN in one element is enough, and a finite one whose square is not is none.
  a.backward(scaler, 1);
  a.w.grad()[1].fill_(kNaN);
  EXPECT_FALSE(scaler.step(a.opt));
  b.backward(scaler, 1e30);
  EXPECT_TRUE(scaler.step(b.opt));
}

TEST(GradScalerTest, UnscalesOnceAndInOrder) {
  One one;
  GradScaler scaler({.init_scale = 8, .growth_interval = 1});
  EXPECT_THAT(message_of([&] { scaler.unscale_(one.opt); }), HasSubstr("GradScaler.unscale_: nothing was scaled yet"));
  EXPECT_THAT(message_of([&] { scaler.step(one.opt); }), HasSubstr("GradScaler.step: nothing was scaled yet"));
  EXPECT_THAT(message_of([&] { scaler.update(); }), HasSubstr("GradScaler.update: nothing was scaled yet"));
  EXPECT_THAT(message_of([&] { scaler.update(2); }), HasSubstr("GradScaler.update: nothing was scaled yet"));
  one.backward(scaler, 0.5);
  EXPECT_THAT(message_of([&] { scaler.update(); }), HasSubstr("no gradients were looked at since the last update()"));
  EXPECT_EQ(one.w.grad().to_vector<float>(), (std::vector<float>{4, 4}));
  scaler.unscale_(one.opt);
  EXPECT_EQ(one.w.grad().to_vector<float>(), (std::vector<float>{0.5, 0.5}));
  EXPECT_THAT(message_of([&] { scaler.unscale_(one.opt); }), HasSubstr("has already been called for SGD"));
  EXPECT_THAT(message_of([&] { scaler.minimize(one.opt, one.w.sum()); }),
              HasSubstr("comes after unscale_() or step()"));
  EXPECT_EQ(one.w.grad().to_vector<float>(), (std::vector<float>{0.5, 0.5}));
  EXPECT_TRUE(scaler.step(one.opt));
  EXPECT_THAT(message_of([&] { scaler.unscale_(one.opt); }), HasSubstr("comes after step() for SGD"));
  EXPECT_THAT(message_of([&] { scaler.step(one.opt); }), HasSubstr("GradScaler.step: has already been called for SGD"));
  EXPECT_EQ(one.values(), (std::vector<float>{0.5, 0.5}));
  scaler.update();
  EXPECT_EQ(scaler.get_scale(), 16);
  EXPECT_THAT(message_of([&] { scaler.update(); }), HasSubstr("no gradients were looked at"));
  // No gradients at all.
  one.opt.zero_grad();
  EXPECT_THAT(message_of([&] { scaler.step(one.opt); }), HasSubstr("no parameter of SGD has a gradient"));
  EXPECT_THAT(message_of([&] { scaler.step(one.opt, [&] { return one.w.sum(); }); }), HasSubstr("takes no closure"));
}

TEST(GradScalerTest, KnowsAnOptimizerFromOneThatLayThereBefore) {
  One one;
  GradScaler scaler({.init_scale = 2});
  std::optional<optim::SGD> opt;  // both in the same place
  for (int i = 0; i < 2; ++i) {
    opt.emplace(std::vector<Tensor>{one.w}, optim::SGDOptions{.lr = 1});
    one.backward(scaler, 0.25);
    EXPECT_TRUE(scaler.step(*opt));
  }
  scaler.update();
  EXPECT_EQ(one.values(), (std::vector<float>{0.5, 0.5}));
}

TEST(GradScalerTest, TheScaleStaysANumber) {
  One one;
  GradScaler scaler({.init_scale = 2e38, .growth_interval = 1});
  one.backward(scaler, 0);
  scaler.step(one.opt);
  scaler.update();
  EXPECT_EQ(scaler.get_scale(), static_cast<float>(2e38)) << "twice that is infinite";
  scaler.update(1e-45);
  one.backward(scaler, kNaN);
  EXPECT_FALSE(scaler.step(one.opt));
  scaler.update();
  EXPECT_GT(scaler.get_scale(), 0);
}

TEST(GradScalerTest, ScalesTensorsOfAllTypes) {
  GradScaler scaler;
  EXPECT_EQ(scaler.get_scale(), 65536);
  const Tensor half = scaler.scale(tensor(3.0, {.dtype = kFloat16}));
  EXPECT_EQ(half.dtype(), kFloat32);
  EXPECT_EQ(half.item(), 3 * 65536);
  EXPECT_EQ(scaler.scale(tensor(3.0, {.dtype = kFloat64})).dtype(), kFloat64);
  EXPECT_EQ(scaler.scale(ones({2}, {.dtype = kBFloat16})).dtype(), kBFloat16);
  const std::vector<Tensor> both = scaler.scale(std::vector<Tensor>{ones({2}), ones({})});
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].to_vector<float>(), (std::vector<float>{65536, 65536}));
  EXPECT_THAT(message_of([&] { scaler.scale(Tensor()); }),
              HasSubstr("GradScaler.scale: needs a floating-point tensor"));
  EXPECT_THAT(message_of([&] { scaler.scale(tensor(3)); }), HasSubstr("got int64"));
}

TEST(GradScalerTest, MinimizesAndLeavesOtherGradientsAlone) {
  One a, b;
  GradScaler scaler({.init_scale = 16});
  const Tensor loss = (a.w * b.w * 0.5).sum();
  EXPECT_TRUE(scaler.minimize(a.opt, loss));
  EXPECT_FALSE(b.w.grad().defined());
  EXPECT_EQ(a.values(), (std::vector<float>{0.5, 0.5}));
  EXPECT_EQ(a.w.grad().to_vector<float>(), (std::vector<float>{0.5, 0.5}));
  scaler.update();
  EXPECT_FALSE(scaler.minimize(a.opt, (a.w * kInf).sum()));
  EXPECT_EQ(a.values(), (std::vector<float>{0.5, 0.5}));
  scaler.update();
  EXPECT_EQ(scaler.get_scale(), 8);
}

TEST(GradScalerTest, StepsWithTheOptimizersClippingAndSchedule) {
  One one;
  one.opt.set_clipping({.max_norm = 0.5});
  optim::lr_scheduler::StepLR schedule(one.opt, {.step_size = 1, .gamma = 0.5});
  GradScaler scaler({.init_scale = 1024});
  for (const double gradient : {1.0, kInf, 1.0}) {
    one.backward(scaler, gradient);
    if (scaler.step(one.opt)) schedule.step();
    scaler.update();
  }
  // Two steps of the length 0.5, the second at half the rate.
  const double each = 0.5 / std::sqrt(2.0);
  EXPECT_NEAR(one.values()[0], 1 - 1.5 * each, 1e-5);
  EXPECT_EQ(*one.opt.param_groups()[0].lr, 0.25);
}

TEST(GradScalerTest, FrozenParametersDoNotCount) {
  nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 2));
  optim::SGD opt(net.parameters(), {.lr = 0.1});
  GradScaler scaler;
  scaler.scale(net(ones({1, 2})).sum()).backward();
  net[0].parameters()[0].grad().fill_(kInf);
  nn::freeze(net[0]);
  EXPECT_TRUE(scaler.step(opt));
}

TEST(GradScalerTest, DoesNothingUnlessEnabled) {
  One one;
  GradScaler scaler({.enabled = false});
  EXPECT_FALSE(scaler.is_enabled());
  EXPECT_EQ(scaler.get_scale(), 1);
  const Tensor loss = (one.w * 0.5).sum();
  EXPECT_TRUE(scaler.scale(loss).is_same(loss));
  loss.backward();
  scaler.unscale_(one.opt);
  scaler.unscale_(one.opt);
  EXPECT_TRUE(scaler.step(one.opt));
  scaler.update();
  EXPECT_EQ(one.values(), (std::vector<float>{0.5, 0.5}));
  EXPECT_TRUE(scaler.minimize(one.opt, (one.w * 0.5).sum()));
  EXPECT_EQ(one.values(), (std::vector<float>{0, 0}));
  one.opt.zero_grad();
  EXPECT_EQ(scaler.step(one.opt, [&] { return tensor(7.0); }).item(), 7);
  EXPECT_EQ(scaler.state_dict().size(), 0u);
  scaler.load_state_dict(io::Value());
  // As PyTorch's, where there is no such device.
  EXPECT_EQ(GradScaler("cuda").is_enabled(), cuda::is_available());
  EXPECT_TRUE(GradScaler("cpu").is_enabled());
  EXPECT_FALSE(GradScaler("cpu", {.enabled = false}).is_enabled());
}

TEST(GradScalerTest, RefusesNumbersOutsideOfTheirRanges) {
  const auto made = [](const GradScalerOptions& o) { return message_of([&] { const GradScaler scaler(o); }); };
  EXPECT_EQ(made({.init_scale = 0}), "GradScaler: init_scale must be finite in float32 and above 0, got 0");
  EXPECT_THAT(made({.init_scale = 1e39}), HasSubstr("init_scale must be"));
  EXPECT_THAT(made({.growth_factor = 1}), HasSubstr("growth_factor must be finite and above 1, got 1"));
  EXPECT_THAT(made({.growth_factor = kInf}), HasSubstr("growth_factor must be"));
  EXPECT_THAT(made({.backoff_factor = 1}), HasSubstr("backoff_factor must be in (0, 1), got 1"));
  EXPECT_THAT(made({.backoff_factor = kNaN}), HasSubstr("backoff_factor must be"));
  EXPECT_THAT(made({.growth_interval = 0}), HasSubstr("growth_interval must be at least 1, got 0"));
  GradScaler scaler;
  EXPECT_THAT(message_of([&] { scaler.set_growth_factor(0.5); }), HasSubstr("GradScaler.set_growth_factor"));
  EXPECT_THAT(message_of([&] { scaler.set_backoff_factor(2); }), HasSubstr("GradScaler.set_backoff_factor"));
  EXPECT_THAT(message_of([&] { scaler.set_growth_interval(-1); }), HasSubstr("GradScaler.set_growth_interval"));
  EXPECT_EQ(scaler.get_growth_factor(), 2);
  scaler.set_growth_factor(3);
  scaler.set_backoff_factor(0.25);
  scaler.set_growth_interval(7);
  EXPECT_EQ(scaler.get_growth_factor(), 3);
  EXPECT_EQ(scaler.get_backoff_factor(), 0.25);
  EXPECT_EQ(scaler.get_growth_interval(), 7);
  scaler.scale(ones({}));
  EXPECT_THAT(message_of([&] { scaler.update(-1); }), HasSubstr("new_scale must be"));
  EXPECT_EQ(scaler.get_scale(), 65536);
}

TEST(GradScalerTest, StateIsPyTorchsAndAPartOfACheckpoint) {
  // The state that PyTorch recorded goes on as PyTorch's.
  const json& recorded = trace()["scaler"];
  io::Value state = io::Value::dict();
  for (const auto& [key, value] : recorded["scaler"].items())
    state.set(key, value.is_number_integer() ? io::Value(value.get<std::int64_t>()) : io::Value(value.get<double>()));
  GradScaler scaler;
  scaler.load_state_dict(state);
  EXPECT_EQ(scaler.get_scale(), recorded["steps"].back()[2].get<double>());
  EXPECT_EQ(scaler.get_growth_factor(), 1.7);
  EXPECT_EQ(scaler.get_growth_interval(), 4);
  const io::Value own = scaler.state_dict();
  ASSERT_EQ(own.size(), state.size());
  for (const auto& [key, value] : state.entries()) EXPECT_EQ(own.as_double({key}), value.as_double()) << key.text();

  const test::TempFolder folder;
  One one;
  training::Checkpoint checkpoint;
  checkpoint.add("scaler", scaler);
  for (int i = 0; i < 2; ++i) {
    one.backward(scaler, 0.001);
    scaler.step(one.opt);
    scaler.update();
  }
  checkpoint.save(folder / "run.pth");
  GradScaler again;
  training::Checkpoint other;
  other.add("scaler", again);
  other.load(folder / "run.pth");
  EXPECT_EQ(again.get_scale(), scaler.get_scale());
  EXPECT_EQ(again.state_dict().as_int({"_growth_tracker"}), 2);
}

TEST(GradScalerTest, RefusesAStateThatIsNone) {
  GradScaler scaler({.init_scale = 4});
  const auto loaded = [&](const io::Value& state) { return message_of([&] { scaler.load_state_dict(state); }); };
  EXPECT_THAT(loaded(io::Value::dict()),
              HasSubstr("the state is empty; was it saved from a scaler that is not enabled"));
  EXPECT_THAT(loaded(io::Value(3.0)), HasSubstr("needs a dict"));
  const io::Value good = scaler.state_dict();
  for (const char* key : {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}) {
    io::Value bad = good, missing = io::Value::dict(), text = good;
    bad.set(key, -1);
    text.set(key, "x");
    for (const auto& [name, value] : good.entries())
      if (name.text() != key) missing.set(name, value);
    EXPECT_THAT(loaded(bad), HasSubstr(key));
    EXPECT_THAT(loaded(text), HasSubstr(key));
    EXPECT_THAT(loaded(missing), HasSubstr(key));
  }
  EXPECT_EQ(scaler.get_scale(), 4);
  EXPECT_EQ(scaler.get_growth_interval(), 2000);
}

TEST(GradScalerTest, WaitsOnceForADevice) {
  if (test::tested_device().type != DeviceType::Emulated) GTEST_SKIP() << "only the emulated device counts";
  nn::Sequential net(nn::Linear(6, 8), nn::ReLU(), nn::Linear(8, 3));
  net.to(test::tested_device());
  optim::AdamW opt(net.parameters(), {.lr = 0.01});
  GradScaler scaler(test::tested_device());
  const Tensor x = randn({5, 6}).to(test::tested_device()), y = labels(0, 5).to(test::tested_device());
  for (int i = 0; i < 3; ++i) {
    const std::int64_t before = emulated::counters().synchronizations;
    opt.zero_grad();
    Tensor loss;
    {
      const Autocast scope(kFloat16);
      loss = nn::functional::cross_entropy(net(x), y);
    }
    scaler.scale(loss).backward();
    EXPECT_EQ(emulated::counters().synchronizations, before);
    EXPECT_TRUE(scaler.step(opt));
    scaler.update();
    EXPECT_EQ(emulated::counters().synchronizations, before + 1);
  }
}

}  // namespace
}  // namespace gradus::amp

// A run moves between PyTorch and Gradus in mid-flight. tests/fixtures/resume.pth holds PyTorch's 100 steps.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "io/expected.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus {
namespace {

using io::Value;
using test::message_of;
using testing::HasSubstr;

struct Course {
  nn::Sequential net{nn::Linear(6, 10, {.dtype = kFloat64}), nn::Tanh(), nn::Linear(10, 3, {.dtype = kFloat64})};
  std::unique_ptr<optim::Optimizer> opt;
  Tensor inputs, targets;

  Course(const std::string& name, const Value& recorded)
      : inputs(recorded.as_tensor({"inputs"})), targets(recorded.as_tensor({"targets"})) {
    net.load_state_dict(io::to_state_dict(recorded.at({"start"})));
    const auto a = net[0].parameters(), b = net[2].parameters();
    if (name == "SGD") {
      opt = std::make_unique<optim::SGD>(
          std::vector<optim::SGDOptions>{{.params = a}, {.params = b, .lr = 0.05}},
          optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
    } else if (name == "Adam") {
      opt = std::make_unique<optim::Adam>(std::vector<optim::AdamOptions>{{.params = a}, {.params = b, .lr = 0.005}},
                                          optim::AdamOptions{.lr = 0.01, .weight_decay = 0.01, .amsgrad = true});
    } else {
      opt = std::make_unique<optim::AdamW>(std::vector<optim::AdamWOptions>{{.params = a}, {.params = b, .lr = 0.005}},
                                           optim::AdamWOptions{.lr = 0.01, .betas = std::pair(0.8, 0.95)});
    }
  }

  // Steps [first, last), whose losses must be those of `losses`.
  void steps(int first, int last, const std::vector<double>& losses) {
    for (int t = first; t < last; ++t) {
      opt->zero_grad();
      const Tensor loss = nn::functional::cross_entropy(net(inputs.select(0, t % 4)), targets.select(0, t % 4));
      const double wanted = losses[static_cast<std::size_t>(t)];
      ASSERT_NEAR(loss.item(), wanted, 1e-9 * std::abs(wanted)) << "step " << t;
      loss.backward();
      opt->step();
    }
  }

  void expect_model(const Value& recorded) {
    for (const auto& [name, tensor] : net.state_dict()) {
      const auto got = tensor.to_vector<double>(), wanted = recorded.as_tensor({name}).to_vector<double>();
      ASSERT_EQ(got.size(), wanted.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_NEAR(got[i], wanted[i], 1e-9 * std::max(std::abs(wanted[i]), 1e-3)) << name << " " << i;
    }
  }
};

class Resume : public testing::TestWithParam<const char*> {
 protected:
  Value recorded = io::load(test::fixture("resume.pth")).at({GetParam()});
  std::vector<double> losses = recorded.as_tensor({"losses"}).to_vector<double>();
};

TEST_P(Resume, FiftyStepsOfPyTorchAndFiftyHere) {
  Course run(GetParam(), recorded);
  run.net.load_state_dict(io::to_state_dict(recorded.at({"half", "model"})));
  // Options come from the file too.
  for (std::size_t g = 0; g < 2; ++g) run.opt->set_option(g, "lr", 1.0);
  const auto report = optim::from_pytorch(recorded.at({"half", "optimizer"}), *run.opt);
  EXPECT_EQ(report.loaded.size(), 4u);
  run.steps(50, 100, losses);
  run.expect_model(recorded.at({"end"}));
}

// What PyTorch would go on from is what PyTorch itself had there; check_with_pytorch.py lets it go on.
TEST_P(Resume, FiftyStepsHereGiveThePyTorchStateOfThatStep) {
  Course run(GetParam(), recorded);
  run.steps(0, 50, losses);
  run.expect_model(recorded.at({"half", "model"}));
  const Value ours = optim::to_pytorch(*run.opt), theirs = recorded.at({"half", "optimizer"});
  EXPECT_EQ(ours.size({"state"}), theirs.size({"state"}));
  for (const auto& [position, state] : theirs.entries({"state"})) {
    EXPECT_EQ(ours.size({"state", position}), state.size());
    for (const auto& [key, value] : state.entries()) {
      const Tensor wanted = value.as_tensor(), got = ours.as_tensor({"state", position, key});
      EXPECT_EQ(got.dtype(), wanted.dtype()) << key.to_string();
      EXPECT_EQ(got.sizes(), wanted.sizes());
      const auto a = got.to_vector<double>(), b = wanted.to_vector<double>();
      for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-9 * std::max(std::abs(b[i]), 1e-3));
    }
  }
  for (std::int64_t g = 0; g < 2; ++g) {
    for (const auto& [key, value] : ours.entries({"param_groups", g})) {
      // An option that is 0 there is 0.0 here.
      const auto text = [](const Value& x) {
        return x.is(Value::Kind::Int) ? Value(x.as_double()).to_string() : x.to_string();
      };
      EXPECT_EQ(text(value), text(theirs.at({"param_groups", g, key}))) << key.to_string();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, Resume, testing::Values("SGD", "Adam", "AdamW"),
                         [](const auto& which) { return std::string(which.param); });

TEST(ResumeFile, WritesFilesForPyTorch) {
  const test::TempFolder folder;
  const char* keep = std::getenv("GRADUS_TEST_KEEP");
  const Value recorded = io::load(test::fixture("resume.pth"));
  Value document = Value::dict();
  for (const char* name : {"SGD", "Adam", "AdamW"}) {
    Course run(name, recorded.at({name}));
    run.steps(0, 50, recorded.as_tensor({name, "losses"}).to_vector<double>());
    document.set(
        name, Value::dict({{"model", io::to_value(run.net.state_dict())}, {"optimizer", optim::to_pytorch(*run.opt)}}));
  }
  const std::string path = (keep != nullptr ? std::string(keep) : folder.path()) + "/resumed.pth";
  io::save(path, document);
  EXPECT_EQ(test::difference(io::load(path), document), "");
}

TEST(PyTorchState, GoesThereAndBackForAnyOptimizer) {
  const auto there_and_back = [](auto make) {
    Tensor x = tensor({1.0, -2.0}).requires_grad_(), y = tensor({1.0, -2.0}).requires_grad_();
    auto a = make(x), b = make(y);
    const auto step = [](auto& opt, Tensor& p, int n) {
      for (int i = 0; i < n; ++i) opt.minimize((p * p * p).sum());
    };
    step(*a, x, 3);
    {
      NoGrad guard;
      y.copy_(x);
    }
    const test::TempFolder folder;
    io::save(folder / "a.pth", optim::to_pytorch(*a));
    optim::from_pytorch(io::load(folder / "a.pth"), *b);
    step(*a, x, 4);
    step(*b, y, 4);
    EXPECT_EQ(x.to_vector<double>(), y.to_vector<double>()) << a->name();
  };
  there_and_back([](const Tensor& p) { return std::make_unique<optim::SGD>(p); });
  there_and_back([](const Tensor& p) {
    return std::make_unique<optim::SGD>(p, optim::SGDOptions{.lr = 0.01, .momentum = 0.9, .dampening = 0.5});
  });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::Adam>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::AdamW>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::NAdam>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::RAdam>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::RMSprop>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::Rprop>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::ASGD>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::Adagrad>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::Adadelta>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::Adafactor>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::Adamax>(p); });
  there_and_back([](const Tensor& p) { return std::make_unique<optim::Lion>(p); });
}

TEST(PyTorchState, RefusesWhatDoesNotFit) {
  Tensor x = tensor({1.0, -2.0}).requires_grad_();
  optim::Adam opt(x);
  opt.minimize((x * x).sum());
  const Value good = optim::to_pytorch(opt);
  const auto error = [&](const std::function<void(Value&, Value&, Value&)>& change) {
    Value group = good.at({"param_groups", 0}), state = good.at({"state", 0}), groups = Value::list(),
          all = Value::dict();
    change(group, state, all);
    groups.push_back(group);
    Value bad = Value::dict({{"state", Value::dict({{0, state}})}, {"param_groups", groups}});
    for (const auto& [key, value] : all.entries()) bad.set(key, value);
    const std::string message = message_of<ValueError>([&] { optim::from_pytorch(bad, opt); });
    EXPECT_EQ(test::difference(optim::to_pytorch(opt), good), "");
    return message;
  };
  EXPECT_EQ(error([](Value&, Value&, Value&) {}), "no exception");
  EXPECT_EQ(error([](Value& group, Value&, Value&) { group.set("foreach", Value()), group.set("initial_lr", 0.1); }),
            "no exception");
  EXPECT_EQ(error([](Value& group, Value&, Value&) { group.set("momentum", 0.9); }),
            "from_pytorch: param_groups[0].momentum: Adam has no such option");
  EXPECT_THAT(error([](Value& group, Value&, Value&) { group.set("lr", -1); }), HasSubstr("lr must be"));
  EXPECT_THAT(error([](Value& group, Value&, Value&) { group.set("betas", Value::tuple({0.9})); }), HasSubstr("betas"));
  EXPECT_THAT(error([](Value& group, Value&, Value&) {
                group.set("params", Value::list({0, 1}));
              }),
              HasSubstr("param_groups[0]: 2 parameters, where the optimizer has 1"));
  EXPECT_THAT(error([](Value& group, Value&, Value&) { group.set("params", Value::list({1})); }),
              HasSubstr("state[0]: state of a parameter that is in no group"));
  EXPECT_THAT(error([](Value& group, Value&, Value&) { group.erase("params"); }), HasSubstr("no key 'params'"));
  EXPECT_THAT(error([](Value&, Value& state, Value&) { state.set("step", 1.5); }),
              HasSubstr("state[0].step: need a number of updates"));
  EXPECT_THAT(error([](Value&, Value& state, Value&) {
                state.set("step", tensor({1, 2}));
              }),
              HasSubstr("got a tensor of [2]"));
  EXPECT_THAT(error([](Value&, Value& state, Value&) { state.set("exp_avg", tensor({1.0})); }),
              HasSubstr("exp_avg: needs [2]"));
  EXPECT_THAT(error([](Value&, Value& state, Value&) { state.set("exp_avg", "x"); }),
              HasSubstr("state[0].exp_avg: need a tensor"));
  EXPECT_THAT(error([](Value&, Value&, Value& all) { all.set("param_groups", Value::list()); }),
              HasSubstr("the state has 0 groups"));
  EXPECT_THAT(error([](Value&, Value&, Value& all) { all.set("state", Value()); }),
              HasSubstr("state: need a dict, got None"));
}

}  // namespace
}  // namespace gradus

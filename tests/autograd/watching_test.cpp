// What sees operations while they run: the counter of FLOPs, the profiler, the search for anomalies, errors of memory.
#include <gradus/autograd.h>
#include <gradus/autograd/detect_anomaly.h>
#include <gradus/core/memory.h>
#include <gradus/flops.h>
#include <gradus/nn.h>
#include <gradus/optim/adam.h>
#include <gradus/profiler.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "support/temp_folder.h"

namespace gradus {
namespace {

using testing::HasSubstr;

// --- FLOPs ---

struct Cube final : Op {
  const char* name() const override { return "cube"; }
  Tensor forward(const Tensor& x) {
    save(0, x);
    return x * x * x;
  }
  void backward(const Tensor& g, Grads gx) override { gx[0] = g * saved(0) * saved(0) * 3; }
};

TEST(FlopCounter, AnOperationMadeOfOthersCountsOnce) {
  const FlopCounter counter;
  apply(Cube{}, ones({10}));
  ASSERT_EQ(counter.by_operation().size(), 1U);
  EXPECT_EQ(counter.by_operation().at("cube").calls, 1);
  EXPECT_EQ(counter.total(), 20);  // two products
}

TEST(FlopCounter, ViewsCostNothingAndChangesInPlaceDo) {
  const FlopCounter counter;
  Tensor x = ones({4, 5});
  EXPECT_EQ(counter.total(), 0);
  x.t();
  x.view({20}).narrow(0, 2, 3);
  EXPECT_EQ(counter.total(), 0);
  x.relu_();
  x.add_(x);
  x.mul_(2);
  EXPECT_EQ(counter.total(), 60);
  const FlopCounter::Count product = [&] {
    const FlopCounter inner;  // the outer one goes on
    mm(x, ones({5, 2}));
    return inner.sum();
  }();
  EXPECT_EQ(product.multiply_adds, 40);
  EXPECT_EQ(product.flops, 80);
  EXPECT_EQ(product.bytes, 4 * (20 + 10 + 8));
  EXPECT_EQ(counter.total(), 140);
}

TEST(FlopCounter, SeesItsThreadAlone) {
  const FlopCounter counter;
  std::thread([] { ones({3}) + 1; }).join();
  EXPECT_EQ(counter.total(), 0);
}

// --- the profiler ---

const Profiler::Row* find(const std::vector<Profiler::Row>& rows, const std::string& name, Profiler::Kind kind) {
  for (const auto& row : rows)
    if (row.name == name && row.kind == kind) return &row;
  return nullptr;
}

TEST(Profiler, TellsForwardFromBackwardAndLayersFromSteps) {
  nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 2));
  optim::Adam optimizer(net.parameters());
  Profiler profiler({.record_shapes = true});
  for (int i = 0; i < 3; ++i) optimizer.minimize(net(ones({5, 4})).sum());
  profiler.stop();
  net(ones({5, 4}));  // no more
  const auto rows = profiler.key_averages();
  const auto* linear = find(rows, "linear", Profiler::Kind::forward);
  ASSERT_NE(linear, nullptr);
  EXPECT_EQ(linear->calls, 6);
  EXPECT_EQ(linear->flops, 3 * 2 * 5 * (4 * 8 + 8 * 2));
  EXPECT_EQ(find(rows, "linear", Profiler::Kind::node)->calls, 6);
  EXPECT_EQ(find(rows, "mm", Profiler::Kind::backward)->calls, 9);
  EXPECT_EQ(find(rows, "Adam", Profiler::Kind::span)->calls, 3);
  double self = 0;
  for (const auto& row : rows) {
    EXPECT_GE(row.self_seconds, 0) << row.name;
    EXPECT_GE(row.seconds, row.self_seconds - 1e-12) << row.name;
    self += row.self_seconds;
  }
  EXPECT_LE(self, profiler.seconds());
  const auto layers = profiler.by_layer();
  ASSERT_NE(find(layers, "0 (Linear + ReLU)", Profiler::Kind::forward), nullptr);
  EXPECT_NE(find(layers, "0 (Linear + ReLU)", Profiler::Kind::backward), nullptr);
  EXPECT_EQ(find(rows, "relu", Profiler::Kind::node), nullptr) << "it runs in the linear layer";
  EXPECT_NE(find(layers, "2 (Linear)", Profiler::Kind::backward), nullptr);
  EXPECT_THAT(profiler.table(), HasSubstr("linear"));
  EXPECT_THAT(profiler.table(2), HasSubstr(" more"));
  EXPECT_THAT(profiler.layer_table(), HasSubstr("2 (Linear)"));
  for (const Profiler::Event& event : profiler.events())
    if (std::string(event.name) == "mm") {
      EXPECT_THAT(event.detail, HasSubstr("["));
    }
}

TEST(Profiler, WritesATraceThatNests) {
  const test::TempFolder folder;
  Profiler profiler;
  {
    const RecordFunction scope("epoch \"1\"");
    apply(Cube{}, ones({10}));
    std::thread([] { ones({3}) + 1; }).join();
  }
  profiler.export_chrome_trace(folder / "trace.json");
  const auto trace = nlohmann::json::parse(test::file_bytes(folder / "trace.json"));
  std::map<std::string, nlohmann::json> events;
  int products = 0;
  std::set<int> threads;
  for (const auto& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    events[event["name"].get<std::string>()] = event;
    products += event["name"] == "mul";
    threads.insert(event["tid"].get<int>());
  }
  EXPECT_EQ(products, 2);
  EXPECT_EQ(threads.size(), 2U);
  const auto inside = [&](const char* inner, const char* outer) {
    const auto &a = events.at(inner), &b = events.at(outer);
    EXPECT_GE(a["ts"].get<double>(), b["ts"].get<double>());
    EXPECT_LE(a["ts"].get<double>() + a["dur"].get<double>(), b["ts"].get<double>() + b["dur"].get<double>() + 0.002);
  };
  inside("mul", "cube");
  inside("cube", "epoch \"1\"");
  EXPECT_EQ(events.at("cube")["args"]["FLOPs"], 20);
}

TEST(Profiler, OneAtATimeAndSoManyEvents) {
  Profiler profiler({.max_events = 1});
  EXPECT_THROW(Profiler(), ValueError);
  ones({2}) + 1;
  ones({2}) + 1;
  EXPECT_EQ(profiler.events().size(), 1U);
  EXPECT_EQ(profiler.dropped_events(), 1);
  profiler.stop();
  EXPECT_NO_THROW(Profiler());
  EXPECT_THROW(Profiler({.max_events = -1}), ValueError);
}

TEST(Profiler, SurvivesErrorsInOperations) {
  Profiler profiler;
  EXPECT_THROW(mm(ones({2, 3}), ones({2, 3})), ShapeError);
  EXPECT_THROW(ones({2}) + ones({3}), ShapeError);
  ones({2}) + 1;
  EXPECT_EQ(find(profiler.key_averages(), "add", Profiler::Kind::forward)->calls, 2);
}

// --- anomalies ---

std::string anomaly(const std::function<void()>& code, const autograd::DetectAnomalyOptions& options = {}) {
  const autograd::DetectAnomaly scope(options);
  try {
    code();
  } catch (const AutogradError& e) {
    return e.what();
  }
  return "";
}

struct LogOfReLU : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(2, 2));
  struct Log : nn::Module {
    Tensor forward(const Tensor& x) override { return log(relu(x)); }
  } head = add("head", Log());
  Tensor forward(const Tensor& x) override { return head(fc(x)); }
};

TEST(DetectAnomaly, NamesTheOperationTheLayerAndThePlace) {
  LogOfReLU net;
  nn::init::zeros_(net.fc.weight);
  nn::init::zeros_(net.fc.bias);
  EXPECT_EQ(anomaly([&] {
              net(ones({3, 2}));
            }),
            "DetectAnomaly: log returned -inf at [0, 0] of [3, 2], in head (Log); its input 0 is finite, from 0 to 0");
  EXPECT_EQ(anomaly([&] { net(ones({3, 2})); }, {.infinities = false}), "");
  const Device device("emulated");
  net.to(device);
  EXPECT_EQ(anomaly([&] {
              net(ones({3, 2}, {.device = device}));
            }),
            "DetectAnomaly: log returned -inf at [0, 0] of [3, 2], in head (Log); its input 0 is finite, from 0 to 0");
}

TEST(DetectAnomaly, FindsWhatOnlyAGradientHas) {
  struct Root : nn::Module {
    Tensor forward(const Tensor& x) override { return sqrt(x); }
  } net;
  const Tensor x = tensor({4.0, 0.0}, {.requires_grad = true});
  EXPECT_THAT(anomaly([&] { net(x).sum().backward(); }),
              testing::AllOf(HasSubstr("sqrt returned inf at [1] of [2], in Root, in the backward of sqrt"),
                             HasSubstr("is finite, from 0 to 2")));
  EXPECT_FALSE(x.grad().defined());
}

TEST(DetectAnomaly, LooksAtGradientsThatNoOperationMakes) {
  struct Broken final : Op {
    const char* name() const override { return "broken"; }
    Tensor forward(const Tensor& x) { return x * 2; }
    void backward(const Tensor& g, Grads gx) override {
      gx[0] = full(g.sizes(), std::numeric_limits<double>::quiet_NaN());
    }
  };
  EXPECT_THAT(anomaly([] { apply(Broken{}, ones({2}, {.requires_grad = true})).sum().backward(); }),
              HasSubstr("the backward of broken returned nan at [0] of [2] for its input 0"));
}

TEST(DetectAnomaly, SaysWhenAValueCameFromOutside) {
  LogOfReLU net;
  const Tensor data = tensor({{1.0, 2.0}, {3.0, std::nan("")}});
  EXPECT_THAT(anomaly([&] { net(data); }),
              HasSubstr("linear, in fc (Linear): its input 0 already holds nan at [1, 1] of [2, 2]"));
  {
    const NoGrad guard;
    net.fc.weight.fill_(std::nan(""));
  }
  EXPECT_THAT(anomaly([&] { net(ones({1, 2})); }), HasSubstr("its input 1 (fc.weight) already holds nan"));
}

TEST(DetectAnomaly, LetsMasksPassButNotWhatTheyMakeOfNothing) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor scores = ones({2, 2});
  const Tensor one = tensor({{0, 1}, {0, 0}}) == 1, row = tensor({{1, 1}, {0, 0}}) == 1;
  EXPECT_EQ(anomaly([&] { softmax(masked_fill(scores, one, -infinity), 1); }), "");
  EXPECT_THAT(anomaly([&] { softmax(masked_fill(scores, row, -infinity), 1); }),
              HasSubstr("softmax returned nan at [0, 0]"));
}

TEST(DetectAnomaly, ReadsAnyLayout) {
  Tensor x = ones({3, 4}, {.dtype = kFloat64});
  x[{2, 1}] = std::nan("");
  EXPECT_THAT(anomaly([&] { neg(x.t()); }), HasSubstr("at [1, 2] of [4, 3]"));
  EXPECT_THAT(anomaly([&] { div(ones({2}).to(kBFloat16), zeros({2}).to(kBFloat16)); }), HasSubstr("div returned inf"));
  EXPECT_EQ(anomaly([&] { ones({0}) + 1; }), "");
}

// --- memory ---

TEST(OutOfMemory, NamesWhoAsked) {
  nn::Sequential net(nn::Linear(2, 3));
  const Tensor x = ones({1, 2}).expand({std::int64_t{1} << 48, 2});
  try {
    net(x);
    FAIL();
  } catch (const OutOfMemory& e) {
    EXPECT_THAT(e.what(), testing::StartsWith("linear of [281474976710656, 2] and [3, 2] and [3], in 0 (Linear): "));
    EXPECT_THAT(e.what(), HasSubstr("the parameters of Sequential take 36 B"));
  }
}

TEST(OutOfMemory, NamesTheBackwardThatAsked) {
  const Tensor w = ones({1}, {.requires_grad = true});
  struct Greedy final : Op {
    const char* name() const override { return "greedy"; }
    Tensor forward(const Tensor& x) { return x * 1; }
    void backward(const Tensor& g, Grads gx) override { gx[0] = g.expand({std::int64_t{1} << 48}).clone(); }
  };
  Tensor named = w;
  named.set_name("fc.weight");
  try {
    apply(Greedy{}, w).sum().backward();
    FAIL();
  } catch (const OutOfMemory& e) {
    EXPECT_THAT(e.what(), HasSubstr("in the layer of fc.weight"));
  }
}

}  // namespace
}  // namespace gradus

// Computed parameters against PyTorch's (tests/traces/parametrizations.json), and with what else a module does.
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gradus/nn/parametrize.h>

#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "support/formula.h"
#include "support/gradcheck.h"
#include "support/message.h"
#include "support/paths.h"

namespace gradus {
namespace {

using nlohmann::json;
using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

const json& trace() {
  static const json all = json::parse(std::ifstream(test::source_path("tests/traces/parametrizations.json")));
  return all;
}

Shape shape(const json& j) { return Shape(j.get<std::vector<std::int64_t>>()); }
Tensor array(const json& j) {
  return tensor(j["data"].get<std::vector<double>>(), shape(j["shape"]), {.dtype = kFloat64});
}

using Modules = std::map<std::string, std::shared_ptr<nn::Module>>;

template <class M>
std::shared_ptr<nn::Module> made(M module, const std::function<void(nn::Module&)>& change) {
  auto kept = std::make_shared<M>(std::move(module));
  kept->to(kFloat64);
  change(*kept);
  return kept;
}

Modules modules() {
  using nn::Conv1d, nn::Conv2d, nn::ConvTranspose1d, nn::Linear, nn::Module;
  Modules all;
  all["weight_norm"] = made(Linear(4, 3), [](Module& m) { nn::weight_norm(m); });
  all["weight_norm_all"] = made(Linear(4, 3), [](Module& m) { nn::weight_norm(m, "weight", {}); });
  all["weight_norm_columns"] = made(Linear(4, 3), [](Module& m) { nn::weight_norm(m, "weight", 1); });
  all["weight_norm_conv"] = made(Conv2d(4, 3, 3, {.bias = false}), [](Module& m) { nn::weight_norm(m); });
  all["weight_norm_bias"] = made(Linear(4, 3), [](Module& m) { nn::weight_norm(m, "bias"); });
  all["spectral_norm"] = made(Linear(4, 3), [](Module& m) { nn::spectral_norm(m); });
  all["spectral_norm_eval"] = made(Linear(4, 3), [](Module& m) { nn::spectral_norm(m).eval(); });
  all["spectral_norm_more"] =
      made(Conv1d(4, 3, 3), [](Module& m) { nn::spectral_norm(m, "weight", {.n_power_iterations = 3, .eps = 1e-6}); });
  all["spectral_norm_transposed"] = made(ConvTranspose1d(4, 3, 2), [](Module& m) { nn::spectral_norm(m); });
  all["spectral_norm_bias"] = made(Linear(4, 3), [](Module& m) { nn::spectral_norm(m, "bias"); });
  all["orthogonal"] = made(Linear(4, 4), [](Module& m) { nn::orthogonal(m); });
  all["orthogonal_cayley"] =
      made(Linear(4, 4), [](Module& m) { nn::orthogonal(m, "weight", {.orthogonal_map = "cayley"}); });
  all["orthogonal_tall"] = made(Linear(4, 6), [](Module& m) { nn::orthogonal(m); });
  all["orthogonal_wide"] = made(Linear(4, 2), [](Module& m) { nn::orthogonal(m); });
  all["orthogonal_tall_exp"] =
      made(Linear(4, 6), [](Module& m) { nn::orthogonal(m, "weight", {.orthogonal_map = "matrix_exp"}); });
  all["orthogonal_plain"] =
      made(Linear(4, 6), [](Module& m) { nn::orthogonal(m, "weight", {.use_trivialization = false}); });
  all["orthogonal_plain_cayley"] = made(Linear(4, 2), [](Module& m) {
    nn::orthogonal(m, "weight", {.orthogonal_map = "cayley", .use_trivialization = false});
  });
  all["orthogonal_stack"] = made(Conv1d(4, 3, 2), [](Module& m) { nn::orthogonal(m); });
  all["symmetric"] = made(Linear(4, 4), [](Module& m) { nn::symmetric(m); });
  all["composed"] = made(Linear(4, 4), [](Module& m) {
    nn::symmetric(m);
    nn::spectral_norm(m);
  });
  return all;
}

nn::StateDict dict_of(const json& j) {
  nn::StateDict dict;
  for (const auto& [name, value] : j.items()) dict.set(name, array(value));
  return dict;
}

void expect_close(const Tensor& got, const Tensor& wanted, double tolerance = 1e-12) {
  ASSERT_EQ(got.sizes(), wanted.sizes());
  EXPECT_TRUE(allclose(got.detach(), wanted, tolerance, tolerance)) << got << wanted;
}

TEST(Parametrize, TrainsAsPyTorchDoes) {
  auto all = modules();
  ASSERT_EQ(all.size(), trace()["cases"].size());
  for (const json& recorded : trace()["cases"]) {
    SCOPED_TRACE(recorded["name"].get<std::string>());
    nn::Module& module = *all.at(recorded["name"]);
    EXPECT_EQ(recorded["repr"], module.to_string());
    const nn::StateDict wanted = dict_of(recorded["state"]);
    EXPECT_THAT(module.state_dict().keys(), testing::UnorderedElementsAreArray(wanted.keys()));
    module.load_state_dict(wanted);
    const Tensor x = test::uniform("x", shape(recorded["x"]));
    {
      const NoGrad guard;
      module.eval();
      module(x);
      const auto& parameters = module.state()->parameters;
      for (std::size_t i = 0; i < parameters.size(); ++i)
        if (recorded["parameter"] == parameters[i].first)
          expect_close(module.state()->parameter(i), array(recorded["weight"]));
    }
    module.train(!recorded["eval"].get<bool>());
    optim::SGD optimizer(module.parameters(), {.lr = 0.1});
    for (const double wanted_loss : recorded["losses"].get<std::vector<double>>()) {
      const Tensor y = module(x);
      const Tensor loss = sum(y * test::uniform("y", y.sizes()));
      EXPECT_NEAR(loss.item(), wanted_loss, 1e-10);
      optimizer.minimize(loss);
    }
    const nn::StateDict after = module.state_dict();
    for (const auto& [name, value] : dict_of(recorded["after"])) expect_close(after.at(name), value, 1e-10);
  }
}

TEST(Parametrize, ReadsTheOlderNames) {
  for (const json& recorded : trace()["older"]) {
    SCOPED_TRACE(recorded["name"].get<std::string>());
    struct Net : nn::Module {
      nn::Linear fc = add("fc", nn::Linear(4, 3, {.dtype = kFloat64}));
      nn::Conv1d conv = add("conv", nn::Conv1d(4, 3, 2, {.dtype = kFloat64}));
    } net;
    const bool weight = recorded["name"] == "weight_norm";
    nn::weight_norm(net.fc);
    nn::spectral_norm(net.conv);
    net.eval();
    nn::StateDict dict;
    for (const auto& [name, value] : dict_of(recorded["state"])) dict.set((weight ? "fc." : "conv.") + name, value);
    const auto report = net.load_state_dict(dict, {.strict = false});
    EXPECT_EQ(report.loaded.size(), dict.size());
    EXPECT_TRUE(report.unexpected.empty()) << report.to_string();
    const NoGrad guard;
    net.fc(randn({1, 4}, {.dtype = kFloat64}));
    net.conv(randn({1, 4, 6}, {.dtype = kFloat64}));
    expect_close(weight ? net.fc.weight : net.conv.weight, array(recorded["weight"]));
  }
}

struct Doubled : nn::Module {
  Doubled() : nn::Module("Doubled") {}
  Tensor forward(const Tensor& x) override { return x * 2; }
};

struct Net : nn::Module {
  nn::Linear first = add("first", nn::Linear(4, 4));
  nn::ReLU relu = add("relu", nn::ReLU());
  nn::Linear last = add("last", nn::Linear(4, 2));
  Tensor forward(const Tensor& x) override { return nn::chain(x, first, relu, last); }
};

std::vector<std::string> names(const nn::Module& module) {
  std::vector<std::string> all;
  for (const auto& [name, p] : module.named_parameters()) all.push_back(name);
  return all;
}

TEST(Parametrize, ALayerComputesItsWeightAtEachCallAlsoInAChain) {
  manual_seed(1);
  Net net;
  const Tensor x = randn({3, 4});
  const Tensor original = net.first.weight;
  nn::register_parametrization(net.first, "weight", Doubled());
  EXPECT_THAT(names(net),
              ElementsAre("first.bias", "first.parametrizations.weight.original", "last.weight", "last.bias"));
  EXPECT_EQ(original.name(), "first.parametrizations.weight.original");
  EXPECT_TRUE(nn::is_parametrized(net.first));
  EXPECT_TRUE(nn::is_parametrized(net.first, "weight"));
  EXPECT_FALSE(nn::is_parametrized(net.first, "bias"));
  EXPECT_FALSE(nn::is_parametrized(net.last));
  const auto expected = [&] {
    return linear(relu(linear(x, original * 2, net.first.bias)), net.last.weight, net.last.bias);
  };
  EXPECT_TRUE(equal(net(x), expected()));
  net(x).sum().backward();
  const Tensor gradient = original.grad().clone();
  original.impl()->grad = nullptr;
  expected().sum().backward();
  EXPECT_TRUE(allclose(gradient, original.grad()));
  optim::SGD(net.parameters(), {.lr = 0.5}).step();
  EXPECT_TRUE(equal(net(x), expected()));
  EXPECT_TRUE(equal(net.first.weight, original * 2));
}

TEST(Parametrize, InEvaluationTheValueIsKeptUntilAnOriginalChanges) {
  Net net;
  nn::weight_norm(net.first);
  net.eval();
  const NoGrad guard;
  const Tensor x = randn({3, 4});
  net(x);
  const Tensor kept = net.first.weight;
  net(x);
  EXPECT_TRUE(net.first.weight.is_same(kept));
  Tensor g = net.get_parameter("first.parametrizations.weight.original0");
  g.mul_(2);
  net(x);
  EXPECT_TRUE(allclose(net.first.weight, kept * 2));
  // What is written through a pointer is seen, too.
  g.data_ptr<float>()[0] *= 3;
  net(x);
  EXPECT_TRUE(allclose(net.first.weight[0], kept[0] * 6));
}

TEST(Parametrize, RemovingLeavesTheValueOrTheOriginal) {
  Net net;
  const Tensor x = randn({3, 4});
  const Tensor before = net.first.weight.detach().clone();
  nn::register_parametrization(net.first, "weight", Doubled());
  nn::remove_parametrizations(net.first, "weight", false);
  EXPECT_TRUE(equal(net.first.weight, before));
  EXPECT_FALSE(nn::is_parametrized(net.first));
  EXPECT_EQ(net.first.weight.name(), "first.weight");
  EXPECT_EQ(net.first.type_name(), "Linear");
  EXPECT_THAT(names(net), ElementsAre("first.weight", "first.bias", "last.weight", "last.bias"));

  const Tensor held = net.first.weight;
  nn::register_parametrization(net.first, "weight", Doubled());
  nn::remove_parametrizations(net.first, "weight");
  EXPECT_TRUE(net.first.weight.is_same(held));  // whoever trains the original goes on training the parameter
  EXPECT_TRUE(equal(held, before * 2));

  nn::weight_norm(net.first);
  nn::weight_norm(net.first, "bias");
  const Tensor y = net(x);
  EXPECT_THAT(message_of([&] { nn::remove_parametrizations(net.first, "weight", false); }), HasSubstr("has 2"));
  nn::remove_parametrizations(net.first, "weight");
  EXPECT_TRUE(nn::is_parametrized(net.first));
  nn::remove_parametrizations(net.first, "bias");
  EXPECT_TRUE(allclose(net(x), y));
  EXPECT_TRUE(net.first.weight.requires_grad());
  EXPECT_TRUE(net.first.children().empty());
  EXPECT_THAT(message_of([&] { nn::remove_parametrizations(net.first, "weight"); }), HasSubstr("no parametrization"));
}

TEST(Parametrize, AssigningSetsTheOriginals) {
  Net net;
  nn::weight_norm(net.first);
  const Tensor value = randn({4, 4});
  net.first.weight = nn::Parameter(value);
  EXPECT_TRUE(allclose(net.first.weight, value));
  EXPECT_TRUE(allclose(net.get_parameter("first.parametrizations.weight.original1"), value));
  EXPECT_THAT(message_of([&] { net.first.weight = nn::Parameter(randn({2, 2})); }), HasSubstr("other sizes"));
  nn::register_parametrization(net.last, "weight", Doubled());
  EXPECT_THAT(message_of([&] { net.last.weight = nn::Parameter(randn({2, 4})); }), HasSubstr("right_inverse"));
}

TEST(Parametrize, ClonesHaveOriginalsOfTheirOwn) {
  Net net;
  nn::spectral_norm(net.first);
  const Tensor x = randn({3, 4});
  net.eval();
  const Tensor y = net(x).detach();
  Net copy = nn::clone(net);
  EXPECT_TRUE(nn::is_parametrized(copy.first));
  EXPECT_TRUE(equal(copy(x).detach(), y));
  const NoGrad guard;
  copy.get_parameter("first.parametrizations.weight.original").zero_();
  copy.get_submodule("first.parametrizations.weight.0").buffers()[0].fill_(1);
  EXPECT_TRUE(equal(net(x), y));
  EXPECT_FALSE(equal(copy(x), y));
  // Another handle sees what its module computes.
  nn::Linear same = net.first;
  net.get_parameter("first.parametrizations.weight.original").add_(1);
  net(x);
  EXPECT_TRUE(same.weight.is_same(net.first.weight));
}

TEST(Parametrize, FreezingAndCheckpointsKnowTheOriginals) {
  Net net, other;
  freeze(net.first.weight);
  nn::weight_norm(net.first);
  EXPECT_TRUE(is_frozen(net.get_parameter("first.parametrizations.weight.original0")));
  EXPECT_TRUE(is_frozen(net.get_parameter("first.parametrizations.weight.original1")));
  EXPECT_FALSE(net.first.weight.requires_grad());
  nn::unfreeze(net, "first.parametrizations.*");
  net.first(randn({1, 4})).sum().backward();
  EXPECT_TRUE(net.get_parameter("first.parametrizations.weight.original0").grad().defined());
  nn::weight_norm(other.first);
  other.load_state_dict(net.state_dict());
  const Tensor x = randn({3, 4});
  EXPECT_TRUE(equal(net(x), other(x)));
  net.to(kFloat64);
  EXPECT_EQ(net(x.to(kFloat64)).dtype(), kFloat64);
}

TEST(Parametrize, ByPatternAndOfAttention) {
  manual_seed(2);
  nn::Sequential net(nn::Linear(4, 4), nn::ReLU(), nn::Linear(4, 4));
  EXPECT_THAT(nn::parametrize(net, "*.weight", nn::Symmetric()), ElementsAre("0.weight", "2.weight"));
  for (const char* path : {"0", "2"}) {
    const Tensor w = net.get_submodule(path).as<nn::Linear>()->weight;
    EXPECT_TRUE(equal(w, w.t().contiguous()));
  }
  EXPECT_FALSE(net.get_parameter("0.parametrizations.weight.original")
                   .is_same(net.get_parameter("2.parametrizations.weight.original")));
  nn::MultiheadAttention attention(4, 2);
  nn::parametrize(attention, "*_weight", [](nn::Module& m, const std::string& name) { nn::weight_norm(m, name); });
  const Tensor x = randn({3, 1, 4});
  attention(x, x, x).first.sum().backward();
  EXPECT_TRUE(attention.get_parameter("parametrizations.in_proj_weight.original0").grad().defined());
  EXPECT_THAT(message_of([&] { nn::parametrize(net, "*.wight", nn::Symmetric()); }), HasSubstr("matches '*.wight'"));
}

TEST(Parametrize, RecurrentLayersReadWhatIsComputed) {
  manual_seed(3);
  nn::LSTM lstm(4, 3), plain(4, 3);
  plain.load_state_dict(lstm.state_dict());
  nn::register_parametrization(lstm, "weight_hh_l0", Doubled());
  {
    const NoGrad guard;
    plain.get_parameter("weight_hh_l0").mul_(2);
  }
  const Tensor x = randn({5, 2, 4});
  EXPECT_TRUE(allclose(lstm(x).first, plain(x).first));
  lstm(x).first.sum().backward();
  EXPECT_TRUE(lstm.get_parameter("parametrizations.weight_hh_l0.original").grad().defined());
}

TEST(Parametrize, OnAnotherDeviceIsWhatItIsOnTheCpu) {
  using Way = std::function<void(nn::Linear&)>;
  const std::map<std::string, Way> ways{
      {"weight_norm", [](nn::Linear& m) { nn::weight_norm(m); }},
      {"spectral_norm", [](nn::Linear& m) { nn::spectral_norm(m); }},
      {"matrix_exp", [](nn::Linear& m) { nn::orthogonal(m, "weight", {.orthogonal_map = "matrix_exp"}); }},
      {"cayley", [](nn::Linear& m) { nn::orthogonal(m, "weight", {.orthogonal_map = "cayley"}); }},
      {"householder", [](nn::Linear& m) { nn::orthogonal(m, "weight", {.orthogonal_map = "householder"}); }},
      {"without trivialization",
       [](nn::Linear& m) { nn::orthogonal(m, "weight", {.orthogonal_map = "cayley", .use_trivialization = false}); }},
      {"symmetric", [](nn::Linear& m) { nn::symmetric(m); }},
  };
  const Device device("emulated");
  for (const auto& [name, way] : ways) {
    SCOPED_TRACE(name);
    manual_seed(6);
    const nn::Linear start(4, 4);
    const Tensor x = randn({3, 4});
    const auto run = [&](const Device& at) {
      nn::Linear net(4, 4);
      net.load_state_dict(start.state_dict());
      net.to(at);
      manual_seed(7);
      way(net);
      const Tensor out = net(x.to(at));
      square(out).sum().backward();
      EXPECT_EQ(net.weight.device(), at);
      std::vector<Tensor> all{out.detach().to(kCPU)};
      for (const Tensor& p : net.parameters()) all.push_back(p.grad().to(kCPU));
      return all;
    };
    const auto there = run(device), here = run(kCPU);
    ASSERT_EQ(there.size(), here.size());
    for (std::size_t i = 0; i < here.size(); ++i) EXPECT_TRUE(allclose(there[i], here[i], 1e-5, 1e-6)) << i;
  }
}

TEST(Parametrize, RefusesWhatDoesNotFitAndChangesNothing) {
  Net net;
  EXPECT_THAT(message_of([&] { nn::weight_norm(net.first, "wight"); }),
              HasSubstr("Linear has no parameter 'wight'; it has weight, bias"));
  nn::Linear plain(2, 2, {.bias = false});
  EXPECT_THAT(message_of([&] { nn::weight_norm(plain, "bias"); }), HasSubstr("is absent"));
  EXPECT_THAT(message_of([&] { nn::symmetric(net.last); }), HasSubstr("square"));
  struct Half : nn::Module {
    Tensor forward(const Tensor& x) override { return narrow(x, 0, 0, 1); }
  };
  EXPECT_THAT(message_of([&] { nn::register_parametrization(net.last, "weight", Half()); }),
              HasSubstr("must have the type and the sizes of the parameter, float32 [2, 4], got float32 [1, 4]"));
  EXPECT_THAT(message_of([&] { nn::weight_norm(net.last, "weight", 2); }), HasSubstr("got 2"));
  EXPECT_THAT(message_of([&] { nn::spectral_norm(net.last, "weight", {.n_power_iterations = 0}); }),
              HasSubstr("got 0"));
  EXPECT_THAT(message_of([&] { nn::orthogonal(net.last, "weight", {.orthogonal_map = "qr"}); }), HasSubstr("got 'qr'"));
  EXPECT_THAT(message_of([&] { nn::orthogonal(net.last, "bias"); }), HasSubstr("needs a matrix"));
  EXPECT_THAT(names(net), ElementsAre("first.weight", "first.bias", "last.weight", "last.bias"));
  EXPECT_FALSE(nn::is_parametrized(net.last));
}

TEST(Parametrize, IsReachedByPyTorchsNames) {
  nn::Linear layer(4, 3);
  nn::utils::parametrizations::weight_norm(layer);
  EXPECT_TRUE(nn::utils::parametrize::is_parametrized(layer, "weight"));
  nn::utils::parametrize::remove_parametrizations(layer, "weight");
  EXPECT_FALSE(nn::utils::parametrize::is_parametrized(layer));
}

TEST(Parametrize, GradientsAreThoseOfFiniteDifferences) {
  manual_seed(4);
  auto all = modules();
  for (const char* name : {"weight_norm", "spectral_norm_eval", "orthogonal", "orthogonal_cayley", "orthogonal_tall"}) {
    SCOPED_TRACE(name);
    nn::Module& module = *all.at(name);
    module.eval();
    std::vector<Tensor> inputs;
    auto* list = module.get_submodule("parametrizations.weight").as<nn::ParametrizationList>();
    for (const Tensor& p : list->originals()) inputs.push_back(p.detach().clone().requires_grad_());
    if (std::string(name) != "weight_norm") inputs[0] = randn(inputs[0].sizes(), {.dtype = kFloat64}).requires_grad_();
    auto* step = list->children()[0]->as<nn::Parametrization>();
    const auto fn = [&](const std::vector<Tensor>& x) { return step->compute(x); };
    EXPECT_TRUE(test::gradcheck(fn, inputs));
    EXPECT_TRUE(test::gradgradcheck(fn, inputs));
  }
}

}  // namespace
}  // namespace gradus

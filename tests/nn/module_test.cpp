#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;

struct Net : nn::Module {
  nn::Sequential encoder = add("encoder", nn::Sequential(nn::Linear(4, 3), nn::LeakyReLU(), nn::Linear(3, 2)));
  nn::Linear head = add("head", nn::Linear(2, 5, {.bias = false}));
  nn::Parameter gamma = add("gamma", nn::Parameter(zeros({1})));
  nn::Buffer mean = add("mean", nn::Buffer(ones({2})));
  nn::Buffer scratch = add("scratch", nn::Buffer(ones({2})), false);
  Tensor forward(const Tensor& x) override { return head(encoder(x) * gamma + mean); }
};

std::vector<std::string> names(const nn::Module& m) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : m.named_parameters()) result.push_back(name);
  return result;
}

TEST(Module, NamesAreThoseOfPyTorch) {
  Net net;
  EXPECT_EQ(names(net), (std::vector<std::string>{"gamma", "encoder.0.weight", "encoder.0.bias", "encoder.2.weight",
                                                  "encoder.2.bias", "head.weight"}));
  for (const auto& [name, tensor] : net.named_parameters()) EXPECT_EQ(tensor.name(), name);
  std::vector<std::string> modules;
  for (const auto& [name, module] : net.named_modules()) modules.push_back(name);
  EXPECT_EQ(modules, (std::vector<std::string>{"", "encoder", "encoder.0", "encoder.1", "encoder.2", "head"}));
  EXPECT_EQ(net.state_dict().keys(), (std::vector<std::string>{"gamma", "mean", "encoder.0.weight", "encoder.0.bias",
                                                               "encoder.2.weight", "encoder.2.bias", "head.weight"}));
  EXPECT_EQ(net.get_submodule("encoder.2").type_name(), "Linear");
  EXPECT_EQ(net.get_parameter("head.weight").sizes(), (Shape{5, 2}));
  EXPECT_NE(message_of([&] { net.get_submodule("encoder.7"); }).find("no module '7'"), std::string::npos);
  EXPECT_THROW(net.get_parameter("nothing"), ValueError);
}

TEST(Module, PrintsAsPyTorch) {
  EXPECT_EQ(Net().to_string(),
            "Net(\n"
            "  (encoder): Sequential(\n"
            "    (0): Linear(in_features=4, out_features=3, bias=True)\n"
            "    (1): LeakyReLU(negative_slope=0.01)\n"
            "    (2): Linear(in_features=3, out_features=2, bias=True)\n"
            "  )\n"
            "  (head): Linear(in_features=2, out_features=5, bias=False)\n"
            ")");
  EXPECT_EQ(nn::Dropout(0.5).to_string(), "Dropout(p=0.5, inplace=False)");
  EXPECT_EQ(nn::ReLU(true).to_string(), "ReLU(inplace=True)");
  EXPECT_EQ(nn::Softplus().to_string(), "Softplus(beta=1.0, threshold=20.0)");
}

TEST(Module, HandlesShareAndClonesDoNot) {
  Net net;
  Net same = net;
  EXPECT_TRUE(same.is_same(net));
  EXPECT_TRUE(same.gamma.is_same(net.gamma));
  Net copy = nn::clone(net);
  EXPECT_EQ(names(copy), names(net));
  for (std::size_t i = 0; i < net.parameters().size(); ++i) {
    EXPECT_FALSE(copy.parameters()[i].is_same(net.parameters()[i]));
    EXPECT_TRUE(equal(copy.parameters()[i], net.parameters()[i]));
  }
  // The copy's members are the copy's.
  nn::init::ones_(copy.gamma);
  EXPECT_EQ(copy.get_parameter("gamma").item(), 1);
  EXPECT_EQ(net.gamma.item(), 0);
  const Tensor x = randn({2, 4});
  EXPECT_FALSE(equal(copy(x), net(x)));
  copy.gamma = nn::Parameter(full({1}, 3.0));
  EXPECT_EQ(copy.get_parameter("gamma").item(), 3);
  EXPECT_EQ(net.get_parameter("gamma").item(), 0);
}

TEST(Module, AssigningAMemberRegistersItAnew) {
  Net net;
  const Tensor old = net.head.weight;
  net.head = nn::Linear(2, 7);
  EXPECT_EQ(names(net).back(), "head.bias");
  EXPECT_EQ(net.get_parameter("head.weight").sizes(), (Shape{7, 2}));
  EXPECT_EQ(net.head.weight.name(), "head.weight");
  EXPECT_EQ(net(randn({3, 4})).sizes(), (Shape{3, 7}));
  // A copied handle is a variable of its own.
  nn::Sequential encoder = net.encoder;
  encoder = nn::Sequential(nn::Linear(1, 1));
  EXPECT_EQ(net.get_parameter("encoder.0.weight").sizes(), (Shape{3, 4}));
  // Assigning the whole network rebinds it, and its members with it.
  Net backup;
  backup = Net();
  Net other;
  const Net keeps = other;
  other = Net();
  EXPECT_FALSE(other.is_same(keeps));
  EXPECT_TRUE(keeps.named_parameters()[0].second.is_same(keeps.gamma));
  other.gamma = nn::Parameter(full({1}, 2.0));
  EXPECT_EQ(other.get_parameter("gamma").item(), 2);
  EXPECT_EQ(keeps.get_parameter("gamma").item(), 0);
}

TEST(Module, TiedParametersAppearOnce) {
  struct Tied : nn::Module {
    nn::Linear a = add("a", nn::Linear(3, 3, {.bias = false}));
    nn::Linear b = add("b", nn::Linear(3, 3, {.bias = false}));
  } net;
  net.b.weight = net.a.weight;
  EXPECT_EQ(names(net), std::vector<std::string>{"a.weight"});
  EXPECT_EQ(net.state_dict().keys(), (std::vector<std::string>{"a.weight", "b.weight"}));
  EXPECT_EQ(net.a.weight.name(), "a.weight");
  Tied copy = nn::clone(net);
  EXPECT_TRUE(copy.a.weight.is_same(copy.b.weight));
}

TEST(Module, RefusesBadNames) {
  struct Odd : nn::Module {
  } net;
  static_cast<void>(net.add("x", nn::Linear(1, 1)));
  EXPECT_NE(message_of([&] { static_cast<void>(net.add("x", nn::Linear(1, 1))); }).find("taken by a module, got 'x'"),
            std::string::npos);
  EXPECT_THROW(static_cast<void>(net.add("x", nn::Parameter(zeros({1})))), ValueError);
  EXPECT_THROW(static_cast<void>(net.add("a.b", nn::Linear(1, 1))), ValueError);
  EXPECT_THROW(static_cast<void>(net.add("", nn::Linear(1, 1))), ValueError);
  EXPECT_THROW(nn::Parameter(zeros({1}, {.requires_grad = true}) * 2), AutogradError);
  EXPECT_NE(message_of([&] { net(zeros({1})); }).find("forward of one tensor is not defined"), std::string::npos);
}

TEST(Module, ApplyGoesToChildrenFirst) {
  Net net;
  std::vector<std::string> order;
  net.apply([&](nn::Module& m) {
    order.push_back(m.type_name());
    if (auto* linear = m.as<nn::Linear>()) nn::init::constant_(linear->weight, 2);
  });
  EXPECT_EQ(order, (std::vector<std::string>{"Linear", "LeakyReLU", "Linear", "Sequential", "Linear", "Net"}));
  EXPECT_EQ(net.head.weight.sum().item(), 20);
}

TEST(Module, ModesAndConversion) {
  Net net;
  EXPECT_TRUE(net.is_training());
  net.eval();
  EXPECT_FALSE(net.encoder.is_training());
  net.train();
  EXPECT_TRUE(net.encoder[1].is_training());
  const Tensor weight = net.head.weight;
  net.to(kFloat64);
  EXPECT_EQ(weight.dtype(), kFloat64);
  EXPECT_EQ(net.mean.dtype(), kFloat64);
  EXPECT_EQ(net(randn({2, 4}, {kFloat64})).dtype(), kFloat64);
  EXPECT_THROW(net.to(kInt64), DtypeError);
  EXPECT_NE(message_of([&] { net.cuda(); }).find("there is no device cuda:0"), std::string::npos);
  net.requires_grad_(false);
  for (const Tensor& p : net.parameters()) EXPECT_FALSE(p.requires_grad());
}

TEST(LoadStateDict, StrictPartialAndUnchangedOnRefusal) {
  Net a, b;
  nn::init::ones_(a.gamma);
  EXPECT_EQ(b.load_state_dict(a.state_dict()).loaded.size(), 7u);
  for (const auto& [name, tensor] : a.state_dict()) EXPECT_TRUE(equal(tensor, b.state_dict().at(name)));

  nn::StateDict dict = nn::clone(a).state_dict();
  dict.set("gamma", full({1}, 9.0));
  dict.set("extra", ones({1}));
  dict.erase("mean");
  EXPECT_NE(message_of([&] { b.load_state_dict(dict); }).find("missing: mean; 1 unexpected: extra"), std::string::npos);
  EXPECT_EQ(b.gamma.item(), 1);
  dict.set("head.weight", ones({6, 2}));
  EXPECT_NE(message_of([&] {
              b.load_state_dict(dict, {.strict = false});
            }).find("head.weight: [5, 2] in the module, [6, 2] in the dict"),
            std::string::npos);
  EXPECT_EQ(b.gamma.item(), 1);
  const auto report = b.load_state_dict(dict, {.strict = false, .skip_mismatched = true});
  EXPECT_EQ(report.missing, std::vector<std::string>{"mean"});
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"extra"});
  EXPECT_EQ(report.mismatched.size(), 1u);
  EXPECT_EQ(b.gamma.item(), 9);
}

TEST(Containers, SequentialIndexesSlicesAndNests) {
  Net net;
  EXPECT_EQ(net.encoder.size(), 3u);
  EXPECT_EQ(net.encoder[-1].type_name(), "Linear");
  EXPECT_THROW(net.encoder[3], IndexError);
  nn::Sequential part = net.encoder.slice(0, 2);
  EXPECT_EQ(part(randn({1, 4})).sizes(), (Shape{1, 3}));
  EXPECT_TRUE(part.parameters()[0].is_same(net.encoder.parameters()[0]));
  EXPECT_EQ(net.encoder.parameters()[0].name(), "encoder.0.weight");
  EXPECT_TRUE(nn::Sequential().parameters().empty());
  const Tensor x = randn({2, 2});
  EXPECT_TRUE(equal(nn::Sequential()(x), x));
  EXPECT_EQ(nn::Sequential(nn::Sequential(nn::Tanh()), nn::Tanh()).named_modules().size(), 4u);
}

TEST(Containers, AModuleListOfRegisteredLayersIsTheArticlesIdiom) {
  Net net;
  nn::ModuleList special(net.encoder[0], net.encoder[2]);
  EXPECT_EQ(special.parameters().size(), 4u);
  EXPECT_TRUE(special.parameters()[0].is_same(net.encoder.parameters()[0]));
  EXPECT_EQ(special.parameters()[0].name(), "encoder.0.weight");
  const auto chosen = special.parameters();
  const auto base = optim::filter(net, [&](const Tensor& p) {
    return std::none_of(chosen.begin(), chosen.end(), [&](const Tensor& q) { return q.is_same(p); });
  });
  EXPECT_EQ(base.size(), 2u);
  nn::ModuleDict dict;
  dict.set("a", nn::Tanh());
  EXPECT_TRUE(dict.contains("a"));
  EXPECT_THROW(dict["b"], ValueError);
  nn::ParameterList list({zeros({2}), ones({3})});
  EXPECT_EQ(list[1].sizes(), Shape{3});
  EXPECT_EQ(names(list), (std::vector<std::string>{"0", "1"}));
}

TEST(Containers, DataParallelNamesItsModule) {
  nn::DataParallel<Net> parallel{Net()};
  EXPECT_EQ(names(parallel)[0], "module.gamma");
  std::size_t i = 0;
  for (Tensor& p : parallel.module.encoder.parameters()) p.requires_grad_(i++ >= 2);
  EXPECT_FALSE(parallel.get_parameter("module.encoder.0.weight").requires_grad());
  EXPECT_TRUE(parallel.get_parameter("module.encoder.2.weight").requires_grad());
}

TEST(Layers, StartAsPyTorchsDo) {
  manual_seed(1);
  const nn::Linear linear(100, 2000);
  EXPECT_LE(linear.weight.abs().max().item(), 0.1);
  EXPECT_GT(linear.weight.abs().max().item(), 0.0999);
  EXPECT_NEAR(linear.weight.detach().var().item(), 0.01 / 3, 3e-5);
  const nn::Embedding table(1000, 50, {.padding_idx = 3});
  EXPECT_NEAR(table.weight.detach().std().item(), 1, 0.02);
  EXPECT_EQ(table.weight.detach().select(0, 3).abs().max().item(), 0);
  EXPECT_THROW(nn::Embedding(4, 2, {.padding_idx = 4}), IndexError);
  nn::Dropout dropout(0.25);
  const Tensor y = dropout(ones({10000}));
  EXPECT_NEAR(y.mean().item(), 1, 0.03);
  EXPECT_TRUE(equal(y * (y - 1 / 0.75), zeros({10000})));
  dropout.eval();
  EXPECT_TRUE(equal(dropout(y), y));
  EXPECT_THROW(nn::Dropout(1.5), ValueError);
}

TEST(Init, FansGainsAndShapes) {
  manual_seed(2);
  Tensor w = empty({40, 20, 3, 3});
  EXPECT_EQ(nn::init::calculate_fans(w).in, 180);
  EXPECT_EQ(nn::init::calculate_fans(w).out, 360);
  nn::init::xavier_uniform_(w);
  EXPECT_NEAR(w.var().item(), 2.0 / 540, 2e-4);
  nn::init::kaiming_normal_(w, 0, nn::init::FanMode::FanOut, "relu");
  EXPECT_NEAR(w.var().item(), 2.0 / 360, 4e-4);
  EXPECT_NEAR(nn::init::calculate_gain("leaky_relu", 0.2), std::sqrt(2 / 1.04), 1e-12);
  EXPECT_THROW(nn::init::calculate_gain("nothing"), ValueError);
  Tensor vector = empty({3});
  EXPECT_THROW(nn::init::xavier_normal_(vector), ShapeError);
  for (const Shape& sizes : {Shape{6, 4}, Shape{4, 6}, Shape{5, 5}}) {
    Tensor q = empty(sizes, {kFloat64});
    nn::init::orthogonal_(q, 2);
    const Tensor product = sizes[0] < sizes[1] ? matmul(q, q.t()) : matmul(q.t(), q);
    EXPECT_TRUE(allclose(product, eye(product.size(0), {}, {kFloat64}) * 4.0, 1e-10, 1e-10));
  }
  Tensor t = empty({10000});
  nn::init::trunc_normal_(t, 0, 1, -0.5, 1);
  EXPECT_GE(t.min().item(), -0.5);
  EXPECT_LE(t.max().item(), 1);
  Tensor s = empty({10, 7});
  nn::init::sparse_(s, 0.3);
  EXPECT_EQ(sum(s == 0).item<int>(), 21);
  Tensor d = empty({4, 2, 3});
  nn::init::dirac_(d, 2);
  EXPECT_EQ(d.sum().item(), 4);
  EXPECT_EQ(d.select(0, 3).select(0, 1).select(0, 1).item(), 1);
}

TEST(Losses, ModulesCarryTheirOptions) {
  const Tensor x = randn({4, 3}), y = tensor({0, 1, 2, 0});
  nn::CrossEntropyLoss criterion({.reduction = nn::Reduction::Sum});
  EXPECT_TRUE(equal(criterion(x, y), nn::functional::cross_entropy(x, y, {.reduction = nn::Reduction::Sum})));
  EXPECT_EQ(criterion.to_string(), "CrossEntropyLoss()");
  nn::MSELoss mse;
  EXPECT_EQ(mse(x, x).item(), 0);
}

TEST(ModuleHooks, RunAroundForwardAndMayReplaceWhatPasses) {
  nn::Sequential net(nn::Linear(2, 2), nn::ReLU());
  std::vector<std::string> seen;
  const auto before = net[0].register_forward_pre_hook([&](nn::Module& m, const Tensor& x) {
    seen.push_back("before " + m.type_name());
    return x * 2;
  });
  const auto after = net[0].register_forward_hook([&](nn::Module&, const Tensor& x, const Tensor& y) {
    seen.push_back("after");
    EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{2, 2}));
    EXPECT_EQ(y.sizes(), (Shape{1, 2}));
    return zeros_like(y) + 5;
  });
  EXPECT_EQ(net(ones({1, 2})).to_vector<float>(), (std::vector<float>{5, 5}));
  EXPECT_EQ(seen, (std::vector<std::string>{"before Linear", "after"}));
  // Another handle is the same module; a copy has hooks of its own.
  nn::Module& handle = net[0];
  nn::Sequential copy = nn::clone(net);
  handle.remove_hook(after);
  EXPECT_NE(net(ones({1, 2})).to_vector<float>(), (std::vector<float>{5, 5}));
  EXPECT_EQ(copy(ones({1, 2})).to_vector<float>(), (std::vector<float>{5, 5}));
  // One may take itself away, and an undefined tensor changes nothing.
  net[0].remove_hook(before);
  const Tensor plain = net(ones({1, 2}));
  std::size_t once = 0;
  int calls = 0;
  once = net[0].register_forward_hook([&](nn::Module& m, const Tensor&, const Tensor&) {
    ++calls;
    m.remove_hook(once);
    return Tensor();
  });
  EXPECT_TRUE(equal(net(ones({1, 2})), plain));
  EXPECT_TRUE(equal(net(ones({1, 2})), plain));
  EXPECT_EQ(calls, 1);
  EXPECT_THROW(net.register_forward_hook({}), ValueError);
}

// As PyTorch's register_parameter("bias", None).
TEST(Module, AnAbsentParameterIsRegistered) {
  struct Net : nn::Module {
    nn::Parameter bias = register_parameter("bias", Tensor());
    nn::Buffer mean = register_buffer("mean", Tensor());
  } net;
  EXPECT_FALSE(net.bias.defined());
  EXPECT_TRUE(net.parameters().empty());
  net.to(kFloat64);
  net.zero_grad();
  EXPECT_TRUE(net.state_dict().empty());
  EXPECT_THROW(static_cast<void>(net.register_parameter("bias", ones({1}))), ValueError);
  net.bias = nn::Parameter(ones({2}));
  EXPECT_EQ(net.named_parameters().at(0).first, "bias");
}

}  // namespace
}  // namespace gradus

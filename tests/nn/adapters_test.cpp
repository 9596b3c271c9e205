// Adapters on networks: what trains, what runs, what is merged. Against PEFT: tests/training/adapter_files_test.cpp.
#include <gradus/autograd.h>
#include <gradus/gradus.h>
#include <gradus/nn/adapters.h>

#include <gmock/gmock.h>

#include <functional>
#include <map>

#include "support/gradcheck.h"
#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Net : nn::Module {
  nn::Linear fc1 = add("fc1", nn::Linear(5, 8));
  nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(8));
  nn::ReLU relu = add("relu", nn::ReLU());
  nn::Linear fc2 = add("fc2", nn::Linear(8, 3));
  Tensor forward(const Tensor& x) override { return nn::chain(x, fc1, norm, relu, fc2); }
};

using Bits = std::map<std::string, std::vector<double>>;
Bits values(const nn::Module& net, const std::function<bool(const std::string&)>& wanted) {
  Bits all;
  for (const auto& [name, p] : net.named_parameters())
    if (wanted(name)) all[name] = p.to_vector<double>();
  for (const auto& [name, b] : net.named_buffers())
    if (wanted(name)) all[name] = b.to_vector<double>();
  return all;
}
bool is_base(const std::string& name) { return name.find("adapters.") == std::string::npos; }

void start(nn::Module& net, const std::string& name, double deviation = 0.3) {
  const NoGrad guard;
  for (Tensor p : nn::adapter_parameters(net, name)) p.normal_(0, deviation);
}

TEST(Adapters, OnlyTheAdapterTrainsAndTheBaseKeepsItsBits) {
  manual_seed(1);
  Net net;
  const Tensor x = randn({6, 5}), y = net.eval()(x).detach();
  EXPECT_THAT(nn::lora(net, "fc*", {.rank = 2, .alpha = 4}), ElementsAre("fc1", "fc2"));
  EXPECT_TRUE(equal(net(x).detach(), y));  // B is zero
  net.train();
  EXPECT_FALSE(net.norm.is_training());
  const Bits before = values(net, is_base);
  optim::AdamW optimizer(net.parameters(), {.lr = 0.1, .weight_decay = 0.1});
  for (int i = 0; i < 5; ++i) optimizer.minimize(mean(square(net(x) - 1)));
  EXPECT_EQ(values(net, is_base), before);
  EXPECT_FALSE(equal(net(x).detach(), y));
  EXPECT_EQ(nn::adapter_parameters(net).size(), 4U);
  EXPECT_EQ(nn::named_adapter_parameters(net)[0].first, "fc1.adapters.default.lora_A");
  EXPECT_EQ(nn::adapter_parameters(net)[0].name(), "fc1.adapters.default.lora_A");
}

TEST(Adapters, ALinearLayerComputesWithTheSumOfBothMatricesAlsoInAChain) {
  manual_seed(2);
  Net net;
  net.to(kFloat64).eval();
  nn::lora(net, "fc1", {.rank = 3, .alpha = 6});
  start(net, "default");
  const auto p = nn::adapter_parameters(net);
  const Tensor weight = net.fc1.weight + matmul(p[1], p[0]) * 2.0, x = randn({4, 5}, {.dtype = kFloat64});
  const Tensor expected = net.fc2(relu(net.norm(linear(x, weight, net.fc1.bias))));
  EXPECT_TRUE(allclose(net(x), expected, 1e-12, 1e-12));
  const auto fn = [&](const std::vector<Tensor>&) { return net(x); };
  EXPECT_TRUE(test::gradcheck(fn, p));
  nn::unload_adapters(net);
  EXPECT_TRUE(net.fc1.children().empty());
  EXPECT_TRUE(net.fc1.state()->hooks.empty());
}

TEST(Adapters, AStepOfOneMovesNoBitOfAnother) {
  manual_seed(3);
  Net net;
  for (const char* name : {"a", "b", "c"}) {
    nn::lora(net, "fc*", {.rank = 2, .name = name});
    start(net, name);
  }
  EXPECT_THAT(nn::adapter_names(net), ElementsAre("a", "b", "c"));
  EXPECT_THAT(nn::active_adapters(net), ElementsAre("a"));
  optim::AdamW a(nn::adapter_parameters(net, "a"), {.lr = 0.1, .weight_decay = 0.1});
  optim::SGD b(nn::adapter_parameters(net, "b"), {.lr = 0.1, .momentum = 0.9});
  optim::AdamW all(net.parameters(), {.lr = 0.1, .weight_decay = 0.1});
  const auto of = [](const std::string& name) {
    return [name](const std::string& own) { return own.find("adapters." + name + ".") != std::string::npos; };
  };
  const Tensor x = randn({6, 5});
  const auto train = [&](const std::string& name, optim::Optimizer& optimizer) {
    nn::set_adapter(net, name);
    std::map<std::string, Bits> before;
    for (const char* other : {"a", "b", "c"}) before[other] = values(net, of(other));
    const Bits base = values(net, is_base);
    optimizer.zero_grad();
    mean(square(net(x))).backward();
    optimizer.step();
    for (const char* other : {"a", "b", "c"}) {
      if (other == name) {
        EXPECT_NE(values(net, of(other)), before[other]);
      } else {
        EXPECT_EQ(values(net, of(other)), before[other]) << name << " moved " << other;
      }
    }
    EXPECT_EQ(values(net, is_base), base);
  };
  for (int i = 0; i < 3; ++i) {
    train("a", a);
    train("b", b);
  }
  train("c", all);  // those that did not run have no gradient
  // Each is what it would be alone.
  nn::set_adapter(net, "b");
  const Tensor with_b = net(x).detach();
  nn::delete_adapter(net, "a");
  nn::delete_adapter(net, "c");
  EXPECT_TRUE(equal(net(x).detach(), with_b));
  nn::set_adapter(net, "");
  EXPECT_THAT(nn::active_adapters(net), IsEmpty());
  EXPECT_THAT(message_of([&] { nn::set_adapter(net, "a"); }),
              HasSubstr("no layer of Net has an adapter 'a'; there are b"));
}

TEST(Adapters, SeveralAddUpAndSamplesMayUseTheirOwn) {
  manual_seed(4);
  Net net;
  net.to(kFloat64).eval();
  nn::lora(net, "fc*", {.rank = 2, .name = "a"});
  nn::lora(net, "fc2", {.rank = 3, .name = "b"});
  nn::ia3(net, "fc1", {.name = "c"});
  for (const char* name : {"a", "b", "c"}) start(net, name);
  const Tensor x = randn({5, 5}, {.dtype = kFloat64});
  std::map<std::string, Tensor> alone;
  for (const char* name : {"", "a", "b", "c"}) {
    nn::set_adapter(net, name);
    alone[name] = net(x).detach();
  }
  const std::vector<std::string> names{"b", "a", "", "c", "a"};
  Tensor y;
  {
    const nn::BatchAdapters batch(net, names);
    y = net(x);
    EXPECT_THAT(message_of([&] { net(x[0].unsqueeze(0)); }), HasSubstr("one name for each sample, got 5"));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_TRUE(allclose(y[row], alone[names[i]][row], 1e-13, 1e-13)) << i;
  }
  y.sum().backward();
  for (const char* name : {"a", "b", "c"})
    for (const Tensor& p : nn::adapter_parameters(net, name)) EXPECT_TRUE(p.grad().defined()) << p.name();
  // The gradient of an adapter is that of its own samples.
  const Tensor g = nn::adapter_parameters(net, "a")[1].grad().clone();
  net.zero_grad();
  nn::set_adapter(net, "a");
  const Tensor own = net(x);
  (own[1].sum() + own[4].sum()).backward();
  EXPECT_TRUE(allclose(g, nn::adapter_parameters(net, "a")[1].grad(), 1e-12, 1e-12));
  EXPECT_THAT(message_of([&] { nn::BatchAdapters(net, {"a", "d"}); }), HasSubstr("'d'"));
  nn::set_adapters(net, {"a", "b"});
  const Tensor both = net(x).detach();
  EXPECT_FALSE(allclose(both, alone["a"]));
  EXPECT_FALSE(allclose(both, alone["b"]));
}

TEST(Adapters, MergingReportsAndUnmergingGivesTheBitsBack) {
  manual_seed(5);
  for (const Dtype dtype : {kFloat32, kBFloat16, kFloat16}) {
    SCOPED_TRACE(to_string(dtype));
    Net net;
    net.to(dtype).eval();
    nn::lora(net, "fc*", {.rank = 2});
    start(net, "default", 0.05);
    EXPECT_EQ(nn::adapter_parameters(net)[0].dtype(), kFloat32);
    const Bits before = values(net, is_base);
    const Tensor x = randn({6, 5}).to(dtype), y = net(x).detach();
    EXPECT_EQ(y.dtype(), dtype);
    net.train();
    const auto report = nn::merge_adapter(net, "default", [&] { return net(x); });
    EXPECT_TRUE(net.is_training());
    EXPECT_THAT(report.layers, ElementsAre("fc1", "fc2"));
    EXPECT_GT(report.largest_weight_change, 0.001);
    EXPECT_NEAR(report.largest_output, abs(y.to(kFloat64)).max().item(), 1e-6);
    EXPECT_LT(report.largest_output_change, dtype == kFloat32 ? 1e-5 : 0.1);
    EXPECT_NE(values(net, is_base), before);
    EXPECT_THAT(message_of([&] { nn::set_adapter(net, ""); }), HasSubstr("unmerge it first"));
    EXPECT_THAT(message_of([&] { nn::merge_adapter(net); }), HasSubstr("is merged into the weights of fc1"));
    Net copy = nn::clone(net);
    nn::unmerge_adapter(copy);
    EXPECT_EQ(values(copy, is_base), before);
    EXPECT_NE(values(net, is_base), before);
    nn::unmerge_adapter(net);
    EXPECT_EQ(values(net, is_base), before);
    net.eval();
    EXPECT_TRUE(equal(net(x).detach(), y));
    EXPECT_THAT(message_of([&] { nn::unmerge_adapter(net); }), HasSubstr("no adapter"));
    EXPECT_THAT(message_of([&] { nn::merge_adapter(net, "x"); }), HasSubstr("merge_adapter: no layer of"));
  }
}

TEST(Adapters, WhatCannotBeMergedIsRefusedAndNothingChanges) {
  manual_seed(6);
  Net net;
  nn::bottleneck(net, "fc1", {.size = 2, .name = "small"});
  const Bits before = values(net, is_base);
  EXPECT_THAT(message_of([&] { nn::merge_adapter(net, "small"); }), HasSubstr("cannot be merged"));
  nn::lora(net, "fc*", {.rank = 2, .name = "a"});
  start(net, "a");
  EXPECT_THAT(
      message_of([&] { nn::merge_adapter(net, "a", []() -> Tensor { throw ValueError("the sample failed"); }); }),
      HasSubstr("the sample failed"));
  EXPECT_EQ(values(net, is_base), before);
  struct Tied : nn::Module {
    nn::Embedding table = add("table", nn::Embedding(7, 5));
    nn::Linear head = add("head", nn::Linear(5, 7, {.bias = false}));
    Tied() { head.weight = table.weight; }
    Tensor forward(const Tensor& x) override { return head(table(x)); }
  } tied;
  nn::lora(tied, "head", {.rank = 2});
  start(tied, "default");
  EXPECT_THAT(message_of([&] { nn::merge_adapter(tied); }), HasSubstr("is shared with another module"));
}

TEST(Adapters, AnInt8BaseGivesNearlyTheSameAndTrainsItsAdapter) {
  manual_seed(7);
  Net net;
  net.eval();
  const Tensor x = randn({6, 5}), y = net(x).detach();
  EXPECT_THAT(nn::quantize_int8(net), ElementsAre("fc1", "fc2"));
  EXPECT_EQ(net.fc1.weight.dtype(), kInt8);
  EXPECT_TRUE(allclose(net(x).detach(), y, 0.05, 0.05)) << net(x) << y;
  nn::lora(net, "fc*", {.rank = 2});
  optim::AdamW optimizer(nn::adapter_parameters(net), {.lr = 0.05});
  const Bits before = values(net, is_base);
  const double first = mean(square(net(x) - 1)).item();
  for (int i = 0; i < 30; ++i) optimizer.minimize(mean(square(net(x) - 1)));
  EXPECT_LT(mean(square(net(x) - 1)).item(), 0.5 * first);
  EXPECT_EQ(values(net, is_base), before);
  EXPECT_THAT(message_of([&] { nn::merge_adapter(net); }), HasSubstr("is int8"));
  Net copy;
  nn::quantize_int8(copy);
  nn::lora(copy, "fc*", {.rank = 2});
  copy.eval();
  copy.load_state_dict(net.state_dict());
  EXPECT_TRUE(equal(copy(x), net(x)));
  const auto gradient = [&](const std::vector<Tensor>& in) { return net.fc1(in[0].to(kFloat32)).to(kFloat64); };
  const Tensor in = randn({2, 5}, {.dtype = kFloat64}).requires_grad_();
  EXPECT_TRUE(test::gradcheck(gradient, {in}, {.eps = 1e-2, .atol = 1e-3, .rtol = 1e-2}));
}

TEST(Adapters, AnInt8BaseTakesFloatingPointWeightsAndGivesThem) {
  manual_seed(17);
  Net net, small, back;
  const nn::StateDict floats = net.state_dict();
  nn::quantize_int8(small);
  small.load_state_dict(floats);  // quantised as it is loaded
  nn::quantize_int8(net);
  EXPECT_TRUE(equal(small.fc1.weight, net.fc1.weight));
  EXPECT_TRUE(equal(small.state_dict().at("fc1.weight_scale"), net.state_dict().at("fc1.weight_scale")));
  EXPECT_TRUE(equal(small.state_dict().at("fc2.weight_scale"), net.state_dict().at("fc2.weight_scale")));
  back.load_state_dict(small.state_dict());  // and into floating point again
  const Tensor x = randn({6, 5});
  for (nn::Module* module : {static_cast<nn::Module*>(&small), static_cast<nn::Module*>(&back)}) module->eval();
  EXPECT_TRUE(allclose(back(x), small(x), 1e-5, 1e-6));

  nn::StateDict spoilt = back.state_dict();
  Tensor w = spoilt.at("fc1.weight").clone();
  w[0][0].fill_(std::numeric_limits<double>::infinity());
  spoilt.set("fc1.weight", w);
  EXPECT_THAT(message_of([&] { small.load_state_dict(spoilt); }),
              HasSubstr("'fc1.weight' has numbers that are not finite"));
  nn::StateDict both = back.state_dict();
  both.set("fc1.weight_scale", ones({both.at("fc1.weight").size(0)}));
  EXPECT_THAT(message_of([&] { small.load_state_dict(both); }),
              HasSubstr("fc1.weight: int8 with a scale in the module, float32 in the dict"));
  EXPECT_TRUE(equal(small.fc1.weight, net.fc1.weight));
}

TEST(Adapters, ConvolutionsTablesAndDora) {
  manual_seed(8);
  nn::Sequential net(nn::Embedding(9, 4), nn::Conv1d(4, 6, 3, {.stride = 2, .padding = 1, .dilation = 2}));
  net.to(kFloat64);
  const auto forward = [&] { return net[1](transpose(net[0](reshape(arange(9), {1, 9})), 1, 2)); };
  for (const bool dora : {false, true}) {
    SCOPED_TRACE(dora);
    const std::string name = dora ? "dora" : "plain";
    nn::lora(net, dora ? "1" : "*", {.rank = 2, .alpha = 3, .rslora = true, .dora = dora, .name = name});
    nn::set_adapter(net, name);
    {
      const NoGrad guard;
      for (Tensor p : nn::adapter_parameters(net, name))
        if (!p.name().ends_with("magnitude_vector")) p.normal_(0, 0.4);
    }
    const Tensor y = forward().detach();
    const auto report = nn::merge_adapter(net, name, forward);
    EXPECT_LT(report.largest_output_change, 1e-12);
    EXPECT_TRUE(allclose(forward(), y, 1e-12, 1e-12));
    nn::unmerge_adapter(net);
  }
}

TEST(Adapters, AttentionTakesLoraAndPrefixes) {
  manual_seed(9);
  nn::MultiheadAttention attention(8, 2, {.add_bias_kv = true, .batch_first = true, .dtype = kFloat64});
  const Tensor x = randn({3, 4, 8}, {.dtype = kFloat64}), z = randn({3, 5, 8}, {.dtype = kFloat64});
  struct Holder : nn::Module {
    nn::MultiheadAttention attn;
    explicit Holder(const nn::MultiheadAttention& a) : attn(add("attn", a)) {}
  } net(attention);
  EXPECT_THAT(nn::lora(net, "attn", {.rank = 2, .name = "a"}), ElementsAre("attn", "attn.out_proj"));
  start(net, "a");
  // Query, key and value by themselves, and all at once, see the same matrices.
  const Tensor together = net.attn(x, x, x, {.need_weights = false}).first.detach();
  EXPECT_TRUE(allclose(net.attn(x, x.clone(), x.clone(), {.need_weights = false}).first, together, 1e-12, 1e-12));
  const Tensor crossed = net.attn(x, z, z).first.detach();
  nn::merge_adapter(net, "a");
  EXPECT_TRUE(allclose(net.attn(x, z, z).first, crossed, 1e-12, 1e-12));
  EXPECT_TRUE(allclose(net.attn(x, x, x, {.need_weights = false}).first, together, 1e-12, 1e-12));
  nn::unmerge_adapter(net);

  nn::prefix(net, "attn", {.tokens = 3, .name = "front"});
  nn::set_adapter(net, "front");
  start(net, "front", 1);
  const auto [with_weights, weights] = net.attn(x, z, z, {.is_causal = false});
  EXPECT_EQ(weights.sizes(), (Shape{3, 4, 6}));              // and the bias
  EXPECT_TRUE((sum(weights, {-1}) < 1).all().item<bool>());  // the rest went to the prefix
  const Tensor fast = net.attn(x, z, z, {.need_weights = false}).first;
  EXPECT_TRUE(allclose(with_weights, fast, 1e-12, 1e-12));
  const Tensor causal = net.attn(x, x, x, {.is_causal = true}).first;
  Tensor later = x.clone();
  later[{Slice{}, 3}] = 0.0;
  EXPECT_TRUE(allclose(narrow(causal, 1, 0, 3),
                       narrow(net.attn(later, later, later, {.is_causal = true}).first, 1, 0, 3), 1e-12, 1e-12));
  fast.sum().backward();
  for (const Tensor& p : nn::adapter_parameters(net, "front")) EXPECT_TRUE(p.grad().defined());
}

TEST(Adapters, BitfitTrainsBiasesAlone) {
  Net net;
  EXPECT_THAT(nn::bitfit(net, "fc*"), ElementsAre("fc1.bias", "fc2.bias"));
  for (const auto& [name, p] : net.named_parameters())
    EXPECT_EQ(p.requires_grad(), name.starts_with("fc") && name.ends_with("bias")) << name;
  EXPECT_THAT(message_of([&] { nn::bitfit(net, "fc3*"); }), HasSubstr("matches 'fc3*'"));
}

TEST(Adapters, ClonesAndCheckpointsHaveThem) {
  manual_seed(10);
  Net net;
  net.eval();
  nn::lora(net, "fc*", {.rank = 2, .dropout = 0.5});
  start(net, "default");
  const Tensor x = randn({6, 5}), y = net(x).detach();
  Net copy = nn::clone(net);
  EXPECT_TRUE(equal(copy(x).detach(), y));
  start(copy, "default");
  EXPECT_FALSE(equal(copy(x).detach(), y));
  EXPECT_TRUE(equal(net(x).detach(), y));
  Net other;
  nn::lora(other, "fc*", {.rank = 2});
  other.load_state_dict(net.state_dict());
  EXPECT_TRUE(equal(other.eval()(x).detach(), y));
  net.train();
  EXPECT_FALSE(equal(net(x).detach(), net(x).detach()));  // dropout
}

TEST(Adapters, OnAnotherDeviceAreWhatTheyAreOnTheCpu) {
  using Way = std::function<void(nn::Module&)>;
  const std::map<std::string, Way> ways{
      {"lora", [](nn::Module& m) { nn::lora(m, "fc*", {.rank = 2, .init = "random"}); }},
      {"dora", [](nn::Module& m) { nn::lora(m, "fc*", {.rank = 2, .dora = true, .init = "random"}); }},
      {"ia3", [](nn::Module& m) { nn::ia3(m, "fc*", {.feedforward = "fc2"}); }},
      {"bottleneck",
       [](nn::Module& m) {
         nn::bottleneck(m, "fc*", {.size = 2});
         nn::bottleneck(m, "relu", {.size = 2, .features = 8});  // has no parameters of its own
       }},
      {"batch",
       [](nn::Module& m) {
         nn::lora(m, "fc*", {.rank = 2, .init = "random", .name = "a"});
         nn::lora(m, "fc*", {.rank = 2, .init = "random", .name = "b"});
       }},
  };
  for (const auto& [name, way] : ways) {
    SCOPED_TRACE(name);
    const auto run = [&, &name = name, &way = way](const Device& at) {
      manual_seed(9);
      Net net;
      net.eval();
      net.to(at);
      way(net);
      std::optional<nn::BatchAdapters> names;
      if (name == "batch") names.emplace(net, std::vector<std::string>{"a", "b", "", "a"});
      const Tensor y = net(randn({4, 5}).to(at));
      square(y).sum().backward();
      std::vector<Tensor> all{y.detach().to(kCPU)};
      for (const Tensor& p : net.parameters())
        if (p.grad().defined()) all.push_back(p.grad().to(kCPU));
      return all;
    };
    const auto here = run(kCPU), there = run(Device("emulated"));
    ASSERT_EQ(there.size(), here.size());
    EXPECT_GT(here.size(), 1U);
    for (std::size_t i = 0; i < here.size(); ++i) EXPECT_TRUE(allclose(there[i], here[i], 1e-5, 1e-6)) << i;
  }
  nn::MultiheadAttention attention(4, 2);
  attention.to(Device("emulated"));
  nn::prefix(attention, "*", {.tokens = 3});
  const Tensor x = randn({5, 2, 4}).to(Device("emulated"));
  EXPECT_EQ(attention(x, x, x).first.device(), Device("emulated"));
}

TEST(Adapters, BadOptionsAreRefusedAndNothingChanges) {
  Net net;
  const auto refuse = [&](const std::string& pattern, const nn::LoraOptions& options, const char* what) {
    EXPECT_THAT(message_of([&] { nn::lora(net, pattern, options); }), HasSubstr(what));
  };
  refuse("fc*", {.rank = 0}, "rank must be at least 1, got 0");
  refuse("fc*", {.dropout = 1}, "dropout must be in [0, 1)");
  refuse("fc*", {.alpha = std::nan("")}, "alpha must be finite");
  refuse("fc*", {.init = "zeros"}, "got 'zeros'");
  refuse("fc*", {.name = "a.b"}, "got 'a.b'");
  refuse("fc9", {}, "no module of Net matches 'fc9'");
  refuse("relu", {}, "lora: no module that it can adapt in Net matches 'relu'");
  nn::Sequential grouped(nn::Conv2d(4, 4, 3, {.groups = 2}));
  EXPECT_THAT(message_of([&] { nn::lora(grouped, "*"); }), HasSubstr("one group"));
  EXPECT_TRUE(nn::adapter_names(net).empty());
  for (const Tensor& p : net.parameters()) EXPECT_TRUE(p.requires_grad());
  nn::lora(net, "fc1");
  refuse("fc*", {}, "fc1 has an adapter 'default' already");
  EXPECT_THAT(message_of([&] { nn::prefix(net, "*", {.tokens = 0, .name = "p"}); }), HasSubstr("tokens"));
  EXPECT_THAT(message_of([&] { nn::bottleneck(net, "*", {.size = 0, .name = "p"}); }), HasSubstr("size"));
  EXPECT_THAT(message_of([&] { nn::adapter_parameters(net, "x"); }), HasSubstr("there are default"));
}

}  // namespace
}  // namespace gradus

// What is registered is what runs, for every way that C++ has to copy, move, swap, assign and index.
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <tuple>

namespace gradus {
namespace {

// A layer with a plain C++ field that forward uses.
struct Noise : nn::Module {
  double sigma = 1;
  Tensor forward(const Tensor& x) override { return x * sigma; }
};

struct Block : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(3, 3));
  Noise noise = add("noise", Noise());
  Tensor forward(const Tensor& x) override { return noise(fc(x)); }
};

// A member of every kind: direct, nested, in a container, on the heap, optional, registered as it is.
struct Net : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(3, 3));
  nn::BatchNorm1d bn = add("bn", nn::BatchNorm1d(3));
  Block block = add("block", Block());
  nn::Sequential seq = add("seq", nn::Sequential(nn::Linear(3, 3), Noise()));
  std::vector<nn::Linear> list;
  std::optional<nn::Linear> last;
  nn::Linear given{3, 3};
  nn::Parameter scale = add("scale", nn::Parameter(ones({3})));
  Net() {
    for (const char* name : {"list0", "list1", "list2"}) list.push_back(add(name, nn::Linear(3, 3)));
    last.emplace(add("last", nn::Linear(3, 3)));
    add("given", given);
  }
  Tensor forward(const Tensor& x) override {
    Tensor y = seq(block(bn(fc(x))));
    for (nn::Linear& layer : list) y = layer(y);
    return given((*last)(y)) * scale;
  }
};

// What does not agree between members, registration, forward, an optimizer and load_state_dict; empty if all do.
std::string faults(Net& net) {
  std::string found;
  const auto check = [&](const char* rule, bool holds) { found += holds ? "" : std::string(rule) + "; "; };
  const std::map<std::string, nn::Linear*> layers{
      {"fc", &net.fc},         {"block.fc", &net.block.fc}, {"list0", &net.list[0]}, {"list1", &net.list[1]},
      {"list2", &net.list[2]}, {"last", &*net.last},        {"given", &net.given}};
  for (const auto& [name, layer] : layers) {
    check(("object " + name).c_str(), &net.get_submodule(name) == layer);
    check(("weight " + name).c_str(), net.get_parameter(name + ".weight").is_same(layer->weight));
    check(("own weight " + name).c_str(), layer->parameters()[0].is_same(layer->weight));
    check(("name " + name).c_str(), layer->weight.name() == name + ".weight");
    check(("defined " + name).c_str(), layer->bias.defined());
  }
  check("object bn", &net.get_submodule("bn") == &net.bn);
  check("object block.noise", &net.get_submodule("block.noise") == &net.block.noise);
  check("scale", net.get_parameter("scale").is_same(net.scale));
  check("running_mean", net.state_dict().at("bn.running_mean").data_ptr() == net.bn.running_mean.data_ptr());
  check("count", net.parameters().size() == 1 + 2 * 9);
  net.zero_grad();
  const Tensor y = net(randn({8, 3}));
  (y * randn({8, 3})).sum().backward();
  for (const auto& [name, parameter] : net.named_parameters())
    check(("gradient " + name).c_str(), parameter.grad().defined());
  nn::StateDict dict;
  for (const auto& [name, x] : net.state_dict())
    dict.set(name, x.is_floating_point() ? rand(x.sizes()) : zeros_like(x));
  net.load_state_dict(dict);
  for (const auto& [name, layer] : layers)
    check(("load " + name).c_str(), equal(layer->weight, dict.at(name + ".weight")));
  check("load bn", equal(net.bn.running_mean, dict.at("bn.running_mean")) && equal(net.scale, dict.at("scale")));
  // Plain fields are reached, and are those that run.
  net.block.noise.sigma = 1;
  net.eval();
  const Tensor x = randn({2, 3}), before = net.block(x);
  net.apply([](nn::Module& m) {
    if (auto* noise = m.as<Noise>()) noise->sigma = 3;
  });
  check("sigma", allclose(net.block(x), before * 3));
  net.train();
  return found;
}

Net returned(bool first) {
  Net a, b;
  if (first) return a;
  return b;
}

struct Holder {
  Net net;
  explicit Holder(Net n) : net(std::move(n)) {}
};

#define EXPECT_AGREES(net) EXPECT_EQ(faults(net), "")

TEST(Handles, WholeNetworksCopiedMovedAndSwapped) {
  Net a;
  EXPECT_AGREES(a);
  {
    Net same = a;
    EXPECT_TRUE(same.is_same(a));
    EXPECT_AGREES(same);
    EXPECT_AGREES(a);
    same.block.noise.sigma = 7;  // a plain field is each object's own
    EXPECT_NE(a.block.noise.sigma, 7);
    Net third = same;
    EXPECT_EQ(third.block.noise.sigma, 7);
    EXPECT_AGREES(third);
  }
  EXPECT_AGREES(a);
  Net moved = std::move(a);
  EXPECT_AGREES(moved);
  a = Net();
  EXPECT_AGREES(a);
  EXPECT_AGREES(moved);
  std::swap(a, moved);
  EXPECT_AGREES(a);
  EXPECT_AGREES(moved);
  EXPECT_FALSE(a.is_same(moved));
  Net one = returned(true), two = returned(false);
  EXPECT_AGREES(one);
  one = two;
  EXPECT_TRUE(one.is_same(two));
  EXPECT_AGREES(one);
  EXPECT_AGREES(two);
  one = one;
  EXPECT_AGREES(one);
  Net three;
  std::tie(one, three) = std::make_tuple(three, one);
  EXPECT_AGREES(one);
  EXPECT_AGREES(three);
  const Net old = std::exchange(one, Net());
  EXPECT_AGREES(one);
  Net deep = nn::clone(one);
  EXPECT_AGREES(deep);
  EXPECT_AGREES(one);
  EXPECT_FALSE(deep.is_same(one));
}

TEST(Handles, NetworksInContainersOfTheLibrary) {
  std::vector<Net> nets;
  for (int i = 0; i < 3; ++i) nets.emplace_back();
  nets.push_back(nets[0]);
  nets.erase(nets.begin() + 1);
  std::rotate(nets.begin(), nets.begin() + 1, nets.end());
  std::reverse(nets.begin(), nets.end());
  nets.insert(nets.begin(), Net());
  for (Net& net : nets) EXPECT_AGREES(net);
  std::optional<Net> maybe;
  maybe.emplace();
  maybe = Net();
  EXPECT_AGREES(*maybe);
  std::map<int, Net> by_number;
  by_number[1] = *maybe;
  EXPECT_AGREES(by_number[1]);
  Holder holder{Net()}, next = std::move(holder);
  EXPECT_AGREES(next.net);
  next.net.fc = nn::Linear(3, 3);
  EXPECT_AGREES(next.net);
  const auto shared = std::make_shared<Net>(next.net);
  EXPECT_AGREES(*shared);
  std::thread([net = nets[0]]() mutable { EXPECT_AGREES(net); }).join();
}

TEST(Handles, SingleModulesMovedSwappedAndAssigned) {
  Net a, b;
  const auto both = [&](const char* what) {
    SCOPED_TRACE(what);
    EXPECT_AGREES(a);
    EXPECT_AGREES(b);
  };
  std::swap(a.fc, b.fc);
  both("swap");
  std::swap(a.fc, b.block.fc);
  both("swap of other names");
  std::swap(a.fc, a.block.fc);
  both("swap in one network");
  std::swap(a.block, b.block);
  both("swap of what holds modules");
  std::exchange(a.fc, b.fc);
  b.fc = nn::Linear(3, 3);
  both("exchange");
  {
    nn::Linear t = std::move(a.fc);
    a.fc = std::move(b.fc);
    b.fc = std::move(t);
  }
  both("by hand");
  {
    nn::Linear t = a.fc;
    a.fc = b.fc;
    b.fc = t;
  }
  both("by copies");
  std::reverse(a.list.begin(), a.list.end());
  std::rotate(b.list.begin(), b.list.begin() + 1, b.list.end());
  both("order of layers");
  nn::Linear loose(3, 3);
  std::swap(a.list[1], loose);
  std::swap(*b.last, loose);
  std::swap(b.given, loose);
  both("loose layers");
  EXPECT_TRUE(loose.parameters()[0].is_same(loose.weight));
  nn::Sequential other(loose);
  EXPECT_EQ(loose.weight.name(), "0.weight");
  {
    Net c;
    a.fc = std::move(c.fc);
    b.block = std::move(c.block);
    b.seq = c.seq;
  }
  both("from one that is gone");
  {
    const nn::Linear kept = a.fc;
    nn::Linear gone = std::move(a.given);
  }
  both("moved out and left");
  a.fc = *&a.fc;
  a.block.fc = a.block.fc;
  both("to itself");
}

TEST(Handles, SingleTensorsMovedSwappedAndAssigned) {
  Net a, b;
  std::swap(a.fc.weight, b.fc.weight);
  std::swap(a.bn.running_mean, b.bn.running_mean);
  std::swap(a.scale, b.scale);
  EXPECT_AGREES(a);
  EXPECT_AGREES(b);
  {
    nn::Parameter out = std::move(a.fc.weight);
    EXPECT_AGREES(a);
    a.fc.weight = nn::Parameter(randn({3, 3}));
  }
  EXPECT_AGREES(a);
  std::swap(a.fc.weight, a.list[0].weight);
  EXPECT_AGREES(a);
  a.scale = std::exchange(b.scale, nn::Parameter(ones({3})));
  a.bn.running_mean = nn::Buffer(ones({3}));
  EXPECT_AGREES(a);
  EXPECT_AGREES(b);
  // What containers keep follows too.
  Net copy = a;
  a.fc.weight = nn::Parameter(randn({3, 3}));
  EXPECT_TRUE(copy.fc.weight.is_same(a.fc.weight));
}

TEST(Handles, AssigningThroughOneHandleIsSeenByAll) {
  Net net;
  Net same = net;
  nn::Linear layer = same.fc;
  same.fc = nn::Linear(3, 3);
  EXPECT_TRUE(net.fc.is_same(same.fc));
  EXPECT_TRUE(net.fc.weight.is_same(same.fc.weight));
  EXPECT_FALSE(layer.is_same(net.fc));
  EXPECT_AGREES(net);
  EXPECT_AGREES(same);
  nn::Linear other = net.block.fc;
  other.bias = nn::Parameter(zeros({3}));
  EXPECT_TRUE(net.block.fc.bias.is_same(other.bias));
  EXPECT_AGREES(net);
  // A variable of its own is bound anew.
  other = nn::Linear(3, 3);
  EXPECT_FALSE(net.block.fc.is_same(other));
  EXPECT_AGREES(same);
  const std::vector<nn::Linear> copies = net.list;
  same.list[1] = copies[0];
  EXPECT_TRUE(net.list[1].is_same(net.list[0]));
}

TEST(Handles, ChangesOfPlainFieldsReachForward) {
  Block block;
  const Tensor x = randn({1, 3}), y = block.fc(x);
  const auto shows = [&](nn::Module& m, double sigma) { return allclose(m(x), y * sigma); };
  block.get_submodule("noise").as<Noise>()->sigma = 5;
  EXPECT_TRUE(shows(block, 5));
  Block same = block;
  for (nn::Module* m : same.modules())
    if (auto* noise = m->as<Noise>()) noise->sigma = 7;
  EXPECT_TRUE(shows(same, 7));
  EXPECT_TRUE(shows(block, 5));
  Block deep = nn::clone(same);
  EXPECT_TRUE(shows(deep, 7));
  deep.named_children()[1].second->as<Noise>()->sigma = 2;
  EXPECT_TRUE(shows(deep, 2));
  // In a container, also in copies and clones of it.
  nn::Sequential seq(block);
  block.noise.sigma = 4;
  EXPECT_TRUE(shows(seq, 4));
  nn::Sequential alias = seq, copy = nn::clone(seq);
  block.noise.sigma = 8;
  EXPECT_TRUE(shows(alias, 8));
  EXPECT_TRUE(shows(copy, 4));
  seq[0].as<Block>()->noise.sigma = 6;
  EXPECT_EQ(block.noise.sigma, 6);
  EXPECT_EQ(&seq[0], &block);
}

TEST(Handles, WhatIsKeptStandsInWhenAVariableIsGone) {
  nn::Sequential seq;
  {
    Noise mine;
    mine.sigma = 3;
    seq.append(mine).append(mine);
    mine.sigma = 4;
    EXPECT_EQ(seq(ones({1})).item(), 16);
    Noise moved = std::move(mine);
    moved.sigma = 5;
  }
  EXPECT_EQ(seq(ones({1})).item(), 9);
  std::vector<Noise> many(1);
  nn::ModuleList list(many[0]);
  for (int i = 0; i < 4; ++i) many.emplace_back();
  many[0].sigma = 6;
  EXPECT_EQ(list[0](ones({1})).item(), 6);
  many[0] = Noise();
  many[0].sigma = 9;
  EXPECT_EQ(list[0](ones({1})).item(), 1);  // the variable is another module now
  struct Keeps : nn::Module {
    Keeps() { add("noise", Noise()); }
  } keeps;
  Keeps again = keeps;
  keeps.get_submodule("noise").as<Noise>()->sigma = 2;
  EXPECT_EQ(again.get_submodule("noise")(ones({1})).item(), 2);
}

TEST(Handles, ElementsOfContainersAreReplaced) {
  nn::Sequential seq(nn::Linear(2, 3), nn::ReLU());
  const Tensor x = randn({4, 2});
  seq[0] = nn::Linear(2, 5);
  EXPECT_EQ(seq(x).sizes(), (Shape{4, 5}));
  EXPECT_EQ(seq.get_parameter("0.weight").sizes(), (Shape{5, 2}));
  EXPECT_EQ(seq[0].parameters()[0].name(), "0.weight");
  seq[-1] = nn::Linear(5, 1);
  EXPECT_EQ(seq(x).sizes(), (Shape{4, 1}));
  nn::Sequential same = seq;
  same["1"] = nn::Identity();
  EXPECT_EQ(seq(x).sizes(), (Shape{4, 5}));
  nn::Linear mine(5, 2);
  seq[1] = mine;
  EXPECT_TRUE(seq[1].is_same(mine));
  EXPECT_TRUE(equal(seq(x), mine(seq[0](x))));
  seq[1] = seq[0];
  EXPECT_TRUE(seq[1].is_same(seq[0]));
  EXPECT_THROW(seq[2] = nn::ReLU(), IndexError);
  EXPECT_THROW(seq[0] = seq, ValueError);
  nn::ModuleList list(nn::Linear(1, 1), mine);
  list[0] = nn::Linear(1, 4);
  EXPECT_EQ(list.parameters()[0].sizes(), (Shape{4, 1}));
  std::size_t count = 0;
  for (nn::Module& m : list) count += m.parameters().size();
  EXPECT_EQ(count, 4u);
  nn::ModuleDict dict;
  dict.set("a", nn::Linear(1, 2));
  dict["a"] = nn::Linear(1, 3);
  EXPECT_EQ(dict.parameters()[0].sizes(), (Shape{3, 1}));
  dict.set("a", nn::Tanh());
  EXPECT_EQ(dict.size(), 1u);
  EXPECT_TRUE(dict.parameters().empty());

  models::LeNet net(3);
  net.classifier[4] = nn::Linear(84, 10);
  EXPECT_EQ(net(randn({1, 3, 32, 32})).sizes(), (Shape{1, 10}));
  EXPECT_EQ(net.get_parameter("classifier.4.weight").name(), "classifier.4.weight");
}

TEST(Handles, SetSubmoduleReplacesWhatRuns) {
  Net net;
  net.set_submodule("seq.1", nn::Identity());
  net.set_submodule("block.fc", nn::Linear(3, 3, {.bias = false}));
  EXPECT_FALSE(net.block.fc.bias.defined());
  EXPECT_TRUE(net.block.fc.is_same(net.get_submodule("block.fc")));
  net.set_submodule("block.extra", nn::Linear(1, 1));
  EXPECT_EQ(net.get_parameter("block.extra.weight").name(), "block.extra.weight");
  EXPECT_THROW(net.set_submodule("none.fc", nn::Linear(1, 1)), ValueError);
  try {
    net.set_submodule("fc", nn::Identity());
    FAIL();
  } catch (const ValueError& e) {
    EXPECT_STREQ(e.what(), "Net: 'fc' is a C++ member of type Linear, and cannot become a Identity");
  }
  EXPECT_TRUE(net.fc.is_same(net.get_submodule("fc")));
}

// What cannot be right does not compile.
template <class To, class From>
concept Assigns = requires(To to, From from) {
  to = from;
};
static_assert(!std::is_copy_constructible_v<nn::Module> && !std::is_move_constructible_v<nn::Module>);
static_assert(!Assigns<nn::Module&, nn::Linear&> && !Assigns<nn::Module&, nn::Module&>);
static_assert(!std::is_constructible_v<nn::Module, nn::Linear&>);
static_assert(Assigns<nn::Linear&, nn::Linear&> && !Assigns<nn::Linear&, nn::ReLU>);
static_assert(!Assigns<nn::ModuleRef&, nn::Linear>);  // a variable that holds an element is not bound anew silently
template <class M>
concept Clones = requires(M& m) {
  nn::clone(m);
};
static_assert(Clones<nn::Linear>);
// What does not say its type is copied behind a pointer.
static_assert(std::same_as<decltype(nn::clone(std::declval<nn::ModuleRef&>())), std::shared_ptr<nn::Module>>);

}  // namespace
}  // namespace gradus

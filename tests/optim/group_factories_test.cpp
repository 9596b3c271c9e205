// Groups by rule: decay, layers, matrices.
#include <gradus/gradus.h>
#include <gradus/optim/control/group_factories.h>

#include <gmock/gmock.h>

#include <map>

#include "support/message.h"

namespace gradus {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

struct Block : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(4, 4));
  nn::LayerNorm norm = add("norm", nn::LayerNorm(4));
};

struct Net : nn::Module {
  nn::Embedding table = add("table", nn::Embedding(7, 4));
  nn::ModuleList layers = add("layers", nn::ModuleList(Block(), Block(), Block()));
  nn::Linear head = add("head", nn::Linear(4, 2));
};

template <class Group>
std::vector<std::string> names(const Group& group) {
  std::vector<std::string> all;
  for (const auto& [name, p] : group.params) all.push_back(name);
  return all;
}

TEST(GroupFactories, NormsAndBiasesDoNotDecay) {
  Net net;
  const auto groups = optim::decay_groups<optim::AdamW>(net, 0.1, {"table.*"});
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].name, "no decay");
  EXPECT_EQ(*groups[0].weight_decay, 0);
  EXPECT_THAT(names(groups[0]),
              ElementsAre("table.weight", "layers.0.fc.bias", "layers.0.norm.weight", "layers.0.norm.bias",
                          "layers.1.fc.bias", "layers.1.norm.weight", "layers.1.norm.bias", "layers.2.fc.bias",
                          "layers.2.norm.weight", "layers.2.norm.bias", "head.bias"));
  EXPECT_EQ(*groups[1].weight_decay, 0.1);
  EXPECT_THAT(names(groups[1]),
              ElementsAre("layers.0.fc.weight", "layers.1.fc.weight", "layers.2.fc.weight", "head.weight"));
  // What the rule says is what a step does: a decay alone moves the one group and not the other.
  optim::AdamW optimizer(groups, {.lr = 0.5});
  for (Tensor p : net.parameters()) p.set_grad(zeros_like(p));
  const double weight = net.head.weight.to_vector<double>()[0], norm = 1;
  optimizer.step();
  EXPECT_NEAR(net.head.weight.to_vector<double>()[0], weight * 0.95, 1e-6);
  EXPECT_EQ(net.layers[0].as<Block>()->norm.weight.to_vector<double>()[0], norm);
}

TEST(GroupFactories, RatesFallFromLayerToLayer) {
  Net net;
  freeze(net.layers[1].as<Block>()->fc.weight);
  const auto groups = optim::layer_decay_groups<optim::AdamW>(
      net, {.layers = "layers", .lr = 1, .layer_decay = 0.5, .weight_decay = 0.2});
  std::map<std::string, std::pair<double, double>> found;
  std::size_t count = 0;
  for (const auto& group : groups) {
    found[group.name] = {*group.lr, *group.weight_decay};
    count += group.params.size();
  }
  // Layer i of n has lr * decay^(n - 1 - i), timm's rule: 0 is the table, 4 the head.
  const std::map<std::string, std::pair<double, double>> wanted{
      {"layer 0, decay", {0.0625, 0.2}}, {"layer 1, decay", {0.125, 0.2}}, {"layer 1, no decay", {0.125, 0}},
      {"layer 2, no decay", {0.25, 0}},  {"layer 3, decay", {0.5, 0.2}},   {"layer 3, no decay", {0.5, 0}},
      {"layer 4, decay", {1, 0.2}},      {"layer 4, no decay", {1, 0}}};
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(count, net.parameters().size() - 1);
}

TEST(GroupFactories, MuonTakesTheMatricesAndAdamWTheRest) {
  manual_seed(1);
  Net net;
  const auto groups = optim::muon_groups(net, {"head"});
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(names(groups[0]), ElementsAre("layers.0.fc.weight", "layers.1.fc.weight", "layers.2.fc.weight"));
  EXPECT_EQ(groups[1].params.size(), net.parameters().size() - 3);
  optim::Muon optimizer(groups, {.lr = 0.02});
  for (Tensor p : net.parameters()) p.set_grad(randn(p.sizes()));
  const Tensor before = net.table.weight.detach().clone();
  optimizer.step();
  EXPECT_FALSE(equal(net.table.weight, before));
}

TEST(GroupFactories, WhatDoesNotFitIsRefused) {
  Net net;
  EXPECT_THAT(message_of([&] { optim::decay_groups<optim::AdamW>(net, -1); }), HasSubstr("weight_decay must be"));
  EXPECT_THAT(message_of([&] { optim::decay_groups<optim::AdamW>(net, 0.1, {"tabel*"}); }), HasSubstr("'tabel*'"));
  EXPECT_THAT(message_of([&] { optim::layer_decay_groups<optim::AdamW>(net, {.layers = "blocks"}); }),
              HasSubstr("no parameter is in layers 'blocks'"));
  EXPECT_THAT(message_of([&] { optim::layer_decay_groups<optim::AdamW>(net, {.layers = "layers", .layer_decay = 0}); }),
              HasSubstr("layer_decay must be in (0, 1], got 0"));
  EXPECT_THAT(message_of([&] { optim::muon_groups(net, {"tail"}); }), HasSubstr("'tail'"));
  nn::freeze(net);
  EXPECT_THAT(message_of([&] { optim::muon_groups(net); }), HasSubstr("no parameter requires a gradient"));
}

}  // namespace
}  // namespace gradus

// Sequential, ModuleList, ModuleDict: what comes between others, and what leaves. Names and orders as PyTorch's.
#include <gmock/gmock.h>
#include <gradus/gradus.h>
#include <gtest/gtest.h>

#include "support/message.h"

namespace gradus::nn {
namespace {

using test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const Module& module) {
  std::vector<std::string> all;
  for (const auto& [name, tensor] : module.named_parameters()) all.push_back(name);
  return all;
}

// The outputs' sizes of the linear layers, which tell them apart.
template <class List>
std::vector<std::int64_t> outputs(List& list) {
  std::vector<std::int64_t> all;
  for (Module& module : list) all.push_back(module.as<Linear>() != nullptr ? module.as<Linear>()->weight.size(0) : 0);
  return all;
}

TEST(Containers, InsertAsPyTorch) {
  Sequential seq(Linear(4, 1, {.bias = false}), Linear(4, 2, {.bias = false}));
  seq.insert(1, Linear(4, 3, {.bias = false}));
  EXPECT_THAT(outputs(seq), ElementsAre(1, 3, 2));
  seq.insert(-1, ReLU());
  EXPECT_THAT(outputs(seq), ElementsAre(1, 3, 0, 2));
  seq.insert(4, Linear(4, 5, {.bias = false}));
  EXPECT_THAT(outputs(seq), ElementsAre(1, 3, 0, 2, 5));
  EXPECT_THAT(names(seq), ElementsAre("0.weight", "1.weight", "3.weight", "4.weight"));
  EXPECT_EQ(seq[3].as<Linear>()->weight.name(), "3.weight");
  EXPECT_THAT(message_of<IndexError>([&] { seq.insert(6, ReLU()); }), HasSubstr("must be in [-5, 5], got 6"));
  EXPECT_THAT(message_of<IndexError>([&] { seq.insert(-6, ReLU()); }), HasSubstr("got -6"));
  Sequential empty;
  empty.insert(0, ReLU());
  EXPECT_EQ(empty.size(), 1U);
}

TEST(Containers, PopTakesOutAndNumbersAnew) {
  ModuleList list(Linear(4, 1), Linear(4, 2), Linear(4, 3));
  const Tensor second = list[1].as<Linear>()->weight;
  const std::shared_ptr<Module> taken = list.pop(1);
  EXPECT_TRUE(taken->as<Linear>()->weight.is_same(second));
  EXPECT_THAT(outputs(list), ElementsAre(1, 3));
  EXPECT_THAT(names(list), ElementsAre("0.weight", "0.bias", "1.weight", "1.bias"));
  EXPECT_EQ(list[1].as<Linear>()->weight.name(), "1.weight");
  list.insert(0, *taken);
  EXPECT_THAT(outputs(list), ElementsAre(2, 1, 3));
  EXPECT_EQ(second.name(), "0.weight");
  EXPECT_EQ(list.pop(-1)->as<Linear>()->weight.size(0), 3);
  EXPECT_THAT(outputs(list), ElementsAre(2, 1));
  EXPECT_THAT(message_of<IndexError>([&] { list.pop(2); }), HasSubstr("must be in [-2, 1], got 2"));
  list.pop(0);
  list.pop(0);
  EXPECT_THAT(message_of<IndexError>([&] { list.pop(0); }), HasSubstr("is empty, got index 0"));
}

TEST(Containers, ExtendTakesContainersAndRanges) {
  Sequential one(Linear(4, 1)), two(Linear(4, 2), ReLU());
  one.extend(two).extend(std::vector<Linear>{Linear(4, 3), Linear(4, 5)}).extend(ModuleList());
  EXPECT_THAT(outputs(one), ElementsAre(1, 2, 0, 3, 5));
  EXPECT_TRUE(one[1].is_same(two[0]));
  two.extend(two);
  EXPECT_THAT(outputs(two), ElementsAre(2, 0, 2, 0));
  ModuleList list;
  list.extend(one);
  EXPECT_EQ(list.size(), 5U);
  EXPECT_THAT(names(list),
              ElementsAre("0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias", "4.weight", "4.bias"));
}

TEST(Containers, WhatIsInsertedRuns) {
  Sequential seq(Linear(3, 3), Linear(3, 3));
  const Tensor x = ones({2, 3});
  const Tensor before = seq(x);
  seq.insert(1, Linear(3, 3));
  EXPECT_FALSE(equal(seq(x), before));
  seq.pop(1);
  EXPECT_TRUE(equal(seq(x), before));
}

TEST(Containers, NamesThatAreNotNumbersStay) {
  Sequential seq;
  seq.append("conv", Linear(2, 1)).append(Linear(2, 2)).append("head", Linear(2, 3));
  seq.pop(0);
  EXPECT_THAT(names(seq), ElementsAre("0.weight", "0.bias", "head.weight", "head.bias"));
  seq.insert(0, ReLU());
  EXPECT_THAT(names(seq), ElementsAre("1.weight", "1.bias", "head.weight", "head.bias"));
  Sequential clash;
  clash.append("1", Linear(2, 1)).append("x", Linear(2, 2));
  EXPECT_THAT(message_of<ValueError>([&] { clash.insert(1, Linear(2, 5)); }), HasSubstr("'1' would be there twice"));
  EXPECT_THAT(outputs(clash), ElementsAre(1, 2));
}

// A class with layers of its own beside the numbered ones: its members keep their places.
struct Block : Sequential {
  Linear own = add("own", Linear(2, 7));
  Block() { append("1", Linear(2, 1)); }
};

TEST(Containers, MembersMoveAlongAndAreNotTakenOut) {
  Block block, handle = block;
  block.insert(0, ReLU());
  EXPECT_TRUE(block[1].is_same(block.own));
  handle.own = Linear(2, 9);
  EXPECT_EQ(block.own.weight.size(0), 9);
  EXPECT_THAT(outputs(block), ElementsAre(0, 9, 1));
  EXPECT_THAT(message_of<ValueError>([&] { block.pop(1); }), HasSubstr("'own' is a C++ member"));
  EXPECT_THAT(outputs(block), ElementsAre(0, 9, 1));
  block.pop(0);
  block.own = Linear(2, 8);
  EXPECT_THAT(outputs(handle), ElementsAre(8, 1));
}

TEST(Containers, ADictGivesItsKeysAndLetsGo) {
  ModuleDict dict;
  dict.set("a", Linear(2, 1)).set("b", Linear(2, 2)).set("c", ReLU());
  EXPECT_THAT(dict.keys(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(dict.pop("b")->as<Linear>()->weight.size(0), 2);
  EXPECT_THAT(dict.keys(), ElementsAre("a", "c"));
  EXPECT_FALSE(dict.contains("b"));
  EXPECT_THAT(message_of<ValueError>([&] { dict.pop("b"); }), HasSubstr("no module is named 'b'"));
}

}  // namespace
}  // namespace gradus::nn

// Where the weights are in files as people have them.
#include <gmock/gmock.h>
#include <gradus/io.h>
#include <gradus/nn.h>
#include <gradus/ops.h>
#include <gradus/optim.h>
#include <gtest/gtest.h>

#include "io/expected.h"
#include "support/message.h"
#include "support/temp_folder.h"

namespace gradus::io {
namespace {

using test::fixture;
using test::message_of;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

struct Net : nn::Module {
  nn::Linear fc = add("fc", nn::Linear(4, 3));
  nn::Linear head = add("head", nn::Linear(3, 2));
};

Value with_prefix(const nn::StateDict& dict, const std::string& prefix) {
  Value value = Value::dict();
  for (const auto& [name, tensor] : dict) value.set(prefix + name, tensor);
  return value;
}

class FindStateDict : public ::testing::Test {
 protected:
  nn::StateDict own_ = Net().state_dict();
  TempFolder folder_;

  std::string put(const Value& value) const {
    save(folder_ / "file.pth", value);
    return folder_ / "file.pth";
  }
  void expect_all(const nn::StateDict& found) const {
    ASSERT_EQ(found.keys(), own_.keys());
    for (const auto& [name, tensor] : own_) EXPECT_TRUE(equal(found.at(name), tensor)) << name;
  }
};

TEST_F(FindStateDict, OneThatStandsInSeveralPlacesIsOne) {
  nn::StateDict wanted;
  wanted.set("w", zeros({3}));
  for (const char* file : {"shared.pth", "shared_legacy1.pth"}) {
    EXPECT_THAT(load_state_dict(fixture(file)).at("w").to_vector<int>(), ElementsAre(0, 1, 2)) << file;
    EXPECT_THAT(load_state_dict(fixture(file), {.fit = wanted}).keys(), ElementsAre("w")) << file;
  }
}

TEST_F(FindStateDict, DescendsWhereThereIsOne) {
  const Value dict = to_value(own_), scalar = tensor(70.0), epoch = 3;
  nn::Linear net(4, 3);
  optim::Adam optimizer(net.parameters());
  optimizer.minimize(net(ones({1, 4})).sum());
  for (const Value& file : {dict, Value::dict({{"state_dict", dict}, {"epoch", epoch}}),
                            Value::dict({{"best_acc1", scalar}, {"state_dict", dict}}),
                            Value::dict({{"model", dict}, {"optimizer", optim::to_pytorch(optimizer)}}),
                            Value::dict({{"a", Value::dict({{"b", Value::list({dict})}})}, {"ema", Value::dict()}}),
                            Value::dict({{"net", dict}, {"opt", optim::to_value(optimizer.state_dict())}}),
                            Value::dict({{"state_dict", dict}, {"callbacks", Value::dict({{"best", scalar}})}})}) {
    SCOPED_TRACE(file.to_string());
    expect_all(load_state_dict(put(file)));
  }
}

TEST_F(FindStateDict, SaysWhereSeveralAre) {
  const Value dict = to_value(own_);
  const std::string path = put(Value::dict({{"model", dict}, {"model_ema", dict}, {"lists", Value::list({dict})}}));
  EXPECT_EQ(message_of<ValueError>([&] { load_state_dict(path); }),
            "load_state_dict: " + path +
                ": it holds 3 dictionaries of tensors: model, model_ema, lists.0; choose one with .at");
  EXPECT_THAT(message_of<ValueError>([&] { load_state_dict(path, {.fit = own_}); }),
              HasSubstr("the names that begin with 'lists.0.' and with 'model.' and with 'model_ema.' fit the network "
                        "equally well, with 4 tensors each; choose with .at or .rename"));
  expect_all(load_state_dict(path, {.at = {"lists"}}));
  expect_all(load_state_dict(path, {.at = {"model_ema"}, .fit = own_}));
  EXPECT_THAT(message_of<ValueError>([&] {
                load_state_dict(put(Value::dict({{"epoch", 1}})));
              }),
              HasSubstr("need a dict of tensors, got dict. It holds epoch"));
  EXPECT_THAT(message_of<ValueError>([&] {
                load_state_dict(put(Value::dict({{"w", Value::object("builtins.complex", Value::tuple({1.0, 2.0}))}})));
              }),
              HasSubstr("It holds w = <builtins.complex"));
  EXPECT_THAT(message_of<ValueError>([&] { load_state_dict(put(1)); }),
              HasSubstr("need a dict of tensors, got integer"));
}

TEST_F(FindStateDict, TheNetworkDecides) {
  for (const char* prefix : {"", "module.", "_orig_mod.", "module._orig_mod.", "model.", "net.encoder."}) {
    SCOPED_TRACE(prefix);
    const Value dict = with_prefix(own_, prefix);
    expect_all(load_state_dict(put(dict), {.fit = own_}));
    expect_all(load_state_dict(
        put(Value::dict({{"state_dict", dict}, {"other", Value::dict({{"x.weight", ones({3})}})}})), {.fit = own_}));
  }
  // The one that fits better, and the rest of its dictionary beside it.
  Value lightning = with_prefix(own_, "model.");
  lightning.set("teacher.fc.weight", zeros({3, 4}));
  lightning.set("loss.weight", ones({2}));
  nn::StateDict found = load_state_dict(put(Value::dict({{"state_dict", lightning}})), {.fit = own_});
  EXPECT_EQ(found.size(), 6u);
  EXPECT_TRUE(equal(found.at("fc.weight"), own_.at("fc.weight")));
  EXPECT_TRUE(found.contains("teacher.fc.weight") && found.contains("loss.weight"));
  // Parts of one network in dictionaries of their own.
  nn::StateDict fc, head;
  for (const auto& [name, tensor] : own_)
    (name.starts_with("fc.") ? fc : head).set(name.substr(name.find('.') + 1), tensor);
  expect_all(load_state_dict(put(Value::dict({{"fc", to_value(fc)}, {"head", to_value(head)}})), {.fit = own_}));
  // A new head does not hide the rest.
  nn::StateDict other = own_;
  other.set("head.weight", zeros({10, 3}));
  EXPECT_EQ(load_state_dict(put(with_prefix(other, "module.")), {.fit = own_}).keys(), own_.keys());
}

TEST_F(FindStateDict, WhatIsNotATensorIsNamed) {
  Value dict = to_value(own_);
  dict.set("fc._extra_state", Value::dict({{"scale", tensor({1.0})}}));
  dict.set("head._extra_state", Value());
  dict.set("epoch", 3);
  for (const nn::StateDict& found :
       {load_state_dict(put(dict)), load_state_dict(put(dict), {.fit = own_}), to_state_dict(load(put(dict)))}) {
    EXPECT_EQ(found.size(), own_.size() + 3);
    EXPECT_EQ(found.at("epoch").numel(), 0);
    Net net;
    EXPECT_THAT(net.load_state_dict(found).unexpected, ElementsAre("fc._extra_state", "head._extra_state", "epoch"));
    EXPECT_TRUE(equal(net.fc.weight, own_.at("fc.weight")));
  }
}

TEST_F(FindStateDict, ARuleThatMatchesNothingIsAnError) {
  const std::string path = put(Value::dict({{"state_dict", with_prefix(own_, "module.")}, {"epoch", 1}}));
  EXPECT_THAT(message_of<ValueError>([&] {
                load_state_dict(path, {.rename = {{"model.*", "*"}}});
              }),
              HasSubstr("the pattern 'model.*' matches none of the 4 names: module.fc.weight, "));
  expect_all(load_state_dict(path, {.rename = {{"module.*", "*"}}}));
  expect_all(load_state_dict(path, {.rename = {{"/^module\\./", ""}}, .fit = own_}));
  EXPECT_THAT(message_of<ValueError>([&] {
                load_state_dict(path, {.rename = {{"module.*", "x"}}});
              }),
              HasSubstr("two names become 'x'"));
}

// torch.save(model): nothing of it is run; what a module holds lies in known attributes.
TEST_F(FindStateDict, AWholeModuleHasTheNamesOfItsStateDict) {
  const auto names = load_state_dict(fixture("checkpoint.pth"), {.at = {"model"}}).keys();
  EXPECT_THAT(load_state_dict(fixture("module.pth")).keys(), testing::UnorderedElementsAreArray(names));
  EXPECT_THAT(load_state_dict(fixture("module.pth"), {.at = {"net"}}).keys(),
              testing::UnorderedElementsAreArray(names));
}

// Names are made from paths: a file must not make them cost more than it may.
TEST_F(FindStateDict, NamesStayWithinTheBudget) {
  Value inner = to_value(own_);
  for (int i = 0; i < 100; ++i) inner = Value::dict({{std::string(2000, 'k'), inner}});
  const LoadOptions small{.memory = 1 << 20};
  const std::string path = put(inner);
  EXPECT_EQ(load(path, small).depth(), 102u);
  EXPECT_THAT(message_of<IoError>([&] { load_state_dict(path, {.load = small}); }),
              HasSubstr("needs more than 1 MB of memory"));
  expect_all(load_state_dict(path));
}

}  // namespace
}  // namespace gradus::io

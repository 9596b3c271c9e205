#include <gradus/io/value.h>
#include <gtest/gtest.h>

#include "support/message.h"

namespace gradus::io {
namespace {

using test::message_of;

Value sample() {
  return Value::dict({{"state_dict", Value::dict({{"fc.weight", tensor({1.0f, 2.0f})}})},
                      {"groups", Value::list({Value::dict({{"lr", 0.5}, {"params", Value::tuple({0, 1})}})})},
                      {"name", "run"},
                      {7, true},
                      {"none", Value()}});
}

std::string error(const std::function<void()>& call) { return message_of<ValueError>(call); }

TEST(Value, FindsByPath) {
  const Value v = sample();
  EXPECT_EQ(v.as_double({"groups", 0, "lr"}), 0.5);
  EXPECT_EQ(v.as_int({"groups", 0, "params", 1}), 1);
  EXPECT_EQ(v.as_double({"groups", 0, "params", 1}), 1.0);
  EXPECT_EQ(v.as_tensor({"state_dict", "fc.weight"}).to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(v.as_string({"name"}), "run");
  EXPECT_TRUE(v.as_bool({7}));
  EXPECT_TRUE(v.at({"none"}).is_none());
  EXPECT_TRUE(v.contains({"groups", 0}));
  EXPECT_FALSE(v.contains({"groups", 1}));
  EXPECT_FALSE(v.contains({"groups", -1}));
  EXPECT_FALSE(v.contains({"7"}));
  EXPECT_FALSE(v.contains({"name", "x"}));
  EXPECT_EQ(v.size(), 5u);
  EXPECT_EQ(v.size({"name"}), 3u);
}

TEST(Value, ErrorsNameThePath) {
  const Value v = sample();
  EXPECT_EQ(error([&] { v.as_double({"groups", 0, "momentum"}); }), "value: groups[0]: there is no key 'momentum'");
  EXPECT_EQ(error([&] { v.as_double({"groups", 2, "lr"}); }), "value: groups: there is no position 2 in a list of 1");
  EXPECT_EQ(error([&] { v.as_string({"groups", 0, "lr"}); }), "value: groups[0].lr: need a string, got a number");
  EXPECT_EQ(error([&] { v.as_int({"groups", 0, "lr"}); }), "value: groups[0].lr: need an integer, got a number");
  EXPECT_EQ(error([&] { v.as_tensor({"none"}); }), "value: none: need a tensor, got None");
  EXPECT_EQ(error([&] { v.at({"name", "x"}); }), "value: name: need a dict or list to look up 'x', got a string");
  EXPECT_EQ(error([&] { v.items(); }), "value: need a list or tuple, got a dict");
  EXPECT_EQ(error([&] { Value(1).push_back(2); }), "value: push_back needs a list, got an integer");
  EXPECT_EQ(error([&] { Value::tuple().push_back(2); }), "value: push_back needs a list, got a tuple");
}

TEST(Value, CopiesPartWhenOneChanges) {
  Value a = sample();
  const Value b = a;
  a.set("name", "other");
  EXPECT_EQ(b.as_string({"name"}), "run");
  EXPECT_EQ(a.as_string({"name"}), "other");
  EXPECT_TRUE(a.erase("name"));
  EXPECT_FALSE(a.erase("name"));
  EXPECT_FALSE(a.contains({"name"}));
  Value list = Value::list();
  list.push_back(list);
  EXPECT_EQ(list.to_string(), "[[]]");
}

TEST(Value, KeepsOrderAndFindsAmongMany) {
  Value v = Value::dict();
  for (int i = 0; i < 1000; ++i) v.set("key" + std::to_string(i), i);
  for (int i = 0; i < 1000; i += 3) v.erase("key" + std::to_string(i));
  v.set("key7", -7);
  EXPECT_EQ(v.size(), 666u);
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_EQ(v.contains({key}), i % 3 != 0) << key;
    if (i % 3 == 0) continue;
    ASSERT_EQ(v.as_int({key}), i == 7 ? -7 : i);
  }
  int last = 0;
  for (const auto& [key, value] : v.entries()) {
    const int number = std::stoi(key.to_string().substr(3));
    ASSERT_GT(number, last);
    last = number;
  }
}

TEST(Value, PrintsAsPython) {
  EXPECT_EQ(sample().to_string(),
            "{'state_dict': {'fc.weight': tensor([2], float32)}, 'groups': [{'lr': 0.5, 'params': (0, 1)}], 'name': "
            "'run', 7: True, 'none': None}");
  EXPECT_EQ(Value::tuple({Value::bytes(std::string("a\0'", 3))}).to_string(), "(b'a\\x00\\'',)");
}

TEST(Value, RefusesTreesThatAreTooDeep) {
  Value v;
  for (std::uint32_t i = 1; i < Value::kMaxDepth; ++i) v = Value::list({v});
  EXPECT_EQ(v.depth(), Value::kMaxDepth);
  EXPECT_EQ(error([&] { Value::list({v}); }), "value: nested more than 200 deep");
  Value dict = Value::dict();
  EXPECT_EQ(error([&] { dict.set("x", v); }), "value: nested more than 200 deep");
  Value key = 1;
  for (std::uint32_t i = 1; i < Value::kMaxDepth; ++i) key = Value::tuple({key});
  EXPECT_EQ(error([&] { dict.set(Key::of(key), 1); }), "value: nested more than 200 deep");
  EXPECT_EQ(error([&] { Value::object("a", v); }), "value: nested more than 200 deep");
}

TEST(Key, MayBeWhateverPythonTakes) {
  Value v = Value::dict({{1, "int"}, {"1", "text"}});
  v.set(Key::of(Value::tuple({1, "a"})), "tuple");
  v.set(Key::of(Value(1.0)), "number");
  v.set(Key::of(Value()), "None");
  v.set(Key::of(Value::tuple({1, "a"})), "the same tuple");
  EXPECT_EQ(v.to_string(), "{1: 'int', '1': 'text', (1, 'a'): 'the same tuple', 1.0: 'number', None: 'None'}");
  EXPECT_EQ(v.as_string({Key::of(Value())}), "None");
  EXPECT_TRUE(Key::of(Value(1)) == Key(1));
  EXPECT_TRUE(Key::of(Value("a")) == Key("a"));
  EXPECT_FALSE(Key::of(Value(true)) == Key(1));
  EXPECT_EQ(to_string(Path{"a", Key::of(Value::tuple({1, 2})), 3}), "a[(1, 2)][3]");
  EXPECT_EQ(error([] { Key::of(Value::list()); }), "value: a key cannot hold a list, dict, tensor or object");
  EXPECT_EQ(error([&] { v.at({Key::of(Value(false))}); }), "value: there is no key False");
}

TEST(Object, IsReachedThroughItsContent) {
  const Value v = Value::dict({{"args", Value::object("argparse.Namespace", Value::dict({{"lr", 0.5}}))}});
  EXPECT_EQ(v.as_double({"args", "lr"}), 0.5);
  EXPECT_EQ(v.type_name({"args"}), "argparse.Namespace");
  EXPECT_EQ(v.content({"args"}).size(), 1u);
  EXPECT_EQ(v.depth(), 4u);
  EXPECT_EQ(
      error([&] { v.entries({"args"}); }),
      "value: args: need a dict, got <argparse.Namespace {'lr': 0.5}>, which is not rebuilt; its parts are found by "
      "path and by content()");
  EXPECT_EQ(error([&] { v.content({"args", "lr"}); }), "value: args.lr: need an object, got a number");
}

}  // namespace
}  // namespace gradus::io

#include "io/value/find_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message.h"

namespace gradus::io {
namespace {

using test::message_of;
using testing::HasSubstr;

Value tree() {
  const Value dict = Value::dict({{"w", 1}});
  return Value::dict({{"models", Value::list({dict, Value::dict({{"w", 2}})})},
                      {"a.b", Value::dict({{"c.d", 3}})},
                      {0, Value::dict({{"w", 4}})},
                      {"t", Value::tuple({dict, 5})},
                      {"module.net", Value::dict({{"x.y", 6}})},
                      {"module", Value::dict({{"other", 7}})}});
}

TEST(FindPath, TakesWhatIsShown) {
  const Value value = tree();
  const auto at = [&](const char* text) { return value.at(find_path("at", value, text)).to_string(); };
  EXPECT_EQ(at("models.0.w"), "1");
  EXPECT_EQ(at("models.1"), "{'w': 2}");
  EXPECT_EQ(at("models[1].w"), "2");
  EXPECT_EQ(at("a.b"), "{'c.d': 3}");
  EXPECT_EQ(at("a.b.c.d"), "3");
  EXPECT_EQ(at("0"), "{'w': 4}");
  EXPECT_EQ(at("0.w"), "4");
  EXPECT_EQ(at("t.1"), "5");
  EXPECT_EQ(at("module.net.x.y"), "6");
  EXPECT_EQ(at("module.other"), "7");
  EXPECT_EQ(at("[\"module.net\"][\"x.y\"]"), "6");
  EXPECT_EQ(at("").substr(0, 9), "{'models'");
}

TEST(FindPath, SaysWhatIsThereAndWhatIsNot) {
  const Value value = tree();
  const auto refusal = [&](const Value& of, const char* text) {
    return message_of<ValueError>([&] { find_path("--at", of, text); });
  };
  EXPECT_EQ(refusal(value, "modles.0"), "--at: there is no 'modles.0'; did you mean 'models'?");
  EXPECT_THAT(refusal(value, "models.2"), HasSubstr("--at: there is no '2' at models; "));
  EXPECT_THAT(refusal(value, "a.b.e"), HasSubstr("there is no 'e' at a.b; "));
  EXPECT_THAT(refusal(value, "models.0.w.x"), HasSubstr("there is no 'x' at models.0.w (integer)"));
  const Value twice = Value::dict({{"a.b", 1}, {"a", Value::dict({{"b", 2}})}});
  EXPECT_EQ(refusal(twice, "a.b"), "--at: 'a.b' may be [\"a.b\"] or [\"a\"][\"b\"]; say which");
  EXPECT_EQ(twice.at(find_path("at", twice, "[\"a\"][\"b\"]")).as_int(), 2);
  EXPECT_EQ(twice.at(find_path("at", twice, "[\"a.b\"]")).as_int(), 1);
  const Value numbers = Value::dict({{0, 1}, {"0", 2}});
  EXPECT_EQ(refusal(numbers, "0"), "--at: '0' may be [0] or [\"0\"]; say which");
  EXPECT_EQ(numbers.at(find_path("at", numbers, "[0]")).as_int(), 1);
}

}  // namespace
}  // namespace gradus::io

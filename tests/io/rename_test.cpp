#include <gmock/gmock.h>
#include <gradus/core/error.h>
#include <gtest/gtest.h>

#include "io/checkpoint/renamer.h"
#include "support/message.h"

namespace gradus::io {
namespace {

using test::message_of;
using testing::HasSubstr;

TEST(Rename, FollowsPatterns) {
  const auto name = [](const char* text, const char* pattern, const char* replacement) {
    return renamed(text, {{pattern, replacement}});
  };
  EXPECT_EQ(name("module.fc.weight", "module.*", "*"), "fc.weight");
  EXPECT_EQ(name("fc.weight", "module.*", "*"), "fc.weight");
  EXPECT_EQ(name("a.b.gamma", "*.gamma", "*.weight"), "a.b.weight");
  EXPECT_EQ(name("layers.3.attn.q", "layers.*.attn.*", "blocks.*.attention.*"), "blocks.3.attention.q");
  EXPECT_EQ(name("fc", "fc", "head"), "head");
  EXPECT_EQ(name("fc.x", "fc", "head"), "fc.x");
  EXPECT_EQ(name("x", "*", "net.*"), "net.x");
  EXPECT_EQ(name("aXbXc", "*X*", "*"), "a");
  EXPECT_EQ(name("ab", "a*b", "-"), "-");
  EXPECT_EQ(name("a", "a*a", "-"), "a");
}

TEST(Rename, TakesTheFirstRuleThatMatches) {
  EXPECT_EQ(renamed("module.fc.gamma", {{"module.*", "*"}, {"*.gamma", "*.weight"}}), "fc.gamma");
  EXPECT_EQ(renamed("a", {{"a", "b"}, {"b", "a"}}), "b");
  EXPECT_EQ(renamed("b", {{"a", "b"}, {"b", "a"}}), "a");
  EXPECT_EQ(renamed("c", {{"a", "b"}, {"b", "a"}}), "c");
}

TEST(Rename, TakesRegularExpressions) {
  const auto name = [](const char* text, const char* pattern, const char* replacement) {
    return renamed(text, {{pattern, replacement}});
  };
  EXPECT_EQ(name("module._orig_mod.fc.weight", R"(/^module\.|^_orig_mod\./)", ""), "_orig_mod.fc.weight");
  EXPECT_EQ(name("module._orig_mod.fc.weight", R"(/^(module\.|_orig_mod\.)*/)", ""), "fc.weight");
  EXPECT_EQ(name("layer12.conv3", R"(/(\d+)/)", R"([\1])"), "layer[12].conv[3]");
  EXPECT_EQ(name("layer1.conv", R"(/^layer(\d)\.(\w+)$/)", R"(\2.\1)"), "conv.1");
  EXPECT_EQ(name("a.b", R"(/\./)", R"(\\)"), R"(a\b)");
  EXPECT_EQ(name("a.b", "/x/", "y"), "a.b");
  EXPECT_EQ(name("/", "/", "slash"), "slash");  // too short for a regular expression
}

TEST(Rename, RefusesRulesThatAreNotValid) {
  EXPECT_THAT(message_of<ValueError>([] {
                renamed("x", {{"/(/", ""}});
              }),
              HasSubstr("'/(/' is not a regular expression"));
  EXPECT_THAT(message_of<ValueError>([] { renamed("x", {{"/(a)/", "\\2"}}); }), HasSubstr("asks for group 2"));
  EXPECT_THAT(message_of<ValueError>([] { renamed("x", {{"x", "*"}}); }), HasSubstr("more stars"));
  // Names come from files, and std::regex goes one call deeper with each character.
  EXPECT_THAT(message_of<ValueError>([] {
                renamed(std::string(1 << 20, 'a'), {{"/(a|b)*c/", ""}});
              }),
              HasSubstr("too long for a regular expression"));
}

TEST(Renamer, NamesRulesThatMatchNothing) {
  Renamer renamer(std::vector<Rename>{{"a.*", "*"}, {"a.b.*", "*"}});
  EXPECT_EQ(renamer("a.b.c"), "b.c");
  EXPECT_EQ(renamer("x"), "x");
  EXPECT_EQ(message_of<ValueError>([&] { renamer.check_all_matched("load"); }),
            "load: the pattern 'a.b.*' matches none of the 2 names that the patterns before it leave: a.b.c, x");
  Renamer all(std::vector<Rename>{{"a.*", "*"}});
  all("a.b");
  all.check_all_matched("load");
}

}  // namespace
}  // namespace gradus::io

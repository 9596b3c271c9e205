#include "io/value/utf8.h"

#include <gtest/gtest.h>

namespace gradus::io {
namespace {

TEST(Utf8, TakesCharactersAndNothingElse) {
  for (const char* text : {"", "cat", "caf\xc3\xa9", "\xe7\x8c\xab", "\xf0\x9f\x90\x88", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
    EXPECT_EQ(escaped_utf8(text), text);
  }
  // Latin-1, a lone continuation, one too long, a surrogate, beyond the last character, cut short.
  for (const char* text :
       {"caf\xe9", "\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe7\x8c", "\xff"}) {
    EXPECT_FALSE(is_utf8(text)) << escaped_utf8(text);
    EXPECT_TRUE(is_utf8(escaped_utf8(text)));
  }
  EXPECT_EQ(escaped_utf8("caf\xe9\xc3\xa9"), "caf\\xe9\xc3\xa9");
}

}  // namespace
}  // namespace gradus::io

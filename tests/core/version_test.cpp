#include "gradus/core/version.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

TEST(Version, IsThreeNumbers) {
  int major = -1, minor = -1, patch = -1;
  char rest = 0;
  ASSERT_EQ(std::sscanf(gradus::version(), "%d.%d.%d%c", &major, &minor, &patch, &rest), 3);
  EXPECT_EQ(std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch), gradus::version());
}

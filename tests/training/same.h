#pragma once

#include <gradus/io/value.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace gradus::test {

// Bit for bit, and in the same order.
inline void expect_same(const io::Value& a, const io::Value& b, const std::string& at = "") {
  ASSERT_EQ(a.kind(), b.kind()) << at;
  if (a.is(io::Value::Kind::Dict)) {
    ASSERT_EQ(a.size(), b.size()) << at;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto &x = a.entries().begin()[i], &y = b.entries().begin()[i];
      ASSERT_TRUE(x.first == y.first) << at << "." << x.first.to_string();
      expect_same(x.second, y.second, at + "." + x.first.to_string());
    }
  } else if (a.is(io::Value::Kind::List) || a.is(io::Value::Kind::Tuple)) {
    ASSERT_EQ(a.size(), b.size()) << at;
    for (std::size_t i = 0; i < a.size(); ++i) expect_same(a.items()[i], b.items()[i], at + "." + std::to_string(i));
  } else if (a.is(io::Value::Kind::Tensor)) {
    const Tensor x = a.as_tensor().contiguous(), y = b.as_tensor().contiguous();
    ASSERT_EQ(x.sizes(), y.sizes()) << at;
    ASSERT_EQ(x.dtype(), y.dtype()) << at;
    const auto bytes = static_cast<std::size_t>(x.numel() * x.element_size());
    EXPECT_TRUE(bytes == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), bytes) == 0) << at;
  } else {
    EXPECT_EQ(a.to_string(), b.to_string()) << at;
  }
}

}  // namespace gradus::test

// A hash that tells contents apart: of files, weights, indices. Not against an adversary.
#pragma once

#include <gradus/tensor.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::data {

class Hash {
 public:
  Hash& add(std::string_view bytes);  // and how many there are, so that "ab" "c" is not "a" "bc"
  Hash& add(const Tensor& tensor);    // its type, sizes and elements
  template <std::integral T>
  Hash& add(T number) {
    return add_word(static_cast<std::uint64_t>(number)), *this;
  }
  std::string hex() const;  // 32 digits

 private:
  void add_word(std::uint64_t word);
  void add_words(const char* bytes, std::size_t size);
  std::uint64_t a_ = 0x243f6a8885a308d3, b_ = 0x13198a2e03707344;
};

}  // namespace gradus::data

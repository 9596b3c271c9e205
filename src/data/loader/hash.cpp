#include "data/loader/hash.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace gradus::data {

namespace {

std::uint64_t finished(std::uint64_t x) {  // the finaliser of MurmurHash3
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53;
  return x ^ (x >> 33);
}

}  // namespace

// Two chains. Each step can be undone, so that neither forgets a word.
void Hash::add_word(std::uint64_t word) {
  a_ = std::rotl((a_ ^ word) * 0x9e3779b97f4a7c15, 29);
  b_ = std::rotl((b_ + word) * 0xd6e8feb86659fd93, 35);
}

void Hash::add_words(const char* bytes, std::size_t size) {
  std::uint64_t word = 0;
  for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
    std::memcpy(&word, bytes, sizeof word);
    add_word(word);
  }
  if (size == 0) return;  // of an empty tensor there is no memory to copy from
  word = 0;
  std::memcpy(&word, bytes, size);
  add_word(word);
}

Hash& Hash::add(std::string_view bytes) {
  add_word(bytes.size());
  add_words(bytes.data(), bytes.size());
  return *this;
}

Hash& Hash::add(const Tensor& tensor) {
  if (!tensor.defined()) return add(std::string_view("undefined"));
  add(std::string_view(to_string(tensor.dtype()))).add(to_string(tensor.sizes()));
  const Tensor dense = tensor.detach().contiguous().cpu();
  add_words(static_cast<const char*>(dense.const_data_ptr()),
            static_cast<std::size_t>(dense.numel() * dense.element_size()));
  return *this;
}

std::string Hash::hex() const {
  return fmt::format("{:016x}{:016x}", finished(a_ + std::rotl(b_, 17)), finished(b_ ^ a_));
}

}  // namespace gradus::data

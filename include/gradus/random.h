#pragma once

#include <atomic>
#include <cstdint>

/// Random numbers come from Philox4x32-10 (Salmon et al., 2011), a function of a seed and a position: element i of a
/// draw depends on the seed, the generator's offset and i alone, on any number of threads and any processor. The
/// numbers differ from PyTorch's, whose CPU generator is a Mersenne twister.
namespace gradus {

/// A seed and a position in its row of numbers: a plain value, copied to repeat numbers, saved as two integers.
/// Its calls are safe from several threads at once; draws that run at the same time get different numbers.
class Generator {
 public:
  /// PyTorch's default seed.
  static constexpr std::uint64_t kDefaultSeed = 67280421310721;

  explicit Generator(std::uint64_t seed = kDefaultSeed) : seed_(seed) {}
  Generator(const Generator& other) : seed_(other.seed()), offset_(other.offset()) {}
  Generator& operator=(const Generator& other) {
    seed_.store(other.seed(), std::memory_order_relaxed);
    offset_.store(other.offset(), std::memory_order_relaxed);
    return *this;
  }

  /// Starts at the beginning of that seed's numbers.
  Generator& manual_seed(std::uint64_t seed) { return *this = Generator(seed); }

  std::uint64_t seed() const { return seed_.load(std::memory_order_relaxed); }

  /// How many blocks of 128 bits were drawn so far.
  std::uint64_t offset() const { return offset_.load(std::memory_order_relaxed); }
  void set_offset(std::uint64_t offset) { offset_.store(offset, std::memory_order_relaxed); }

  /// Takes the next `blocks` blocks: returns the offset of the first.
  std::uint64_t advance(std::uint64_t blocks) { return offset_.fetch_add(blocks, std::memory_order_relaxed); }

  friend bool operator==(const Generator& a, const Generator& b) {
    return a.seed() == b.seed() && a.offset() == b.offset();
  }

 private:
  std::atomic<std::uint64_t> seed_;
  std::atomic<std::uint64_t> offset_{0};
};

/// What draws use that are given no generator; one for the whole process.
Generator& default_generator();

/// Seeds the default generator.
void manual_seed(std::uint64_t seed);

}  // namespace gradus

// Random numbers by counting: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011). The
// n-th number is a function of the seed and n alone, so that the same seed gives the same bits for any thread count.
#pragma once

#include <atomic>
#include <cstdint>

namespace gradus {

// A stream of random numbers: a seed and a position. A value: a copy continues from the same place on its own.
class Generator {
 public:
  static constexpr std::uint64_t kDefaultSeed = 67280421310721;  // PyTorch's

  explicit Generator(std::uint64_t seed = kDefaultSeed) : seed_(seed) {}
  Generator(const Generator& other) : seed_(other.seed_), offset_(other.offset()) {}
  Generator& operator=(const Generator& other) {
    seed_ = other.seed_;
    offset_ = other.offset();
    return *this;
  }

  // Starts anew from a seed.
  Generator& manual_seed(std::uint64_t seed) {
    seed_ = seed;
    offset_ = 0;
    return *this;
  }
  std::uint64_t seed() const { return seed_; }
  // The position, in blocks of 128 bits. Seed and offset are the whole state.
  std::uint64_t offset() const { return offset_.load(std::memory_order_relaxed); }
  void set_offset(std::uint64_t offset) { offset_ = offset; }
  // Takes the next `blocks`, and gives where they begin. Safe to call from several threads.
  std::uint64_t advance(std::uint64_t blocks) { return offset_.fetch_add(blocks, std::memory_order_relaxed); }

  friend bool operator==(const Generator& a, const Generator& b) {
    return a.seed_ == b.seed_ && a.offset() == b.offset();
  }

 private:
  std::uint64_t seed_;
  std::atomic<std::uint64_t> offset_{0};
};

// What functions draw from when they are given no generator.
Generator& default_generator();

// Seeds the default generator. As torch.manual_seed.
void manual_seed(std::uint64_t seed);

}  // namespace gradus

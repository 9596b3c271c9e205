#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd/simd.h"

/// Philox4x32-10: J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
namespace gradus::cpu {

/// Blocks of 128 bits computed at once. Position p of `words[j]` is word j of block p / 2 + 8 * (p % 2): in this order
/// two vectors of 64-bit lanes merge into one of 32-bit words without moving anything across lanes.
inline constexpr int kGroupBlocks = 16;
struct PhiloxGroup {
  alignas(64) std::uint32_t words[4][kGroupBlocks];
};

/// Lanes of 64 bits, and the product of their lower halves, which GCC does not find by itself.
template <Isa>
struct Lanes {
  typedef std::uint64_t V __attribute__((vector_size(16), may_alias));
  GRADUS_INLINE static void multiply(V& product, const V& a, const V& b) {
#if defined(__x86_64__)
    product = a;
    asm("pmuludq %1, %0" : "+x"(product) : "x"(b));
#else
    product = (a & 0xffffffffu) * b;
#endif
  }
};
#if defined(__x86_64__)
template <>
struct Lanes<Isa::v3> {
  typedef std::uint64_t V __attribute__((vector_size(32), may_alias));
  GRADUS_INLINE static void multiply(V& product, const V& a, const V& b) {
    asm("vpmuludq %2, %1, %0" : "=x"(product) : "x"(a), "x"(b));
  }
};
template <>
struct Lanes<Isa::v4> {
  typedef std::uint64_t V __attribute__((vector_size(64), may_alias));
  GRADUS_INLINE static void multiply(V& product, const V& a, const V& b) {
    asm("vpmuludq %2, %1, %0" : "=v"(product) : "v"(a), "v"(b));
  }
};
#endif

/// The blocks with the counters (c, 0), c = first .. first + 15, under the key `seed`; both little-endian.
template <Isa isa>
GRADUS_INLINE void philox_group(std::uint64_t seed, std::uint64_t first, PhiloxGroup& out) {
  using V = typename Lanes<isa>::V;
  constexpr int kLanes = sizeof(V) / 8;
  constexpr std::uint64_t kCount[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  const V m0 = V{} + 0xD2511F53u, m1 = V{} + 0xCD9E8D57u;
  for (int lane = 0; lane < 8; lane += kLanes) {
    // Only the lower half of a lane counts; what the upper halves hold never reaches it.
    V c[2][4] = {};
    std::memcpy(&c[0][0], kCount + lane, sizeof(V));
    c[0][0] += first;
    c[1][0] = c[0][0] + 8;
    c[0][1] = c[0][0] >> 32;
    c[1][1] = c[1][0] >> 32;
    auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        V(&x)[4] = c[half];
        V p0, p1;
        Lanes<isa>::multiply(p0, x[0], m0);
        Lanes<isa>::multiply(p1, x[2], m1);
        x[0] = (p1 >> 32) ^ x[1] ^ std::uint64_t{k0};
        x[2] = (p0 >> 32) ^ x[3] ^ std::uint64_t{k1};
        x[1] = p1;
        x[3] = p0;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const V merged = (c[0][j] & 0xffffffffu) | (c[1][j] << 32);
      std::memcpy(&out.words[j][2 * lane], &merged, sizeof(V));
    }
  }
}

}  // namespace gradus::cpu

#pragma once

#include <cstdint>
#include <string>

#include "gradus/error.h"

/// Memory of tensors on the CPU. It is kept for reuse when tensors go, as fresh memory is slow to touch first.
namespace gradus {

/// Thrown when the system refuses memory, also after everything unused was given back. Says what was asked and held.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message) : Error(message) {}
};

/// All in bytes, for the whole process.
struct MemoryStats {
  /// Asked for and not yet freed.
  std::int64_t current_bytes = 0;
  /// The most current_bytes ever was, since the start or reset_peak_memory(). With several threads allocating at once
  /// it may be too high or low by at most 64 KiB for each of them.
  std::int64_t peak_bytes = 0;
  /// Held from the system, in use or kept for reuse.
  std::int64_t reserved_bytes = 0;
  /// How many allocations were ever made.
  std::int64_t allocations = 0;
};

MemoryStats memory_stats();

/// Sets peak_bytes to current_bytes.
void reset_peak_memory();

/// Gives unused memory back to the system. Small blocks that other threads keep for themselves stay, and with them the
/// 2 to 8 MiB they lie in.
void empty_cache();

}  // namespace gradus

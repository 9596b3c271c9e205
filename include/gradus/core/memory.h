#pragma once

#include <cstdint>
#include <string>

#include "gradus/core/error.h"

/// Memory of tensors on the CPU. It is kept for reuse when tensors go, as fresh memory is slow to touch first.
namespace gradus {

/// Thrown when the system refuses memory, also after everything unused was given back. Says what was asked and held,
/// and for which operation and layer where there is one: `convolution of [64, 3, 224, 224] and [64, 3, 7, 7], in conv1
/// (Conv2d): the system is out of memory, asked for 205520896 bytes (196 MiB) with ... in use and ... reserved`.
class OutOfMemory : public Error {
 public:
  OutOfMemory(std::size_t requested, std::int64_t in_use, std::int64_t reserved);

  const char* what() const noexcept override { return text_.c_str(); }
  std::size_t requested_bytes() const { return requested_; }

  /// For what the exception goes up through: the innermost operation and layer are named.
  void add_operation(const std::string& operation);
  void add_layer(const std::string& layer);
  void add_held(const std::string& held);
  void add_context(const std::string& context);  // before the whole message

 private:
  void compose();
  std::size_t requested_;
  std::int64_t in_use_, reserved_;
  std::string context_, operation_, layer_, held_, text_;
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

/// Returns unused memory to the system. Small blocks that other threads keep for themselves stay, and with them the
/// 2 to 8 MiB they lie in.
void empty_cache();

}  // namespace gradus

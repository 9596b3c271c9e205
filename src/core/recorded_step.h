// Whether this thread records a step (training/graphed_step.h), and what must not be part of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gradus::core {

// The copies from the CPU to other devices that a call of a step makes: a recorded step repeats them with the values
// of one call, so all calls must bring the same.
struct HostCopy {
  std::size_t bytes;
  std::uint64_t hash;
  friend bool operator==(const HostCopy&, const HostCopy&) = default;
};
using HostCopies = std::vector<HostCopy>;

// While it lives, `all` gets the copies that this thread makes.
class HostCopiesScope {
 public:
  explicit HostCopiesScope(HostCopies& all);
  ~HostCopiesScope();
  HostCopiesScope(const HostCopiesScope&) = delete;
  HostCopiesScope& operator=(const HostCopiesScope&) = delete;
};

// While it lives, this thread records a step. `before` are the copies of the call before, which may have made more.
class RecordingScope {
 public:
  explicit RecordingScope(const HostCopies& before);
  ~RecordingScope();
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
};

// Reasons that several calls have.
inline constexpr const char* kWaits = "the host would have to wait for the device";
inline constexpr const char* kDecides = "what it does depends on the host, and changes from step to step";

// Throws, in the name of `call`, while this thread records.
void refuse_recording(std::string_view call, std::string_view why);
// Before a copy to another device. Throws while this thread records, unless the call before made the same.
void note_host_copy(const void* from, std::size_t bytes);

}  // namespace gradus::core

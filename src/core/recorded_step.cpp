#include "core/recorded_step.h"

#include <gradus/core/error.h>

#include <algorithm>

#include "core/recording_text.h"

namespace gradus::core {

namespace {

thread_local HostCopies* noted = nullptr;
thread_local const HostCopies* expected = nullptr;  // while this thread records
thread_local std::size_t next = 0;                  // of them

std::uint64_t hash_of(const void* data, std::size_t bytes) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto* p = static_cast<const unsigned char*>(data); bytes > 0; --bytes, ++p)
    hash = (hash ^ *p) * 0x100000001b3;
  return hash;
}

}  // namespace

HostCopiesScope::HostCopiesScope(HostCopies& all) { noted = &all; }
HostCopiesScope::~HostCopiesScope() { noted = nullptr; }

RecordingScope::RecordingScope(const HostCopies& before) {
  expected = &before;
  next = 0;
}
RecordingScope::~RecordingScope() { expected = nullptr; }

void refuse_recording(std::string_view call, std::string_view why) {
  if (expected != nullptr) throw Error(recording_text(call, why));
}

void note_host_copy(const void* from, std::size_t bytes) {
  if (noted != nullptr) noted->push_back({bytes, hash_of(from, bytes)});
  if (expected == nullptr) return;
  const auto found = std::find(expected->begin() + static_cast<std::ptrdiff_t>(next), expected->end(),
                               HostCopy{bytes, hash_of(from, bytes)});
  if (found == expected->end()) {
    throw Error(recording_text("a copy from the CPU (to(), copy_())",
                               "it does not bring the values of the call before: write them into a tensor of the "
                               "device before the step"));
  }
  next = static_cast<std::size_t>(found - expected->begin()) + 1;
}

}  // namespace gradus::core

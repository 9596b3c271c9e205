// Steps that are recorded to be asked for again as a whole (docs/devices.md, "Recorded steps"). The device keeps the
// work (runtime.h: begin_capture) with its arguments, so three things are other than without a recording:
//   - what is allocated meanwhile stays the recording's own until it goes, and is used again within it alone;
//   - tables for kernels are copied once, into memory of the recording;
//   - numbers that differ from step to step, those of optimizers' rules and the place of random numbers, are read from
//     memory that is written before each repetition.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/memory/backend.h"
#include "kernels/gpu/kernels.h"

namespace gradus::gpu {

// A place in the host's memory, and the one in the device's that it is copied to.
struct Place {
  std::byte* host;
  void* device;
};

// Memory of the device that the host fills. It stays where it is.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  Place add(const void* from, std::size_t bytes);
  void write() const;  // all of it to the device

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> host;
    void* device;
    std::size_t size, used;
  };
  std::vector<Chunk> chunks_;
};

class Recording final : public core::Recorded {
 public:
  explicit Recording(std::uint64_t seed);
  ~Recording() override;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void record(const std::function<void()>& step);
  void prepare() override;
  void cancel() noexcept override;
  bool launch(std::uint64_t seed, std::uint64_t offset) override;

  // While it records.
  void* allocate(std::size_t bytes);
  const void* copy(const void* from, std::size_t bytes) { return constants_.add(from, bytes).device; }
  void use(const void* p) { used_.push_back(p); }
  // Where a fill reads the step's seed and first offset; `range` counts from there.
  const RandomRange* place_of(const RandomRange& range);
  const void* place_of(std::span<const Piece> pieces, const Rules& rules);

  // While it is prepared.
  void take(std::span<const Piece> pieces, const Rules& rules);

 private:
  friend bool release_recorded(void* p, std::size_t bytes) noexcept;

  struct Update {
    std::vector<Piece> pieces;
    std::string rule;
    std::size_t bytes, count, state_count;
    std::int64_t element_size;
    Place place;
    bool is_like(std::span<const Piece> other, const Rules& rules) const;
  };

  int device_;
  std::uint64_t seed_;
  Arena constants_, numbers_;
  Place random_;
  std::vector<Update> updates_;
  std::multimap<std::size_t, void*> free_;  // own blocks that are not in use, by size
  std::vector<const void*> used_;           // in order, once it is recorded
  std::shared_ptr<void> captured_;
  std::size_t next_ = 0;           // of updates_, while it is prepared
  bool changed_ = false;           // an update was not like the recorded one
  std::atomic<bool> gone_{false};  // memory that it uses was given back
};

std::unique_ptr<core::Recorded> record(std::uint64_t seed, const std::function<void()>& step);

// What this thread records, or has prepared; null: nothing.
Recording* recording();
Recording* prepared();

// Memory of a recording's own: null, or false, where there is none.
void* allocate_recorded(std::size_t bytes);
bool release_recorded(void* p, std::size_t bytes) noexcept;

// Throws, in the name of `call`, while this thread records.
void refuse_recording(const char* call);
// Throws while another thread records, whose recording would contain what this one asks for.
void refuse_beside_recording();

// Checks of indices (checks.cpp).
void begin_recorded_checks();
void end_recorded_checks(const Recording* recording);

}  // namespace gradus::gpu

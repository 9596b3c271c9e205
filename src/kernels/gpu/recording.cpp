#include "kernels/gpu/recording.h"

#include <gradus/core/error.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/recorded_step.h"
#include "core/recording_text.h"
#include "kernels/gpu/runtime.h"

namespace gradus::gpu {

std::atomic<int> recording_threads{0};

namespace {

thread_local Recording* now_recording = nullptr;
thread_local Recording* now_prepared = nullptr;

// The blocks of all recordings, and those that outlived theirs.
struct Block {
  std::size_t size;
  Recording* owner;  // null: it is gone
};
struct Registry {
  std::mutex mutex;
  std::unordered_map<void*, Block> blocks;
  std::vector<Recording*> recordings;
  std::atomic<bool> any{false};

  void changed() { any.store(!blocks.empty() || !recordings.empty(), std::memory_order_relaxed); }
};
// Never destroyed: tensors may be freed until the very end of the process.
Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

}  // namespace

Arena::~Arena() {
  for (const Chunk& chunk : chunks_) release_block(chunk.device, chunk.size);
}

Place Arena::add(const void* from, std::size_t bytes) {
  constexpr std::size_t kChunk = std::size_t{64} << 10, kStep = 16;
  const std::size_t size = (bytes + kStep - 1) / kStep * kStep;
  if (chunks_.empty() || chunks_.back().size - chunks_.back().used < size) {
    const std::size_t whole = std::max(size, kChunk);
    auto host = std::make_unique<std::byte[]>(whole);
    chunks_.reserve(chunks_.size() + 1);
    chunks_.push_back({std::move(host), allocate_block(whole), whole, 0});
  }
  Chunk& chunk = chunks_.back();
  const Place place{chunk.host.get() + chunk.used, static_cast<std::byte*>(chunk.device) + chunk.used};
  std::memcpy(place.host, from, bytes);
  chunk.used += size;
  return place;
}

void Arena::write() const {
  for (const Chunk& chunk : chunks_) copy_from_host(chunk.device, chunk.host.get(), chunk.used);
}

Recording::Recording(std::uint64_t seed) : device_(current_device()), seed_(seed) {
  const RandomRange none{};
  random_ = numbers_.add(&none, sizeof none);
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.recordings.push_back(this);
  all.changed();
}

Recording::~Recording() {
  std::vector<std::pair<std::size_t, void*>> idle;
  Registry& all = registry();
  {
    const std::lock_guard lock(all.mutex);
    std::erase(all.recordings, this);
    idle.assign(free_.begin(), free_.end());
    for (const auto& [size, p] : idle) all.blocks.erase(p);
    for (auto& [p, block] : all.blocks)
      if (block.owner == this) block.owner = nullptr;
    all.changed();
  }
  try {
    select_device(device_);
    end_recorded_checks(this);
  } catch (const Error&) {
    // The device is lost, and its memory with it.
  }
  captured_.reset();
  for (const auto& [size, p] : idle) release_block(p, size);
}

void Recording::record(const std::function<void()>& step) {
  if (now_recording != nullptr || now_prepared != nullptr)
    throw Error("GraphedStep: this thread records another step already");
  refuse_beside_recording();
  begin_recorded_checks();
  now_recording = this;
  ++recording_threads;
  const auto end = [] {
    now_recording = nullptr;
    --recording_threads;
  };
  try {
    begin_capture();
    try {
      step();
      captured_ = end_capture();
    } catch (...) {
      abandon_capture();
      throw;
    }
  } catch (...) {
    end();
    throw;
  }
  end();
  std::sort(used_.begin(), used_.end());
  used_.erase(std::unique(used_.begin(), used_.end()), used_.end());
  constants_.write();
  next_ = updates_.size();
}

void* Recording::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  if (current_device() != device_) throw Error("GraphedStep: a step is recorded on one device, and works on another");
  constexpr std::size_t kStep = 512, kSlack = std::size_t{1} << 20;
  const std::size_t size = (bytes + kStep - 1) / kStep * kStep;
  Registry& all = registry();
  {
    const std::lock_guard lock(all.mutex);
    const auto found = free_.lower_bound(bytes);
    if (found != free_.end() && found->first <= std::max(2 * size, size + kSlack)) {
      void* const p = found->second;
      free_.erase(found);
      return p;
    }
  }
  void* const p = allocate_block(size);
  const std::lock_guard lock(all.mutex);
  all.blocks.emplace(p, Block{size, this});
  all.changed();
  return p;
}

const RandomRange* Recording::place_of(const RandomRange& range) {
  if (range.seed != seed_) {
    throw Error(core::recording_text("a draw of random numbers",
                                     "it uses another generator than default_generator(), or "
                                     "one that was seeded within the step"));
  }
  return static_cast<const RandomRange*>(random_.device);
}

const void* Recording::place_of(std::span<const Piece> pieces, const Rules& rules) {
  updates_.push_back({{pieces.begin(), pieces.end()},
                      rules.name(),
                      rules.bytes,
                      rules.count,
                      rules.state_count,
                      rules.element_size,
                      numbers_.add(rules.data, rules.bytes * rules.count)});
  return updates_.back().place.device;
}

bool Recording::Update::is_like(std::span<const Piece> other, const Rules& rules) const {
  const auto same = [](const Piece& a, const Piece& b) {
    return a.p == b.p && a.g == b.g && a.state == b.state && a.n == b.n && a.rule == b.rule;
  };
  return rule == rules.name() && bytes == rules.bytes && count == rules.count && state_count == rules.state_count &&
         element_size == rules.element_size &&
         std::equal(pieces.begin(), pieces.end(), other.begin(), other.end(), same);
}

void Recording::prepare() {
  now_prepared = this;
  next_ = 0;
  changed_ = false;
}

void Recording::take(std::span<const Piece> pieces, const Rules& rules) {
  changed_ = changed_ || next_ == updates_.size() || !updates_[next_].is_like(pieces, rules);
  if (changed_) return;
  const Update& update = updates_[next_++];
  std::memcpy(update.place.host, rules.data, update.bytes * update.count);
}

void Recording::cancel() noexcept { now_prepared = nullptr; }

bool Recording::launch(std::uint64_t seed, std::uint64_t offset) {
  now_prepared = nullptr;
  if (changed_ || next_ != updates_.size() || gone_.load(std::memory_order_relaxed)) return false;
  select_device(device_);
  const RandomRange from{seed, offset};
  std::memcpy(random_.host, &from, sizeof from);
  numbers_.write();
  launch_captured(captured_);
  return true;
}

std::unique_ptr<core::Recorded> record(std::uint64_t seed, const std::function<void()>& step) {
  auto made = std::make_unique<Recording>(seed);
  made->record(step);
  return made;
}

Recording* recording() { return is_any_recording() ? now_recording : nullptr; }
Recording* prepared() { return now_prepared; }

const void* recorded_copy(const void* from, std::size_t bytes) {
  Recording* const now = recording();
  return now != nullptr && bytes > 0 ? now->copy(from, bytes) : nullptr;
}

void note_recorded_use(const void* p) {
  if (p != nullptr && now_recording != nullptr) now_recording->use(p);
}

void* allocate_recorded(std::size_t bytes) {
  Recording* const now = recording();
  return now != nullptr ? now->allocate(bytes) : nullptr;
}

bool release_recorded(void* p, std::size_t bytes) noexcept {
  Registry& all = registry();
  if (p == nullptr || !all.any.load(std::memory_order_relaxed)) return false;
  std::size_t size = 0;
  {
    const std::lock_guard lock(all.mutex);
    if (const auto found = all.blocks.find(p); found != all.blocks.end()) {
      size = found->second.size;
      if (Recording* const owner = found->second.owner; owner != nullptr) {
        owner->free_.emplace(size, p);
        return true;
      }
      all.blocks.erase(found);
      all.changed();
    } else {
      Recording* const now = recording();
      for (Recording* const one : all.recordings) {
        if (one == now) continue;
        const auto used = std::lower_bound(one->used_.begin(), one->used_.end(), p);
        if (used != one->used_.end() && *used < static_cast<std::byte*>(p) + bytes) one->gone_ = true;
      }
      // The recorded step may have worked with it before: it may not become anybody else's.
      if (now == nullptr || current_device() != now->device_) return false;
      all.blocks.emplace(p, Block{bytes, now});
      now->free_.emplace(bytes, p);
      return true;
    }
  }
  release_block(p, size);
  return true;
}

void refuse_recording(const char* call) {
  if (recording() != nullptr) throw Error(core::recording_text(call, core::kWaits));
}

void refuse_beside_recording() {
  if (is_any_recording() && now_recording == nullptr)
    throw Error("GraphedStep: another thread records a step, and meanwhile no other thread may use the device");
}

}  // namespace gradus::gpu

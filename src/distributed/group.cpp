#include "distributed/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "core/memory/allocator.h"

namespace gradus::distributed {

using Clock = std::chrono::steady_clock;

// From the tensors' allocator, which keeps large blocks: every step needs the same ones.
Bytes make_bytes(std::size_t size) {
  const std::size_t bytes = std::max<std::size_t>(size, 1);
  return {static_cast<std::byte*>(core::allocate(bytes)), [bytes](std::byte* p) { core::deallocate(p, bytes); }};
}

std::string ranks_text(std::span<const int> ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0) text += i + 1 == ranks.size() ? " and " : ", ";
    text += std::to_string(ranks[i]);
  }
  return text;
}

Group::Group(Transport* transport, Launch launch, double timeout)
    : transport_(transport),
      launch_(std::move(launch)),
      rank_(transport->rank()),
      size_(transport->size()),
      timeout_(timeout) {}

std::uint32_t Group::take_tags(std::uint32_t count) {
  constexpr std::uint32_t kRows = Transport::kTags / Transport::kStages - 1;  // the first is for words
  if (next_row_ + count > kRows) next_row_ = 0;
  const std::uint32_t first = (1 + next_row_) * Transport::kStages;
  next_row_ += count;
  return first;
}

void Group::check() {
  if (failure_.empty()) {
    if (const auto note = transport_->told()) {
      failure_ = *note;
      transport_->tell(failure_);  // so that the others know that this one knows
    }
  }
  if (!failure_.empty()) throw DistributedError(failure_);
}

void Group::wait(const std::function<bool()>& poll, const std::function<std::vector<int>()>& missing,
                 const std::string& what) {
  const auto begin = Clock::now();
  for (int round = 0; !poll(); ++round) {
    if (round < 200) {
      std::this_thread::yield();
      continue;
    }
    check();
    const double waited = std::chrono::duration<double>(Clock::now() - begin).count();
    if (waited > timeout_) {
      fail(
          fmt::format("{}: {} did not come within {:g} s (stopped, without a connection, or slower than the timeout of "
                      "init allows)",
                      what, ranks_text(missing()), timeout_));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(waited > 0.01 ? 200 : 20));
  }
}

void Group::abort(const std::string& message) noexcept {
  if (failed()) return;
  try {
    failure_ = message;
  } catch (const std::exception&) {
    return;
  }
  transport_->tell(message);
}

void Group::fail(const std::string& message) {
  abort(message);
  throw DistributedError(failure_);
}

void Group::fail_without(int rank, const std::string& why) {
  // It may have said why before it went.
  for (int i = 0; i < 50; ++i) {
    check();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  fail(fmt::format("distributed: rank {} is gone ({})", rank, why));
}

void Group::close(bool clean) noexcept {
  if (!std::exchange(closed_, true)) transport_->close(clean);
}

void Messages::send(int to, std::uint32_t tag, const Bytes& owner, const std::byte* data, std::size_t bytes) {
  if (bytes == 0) return;
  try {
    pending_.push_back({group_.transport().send(to, tag, owner, data, bytes), to, false});
    group_.bytes_sent += static_cast<std::int64_t>(bytes);
  } catch (const PeerGone& gone) {
    group_.fail_without(gone.rank, gone.what());
  }
}

void Messages::receive(int from, std::uint32_t tag, const Bytes& owner, std::byte* data, std::size_t bytes) {
  if (bytes == 0) return;
  try {
    pending_.push_back({group_.transport().receive(from, tag, owner, data, bytes), from, true});
  } catch (const PeerGone& gone) {
    group_.fail_without(gone.rank, gone.what());
  }
}

bool Messages::poll() {
  try {
    std::erase_if(pending_, [&](const Pending& message) { return group_.transport().done(message.ticket); });
  } catch (const PeerGone& gone) {
    group_.fail_without(gone.rank, gone.what());
  }
  return pending_.empty();
}

std::vector<int> Messages::missing() const {
  std::set<int> ranks, takers;
  for (const Pending& message : pending_) (message.receives ? ranks : takers).insert(message.peer);
  if (ranks.empty()) ranks = takers;
  return {ranks.begin(), ranks.end()};
}

}  // namespace gradus::distributed

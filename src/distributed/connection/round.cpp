#include "distributed/connection/round.h"

#include <cstring>
#include <map>

namespace gradus::distributed {

namespace {
constexpr std::uint32_t kWordsTag = 0;  // one tag for all: they meet in the order of the program
constexpr std::uint32_t kPayload = 1;   // stage
}  // namespace

Round::Round(Group& group, std::string what, std::string_view own)
    : group_(group),
      what_(std::move(what)),
      bytes_(own.size()),
      tag_(group.take_tags()),
      words_(make_bytes(kWords * static_cast<std::size_t>(group.size()))),
      payload_(make_bytes(bytes_ * static_cast<std::size_t>(group.size()))),
      messages_(group) {
  group_.check();
  if (what_.size() >= kWords) what_.resize(kWords - 1);
  const auto me = static_cast<std::size_t>(group.rank());
  std::byte* const mine = words_.get() + me * kWords;
  std::memset(mine, 0, kWords);
  std::memcpy(mine, what_.data(), what_.size());
  if (bytes_ > 0) std::memcpy(payload_.get() + me * bytes_, own.data(), bytes_);
  for (int peer = 0; peer < group.size(); ++peer) {
    if (peer == group.rank()) continue;
    messages_.receive(peer, kWordsTag, words_, words_.get() + static_cast<std::size_t>(peer) * kWords, kWords);
    messages_.send(peer, kWordsTag, words_, mine, kWords);
  }
}

void Round::compare() {
  std::map<std::string, std::vector<int>> by_words;
  for (int rank = 0; rank < group_.size(); ++rank)
    by_words[reinterpret_cast<const char*>(words_.get() + static_cast<std::size_t>(rank) * kWords)].push_back(rank);
  if (by_words.size() == 1) return;
  std::string message = "distributed: the ranks do different things: ";
  bool first = true;
  for (const auto& [words, ranks] : by_words) {
    if (!std::exchange(first, false)) message += "; ";
    message += ranks_text(ranks) + ": " + words;
  }
  group_.fail(message);
}

bool Round::poll() {
  if (!messages_.poll()) return false;
  if (compared_) return true;
  compare();
  compared_ = true;
  const auto me = static_cast<std::size_t>(group_.rank());
  for (int peer = 0; peer < group_.size(); ++peer) {
    if (peer == group_.rank()) continue;
    messages_.receive(peer, tag_ + kPayload, payload_, payload_.get() + static_cast<std::size_t>(peer) * bytes_,
                      bytes_);
    messages_.send(peer, tag_ + kPayload, payload_, payload_.get() + me * bytes_, bytes_);
  }
  return messages_.poll();
}

void Round::wait() {
  group_.wait([this] { return poll(); }, [this] { return messages_.missing(); }, what_);
}

std::string_view Round::of(int rank) const {
  return {reinterpret_cast<const char*>(payload_.get()) + static_cast<std::size_t>(rank) * bytes_, bytes_};
}

std::vector<std::string> gather_texts(Group& group, const std::string& what, std::string_view own) {
  const std::uint64_t size = own.size();
  Round sizes(group, what, {reinterpret_cast<const char*>(&size), sizeof size});
  sizes.wait();
  const std::uint32_t tag = group.take_tags() + kPayload;
  std::vector<std::string> texts(static_cast<std::size_t>(group.size()));
  std::vector<Bytes> memory;
  std::vector<std::uint64_t> lengths;
  Messages messages(group);
  const Bytes mine = make_bytes(own.size());
  std::memcpy(mine.get(), own.data(), own.size());
  for (int peer = 0; peer < group.size(); ++peer) {
    std::uint64_t length = 0;
    std::memcpy(&length, sizes.of(peer).data(), sizeof length);
    lengths.push_back(length);
    memory.push_back(peer == group.rank() ? mine : make_bytes(length));
    if (peer == group.rank()) continue;
    messages.receive(peer, tag, memory.back(), memory.back().get(), length);
    messages.send(peer, tag, mine, mine.get(), own.size());
  }
  group.wait([&] { return messages.poll(); }, [&] { return messages.missing(); }, what);
  for (std::size_t i = 0; i < texts.size(); ++i)
    texts[i].assign(reinterpret_cast<const char*>(memory[i].get()), lengths[i]);
  return texts;
}

}  // namespace gradus::distributed

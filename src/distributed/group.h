// The processes that work together: the order of what they do, waiting for each other, and what happens when one fails.
#pragma once

#include <gradus/distributed.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "distributed/connection/environment.h"
#include "distributed/connection/transport.h"

namespace gradus::distributed {

Bytes make_bytes(std::size_t size);

// Ranks for a message: "rank 2", "ranks 0, 1 and 3".
std::string ranks_text(std::span<const int> ranks);

class Group {
 public:
  Group(Transport* transport, Launch launch, double timeout);

  int rank() const { return rank_; }
  int size() const { return size_; }
  const Launch& launch() const { return launch_; }
  Transport& transport() { return *transport_; }

  // The first of `count` rows of kStages tags, one of each stage, for the next messages; the same on all ranks.
  std::uint32_t take_tags(std::uint32_t count = 1);

  // Waits until poll() is true. `missing` says for whom, `what` for what.
  void wait(const std::function<bool()>& poll, const std::function<std::vector<int>()>& missing,
            const std::string& what);
  // Throws if the work of all has ended by an error of this rank, or of another one.
  void check();
  // The same on all ranks: each sees it by itself.
  [[noreturn]] void fail(const std::string& message);
  [[noreturn]] void fail_without(int rank, const std::string& why);
  void abort(const std::string& message) noexcept;  // fail() without the exception
  bool failed() const { return !failure_.empty(); }
  std::int64_t bytes_sent = 0;
  void close(bool clean) noexcept;

 private:
  Transport* transport_;
  Launch launch_;
  int rank_, size_;
  double timeout_;
  std::uint32_t next_row_ = 0;
  std::string failure_;
  bool closed_ = false;
};

// Null for a process that is alone.
Group* group();

// Messages that are under way.
class Messages {
 public:
  explicit Messages(Group& group) : group_(group) {}
  void send(int to, std::uint32_t tag, const Bytes& owner, const std::byte* data, std::size_t bytes);
  void receive(int from, std::uint32_t tag, const Bytes& owner, std::byte* data, std::size_t bytes);
  bool poll();  // whether all have ended
  std::vector<int> missing() const;

 private:
  struct Pending {
    Transport::Ticket ticket;
    int peer;
    bool receives;
  };
  Group& group_;
  std::vector<Pending> pending_;
};

}  // namespace gradus::distributed

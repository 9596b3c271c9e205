// What a library that connects processes must be able to do for us: to send and to receive. All else is made of it, so
// that sums have the same bits whatever carries them. Plug-ins implement it; they include nothing else of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace gradus::distributed {

// Memory that messages are in. It lives while a message uses it, also when whoever sent it has given up.
using Bytes = std::shared_ptr<std::byte[]>;

// A process that cannot be reached any more.
struct PeerGone : std::runtime_error {
  PeerGone(int who, const std::string& why) : std::runtime_error(why), rank(who) {}
  int rank;
};

class Transport {
 public:
  using Ticket = std::uint64_t;
  static constexpr std::uint32_t kTags = 30000;  // tags are below
  // A tag's stage is its remainder by this. A message of one stage is sent once some of lower stages have come, and
  // does not depend on others of its own: so those of a stage may be waited for in any order.
  static constexpr std::uint32_t kStages = 4;

  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Begins to send or to receive `bytes` at `data`, which lies in `owner`. Messages of one tag between two processes
  // keep their order. Neither blocks.
  virtual Ticket send(int to, std::uint32_t tag, const Bytes& owner, const std::byte* data, std::size_t bytes) = 0;
  virtual Ticket receive(int from, std::uint32_t tag, const Bytes& owner, std::byte* data, std::size_t bytes) = 0;
  // Whether it has ended; the ticket is then used up. PeerGone.
  virtual bool done(Ticket ticket) = 0;
  // A few words to all others, past the order of other messages: why this process gives up. told() is the first that
  // came.
  virtual void tell(const std::string& note) noexcept = 0;
  virtual std::optional<std::string> told() = 0;
  // The end, at which all have arrived (`clean`) or not; nothing is called after it.
  virtual void close(bool clean) noexcept = 0;
};

inline constexpr std::size_t kNoteBytes = 1024;

struct TransportConfig {
  int rank = 0, size = 1;  // for Gloo; MPI knows them
  std::string address;
  int port = 0;
  std::string store;   // a folder, instead of an address
  double timeout = 0;  // seconds to find each other in
};

// What a plug-in exports under the name gradus_open_transport. Throws std::runtime_error.
using OpenTransport = Transport* (*)(const TransportConfig&);

}  // namespace gradus::distributed

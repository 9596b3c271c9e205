// Gloo over TCP. Its buffers can only be waited for, and close all connections when a wait was too short. So threads
// wait, without an end, and say what has come: one for each process that this one talks to and each stage, as a message
// must not be waited for behind one that depends on it. Deadlines are not Gloo's.
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#include <gloo/transport/unbound_buffer.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "distributed/connection/transport.h"
#include "distributed/plugins/tcp_store.h"

namespace gradus::distributed {
namespace {

using Milliseconds = std::chrono::milliseconds;
using gloo::transport::UnboundBuffer;
constexpr std::uint64_t kNoteSlot = Transport::kTags;
constexpr Milliseconds kForever = std::chrono::hours(24 * 365);

enum class State { pending, done, failed };

struct Message {
  std::unique_ptr<UnboundBuffer> buffer;
  int peer;
  bool receives;
  Bytes owner;
  std::atomic<State> state{State::pending};
  std::string error = {};

  void wait() noexcept {
    try {
      const bool ended = receives ? buffer->waitRecv(kForever) : buffer->waitSend(kForever);
      state = ended ? State::done : State::failed;
    } catch (const std::exception& e) {
      error = e.what();
      state = State::failed;
    }
  }
};
using MessageRef = std::shared_ptr<Message>;

// The messages of one stage to and from one process, waited for in order.
class Lane {
 public:
  Lane() : thread_([this] { work(); }) {}
  // Only where none is pending.
  ~Lane() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    more_.notify_one();
    thread_.join();
  }
  void add(MessageRef message) {
    {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
    }
    more_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      more_.wait(lock, [this] { return stop_ || !messages_.empty(); });
      if (stop_) return;
      const MessageRef message = std::move(messages_.front());
      messages_.pop_front();
      lock.unlock();
      message->wait();
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<MessageRef> messages_;
  bool stop_ = false;
  std::thread thread_;
};

// Gloo writes to its sockets without MSG_NOSIGNAL: without this, a process that sends to one that is gone dies of
// SIGPIPE and says nothing. A program's own handler stays.
class PipesAreErrors {
 public:
  PipesAreErrors() {
    if (is(SIG_DFL)) {
      ::signal(SIGPIPE, SIG_IGN);
      ours_ = true;
    }
  }
  ~PipesAreErrors() {
    if (ours_ && is(SIG_IGN)) ::signal(SIGPIPE, SIG_DFL);
  }
  PipesAreErrors(const PipesAreErrors&) = delete;
  PipesAreErrors& operator=(const PipesAreErrors&) = delete;

 private:
  static bool is(void (*handler)(int)) {
    struct sigaction now {};
    return ::sigaction(SIGPIPE, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == handler;
  }
  bool ours_ = false;
};

// The name of this machine if it can be looked up, without which Gloo crashes; else an address of its own.
std::string reachable_name() {
  char name[256] = {};
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (::gethostname(name, sizeof name - 1) == 0 && ::getaddrinfo(name, nullptr, &hints, &found) == 0) {
    ::freeaddrinfo(found);
    return name;
  }
  std::string address = "127.0.0.1";
  ifaddrs* interfaces = nullptr;
  if (::getifaddrs(&interfaces) != 0) return address;
  for (const ifaddrs* i = interfaces; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET) continue;
    if ((i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(i->ifa_addr)->sin_addr, text, sizeof text);
    address = text;
    break;
  }
  ::freeifaddrs(interfaces);
  return address;
}

class Gloo final : public Transport {
 public:
  explicit Gloo(const TransportConfig& config)
      : context_(std::make_shared<gloo::rendezvous::Context>(config.rank, config.size)),
        lanes_(kStages * static_cast<std::size_t>(config.size)) {
    std::unique_ptr<gloo::rendezvous::Store> store;
    gloo::transport::tcp::attr where;
    if (config.store.empty()) {
      auto tcp = std::make_unique<TcpStore>(config.address, config.port, config.rank, config.size, config.timeout);
      where.hostname = tcp->own_address();
      store = std::move(tcp);
    } else {
      where.hostname = reachable_name();
      store = std::make_unique<gloo::rendezvous::FileStore>(config.store);
    }
    device_ = gloo::transport::tcp::CreateDevice(where);
    context_->setTimeout(Milliseconds(static_cast<std::int64_t>(config.timeout * 1000)));
    context_->connectFullMesh(*store, device_);
    arrive(*store, config);

    std::vector<int> others;
    for (int i = 0; i < config.size; ++i) {
      if (i != config.rank) others.push_back(i);
    }
    inbox_ = message(-1, true, {}, note_in_, sizeof note_in_);
    inbox_->buffer->recv(others, kNoteSlot, 0, sizeof note_in_);
    inbox_waiter_ = std::thread([inbox = inbox_] { inbox->wait(); });
  }

  int rank() const override { return context_->rank; }
  int size() const override { return context_->size; }

  Ticket send(int to, std::uint32_t tag, const Bytes& owner, const std::byte* data, std::size_t bytes) override {
    const MessageRef m = message(to, false, owner, const_cast<std::byte*>(data), bytes);
    return begin(m, tag, [&] { m->buffer->send(to, tag, 0, bytes); });
  }
  Ticket receive(int from, std::uint32_t tag, const Bytes& owner, std::byte* data, std::size_t bytes) override {
    const MessageRef m = message(from, true, owner, data, bytes);
    return begin(m, tag, [&] { m->buffer->recv(from, tag, 0, bytes); });
  }
  bool done(Ticket ticket) override {
    const auto it = pending_.find(ticket);
    const State state = it->second->state;
    if (state == State::failed) throw PeerGone(it->second->peer, it->second->error);
    if (state == State::done) pending_.erase(it);
    return state == State::done;
  }

  void tell(const std::string& note) noexcept override {
    std::memset(note_out_, 0, sizeof note_out_);
    note.copy(note_out_, sizeof note_out_ - 1);
    for (int to = 0; to < size(); ++to) {
      if (to == rank()) continue;
      try {
        outbox_.push_back(context_->createUnboundBuffer(note_out_, sizeof note_out_));
        outbox_.back()->send(to, kNoteSlot, 0, sizeof note_out_);
      } catch (const std::exception&) {
        outbox_.pop_back();  // that one is gone already
      }
    }
  }
  std::optional<std::string> told() override {
    if (inbox_->state != State::done) return {};
    note_in_[kNoteBytes - 1] = 0;
    return std::string(note_in_);
  }

  void close(bool clean) noexcept override {
    if (!clean) {
      // The process ends, with threads that still wait. Notes must have left before the connections go.
      std::this_thread::sleep_for(Milliseconds(outbox_.empty() ? 0 : 500));
      inbox_waiter_.detach();
      return;
    }
    lanes_.clear();
    inbox_->buffer->abortWaitRecv();
    inbox_waiter_.join();
    delete this;
  }

 private:
  MessageRef message(int peer, bool receives, const Bytes& owner, void* data, std::size_t bytes) {
    return MessageRef(new Message{context_->createUnboundBuffer(data, bytes), peer, receives, owner});
  }
  template <class Post>
  Ticket begin(const MessageRef& message, std::uint32_t tag, const Post& post) {
    try {
      post();
    } catch (const std::exception& error) {
      throw PeerGone(message->peer, error.what());
    }
    pending_.emplace(++last_, message);
    auto& lane = lanes_[static_cast<std::size_t>(message->peer) * kStages + tag % kStages];
    if (!lane) lane = std::make_unique<Lane>();
    lane->add(message);
    return last_;
  }

  // Rank 0 keeps the store until all have read what they need of it.
  static void arrive(gloo::rendezvous::Store& store, const TransportConfig& config) {
    store.set("arrived/" + std::to_string(config.rank), {'1'});
    std::vector<std::string> keys;
    for (int i = 0; i < config.size; ++i) keys.push_back("arrived/" + std::to_string(i));
    if (config.rank == 0) store.wait(keys, Milliseconds(static_cast<std::int64_t>(config.timeout * 1000)));
  }

  PipesAreErrors pipes_are_errors_;  // longer than any connection
  std::shared_ptr<gloo::rendezvous::Context> context_;
  std::shared_ptr<gloo::transport::Device> device_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Ticket last_ = 0;
  std::unordered_map<Ticket, MessageRef> pending_;
  char note_in_[kNoteBytes] = {}, note_out_[kNoteBytes] = {};
  MessageRef inbox_;
  std::thread inbox_waiter_;
  std::vector<std::unique_ptr<UnboundBuffer>> outbox_;
};

}  // namespace
}  // namespace gradus::distributed

extern "C" __attribute__((visibility("default"))) gradus::distributed::Transport* gradus_open_transport(
    const gradus::distributed::TransportConfig& config) {
  return new gradus::distributed::Gloo(config);
}

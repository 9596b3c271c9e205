#include "distributed/plugins/tcp_store.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <stdexcept>

namespace gradus::distributed {

namespace {

using Clock = std::chrono::steady_clock;

// What a connection begins with: a mark, so that another program at this port is noticed, and who connects.
struct Hello {
  char mark[16];
  std::int32_t rank, size;
};
constexpr char kMark[16] = "gradus store 1";
constexpr std::uint32_t kMost = 1 << 20;  // of a key or of what it holds

bool send_all(int fd, const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::send(fd, at, bytes, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

bool receive_all(int fd, void* data, std::size_t bytes) {
  char* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::recv(fd, at, bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

template <class Text>
bool send_text(int fd, const Text& text) {
  const std::uint32_t size = static_cast<std::uint32_t>(text.size());
  return send_all(fd, &size, sizeof size) && send_all(fd, text.data(), text.size());
}

template <class Text>
bool receive_text(int fd, Text& text) {
  std::uint32_t size = 0;
  if (!receive_all(fd, &size, sizeof size) || size > kMost) return false;
  text.resize(size);
  return receive_all(fd, text.data(), size);
}

void limit_waiting(int fd, double seconds) {
  const timeval limit{static_cast<time_t>(seconds), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

struct Addresses {
  addrinfo* list = nullptr;
  Addresses(const std::string& host, int port, bool listens) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = listens ? AI_PASSIVE : 0;
    const int code = ::getaddrinfo(listens ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (code != 0)
      throw std::runtime_error("MASTER_ADDR '" + host + "' is not the name of a machine (" + ::gai_strerror(code) +
                               ")");
  }
  ~Addresses() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
};

std::string address_of(const sockaddr_storage& address, socklen_t length) {
  char text[NI_MAXHOST] = {};
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return text;
}

}  // namespace

// One thread, which answers whoever asks: there is one question at a time from each.
class TcpStore::Server {
 public:
  Server(const std::string& where, int port, int size) : size_(size) {
    const Addresses addresses("", port, true);
    for (const addrinfo* a = addresses.list; a != nullptr && listener_ < 0; a = a->ai_next) {
      const int fd = ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const int on = 1;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      if (fd >= 0 && ::bind(fd, a->ai_addr, a->ai_addrlen) == 0 && ::listen(fd, 128) == 0) {
        listener_ = fd;
      } else if (fd >= 0) {
        ::close(fd);
      }
    }
    if (listener_ < 0) {
      throw std::runtime_error("rank 0 cannot listen at " + where + " (" + std::strerror(errno) +
                               "): set MASTER_PORT to a port that is free");
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }

  void set(const std::string& key, const std::vector<char>& data) {
    const std::lock_guard lock(mutex_);
    table_[key] = data;
  }
  bool find(const std::string& key, std::vector<char>& data) {
    const std::lock_guard lock(mutex_);
    const auto it = table_.find(key);
    if (it != table_.end()) data = it->second;
    return it != table_.end();
  }

 private:
  void serve() {
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    while (!stop_) {
      if (::poll(fds.data(), fds.size(), 50) <= 0) continue;
      for (std::size_t i = 1; i < fds.size();) {
        if (fds[i].revents != 0 && !answer(fds[i].fd)) {
          ::close(fds[i].fd);
          fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
          ++i;
        }
      }
      if ((fds[0].revents & POLLIN) != 0) {
        const int fd = ::accept(listener_, nullptr, nullptr);
        if (fd >= 0 && welcome(fd)) {
          fds.push_back({fd, POLLIN, 0});
        } else if (fd >= 0) {
          ::close(fd);
        }
      }
    }
    for (std::size_t i = 1; i < fds.size(); ++i) ::close(fds[i].fd);
  }

  bool welcome(int fd) {
    limit_waiting(fd, 2);
    Hello hello{};
    if (!receive_all(fd, &hello, sizeof hello) || std::memcmp(hello.mark, kMark, sizeof kMark) != 0) return false;
    std::string refusal;
    if (hello.size != size_) {
      refusal = "WORLD_SIZE is " + std::to_string(hello.size) + " for rank " + std::to_string(hello.rank) + ", and " +
                std::to_string(size_) + " for rank 0";
    } else if (hello.rank <= 0 || !ranks_.insert(hello.rank).second) {
      refusal = "two processes have RANK " + std::to_string(hello.rank) + ": give each its own";
    }
    return send_all(fd, kMark, sizeof kMark) && send_text(fd, refusal) && refusal.empty();
  }

  bool answer(int fd) {
    char what = 0;
    std::string key;
    std::vector<char> data;
    if (!receive_all(fd, &what, 1) || !receive_text(fd, key)) return false;
    if (what == 'S') {
      if (!receive_text(fd, data)) return false;
      set(key, data);
      return send_all(fd, &what, 1);
    }
    const char found = find(key, data) ? 1 : 0;
    return send_all(fd, &found, 1) && send_text(fd, data);
  }

  const int size_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::map<std::string, std::vector<char>> table_;
  std::set<int> ranks_;
  std::thread thread_;
};

TcpStore::TcpStore(const std::string& host, int port, int rank, int size, double timeout)
    : where_(host + ":" + std::to_string(port)), timeout_(timeout) {
  const Addresses addresses(host, port, false);
  if (rank == 0) {
    server_ = std::make_unique<Server>(where_, port, size);
    own_address_ =
        address_of(*reinterpret_cast<const sockaddr_storage*>(addresses.list->ai_addr), addresses.list->ai_addrlen);
    return;
  }
  const auto end = Clock::now() + std::chrono::duration<double>(timeout);
  std::string why = "nobody answers";
  while (socket_ < 0) {
    for (const addrinfo* a = addresses.list; a != nullptr && socket_ < 0; a = a->ai_next) {
      const int fd = ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd < 0) continue;
      limit_waiting(fd, std::max(1.0, timeout));
      if (::connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
        socket_ = fd;
      } else {
        why = std::strerror(errno);
        ::close(fd);
      }
    }
    if (socket_ >= 0) break;
    if (Clock::now() > end) {
      throw std::runtime_error("rank " + std::to_string(rank) + " found nobody at " + where_ + " (" + why +
                               "): set MASTER_ADDR and MASTER_PORT to where rank 0 runs, and start rank 0");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  Hello hello{};
  std::memcpy(hello.mark, kMark, sizeof kMark);
  hello.rank = rank;
  hello.size = size;
  char mark[sizeof kMark] = {};
  std::string refusal;
  if (!send_all(socket_, &hello, sizeof hello) || !receive_all(socket_, mark, sizeof mark) ||
      std::memcmp(mark, kMark, sizeof kMark) != 0 || !receive_text(socket_, refusal)) {
    throw std::runtime_error("another program answers at " + where_ + ": set MASTER_PORT to a port that is free");
  }
  if (!refusal.empty()) throw std::runtime_error(refusal);
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  ::getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &length);
  own_address_ = address_of(own, length);
}

TcpStore::~TcpStore() {
  if (socket_ >= 0) ::close(socket_);
}

void TcpStore::set(const std::string& key, const std::vector<char>& data) {
  if (server_) return server_->set(key, data);
  const char what = 'S';
  char done = 0;
  if (!send_all(socket_, &what, 1) || !send_text(socket_, key) || !send_text(socket_, data) ||
      !receive_all(socket_, &done, 1)) {
    throw std::runtime_error("rank 0 at " + where_ + " is gone");
  }
}

bool TcpStore::find(const std::string& key, std::vector<char>& data) {
  if (server_) return server_->find(key, data);
  const char what = 'G';
  char found = 0;
  if (!send_all(socket_, &what, 1) || !send_text(socket_, key) || !receive_all(socket_, &found, 1) ||
      !receive_text(socket_, data)) {
    throw std::runtime_error("rank 0 at " + where_ + " is gone");
  }
  return found != 0;
}

std::vector<char> TcpStore::get(const std::string& key) {
  wait({key});
  std::vector<char> data;
  find(key, data);
  return data;
}

void TcpStore::wait(const std::vector<std::string>& keys) {
  const auto end = Clock::now() + std::chrono::duration<double>(timeout_);
  for (const std::string& key : keys) {
    std::vector<char> data;
    while (!find(key, data)) {
      if (Clock::now() > end) throw std::runtime_error("a process did not connect to " + where_ + " in time: " + key);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

}  // namespace gradus::distributed

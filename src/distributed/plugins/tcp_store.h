// Where processes find each other's addresses: a table that rank 0 keeps at MASTER_ADDR:MASTER_PORT.
#pragma once

#include <gloo/rendezvous/store.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gradus::distributed {

class TcpStore final : public gloo::rendezvous::Store {
 public:
  // Rank 0 listens, the others connect. std::runtime_error, which says what to set, where that fails within `timeout`.
  TcpStore(const std::string& host, int port, int rank, int size, double timeout);
  ~TcpStore() override;

  void set(const std::string& key, const std::vector<char>& data) override;
  std::vector<char> get(const std::string& key) override;
  void wait(const std::vector<std::string>& keys) override;
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds&) override { wait(keys); }

  // This machine's address as the others see it.
  const std::string& own_address() const { return own_address_; }

 private:
  class Server;
  bool find(const std::string& key, std::vector<char>& data);

  std::string where_, own_address_;
  int socket_ = -1;
  double timeout_;
  std::unique_ptr<Server> server_;  // of rank 0
};

}  // namespace gradus::distributed

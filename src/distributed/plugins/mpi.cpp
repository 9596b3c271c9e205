// MPI, in the interface that every implementation of it has. Compiled once for each of them.
#include <mpi.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "distributed/connection/transport.h"

namespace gradus::distributed {
namespace {

constexpr int kNoteTag = static_cast<int>(Transport::kTags);

std::string error_text(int code) {
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  return std::string(text, static_cast<std::size_t>(length));
}

// So many bytes, as a count and a type: MPI counts with an int, so beyond that they are blocks and a rest.
struct Content {
  int count = 1;
  MPI_Datatype type = MPI_BYTE;
  explicit Content(std::size_t bytes) : count(static_cast<int>(bytes)) {
    if (bytes <= static_cast<std::size_t>(std::numeric_limits<int>::max())) return;
    constexpr std::size_t kBlock = std::size_t{1} << 20;
    MPI_Datatype block = MPI_BYTE;
    MPI_Type_contiguous(kBlock, MPI_BYTE, &block);
    const int lengths[] = {static_cast<int>(bytes / kBlock), static_cast<int>(bytes % kBlock)};
    const MPI_Aint places[] = {0, static_cast<MPI_Aint>(bytes / kBlock * kBlock)};
    const MPI_Datatype types[] = {block, MPI_BYTE};
    MPI_Type_create_struct(2, lengths, places, types, &type);
    MPI_Type_commit(&type);
    MPI_Type_free(&block);
    count = 1;
  }
  // What is under way keeps the type.
  ~Content() {
    if (type != MPI_BYTE) MPI_Type_free(&type);
  }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
};

class Mpi final : public Transport {
 public:
  Mpi() {
    int running = 0;
    MPI_Initialized(&running);
    ours_ = running == 0;
    if (ours_) {
#ifdef OPEN_MPI
      // Over TCP it would "put" large messages, which takes 1.3 to 1.8 times as long at 1 Gbit/s where two ranks send
      // to each other. 57 is its default (314) without that, and without what only that needs. A user's own choice
      // stays.
      ::setenv("OMPI_MCA_btl_tcp_flags", "57", 0);
#endif
      int provided = 0;
      MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
      if (provided < MPI_THREAD_SERIALIZED)
        throw std::runtime_error("this MPI allows only one thread: build it with thread support");
    }
    MPI_Comm_dup(MPI_COMM_WORLD, &comm_);
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  Ticket send(int to, std::uint32_t tag, const Bytes& owner, const std::byte* data, std::size_t bytes) override {
    Pending pending{MPI_REQUEST_NULL, to, owner};
    const Content content(bytes);
    check(to, MPI_Isend(data, content.count, content.type, to, static_cast<int>(tag), comm_, &pending.request));
    return keep(std::move(pending));
  }
  Ticket receive(int from, std::uint32_t tag, const Bytes& owner, std::byte* data, std::size_t bytes) override {
    Pending pending{MPI_REQUEST_NULL, from, owner};
    const Content content(bytes);
    check(from, MPI_Irecv(data, content.count, content.type, from, static_cast<int>(tag), comm_, &pending.request));
    return keep(std::move(pending));
  }
  bool done(Ticket ticket) override {
    const auto it = pending_.find(ticket);
    int flag = 0;
    check(it->second.peer, MPI_Test(&it->second.request, &flag, MPI_STATUS_IGNORE));
    if (flag != 0) pending_.erase(it);
    return flag != 0;
  }

  void tell(const std::string& note) noexcept override {
    std::memset(note_, 0, sizeof note_);
    note.copy(note_, sizeof note_ - 1);
    for (int to = 0; to < size_; ++to) {
      if (to == rank_) continue;
      MPI_Request request = MPI_REQUEST_NULL;
      if (MPI_Isend(note_, sizeof note_, MPI_BYTE, to, kNoteTag, comm_, &request) == MPI_SUCCESS)
        notes_.push_back(request);
    }
  }
  std::optional<std::string> told() override {
    int flag = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, kNoteTag, comm_, &flag, &status) != MPI_SUCCESS || flag == 0) return {};
    char note[kNoteBytes] = {};
    MPI_Recv(note, sizeof note, MPI_BYTE, status.MPI_SOURCE, kNoteTag, comm_, MPI_STATUS_IGNORE);
    note[kNoteBytes - 1] = 0;
    return std::string(note);
  }

  // After a failure MPI is not ended, which would wait for all: its launcher ends the others once this process is gone.
  // They are given the time to know why, and to say so.
  void close(bool clean) noexcept override {
    if (clean) {
      MPI_Comm_free(&comm_);
      if (ours_) MPI_Finalize();
      return;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
    while (std::chrono::steady_clock::now() < end) {
      int all = 0;
      MPI_Testall(static_cast<int>(notes_.size()), notes_.data(), &all, MPI_STATUSES_IGNORE);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  struct Pending {
    MPI_Request request;
    int peer;
    Bytes owner;
  };
  static void check(int peer, int code) {
    if (code != MPI_SUCCESS) throw PeerGone(peer, error_text(code));
  }
  Ticket keep(Pending&& pending) {
    pending_.emplace(++last_, std::move(pending));
    return last_;
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  bool ours_ = true;
  Ticket last_ = 0;
  std::unordered_map<Ticket, Pending> pending_;
  char note_[kNoteBytes] = {};
  std::vector<MPI_Request> notes_;
};

}  // namespace
}  // namespace gradus::distributed

extern "C" __attribute__((visibility("default"))) gradus::distributed::Transport* gradus_open_transport(
    const gradus::distributed::TransportConfig&) {
  return new gradus::distributed::Mpi();
}

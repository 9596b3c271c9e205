// What bench/simulate runs as each rank of a cluster that SimGrid's SMPI simulates: one exchange of gradients.
//
//   simulate sum BYTES BUCKET OVERHEAD           as all_reduce does it, one bucket after the other; of 0 bytes a
//   barrier simulate flat BYTES BUCKET OVERHEAD          as DistributedDataParallel does it, every rank with every
//   other one simulate racks BYTES BUCKET OVERHEAD RACK    inside racks of RACK ranks first, then between racks: a
//   prototype simulate bits BYTES BUCKET OVERHEAD RACK     both, with numbers, whose sums are compared
//
// BUCKET is in bytes; OVERHEAD is how many seconds a message keeps the processor of its sender, and of its receiver,
// busy. Rank 0 prints one JSON object. Sums, trees, buckets and words are those of src/distributed, compiled as they
// are. Only waiting is another: ranks are woken by a message that has ended, where they would look for it again and
// again, and arithmetic takes no time. The ranks are threads of one process; no library of Gradus is needed.
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <simgrid/s4u.hpp>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/memory/allocator.h"
#include "core/threads/parallel.h"
#include "core/visit.h"
#include "distributed/connection/round.h"
#include "distributed/sums/reduction.h"

namespace {
bool with_numbers = false;
}

// What the compiled parts need of the rest of the library.
namespace gradus {

// Blocks lie over each other where nobody looks at the numbers, which all are zero: 256 ranks need 35 GB otherwise.
void* core::allocate(std::size_t bytes) {
  if (with_numbers) return std::malloc(bytes);
  constexpr std::size_t kRegion = std::size_t{1} << 28;
  static auto* const region = static_cast<std::byte*>(std::calloc(kRegion, 1));
  static std::size_t used = 0;
  bytes = (bytes + 63) / 64 * 64;
  if (bytes > kRegion) throw std::runtime_error("simulate: the bucket is too large");
  if (used + bytes > kRegion) used = 0;
  used += bytes;
  return region + used - bytes;
}
void core::deallocate(void* p, std::size_t) noexcept {
  if (with_numbers) std::free(p);
}
void core::detail::run_ranges(std::int64_t n, std::int64_t, std::int64_t, RangeFunction function, void* body) {
  function(body, 0, n);
}
void refuse_type(const char*, Dtype) { throw std::runtime_error("simulate: only float32"); }

}  // namespace gradus

namespace {

using namespace gradus;
using namespace gradus::distributed;

class Simulated final : public Transport {
 public:
  explicit Simulated(double overhead) : overhead_(overhead) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Ticket send(int to, std::uint32_t tag, const Bytes&, const std::byte* data, std::size_t bytes) override {
    busy();
    ++messages;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Isend(data, static_cast<int>(bytes), MPI_BYTE, to, static_cast<int>(tag), MPI_COMM_WORLD, &request);
    return keep(request, false);
  }
  Ticket receive(int from, std::uint32_t tag, const Bytes&, std::byte* data, std::size_t bytes) override {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, from, static_cast<int>(tag), MPI_COMM_WORLD, &request);
    return keep(request, true);
  }
  bool done(Ticket ticket) override { return ended_.erase(ticket) > 0; }
  void tell(const std::string&) noexcept override {}
  std::optional<std::string> told() override { return {}; }
  void close(bool) noexcept override {}

  // Until some message has ended.
  void wait() {
    std::vector<int> which(requests_.size());
    int count = 0;
    MPI_Waitsome(static_cast<int>(requests_.size()), requests_.data(), &count, which.data(), MPI_STATUSES_IGNORE);
    std::sort(which.begin(), which.begin() + count);
    for (int i = count; i-- > 0;) {  // the last moves to where one has ended
      const auto at = static_cast<std::size_t>(which[static_cast<std::size_t>(i)]);
      ended_.insert(tickets_[at].number);
      if (tickets_[at].receives) busy();
      requests_[at] = requests_.back();
      tickets_[at] = tickets_.back();
      requests_.pop_back();
      tickets_.pop_back();
    }
  }

  std::int64_t messages = 0;

 private:
  struct Kept {
    Ticket number;
    bool receives;
  };
  Ticket keep(MPI_Request request, bool receives) {
    requests_.push_back(request);
    tickets_.push_back({++last_, receives});
    return last_;
  }
  void busy() const {
    if (overhead_ > 0) simgrid::s4u::this_actor::sleep_for(overhead_);
  }

  double overhead_;
  int rank_ = 0, size_ = 1;
  Ticket last_ = 0;
  std::vector<MPI_Request> requests_;
  std::vector<Kept> tickets_;
  std::unordered_set<Ticket> ended_;
};

// Some of the ranks as a group of their own: a rank of this one is rank first + each * step of all.
class Some final : public Transport {
 public:
  Some(Simulated& all, int first, int step, int size) : all_(all), first_(first), step_(step), size_(size) {}
  int rank() const override { return (all_.rank() - first_) / step_; }
  int size() const override { return size_; }
  Ticket send(int to, std::uint32_t tag, const Bytes& owner, const std::byte* data, std::size_t bytes) override {
    return all_.send(first_ + to * step_, tag, owner, data, bytes);
  }
  Ticket receive(int from, std::uint32_t tag, const Bytes& owner, std::byte* data, std::size_t bytes) override {
    return all_.receive(first_ + from * step_, tag, owner, data, bytes);
  }
  bool done(Ticket ticket) override { return all_.done(ticket); }
  void tell(const std::string&) noexcept override {}
  std::optional<std::string> told() override { return {}; }
  void close(bool) noexcept override {}

 private:
  Simulated& all_;
  int first_, step_, size_;
};

struct Job {
  Simulated& transport;
  std::int64_t elements, bucket;  // of all gradients, and of a bucket
  const float* gradients;         // null: zeros
  float* sums;                    // null: nobody asks
};

void wait(Simulated& transport, const std::function<bool()>& poll) {
  while (!poll()) transport.wait();
}

const std::byte* begin_of(const Job& job, std::int64_t at) {
  return job.gradients == nullptr ? nullptr : reinterpret_cast<const std::byte*>(job.gradients + at);
}

constexpr std::size_t kTensors = 102;  // of ResNet-18

// What all ranks tell each other before: a byte of each tensor.
void agree(Simulated& transport, Group& group, std::size_t tensors) {
  Round round(group, "backward pass 1 of ResNet", std::string(tensors, '\3'));
  wait(transport, [&] { return round.poll(); });
}

void flat(const Job& job, bool one_by_one) {
  Group group(&job.transport, {}, 1e9);
  agree(job.transport, group, one_by_one ? 0 : kTensors);
  const auto parts = std::make_shared<const TreeParts>(group.size(), group.size());
  std::vector<std::unique_ptr<Reduction>> buckets;
  for (std::int64_t at = 0; at < job.elements; at += job.bucket) {
    const std::int64_t n = std::min(job.bucket, job.elements - at);
    buckets.push_back(
        std::make_unique<Reduction>(&group, parts, kFloat32, n, ReduceOp::Sum, 1.0 / group.size(), group.take_tags()));
    buckets.back()->put(0, 0, begin_of(job, at), n);
    buckets.back()->start();
    if (one_by_one) wait(job.transport, [&] { return buckets.back()->poll(); });
  }
  wait(job.transport, [&] {
    bool all = true;
    for (const auto& bucket : buckets) all = bucket->poll() && all;
    return all;
  });
  for (std::size_t i = 0; job.sums != nullptr && i < buckets.size(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(i) * job.bucket, n = std::min(job.bucket, job.elements - at);
    std::memcpy(job.sums + at, buckets[i]->at(0), static_cast<std::size_t>(n) * sizeof(float));
  }
}

// One bucket in two levels. Each rank of a rack adds up its share of the rack's gradients, has that share added over
// the racks, and sends it to the others of its rack. A rack is a whole branch of the tree, so the bits are those of
// Reduction.
class TwoLevels {
 public:
  TwoLevels(Group& rack, Group& across, std::int64_t n, double factor, std::uint32_t tag)
      : rack_(rack),
        across_(across),
        n_(n),
        factor_(factor),
        tag_(tag),
        mine_(make_bytes(static_cast<std::size_t>(n) * sizeof(float))),
        messages_(rack) {}

  void start(const std::byte* from) {
    if (from != nullptr) std::memcpy(mine_.get(), from, static_cast<std::size_t>(n_) * sizeof(float));
    const int size = rack_.size(), rank = rack_.rank();
    received_.resize(static_cast<std::size_t>(size));
    for (int step = 1; step < size; ++step) {
      const int source = (rank + size - step) % size, to = (rank + step) % size;
      Bytes& memory = received_[static_cast<std::size_t>(source)];
      memory = make_bytes(bytes(rank));
      messages_.receive(source, tag_ + 2, memory, memory.get(), bytes(rank));
      messages_.send(to, tag_ + 2, mine_, place(to), bytes(to));
    }
  }

  bool poll() {
    const int size = rack_.size(), rank = rack_.rank();
    const std::int64_t share = begin(rank + 1) - begin(rank);
    if (stage_ == 0 && messages_.poll()) {
      const std::byte* const sum = own_sum({0, size});
      between_ =
          std::make_unique<Reduction>(&across_, std::make_shared<const TreeParts>(across_.size(), across_.size()),
                                      kFloat32, share, ReduceOp::Sum, factor_, tag_);
      between_->put(0, 0, sum, share);
      between_->start();
      received_.clear();
      ++stage_;
    }
    if (stage_ == 1 && between_->poll()) {
      std::memcpy(place(rank), between_->at(0), bytes(rank));
      for (int step = 1; step < size; ++step) {
        const int source = (rank + size - step) % size, to = (rank + step) % size;
        messages_.receive(source, tag_ + 3, mine_, place(source), bytes(source));
        messages_.send(to, tag_ + 3, mine_, place(rank), bytes(rank));
      }
      ++stage_;
    }
    if (stage_ == 2 && messages_.poll()) ++stage_;
    return stage_ == 3;
  }

  const std::byte* sum() const { return mine_.get(); }

 private:
  std::int64_t begin(int rank) const { return n_ * rank / rack_.size(); }
  std::size_t bytes(int rank) const { return static_cast<std::size_t>(begin(rank + 1) - begin(rank)) * sizeof(float); }
  std::byte* place(int rank) const { return mine_.get() + begin(rank) * static_cast<std::int64_t>(sizeof(float)); }
  std::byte* own_sum(const Span& node) const {
    if (node.size() == 1) {
      const auto rank = static_cast<int>(node.begin);
      return rank == rack_.rank() ? place(rank) : received_[static_cast<std::size_t>(rank)].get();
    }
    const std::int64_t middle = middle_of(node);
    std::byte* const left = own_sum({node.begin, middle});
    combine(ReduceOp::Sum, kFloat32, left, own_sum({middle, node.end}), begin(rack_.rank() + 1) - begin(rack_.rank()));
    return left;
  }

  Group &rack_, &across_;
  std::int64_t n_;
  double factor_;
  std::uint32_t tag_;
  Bytes mine_;
  std::vector<Bytes> received_;
  Messages messages_;
  std::unique_ptr<Reduction> between_;
  int stage_ = 0;
};

void racks(const Job& job, int rack_size) {
  const int size = job.transport.size(), rank = job.transport.rank();
  Some in_rack(job.transport, rank / rack_size * rack_size, 1, rack_size);
  Some in_row(job.transport, rank % rack_size, rack_size, size / rack_size);
  Group rack(&in_rack, {}, 1e9), across(&in_row, {}, 1e9);
  // What is told goes the same way: whoever sees a difference in its rack tells the row.
  agree(job.transport, rack, kTensors);
  agree(job.transport, across, kTensors);
  std::vector<std::unique_ptr<TwoLevels>> buckets;
  for (std::int64_t at = 0; at < job.elements; at += job.bucket) {
    const std::int64_t n = std::min(job.bucket, job.elements - at);
    const std::uint32_t tag = rack.take_tags();
    buckets.push_back(std::make_unique<TwoLevels>(rack, across, n, 1.0 / size, tag));
    buckets.back()->start(begin_of(job, at));
  }
  wait(job.transport, [&] {
    bool all = true;
    for (const auto& bucket : buckets) all = bucket->poll() && all;
    return all;
  });
  for (std::size_t i = 0; job.sums != nullptr && i < buckets.size(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(i) * job.bucket, n = std::min(job.bucket, job.elements - at);
    std::memcpy(job.sums + at, buckets[i]->sum(), static_cast<std::size_t>(n) * sizeof(float));
  }
}

void run(const std::vector<std::string>& words) {
  if (words.size() < 4 || ((words[0] == "racks" || words[0] == "bits") && words.size() != 5))
    throw std::runtime_error("simulate: sum|flat|racks|bits BYTES BUCKET OVERHEAD [RACK]");
  with_numbers = words[0] == "bits";
  Simulated transport(std::stod(words[3]));
  const int rack = words.size() > 4 ? std::stoi(words[4]) : 1;
  const int size = transport.size();
  if (rack < 1 || size % rack != 0 || nodes_of(size, {0, rack}).size() != 1)
    throw std::runtime_error("simulate: racks need to be whole branches of the tree: as many ranks as a power of two");
  Job job{transport, std::stoll(words[1]) / 4, std::max<std::int64_t>(1, std::stoll(words[2]) / 4), nullptr, nullptr};
  std::vector<float> own, one, other;
  if (with_numbers) {
    std::uint32_t state = 1 + static_cast<std::uint32_t>(transport.rank());
    for (std::int64_t i = 0; i < job.elements; ++i) {
      state = state * 1664525U + 1013904223U;
      own.push_back(static_cast<float>(state >> 8) / 1e6F - 8);
    }
    one.resize(own.size());
    other.resize(own.size());
    job.gradients = own.data();
    job.sums = one.data();
  }
  MPI_Barrier(MPI_COMM_WORLD);
  const double begin = MPI_Wtime();
  if (words[0] != "racks") flat(job, words[0] == "sum");
  job.sums = with_numbers ? other.data() : nullptr;
  if (words[0] == "racks" || words[0] == "bits") racks(job, rack);
  double seconds = MPI_Wtime() - begin, longest = 0;
  MPI_Reduce(&seconds, &longest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  int same = std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0 ? 1 : 0, all_same = 0;
  MPI_Reduce(&same, &all_same, 1, MPI_INT, MPI_MIN, 0, MPI_COMM_WORLD);
  if (transport.rank() == 0) {
    std::printf("{\"ranks\": %d, \"seconds\": %.9f, \"messages\": %lld, \"same\": %s}\n", size, longest,
                static_cast<long long>(transport.messages), all_same != 0 ? "true" : "false");
  }
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  try {
    run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  MPI_Finalize();
  return 0;
}

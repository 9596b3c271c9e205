// The calls of gradus/distributed.h.
#include <fmt/format.h>
#include <gradus/autograd.h>
#include <gradus/core/parallel.h>
#include <gradus/core/version.h>
#include <gradus/distributed.h>
#include <gradus/ops.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "core/tensor_access.h"
#include "core/threads/cpu_count.h"
#include "distributed/connection/load.h"
#include "distributed/connection/round.h"
#include "distributed/sums/reduction.h"

namespace gradus::distributed {

namespace {

// Never destroyed: the end of the program may come while it is in use.
Group* the_group = nullptr;
bool initialized = false;

constexpr std::int64_t kPieceBytes = 16 << 20;  // of one message

std::string described(const Tensor& x) { return fmt::format("{} {}", to_string(x.dtype()), to_string(x.sizes())); }

void check_ready(const char* call, const Tensor& x) {
  if (x.device() != kCPU) {
    throw ValueError(fmt::format("{}: needs a tensor of the CPU, got one on {}", call, to_string(x.device())));
  }
  if (!x.is_contiguous()) {
    throw ValueError(fmt::format("{}: needs a contiguous tensor, got sizes {} with strides {}", call,
                                 to_string(x.sizes()), to_string(x.strides())));
  }
}

std::byte* writable(const Tensor& x) {
  gradus::detail::bump_version(x);
  return x.impl()->data;
}

// Where neither the user nor the launcher has chosen, the processes of a machine share its cores.
void share_threads(const Launch& launch) {
  if (launch.local_size < 2 || std::getenv("OMP_NUM_THREADS") != nullptr) return;
  const int cores = core::cpu_count();
  const bool pinned = cores < static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  if (!pinned) set_num_threads(std::max(1, cores / launch.local_size));
}

void end_at_exit() {
  try {
    finalize();
  } catch (const std::exception&) {  // the others say it
  }
}

}  // namespace

Group* group() { return the_group; }

void init(const InitOptions& options) {
  if (!(options.timeout > 0) || options.timeout > 1e7)
    throw ValueError(fmt::format("init: timeout must be above 0 and at most 1e7 seconds, got {:g}", options.timeout));
  if (std::exchange(initialized, true)) return;
  try {
    Launch launch = launch_of([](const char* name) { return std::getenv(name); }, options.backend);
    if (launch.backend == "none") return;
    launch.config.timeout = std::min(options.timeout, 300.0);
    Transport* const transport = open_transport(launch.backend, launch.config);
    if (transport->size() != launch.size) {
      throw DistributedError(fmt::format(
          "init: the launcher started {} processes, and {} sees {}: start the program with the mpirun of the "
          "MPI that Gradus was built for",
          launch.size, launch.backend, transport->size()));
    }
    share_threads(launch);
    the_group = new Group(transport, launch, options.timeout);
    Round(*the_group, fmt::format("init of gradus {}", version())).wait();
    std::atexit(end_at_exit);
  } catch (...) {
    initialized = false;
    throw;
  }
}

void finalize() {
  initialized = false;
  Group* const g = the_group;
  if (g == nullptr) return;
  std::string failure;
  if (!g->failed()) {
    try {
      Round(*g, "the end of the program").wait();
      the_group = nullptr;
    } catch (const std::exception& error) {
      failure = error.what();
    }
  }
  // A rank that failed keeps its number, for what it says of that.
  g->close(the_group == nullptr);
  if (!failure.empty()) throw DistributedError(failure);
}

int rank() { return the_group ? the_group->rank() : 0; }
int size() { return the_group ? the_group->size() : 1; }
int local_rank() { return the_group ? the_group->launch().local_rank : 0; }
int local_size() { return the_group ? the_group->launch().local_size : 1; }
std::string backend() { return the_group ? the_group->launch().backend : "none"; }

std::int64_t bytes_sent() { return the_group ? the_group->bytes_sent : 0; }

void barrier() {
  if (the_group) Round(*the_group, "barrier").wait();
}

void all_reduce(const Tensor& x, ReduceOp op) {
  check_ready("all_reduce", x);
  if (op == ReduceOp::Avg && !x.is_floating_point())
    throw DtypeError(fmt::format("all_reduce: Avg needs a floating-point tensor, got {}", to_string(x.dtype())));
  if (x.dtype() == kBool) throw DtypeError("all_reduce: there is no sum of bool tensors; convert it");
  if (!the_group) return;
  if (x.is_floating_point() && x.dtype() != kFloat32 && x.dtype() != kFloat64) {
    const NoGrad guard;
    const Tensor wide = x.to(kFloat32);
    all_reduce(wide, op);
    Tensor(x.detach()).copy_(wide);
    return;
  }
  Group& g = *the_group;
  constexpr const char* kNames[] = {"sum", "mean", "product", "minimum", "maximum"};
  Round round(g, fmt::format("all_reduce ({}) of {}", kNames[static_cast<int>(op)], described(x)));
  round.wait();
  const auto parts = std::make_shared<const TreeParts>(g.size(), g.size());
  const double factor = op == ReduceOp::Avg ? 1.0 / g.size() : 1;
  std::byte* const data = writable(x);
  const std::int64_t element = x.element_size(), most = kPieceBytes / element;
  for (std::int64_t begin = 0; begin < x.numel(); begin += most) {
    const std::int64_t n = std::min(most, x.numel() - begin);
    Reduction reduction(&g, parts, x.dtype(), n, op, factor, g.take_tags());
    reduction.put(0, 0, data + begin * element, n);
    reduction.start();
    g.wait([&] { return reduction.poll(); }, [&] { return reduction.missing(); }, "all_reduce");
    std::memcpy(data + begin * element, reduction.at(0), static_cast<std::size_t>(n * element));
  }
}

void broadcast(const Tensor& x, int src) {
  check_ready("broadcast", x);
  if (src < 0 || src >= size())
    throw ValueError(fmt::format("broadcast: src must be a rank from 0 to {}, got {}", size() - 1, src));
  if (!the_group) return;
  Group& g = *the_group;
  Round(g, fmt::format("broadcast of {} from rank {}", described(x), src)).wait();
  std::byte* const data = g.rank() == src ? x.impl()->data : writable(x);
  const std::int64_t bytes = x.numel() * x.element_size();
  for (std::int64_t begin = 0; begin < bytes; begin += kPieceBytes) {
    const auto n = static_cast<std::size_t>(std::min(kPieceBytes, bytes - begin));
    const Bytes memory = make_bytes(n);
    const std::uint32_t tag = g.take_tags() + 1;
    Messages messages(g);
    if (g.rank() == src) {
      std::memcpy(memory.get(), data + begin, n);
      for (int peer = 0; peer < g.size(); ++peer) {
        if (peer != src) messages.send(peer, tag, memory, memory.get(), n);
      }
    } else {
      messages.receive(src, tag, memory, memory.get(), n);
    }
    g.wait([&] { return messages.poll(); }, [&] { return messages.missing(); }, "broadcast");
    if (g.rank() != src) std::memcpy(data + begin, memory.get(), n);
  }
}

std::vector<Tensor> all_gather(const Tensor& x) {
  const NoGrad guard;
  const Tensor own = x.cpu().contiguous();
  if (!the_group) return {x.detach().clone()};
  const std::string_view bytes(static_cast<const char*>(own.const_data_ptr()),
                               static_cast<std::size_t>(own.numel() * own.element_size()));
  Round round(*the_group, "all_gather of " + described(own), bytes);
  round.wait();
  std::vector<Tensor> all;
  for (int rank = 0; rank < size(); ++rank) {
    all.push_back(empty(own.sizes(), {.dtype = own.dtype()}));
    std::memcpy(all.back().impl()->data, round.of(rank).data(), bytes.size());
    all.back() = all.back().to(x.device());
  }
  return all;
}

std::vector<std::string> all_gather_object(const std::string& text) {
  if (!the_group) return {text};
  return gather_texts(*the_group, "all_gather_object", text);
}

void abort(const std::string& why) noexcept {
  if (!the_group) return;
  try {
    the_group->abort(fmt::format("distributed: rank {} gave up: {}", rank(), why));
  } catch (const std::exception&) {
    the_group->abort("distributed: a rank gave up");
  }
}

}  // namespace gradus::distributed

// Several processes that train one network, on one machine or on many, started by mpirun, torchrun or a scheduler.
//
//   distributed::init();                            // a program started alone is one process, at no cost
//   Net net;
//   nn::DistributedDataParallel ddp(net);           // gradus/nn/parallel.h
//   ...
//   distributed::finalize();
//
// Names are those of torch.distributed. Every call that all ranks must make together first compares what the ranks are
// about to do. If they differ, every rank throws a DistributedError that names the ranks and the difference; so it does
// if a rank does not come in time or is gone. After such an error no call of this header works any more.
// docs/distributed.md shows how to start programs, and explains the errors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/core/error.h>
#include <gradus/tensor.h>

namespace gradus::distributed {

class DistributedError : public Error {  // the processes do not find each other, differ, or are gone
  using Error::Error;
};

struct InitOptions {
  // "": chosen from the environment in which the program was started. "mpi", "gloo": this one, or an error.
  std::string backend = "";
  double timeout = 600;  // seconds that a rank waits for the others; above 0
};

// Connects to the other processes. ValueError for options out of range; DistributedError for an incomplete environment,
// with a message that says what to set. Unless the number of threads was set, the processes of a machine share its
// cores.
void init(const InitOptions& options = {});
// Waits for all ranks, and disconnects. The end of the program does this, too.
void finalize();

int rank();        // in [0, size()); 0 for a process that is alone
int size();        // the number of processes; 1 for a process that is alone
int local_rank();  // the same among the processes of this machine
int local_size();
std::string backend();  // "openmpi", "mpich" or "gloo"; "none" for a process that is alone

// Calls that all ranks make, in the same order.
void barrier();
enum class ReduceOp { Sum, Avg, Product, Min, Max };
// In place; x must be contiguous. The ranks' values are combined in a fixed binary tree over the ranks, so that all get
// the same bits with every backend. float16 and bfloat16 are added in float32; Avg is for floating-point types only.
void all_reduce(const Tensor& x, ReduceOp op = ReduceOp::Sum);
void broadcast(const Tensor& x, int src = 0);                         // in place: the values of rank `src`
std::vector<Tensor> all_gather(const Tensor& x);                      // in order of ranks; all of one type and size
std::vector<std::string> all_gather_object(const std::string& text);  // of any lengths

// The number of bytes that this rank has sent to the others since init().
std::int64_t bytes_sent();

// Ends the work of all ranks: each of the others throws a DistributedError, which names this rank and says `why`, from
// the call of this header that it is in or makes next. For errors that only one rank sees, such as a full disk.
void abort(const std::string& why) noexcept;

}  // namespace gradus::distributed

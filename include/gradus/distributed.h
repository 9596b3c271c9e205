// Several processes that train one network, on one machine or on many, started by mpirun, torchrun or a scheduler.
//
//   distributed::init();                            // a program started alone is one process, and pays nothing
//   Net net;
//   nn::DistributedDataParallel ddp(net);           // gradus/nn/parallel.h
//   ...
//   distributed::finalize();
//
// Names are those of torch.distributed. Every call that all ranks must make together compares first what the ranks are
// about to do: a difference is a DistributedError on every rank that names the ranks and what differs, and so is a rank
// that does not come in time or is gone. After such an error no call of this header works any more. docs/distributed.md
// has how to start programs, and what each mistake says.
#pragma once

#include <string>
#include <vector>

#include <gradus/error.h>
#include <gradus/tensor.h>

namespace gradus::distributed {

class DistributedError : public Error {  // processes that do not find each other, differ, or are gone
  using Error::Error;
};

struct InitOptions {
  // "": as the environment says how the program was started. "mpi", "gloo": that one, or an error.
  std::string backend = "";
  double timeout = 600;  // seconds that a rank waits for another one
};

// Finds the other processes. ValueError for options out of range, DistributedError for an environment that is not
// whole; the message says what to set. Where the threads were not chosen, the processes of a machine share its cores.
void init(const InitOptions& options = {});
// Waits for all, and parts from them. The end of the program does it, too.
void finalize();

int rank();        // 0 where init() found no others
int size();        // 1
int local_rank();  // among the processes of this machine
int local_size();
std::string backend();  // "openmpi", "mpich", "gloo"; "none" for a process that is alone

// Calls that all ranks make, in the same order.
void barrier();
enum class ReduceOp { Sum, Avg, Product, Min, Max };
// In place; x is contiguous. The ranks' values are added in a fixed binary tree over the ranks, so that all get the
// same bits with every backend. float16 and bfloat16 are added in float32; Avg is for floating-point types.
void all_reduce(const Tensor& x, ReduceOp op = ReduceOp::Sum);
void broadcast(const Tensor& x, int src = 0);                         // in place: what rank `src` has
std::vector<Tensor> all_gather(const Tensor& x);                      // by rank; all of one type and size
std::vector<std::string> all_gather_object(const std::string& text);  // of any lengths

// Ends the work of all ranks: each throws a DistributedError with `why`, which names this rank, from the call it is in
// or makes next. For errors that only one rank sees, such as a full disk. Returns on this rank.
void abort(const std::string& why) noexcept;

}  // namespace gradus::distributed

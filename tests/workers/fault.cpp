#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "worker.h"

namespace gradus::test {

namespace {

struct Net : nn::Module {
  nn::Linear a = add("a", nn::Linear(64, 64));
  nn::Linear b = add("b", nn::Linear(64, 64));
  Tensor forward(const Tensor& x) override { return b(relu(a(x))); }
};

// Throws in backward.
struct Broken final : Op {
  const char* name() const override { return "broken"; }
  Tensor forward(const Tensor& x) { return x * 1; }
  void backward(const Tensor&, Grads) override { throw Error("broken: no derivative today"); }
};

}  // namespace

// What rank 1 does otherwise than the others.
void fault(const Arguments& arguments) {
  const std::string& what = arguments.at(0);
  const bool odd = distributed::rank() == 1;
  manual_seed(what == "seed" && odd ? 2 : 1);
  Net net;
  if (what == "network" && odd) net.b = nn::Linear(64, 63);
  nn::DistributedDataParallel ddp(net, {.bucket_cap_mb = 0.01, .chunks = what == "chunks" && odd ? 8 : 4});
  optim::ZeroRedundancyOptimizer<optim::SGD> optimizer(ddp.parameters(), {.lr = 0.1});
  if (what == "aside" || (what == "shard" && odd)) optimizer.shard_gradients();
  for (int step = 0; step < 4; ++step) {
    const bool now = odd && step == 2;
    if (now && what == "kill") ::raise(SIGKILL);
    if (now && what == "stop") ::raise(SIGSTOP);
    if (now && what == "pipe") ::raise(SIGPIPE);  // as a write to one that is gone does
    if (now && what == "command" && std::system(arguments.at(1).c_str()) != 0) throw Error("the command failed");
    if (now && what == "_exit") ::_exit(3);
    if (now && what == "exit") return;
    if (now && what == "throw") throw Error("the disk is full");
    if (now && what == "abort") {
      distributed::abort("the disk is full");
      throw Error("the disk is full");
    }
    if (now && what == "skip") continue;
    if (now && what == "freeze") nn::freeze(net, "a.*");
    if (now && what == "barrier") distributed::barrier();
    if (now && what == "other") {
      optimizer.zero_grad();
      nn::functional::mse_loss(ddp(randn({2, 64})), zeros({2, 64})).backward({.inputs = net.a.parameters()});
      continue;
    }
    if (what == "size") distributed::all_reduce(ones({now ? 4 : 3}));
    if (what == "seed") {
      ddp.backward_chunks(8, [&](const nn::Chunk& c) { return ddp(ones({c.size, 64})).sum(); });
      continue;
    }
    if (what == "unsent" && step == 2) {
      {
        const auto guard = ddp.no_sync();
        ddp(randn({2, 64})).mean().backward();
      }
      ddp.backward_chunks(8, [&](const nn::Chunk& c) { return ddp(ones({c.size, 64})).sum(); });
    }
    if (what == "aside" && step == 2) {
      const auto guard = ddp.no_sync();  // after the step before, whose gradients are still there
      ddp(randn({2, 64})).mean().backward();
    }
    Tensor y = ddp(randn({2, 64}));
    if (now && what == "backward") y = apply(Broken{}, y);
    optimizer.minimize(y.mean());
  }
}

}  // namespace gradus::test

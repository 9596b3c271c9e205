#include <atomic>
#include <csignal>

#include "worker.h"

namespace gradus::test {

namespace {
Tensor die(const Tensor&) {
  ::raise(SIGKILL);
  return {};
}
}  // namespace

// resume FOLDER STEPS: goes on where the folder's latest checkpoint is, and saves one at the end.
// resume FOLDER STEPS PHASE STEP: the same, with a checkpoint after every second step; in step STEP one rank dies.
// PHASE is `pass` (rank 1, in backward), `between` (rank 1, after the optimizer's step), `stop` (rank 1 there only
// stops) or `saving` (rank 0, when the checkpoint of that step is written and not yet in its place).
void resume(const Arguments& arguments) {
  const std::string phase = arguments.size() > 2 ? arguments[2] : "";
  const std::int64_t last = phase.empty() ? 0 : std::stoll(arguments.at(3));
  std::int64_t step = 0;
  const auto dies = [&](const char* where, int rank) {
    return phase == where && step + 1 == last && distributed::rank() == rank;
  };
  manual_seed(static_cast<std::uint64_t>(distributed::rank()) + 1);  // replaced by what the checkpoint has
  Pictures net;
  nn::DistributedDataParallel ddp(net, {.chunks = 8});
  optim::ZeroRedundancyOptimizer<optim::AdamW> optimizer(ddp.parameters(), {.lr = 1e-3});
  manual_seed(1);
  Generator data(5);
  training::Checkpoint state;
  state.add("net", ddp);
  state.add("optimizer", optimizer);
  state.add("data", data);
  std::atomic<bool> dies_in_save{false};  // read by the thread that writes
  training::CheckpointManager manager(arguments.at(0), state,
                                      {.every_steps = phase.empty() ? 0 : 2, .before_commit = [&] {
                                         if (dies_in_save) ::raise(SIGKILL);
                                       }});
  if (const auto from = manager.load_latest()) step = from->step;
  say("from step " + std::to_string(step));
  for (const std::int64_t end = std::stoll(arguments.at(1)); step < end; ++step) {
    const Tensor x = randn({20, 1, 28, 28}, {}, &data), y = randint(0, 10, {20}, {}, &data);
    optimizer.zero_grad();
    ddp.backward_chunks(20, [&](const nn::Chunk& c) {
      const Tensor scores = ddp(x.narrow(0, c.begin, c.size));
      if (dies("pass", 1)) scores.register_hook(die);
      return nn::functional::cross_entropy(scores, y.narrow(0, c.begin, c.size));
    });
    optimizer.step();
    if (dies("between", 1)) ::raise(SIGKILL);
    if (dies("stop", 1)) ::raise(SIGSTOP);
    if (dies("saving", 0)) {
      manager.wait();  // the checkpoint before is in its place
      dies_in_save = true;
    }
    manager.step(step + 1);
    if (dies_in_save) manager.wait();
  }
  if (phase.empty()) manager.save(step);
  manager.wait();
  ddp.check_same();
  say(hash_of(net));
}

}  // namespace gradus::test

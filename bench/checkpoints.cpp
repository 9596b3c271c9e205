// Checkpoint files of 1 GiB, beside what the system needs for the same bytes: reading into a network as against reading
// the file (what cat does), and writing as against writing, syncing and renaming a file (dd conv=fsync, mv).
//   OMP_NUM_THREADS=1 build/release/bench/gradus_bench --benchmark_filter=Checkpoint
// The files lie in $TMPDIR, or /tmp. checkpoints.py runs this beside cat, dd, PyTorch and safetensors.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <gradus/gradus.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace gradus;

constexpr std::int64_t kLayers = 64;

const nn::StateDict& network() {
  static const nn::StateDict dict = [] {
    nn::StateDict made;
    for (std::int64_t i = 0; i < kLayers; ++i) made.set("layers." + std::to_string(i), randn({1024, 4096}));
    return made;
  }();
  return dict;
}

std::string path_of(const char* name) {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder != nullptr ? folder : "/tmp") + "/gradus-bench" + name;
}

void count_bytes(benchmark::State& state) { state.SetBytesProcessed(state.iterations() * kLayers * 1024 * 4096 * 4); }

void CheckpointFileIsRead(benchmark::State& state) {
  const std::string path = path_of(".pth");
  io::save(path, network());
  std::vector<char> buffer(1 << 17);
  for (auto _ : state) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    while (::read(fd, buffer.data(), buffer.size()) > 0) {
    }
    ::close(fd);
  }
  count_bytes(state);
  std::remove(path.c_str());
}
BENCHMARK(CheckpointFileIsRead)->Unit(benchmark::kMillisecond)->UseRealTime();

void load(benchmark::State& state, const char* suffix, bool into_network) {
  const std::string path = path_of(suffix);
  io::save(path, network());
  const NoGrad guard;
  for (auto _ : state) {
    const nn::StateDict loaded = io::load_state_dict(path);
    if (!into_network) continue;
    for (const auto& [name, tensor] : network()) Tensor(tensor).copy_(loaded.at(name));
  }
  if (into_network) count_bytes(state);
  std::remove(path.c_str());
}
BENCHMARK_CAPTURE(load, CheckpointPyTorchIntoNetwork, ".pth", true)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(load, CheckpointSafetensorsIntoNetwork, ".safetensors", true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(load, CheckpointPyTorchMapped, ".pth", false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(load, CheckpointSafetensorsMapped, ".safetensors", false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void CheckpointBytesAreSynced(benchmark::State& state) {
  const std::string path = path_of(".raw"), temporary = path + ".tmp";
  for (auto _ : state) {
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    for (const auto& [name, tensor] : network()) {
      const auto bytes = static_cast<std::size_t>(tensor.numel() * tensor.element_size());
      if (::write(fd, tensor.data_ptr(), bytes) != static_cast<ssize_t>(bytes)) state.SkipWithError("cannot write");
    }
    ::fsync(fd);
    ::close(fd);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) state.SkipWithError("cannot rename");
  }
  count_bytes(state);
  std::remove(path.c_str());
}
BENCHMARK(CheckpointBytesAreSynced)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(5);

void save(benchmark::State& state, const char* suffix) {
  const std::string path = path_of(suffix);
  for (auto _ : state) io::save(path, network());
  count_bytes(state);
  std::remove(path.c_str());
}
BENCHMARK_CAPTURE(save, CheckpointPyTorch, ".pth")->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(5);
BENCHMARK_CAPTURE(save, CheckpointSafetensors, ".safetensors")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(5);

}  // namespace

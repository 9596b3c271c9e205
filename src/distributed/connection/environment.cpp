#include "distributed/connection/environment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gradus/distributed.h>

#include <charconv>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

namespace gradus::distributed {

namespace {

class Variables {
 public:
  explicit Variables(const std::function<const char*(const char*)>& get) : get_(get) {}
  std::string text(const char* name) const {
    const char* value = get_(name);
    return value == nullptr ? "" : value;
  }
  bool has(const char* name) const { return !text(name).empty(); }
  int number(const char* name, int low, int high) const {
    const std::string value = text(name);
    int n = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || end != value.data() + value.size() || n < low || n > high) {
      throw DistributedError(fmt::format("init: {} must be a number from {} to {}, got '{}'", name, low, high, value));
    }
    return n;
  }
  // The first of these that is set, or `otherwise`.
  int first(std::initializer_list<const char*> names, int otherwise) const {
    for (const char* name : names) {
      if (has(name)) return number(name, 0, kMostRanks);
    }
    return otherwise;
  }
  static constexpr int kMostRanks = 1 << 20;

 private:
  const std::function<const char*(const char*)>& get_;
};

// Which MPI's launcher began this process; empty: none.
std::string mpi_of(const Variables& variables) {
  if (variables.has("OMPI_COMM_WORLD_SIZE")) return "openmpi";
  if (variables.has("PMI_SIZE") || variables.has("PMI_RANK")) return "mpich";
  if (variables.has("PMIX_RANK")) return "openmpi";
  return "";
}

Launch mpi_launch(const Variables& variables, const std::string& mpi) {
  Launch launch;
  launch.backend = mpi;
  launch.size = variables.first({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"}, 1);
  if (launch.size <= 1) launch.backend = "none";
  return launch;
}

Launch gloo_launch(const Variables& variables) {
  const bool folder = variables.has("GRADUS_FILE_STORE");
  std::vector<const char*> needed{"RANK", "WORLD_SIZE"};
  if (!folder) needed.insert(needed.end(), {"MASTER_ADDR", "MASTER_PORT"});
  std::vector<std::string> missing;
  for (const char* name : needed) {
    if (!variables.has(name)) missing.emplace_back(name);
  }
  if (!missing.empty()) {
    throw DistributedError(fmt::format(
        "init: the environment has some of RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, but not {}: set {}, as "
        "torchrun does, or unset the others to run one process",
        fmt::join(missing, ", "), missing.size() == 1 ? "it" : "them"));
  }
  Launch launch;
  launch.size = variables.number("WORLD_SIZE", 1, Variables::kMostRanks);
  launch.config.size = launch.size;
  launch.config.rank = variables.number("RANK", 0, launch.size - 1);
  if (launch.size == 1) return launch;
  launch.backend = "gloo";
  if (folder) {
    launch.config.store = variables.text("GRADUS_FILE_STORE");
    return launch;
  }
  launch.config.address = variables.text("MASTER_ADDR");
  launch.config.port = variables.number("MASTER_PORT", 1, 65535);
  // torchrun keeps a store of its own at that port, which speaks PyTorch's language.
  if (variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True") ++launch.config.port;
  return launch;
}

}  // namespace

Launch launch_of(const std::function<const char*(const char*)>& variable, const std::string& backend) {
  const Variables variables(variable);
  if (backend != "" && backend != "mpi" && backend != "gloo")
    throw ValueError(fmt::format("init: backend must be \"mpi\", \"gloo\" or empty, got \"{}\"", backend));
  const std::string mpi = mpi_of(variables);
  bool torchrun = false;
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GRADUS_FILE_STORE"})
    torchrun = torchrun || variables.has(name);
  if (backend == "mpi" && mpi.empty())
    throw DistributedError(
        "init: this process was not started by an MPI launcher: start it with mpirun, mpiexec or srun");
  Launch launch;
  if (backend != "gloo" && !mpi.empty()) {
    launch = mpi_launch(variables, mpi);
  } else if (torchrun || backend == "gloo") {
    launch = gloo_launch(variables);
  }
  launch.local_rank =
      variables.first({"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}, 0);
  launch.local_size = variables.first({"LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}, 1);
  return launch;
}

}  // namespace gradus::distributed

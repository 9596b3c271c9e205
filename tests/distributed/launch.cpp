#include "distributed/launch.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <set>

namespace gradus::test {

namespace {

std::string launcher_of(const std::string& backend) {
  if (backend == "openmpi") return "mpirun.openmpi";
  return backend == "mpich" ? "mpiexec.mpich" : "";
}

std::string why_not(const std::string& backend) {
#ifdef GRADUS_SANITIZED
  return "their libraries are not instrumented";
#endif
  const auto plugin =
      std::filesystem::path(worker_path()).parent_path().parent_path() / ("libgradus_" + backend + ".so");
  if (!std::filesystem::exists(plugin)) return "its package was not there when Gradus was built";
  const std::string launcher = launcher_of(backend);
  if (!launcher.empty() && run_shell("command -v " + launcher).status != 0) return "there is no " + launcher;
  return "";
}

}  // namespace

std::string worker_path() { return GRADUS_WORKER; }

const std::vector<std::string>& backends() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> found;
    for (const char* backend : {"openmpi", "mpich", "gloo"}) {
      const std::string why = why_not(backend);
      if (why.empty()) {
        found.emplace_back(backend);
      } else {
        std::printf("tests of several processes skip %s: %s\n", backend, why.c_str());
      }
    }
    return found;
  }();
  return all;
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(fd, reinterpret_cast<const sockaddr*>(&address), length);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(fd);
  return ntohs(address.sin_port);
}

CommandResult launch(const std::string& backend, int ranks, const std::string& arguments,
                     const std::string& environment) {
  return launch_program(backend, ranks, "'" + worker_path() + "' " + arguments, environment);
}

CommandResult launch_program(const std::string& backend, int ranks, const std::string& worker,
                             const std::string& environment) {
  const std::string n = std::to_string(ranks);
  std::string script = "export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 " + environment + "\n";
  if (backend == "openmpi") {
    script += "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1\n";
    script += "timeout -k 5 120 mpirun.openmpi --oversubscribe --bind-to none -n " + n + " " + worker;
  } else if (backend == "mpich") {
    script += "timeout -k 5 120 mpiexec.mpich -n " + n + " " + worker;
  } else {
    // As torchrun does. A rank that stopped itself is ended when the others are through.
    script += "export WORLD_SIZE=" + n + " MASTER_ADDR=127.0.0.1 MASTER_PORT=" + std::to_string(free_port()) +
              "\npids=; status=0\nfor i in $(seq 0 " + std::to_string(ranks - 1) + "); do RANK=$i timeout -k 5 120 " +
              worker + " & pids=\"$pids $!\"; [ $i = 1 ] && second=$!; done\n" +
              "for p in $pids; do [ $p = \"$second\" ] || wait $p || status=$?; done\n" +
              "sleep 0.2; pkill -KILL -P $second; wait $second || status=$?; exit $status";
  }
  return run_shell(script);
}

}  // namespace gradus::test

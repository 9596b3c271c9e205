#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "worker.h"

namespace gradus::test {

std::string hash_of(const nn::Module& net) {
  std::uint64_t hash = 14695981039346656037U;
  const auto add = [&](const Tensor& x) {
    const Tensor row = x.detach().contiguous();
    const auto* bytes = static_cast<const unsigned char*>(row.const_data_ptr());
    for (std::int64_t i = 0; i < row.numel() * row.element_size(); ++i) hash = (hash ^ bytes[i]) * 1099511628211U;
  };
  for (const Tensor& x : net.parameters()) add(x);
  for (const Tensor& x : net.buffers()) add(x);
  char text[32];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

void say(const std::string& line, bool all) {
  if (!all && distributed::rank() != 0) return;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);  // also where this process is killed
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("FAILED: " + what);
}

}  // namespace gradus::test

int main(int argc, char** argv) {
  using namespace gradus;
  try {
    test::Arguments arguments(argv + 1, argv + argc);
    if (arguments.empty()) throw std::runtime_error("which case?");
    const std::string which = arguments[0];
    arguments.erase(arguments.begin());
    // A machine by another name, for this process alone; 77 where that takes more rights.
    if (const char* machine = std::getenv("GRADUS_TEST_HOSTNAME")) {
      if (::unshare(CLONE_NEWUTS) != 0 || ::sethostname(machine, std::strlen(machine)) != 0) return 77;
    }
    const char* timeout = std::getenv("GRADUS_TEST_TIMEOUT");
    distributed::init({.timeout = timeout ? std::stod(timeout) : which == "fault" ? 4.0 : 60.0});
    if (which == "collectives") test::collectives(arguments);
    if (which == "train") test::train(arguments);
    if (which == "resume") test::resume(arguments);
    if (which == "fault") test::fault(arguments);
    if (which == "parallel") test::parallel(arguments);
    if (which == "gradients") test::gradients();
    distributed::finalize();
    return 0;
  } catch (const std::exception& error) {
    // In one piece, as all ranks have one standard error.
    const std::string said = "rank " + std::to_string(distributed::rank()) + " says: " + error.what() + "\n";
    std::fputs(said.c_str(), stderr);
    return 2;
  }
}

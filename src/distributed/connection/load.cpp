#include "distributed/connection/load.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <gradus/distributed.h>

#include <filesystem>
#include <vector>

namespace gradus::distributed {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders() {
  std::vector<fs::path> all;
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&open_transport), &info) != 0 && info.dli_fname != nullptr) {
    std::error_code ignored;
    const fs::path own = fs::weakly_canonical(info.dli_fname, ignored).parent_path();
    // Beside the library, or where the command finds what is installed, or built, with it.
    all = {own, own / "gradus", own.parent_path() / GRADUS_LIBDIR / "gradus", own.parent_path()};
  }
  return all;
}

const char* package_of(const std::string& backend) {
  if (backend == "gloo") return "libgloo-dev";
  return backend == "openmpi" ? "libopenmpi-dev" : "libmpich-dev";
}

}  // namespace

Transport* open_transport(const std::string& backend, const TransportConfig& config) {
  const std::string file = "libgradus_" + backend + ".so";
  fs::path path;
  for (const fs::path& folder : folders()) {
    std::error_code ignored;
    if (path.empty() && fs::exists(folder / file, ignored)) path = folder / file;
  }
  if (path.empty()) {
    throw DistributedError(fmt::format(
        "init: this process was started for {0}, and there is no {1} next to the library: build Gradus where {2} is "
        "installed, or start with a launcher of another backend",
        backend, file, package_of(backend)));
  }
  // OpenMPI loads parts of its own that need its symbols.
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) throw DistributedError(fmt::format("init: cannot load {}: {}", path.string(), ::dlerror()));
  const auto open = reinterpret_cast<OpenTransport>(::dlsym(library, "gradus_open_transport"));
  if (open == nullptr) throw DistributedError(fmt::format("init: {} is not a plug-in of Gradus", path.string()));
  try {
    return open(config);
  } catch (const std::exception& error) {
    throw DistributedError(fmt::format("init: {}", error.what()));
  }
}

}  // namespace gradus::distributed

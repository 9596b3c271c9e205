#include "kernels/dispatch/cuda.h"

#include <dlfcn.h>
#include <gradus/core/error.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/cuda/library.h"

namespace gradus::cuda_library {

namespace {

namespace fs = std::filesystem;

struct Loaded {
  const Library* cuda = nullptr;
  std::string why;  // where it is null
};

std::vector<fs::path> places() {
  if (const char* given = std::getenv("GRADUS_CUDA_LIBRARY")) return {given};
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&backend), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const fs::path own = fs::weakly_canonical(info.dli_fname, ignored).parent_path();
  // Beside the library, or where the command finds what is built or installed with it.
  std::vector<fs::path> all;
  for (const fs::path& folder : {own, own / "gradus", own.parent_path(), own.parent_path() / GRADUS_LIBDIR / "gradus"})
    all.push_back(folder / "libgradus_cuda.so");
  return all;
}

Loaded load() {
  fs::path path;
  for (const fs::path& place : places()) {
    std::error_code ignored;
    if (path.empty() && fs::exists(place, ignored)) path = place;
  }
  if (path.empty()) return {nullptr, "this build has no kernels for CUDA: there is no libgradus_cuda.so next to it"};
  void* const file = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (file == nullptr) return {nullptr, "cannot load " + path.string() + ": " + ::dlerror()};
  const auto entry = reinterpret_cast<Entry>(::dlsym(file, kEntry));
  const Library* library = entry != nullptr ? entry(Version()) : nullptr;
  if (library == nullptr) return {nullptr, path.string() + " was built from other sources than this library"};
  return {library, ""};
}

const Loaded& loaded() {
  static const Loaded result = load();
  return result;
}

class Backend final : public core::Backend {
 public:
  int device_count() override { return loaded().cuda == nullptr ? 0 : own().device_count(); }
  std::string describe(int index) override { return loaded().cuda == nullptr ? loaded().why : own().describe(index); }
  void* allocate(int index, std::size_t bytes) override { return own().allocate(index, bytes); }
  void deallocate(int index, void* p, std::size_t bytes) noexcept override { own().deallocate(index, p, bytes); }
  MemoryStats memory_stats(int index) override { return own().memory_stats(index); }
  void reset_peak_memory(int index) override { own().reset_peak_memory(index); }
  void empty_cache(int index) override { own().empty_cache(index); }
  std::int64_t free_memory(int index) override { return own().free_memory(index); }
  cuda::DeviceProperties properties(int index) override { return own().properties(index); }
  void copy_to_device(int index, void* to, const void* from, std::size_t bytes) override {
    own().copy_to_device(index, to, from, bytes);
  }
  void copy_to_host(int index, void* to, const void* from, std::size_t bytes) override {
    own().copy_to_host(index, to, from, bytes);
  }
  void copy_within(int index, void* to, const void* from, std::size_t bytes) override {
    own().copy_within(index, to, from, bytes);
  }
  void* allocate_pinned(std::size_t bytes) override { return own().allocate_pinned(bytes); }
  void deallocate_pinned(void* p, std::size_t bytes) noexcept override { own().deallocate_pinned(p, bytes); }
  void copy_from_pinned(int index, void* to, const void* from, std::size_t bytes,
                        std::shared_ptr<const void> keep) override {
    own().copy_from_pinned(index, to, from, bytes, std::move(keep));
  }
  void synchronize(int index) override { own().synchronize(index); }
  std::unique_ptr<core::Recorded> record(int index, std::uint64_t seed, const std::function<void()>& step) override {
    return own().record(index, seed, step);
  }

 private:
  static core::Backend& own() { return *loaded().cuda->backend; }
};

}  // namespace

core::Backend& backend() {
  static Backend* const instance = new Backend;
  return *instance;
}

const Kernels& kernels(int index) {
  const Library* library = loaded().cuda;
  if (library == nullptr) throw ValueError("cuda: " + loaded().why);
  library->select(index);
  return *library->kernels;
}

}  // namespace gradus::cuda_library

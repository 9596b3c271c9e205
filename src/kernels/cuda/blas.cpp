// Products of matrices by cuBLAS, opened when the first one is asked for: nothing of it is needed to build or start.
// Its own numbers stand here, as its headers may not be there.
#include <dlfcn.h>
#include <gradus/core/error.h>
#include <library_types.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/gpu/recording.h"
#include "kernels/gpu/runtime.h"

namespace gradus::cuda_library {

namespace {

constexpr int kCompute32 = 68, kCompute64 = 70, kDefaultAlgorithm = -1, kNotTransposed = 0, kTransposed = 1;

using Handle = void*;
using Create = int (*)(Handle*);
using SetStream = int (*)(Handle, cudaStream_t);
// cublasGemmStridedBatchedEx_64
using Gemm = int (*)(Handle, int trans_a, int trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                     const void* alpha, const void* a, cudaDataType a_type, std::int64_t lda, long long stride_a,
                     const void* b, cudaDataType b_type, std::int64_t ldb, long long stride_b, const void* beta,
                     void* c, cudaDataType c_type, std::int64_t ldc, long long stride_c, std::int64_t count,
                     int compute, int algorithm);

// A path of the user's, what the system finds, the toolkit's, and that of a Python environment.
std::vector<std::string> places() {
  if (const char* given = std::getenv("GRADUS_CUBLAS")) return {given};
  std::vector<std::string> all{"libcublas.so.13", "libcublas.so.12", "/usr/local/cuda/lib64/libcublas.so"};
  if (const char* environment = std::getenv("VIRTUAL_ENV")) {
    namespace fs = std::filesystem;
    std::error_code none;
    for (const auto& python : fs::directory_iterator(fs::path(environment) / "lib", none)) {
      for (const char* folder : {"cu13/lib/libcublas.so.13", "cublas/lib/libcublas.so.12"})
        all.push_back((python.path() / "site-packages/nvidia" / folder).string());
    }
  }
  return all;
}

struct Blas {
  SetStream set_stream = nullptr;
  Gemm gemm = nullptr;
  Create create = nullptr;
  std::array<Handle, 128> handles{};
  std::mutex mutex;

  Blas() {
    for (const std::string& place : places()) {
      void* const library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) continue;
      create = reinterpret_cast<Create>(::dlsym(library, "cublasCreate_v2"));
      set_stream = reinterpret_cast<SetStream>(::dlsym(library, "cublasSetStream_v2"));
      gemm = reinterpret_cast<Gemm>(::dlsym(library, "cublasGemmStridedBatchedEx_64"));
      if (create != nullptr && set_stream != nullptr && gemm != nullptr) return;
      gemm = nullptr;
    }
  }
};

Blas& blas() {
  static auto* const instance = new Blas;
  return *instance;
}

void check_blas(int status, const char* call) {
  if (status != 0) throw Error(std::string("cuda: ") + call + " failed with cuBLAS status " + std::to_string(status));
}

struct Types {
  cudaDataType in, out;
  bool in_float64;
};

// Row-major C = op(A) op(B) is column-major C^T = op(B)^T op(A)^T.
bool multiply(const Types& types, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
              double alpha, const void* a, std::int64_t lda, const void* b, std::int64_t ldb, double beta, void* c,
              std::int64_t ldc, const kernel::Batch& batch) {
  Blas& library = blas();
  if (library.gemm == nullptr) return false;
  Gpu& gpu = current();
  for (const void* const used : {a, b, static_cast<const void*>(c)}) gpu::note_use(used);
  gpu::refuse_beside_recording();
  const std::lock_guard lock(library.mutex);
  Handle& handle = library.handles[static_cast<std::size_t>(gpu.index)];
  if (handle == nullptr) {
    check_blas(library.create(&handle), "cublasCreate");
    check_blas(library.set_stream(handle, gpu.stream), "cublasSetStream");
  }
  const float narrow[2] = {static_cast<float>(alpha), static_cast<float>(beta)};
  const double wide[2] = {alpha, beta};
  const void* scales[2] = {types.in_float64 ? static_cast<const void*>(&wide[0]) : &narrow[0],
                           types.in_float64 ? static_cast<const void*>(&wide[1]) : &narrow[1]};
  check_blas(library.gemm(handle, trans_b ? kTransposed : kNotTransposed, trans_a ? kTransposed : kNotTransposed, n, m,
                          k, scales[0], b, types.in, ldb, batch.b, a, types.in, lda, batch.a, scales[1], c, types.out,
                          ldc, batch.c, batch.count, types.in_float64 ? kCompute64 : kCompute32, kDefaultAlgorithm),
             "cublasGemmStridedBatchedEx");
  return true;
}

}  // namespace

}  // namespace gradus::cuda_library

namespace gradus::gpu {

using namespace cuda_library;

bool library_gemm(const kernel::Product& p, const kernel::Batch& batch) {
  const bool wide = p.dtype == kFloat64;
  if ((!wide && p.dtype != kFloat32) || p.k == 0) return false;
  const cudaDataType type = wide ? CUDA_R_64F : CUDA_R_32F;
  return multiply({type, type, wide}, p.trans_a, p.trans_b, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, p.c,
                  p.ldc, batch);
}

bool library_gemm_bfloat16(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const void* a,
                           std::int64_t lda, const void* b, std::int64_t ldb, bool float32_result, void* c,
                           std::int64_t ldc) {
  return multiply({CUDA_R_16BF, float32_result ? CUDA_R_32F : CUDA_R_16BF, false}, trans_a, trans_b, m, n, k, 1, a, lda,
                  b, ldb, 0, c, ldc, {1, 0, 0, 0});
}

}  // namespace gradus::gpu

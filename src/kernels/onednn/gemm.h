#pragma once

#include <gradus/core/dtype.h>

#include <cstdint>

namespace gradus::onednn {

// As gradus::cpu::gemm, on as many threads as OpenMP has for the caller. False if oneDNN refuses.
bool gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a,
          std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc);

// As gradus::cpu::gemm_bfloat16, on this thread alone.
bool gemm_bfloat16(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const void* a,
                   std::int64_t lda, const void* b, std::int64_t ldb, Dtype c_dtype, void* c, std::int64_t ldc);

}  // namespace gradus::onednn

// A matrix that many products have on their right: packed once for the innermost loops.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd/simd.h"
#include "kernels/scratch.h"

namespace gradus::cpu {

using namespace kernel;

template <class T>
class PackedMatrix {
 public:
  // B [k, n], whose element (p, j) is b[p * b_row + j * b_col].
  PackedMatrix(std::int64_t k, std::int64_t n, const T* b, std::int64_t b_row, std::int64_t b_col);

  // C [m, n] = A B + beta * C on this thread, with A [m, k]; C is not read where beta is 0. The bits of a row of C do
  // not depend on the other rows.
  void multiply(std::int64_t m, const T* a, std::int64_t lda, T beta, T* c, std::int64_t ldc) const;

  std::int64_t columns() const { return n_; }

 private:
  Isa isa_;
  std::int64_t k_, n_, width_;  // of a panel of columns
  Scratch<T> data_;             // [panels, k, width]
};

}  // namespace gradus::cpu

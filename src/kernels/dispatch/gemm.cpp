// Which library multiplies, and on how many threads: decided by measurement, which gradus_bench --benchmark_filter=gemm
// repeats.
#include "kernels/dispatch/gemm.h"

#ifndef GRADUS_WITHOUT_BLAS
#include <cblas.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>

#include "core/portable.h"
#include "core/threads/parallel.h"
#include "core/visit.h"
#include "kernels/cpu/product/direct_gemm.h"
#include "kernels/cpu/product/finish.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/onednn/gemm.h"

#ifdef GRADUS_BLIS
extern "C" void bli_thread_set_num_threads(std::int64_t);  // of <blis.h>, which declares thousands of names more
#endif

namespace gradus::cpu {

namespace {

using std::int64_t;

// Numbers of multiplications below which our own loops are faster than the library.
constexpr int64_t kDirectBelow = 40'000;
constexpr int64_t kDirectDoubleBelow = 150'000;
constexpr int64_t kDirectFewRowsBelow = 4'000;
constexpr int64_t kDirectVectorBelow = 1'000;
constexpr int64_t kDirectBiasDepth = 32;  // k up to which they are faster where there is a bias
// Multiplications that make a second piece worth its while; eight times as many make twice the pieces.
constexpr int64_t kTwoPieces = 1'000'000;
constexpr int64_t kMostPieces = 64;
constexpr int64_t kShortest = 32;  // rows or columns of a piece, at least
constexpr int64_t kUnit = 16;      // of which they are a multiple

template <class T>
struct Operands {
  bool trans_a, trans_b;
  int64_t m, n, k;
  T alpha;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T beta;
  T* c;
  int64_t ldc;
  Finish<T> finish{};

  // Rows [begin, end) of C, or columns.
  Operands rows(int64_t begin, int64_t end) const {
    Operands part = *this;
    part.m = end - begin;
    part.a += begin * (trans_a ? 1 : lda);
    part.c += begin * ldc;
    return part;
  }
  Operands columns(int64_t begin, int64_t end) const {
    Operands part = *this;
    part.n = end - begin;
    part.b += begin * (trans_b ? ldb : 1);
    part.c += begin;
    if (finish.bias != nullptr) part.finish.bias += begin;
    return part;
  }
};

// m * n * k, or the largest number if that is larger.
int64_t multiplications(int64_t m, int64_t n, int64_t k) {
  int64_t product = 0;
  if (__builtin_mul_overflow(m, n, &product) || __builtin_mul_overflow(product, k, &product)) {
    return std::numeric_limits<int64_t>::max();
  }
  return product;
}

// Adds the bias too.
template <class T>
void direct(const Operands<T>& x) {
  direct_gemm(x.m, x.n, x.k, x.alpha, x.a, x.trans_a ? 1 : x.lda, x.trans_a ? x.lda : 1, x.b, x.trans_b ? 1 : x.ldb,
              x.trans_b ? x.ldb : 1, x.beta, x.c, x.ldc, x.finish.bias);
}

// On other processors oneDNN's product is that of its reference loops.
#if defined(__x86_64__) && !defined(GRADUS_WITHOUT_ONEDNN)
constexpr bool kOneDnnMultiplies = true;
#else
constexpr bool kOneDnnMultiplies = false;
#endif

#ifdef GRADUS_WITHOUT_BLAS
template <class T>
bool blas(const Operands<T>&) {
  return false;
}
#else
// We share out the work: the library's own switch, which OpenMP's does not turn everywhere.
void use_one_thread() {
#ifdef GRADUS_BLIS
  bli_thread_set_num_threads(1);
#else
  openblas_set_num_threads(1);
#endif
}

// False, and nothing done, where the library does not take such a product.
template <class T>
bool blas(const Operands<T>& x) {
  const auto fits = [](auto... sizes) { return ((sizes <= std::numeric_limits<int>::max()) && ...); };
  if (!fits(x.m, x.n, x.k, x.lda, x.ldb, x.ldc)) return false;
  static const bool once = (use_one_thread(), true);
  static_cast<void>(once);
  const core::OneOpenMPThread guard;
  const auto narrow = [](int64_t size) { return static_cast<int>(size); };
  const auto pick = [](auto single, auto twice) {
    if constexpr (std::is_same_v<T, float>) {
      return single;
    } else {
      return twice;
    }
  };
  // As a product of matrices, the library takes several times as long for these.
  if (x.n == 1 || x.m == 1) {
    const bool tall = x.n == 1;
    if (x.beta == 0)
      for (int64_t i = 0; i < x.m * x.n; ++i) x.c[tall ? i * x.ldc : i] = 0;
    const bool trans = tall ? x.trans_a : !x.trans_b;
    const int64_t length = tall ? x.m : x.n;
    pick(cblas_sgemv, cblas_dgemv)(
        CblasRowMajor, trans ? CblasTrans : CblasNoTrans, narrow(trans ? x.k : length), narrow(trans ? length : x.k),
        x.alpha, tall ? x.a : x.b, narrow(tall ? x.lda : x.ldb), tall ? x.b : x.a,
        narrow(tall ? (x.trans_b ? 1 : x.ldb) : (x.trans_a ? x.lda : 1)), x.beta, x.c, narrow(tall ? x.ldc : 1));
    return true;
  }
  pick(cblas_sgemm, cblas_dgemm)(CblasRowMajor, x.trans_a ? CblasTrans : CblasNoTrans,
                                 x.trans_b ? CblasTrans : CblasNoTrans, narrow(x.m), narrow(x.n), narrow(x.k), x.alpha,
                                 x.a, narrow(x.lda), x.b, narrow(x.ldb), x.beta, x.c, narrow(x.ldc));
  return true;
}
#endif

template <class T>
bool library(const Operands<T>& x) {
  if (core::is_portable()) return false;
  if constexpr (std::is_same_v<T, float> && kOneDnnMultiplies) {
    const core::OneOpenMPThread guard;
    return onednn::gemm(x.trans_a, x.trans_b, x.m, x.n, x.k, x.alpha, x.a, x.lda, x.b, x.ldb, x.beta, x.c, x.ldc);
  } else {
    return blas(x);
  }
}

template <class T>
struct IntegerGemm {
  GRADUS_INLINE static void run(Operands<T> x) {
    for (int64_t i = 0; i < x.m; ++i) {
      T* c = x.c + i * x.ldc;
      for (int64_t j = 0; j < x.n; ++j) c[j] = x.beta == 0 ? T(0) : static_cast<T>(x.beta * c[j]);
      for (int64_t p = 0; p < x.k; ++p) {
        const T left = static_cast<T>(x.alpha * x.a[x.trans_a ? p * x.lda + i : i * x.lda + p]);
        const T* b = x.b + (x.trans_b ? p : p * x.ldb);
        const int64_t step = x.trans_b ? x.ldb : 1;
        for (int64_t j = 0; j < x.n; ++j) c[j] = static_cast<T>(c[j] + left * b[j * step]);
      }
    }
  }
};

// Our own loops are no match for a library where one operand is a vector, or where few rows of C share the packing of a
// transposed B; but a library's call has its price.
template <class T>
bool is_direct(const Operands<T>& x) {
  int64_t below = std::is_same_v<T, float> ? kDirectBelow : kDirectDoubleBelow;
  if (x.trans_b && x.m < 8) below = kDirectFewRowsBelow;
  if (x.m == 1 || x.n == 1) below = kDirectVectorBelow;
  // They add a bias for nothing; after a library's product it is a pass of its own, which costs most where k is small.
  if (x.finish.bias != nullptr && x.k <= kDirectBiasDepth && x.m >= 16) return true;
  return multiplications(x.m, x.n, x.k) < below;
}

struct Same {
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x;
  }
};

template <class T>
void one_thread(Operands<T> x) {
  const Finish<T> after = x.finish;
  if constexpr (std::is_floating_point_v<T>) {
    const bool by_library = !is_direct(x) && library(x);
    if (!by_library) direct(x);
    const T* bias = by_library ? after.bias : nullptr;
    if (after.run != nullptr) {
      after.run(after.formula, x.m, x.n, x.c, x.ldc, bias);
    } else if (bias != nullptr) {
      simd_call<FinishBody<Same, T>>(Same{}, x.m, x.n, x.c, x.ldc, bias);
    }
  } else {
    if (after.bias != nullptr) {
      for (int64_t i = 0; i < x.m; ++i) std::copy_n(after.bias, x.n, x.c + i * x.ldc);
      x.beta = 1;
    }
    simd_call<IntegerGemm<T>>(x);
  }
}

// C cut into blocks of about equal size: as many below each other, and side by side. Depends on the sizes alone.
struct Grid {
  int64_t down = 1, across = 1;
};

// Each block packs its rows of A and its columns of B anew. A column costs most where B is transposed; else the rows
// do, as the libraries read A where it stands.
template <class T>
Grid cut(const Operands<T>& x) {
  Grid grid;
  const int64_t total = multiplications(x.m, x.n, x.k);
  int64_t pieces = 1;
  for (int64_t enough = kTwoPieces; total >= enough && pieces < kMostPieces; enough *= 8) pieces *= 2;
  for (; pieces > 1; pieces /= 2) {
    const int64_t rows = x.m / grid.down, columns = x.n / grid.across;
    const bool by_rows = x.trans_b ? rows > 4 * columns : 4 * rows >= columns;
    const bool fits = (by_rows ? rows : columns) >= 2 * kShortest,
               other_fits = (by_rows ? columns : rows) >= 2 * kShortest;
    if (fits || other_fits) (by_rows == fits ? grid.down : grid.across) *= 2;
  }
  return grid;
}

// The first row or column of a block, of `parts`.
int64_t bound(int64_t length, int64_t parts, int64_t i) {
  return i == parts ? length : (length + kUnit - 1) / kUnit * i / parts * kUnit;
}

// `work` runs for each block; those of a thread share columns where these cost most, else rows.
template <class T, class F>
void in_pieces(const Operands<T>& x, F&& work) {
  const Grid grid = cut(x);
  core::parallel_for(grid.down * grid.across, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t row = x.trans_b ? i % grid.down : i / grid.across;
      const int64_t column = x.trans_b ? i / grid.down : i % grid.across;
      work(x.rows(bound(x.m, grid.down, row), bound(x.m, grid.down, row + 1))
               .columns(bound(x.n, grid.across, column), bound(x.n, grid.across, column + 1)));
    }
  });
}

template <class T>
void multiply(Operands<T> x) {
  if (x.m == 0 || x.n == 0) return;
  // A contiguous vector is a row as well as a column, and the libraries like it best along k.
  if (x.n == 1 && !x.trans_b && x.ldb == 1) {
    x.trans_b = true;
    x.ldb = std::max<int64_t>(1, x.k);
  }
  if (x.m == 1 && x.trans_a && x.lda == 1) {
    x.trans_a = false;
    x.lda = std::max<int64_t>(1, x.k);
  }
  in_pieces(x, one_thread<T>);
}

// Unsigned arithmetic wraps; the bits are those of the signed result.
template <class T>
Operands<std::make_unsigned_t<T>> wrapping(const Operands<T>& x) {
  using U = std::make_unsigned_t<T>;
  const auto bits = [](const T* p) { return reinterpret_cast<const U*>(p); };
  return {x.trans_a,
          x.trans_b,
          x.m,
          x.n,
          x.k,
          static_cast<U>(x.alpha),
          bits(x.a),
          x.lda,
          bits(x.b),
          x.ldb,
          static_cast<U>(x.beta),
          reinterpret_cast<U*>(x.c),
          x.ldc,
          {.bias = bits(x.finish.bias)}};
}

template <class T>
void multiply_any(const Operands<T>& x) {
  if constexpr (std::is_floating_point_v<T>) {
    multiply(x);
  } else {
    multiply(wrapping(x));
  }
}

}  // namespace

#define GRADUS_GEMM(T)                                                                                                 \
  void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, \
            int64_t ldb, T beta, T* c, int64_t ldc) {                                                                  \
    multiply_any(Operands<T>{trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc});                         \
  }                                                                                                                    \
  template void gemm_finished(bool, bool, int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t,             \
                              const Finish<T>&, T*, int64_t);

template <class T>
void gemm_finished(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
                   int64_t ldb, const Finish<T>& finish, T* c, int64_t ldc) {
  multiply_any(Operands<T>{trans_a, trans_b, m, n, k, T(1), a, lda, b, ldb, T(0), c, ldc, finish});
}

bool gemm_bfloat16(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const BFloat16* a, int64_t lda,
                   const BFloat16* b, int64_t ldb, Dtype c_dtype, void* c, int64_t ldc) {
  constexpr int64_t kPerHalfPiece = 8'000'000, kUnit = 32, kMost = 8;
  if (m == 0 || n == 0 || k == 0 || core::is_portable()) return false;
  const bool tall = m >= n;
  const int64_t length = tall ? m : n, bytes = element_size(c_dtype);
  const int64_t wanted = core::piece_count(multiplications(m, n, k), kPerHalfPiece, kMost);
  const int64_t step =
      (std::max((length + wanted - 1) / wanted, std::min<int64_t>(length / 2, 128)) + kUnit - 1) / kUnit * kUnit;
  std::atomic<bool> done = true;
  core::parallel_for((length + step - 1) / step, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = i * step, count = std::min(step, length - begin);
      const BFloat16* left = tall ? a + begin * (trans_a ? 1 : lda) : a;
      const BFloat16* right = tall ? b : b + begin * (trans_b ? ldb : 1);
      void* to = static_cast<std::byte*>(c) + begin * (tall ? ldc : 1) * bytes;
      if (!onednn::gemm_bfloat16(trans_a, trans_b, tall ? count : m, tall ? n : count, k, left, lda, right, ldb,
                                 c_dtype, to, ldc)) {
        done = false;
      }
    }
  });
  return done;
}

GRADUS_GEMM(float)
GRADUS_GEMM(double)
GRADUS_GEMM(int64_t)
GRADUS_GEMM(std::int32_t)
GRADUS_GEMM(std::uint8_t)
#undef GRADUS_GEMM

template <class T>
void gemm_batch(int64_t batch, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda,
                int64_t stride_a, const T* b, int64_t ldb, int64_t stride_b, T* c, int64_t ldc, int64_t stride_c) {
  const auto at = [&](int64_t i) {
    return Operands<T>{trans_a, trans_b,          m,  n, k, T(1), a + i * stride_a, lda, b + i * stride_b, ldb,
                       T(0),    c + i * stride_c, ldc};
  };
  const int64_t each = multiplications(m, n, k);
  // A product that is worth cutting is cut the same way alone or in a batch.
  if (each >= kTwoPieces) {
    for (int64_t i = 0; i < batch; ++i) multiply(at(i));
    return;
  }
  core::parallel_for(batch, std::max<int64_t>(1, kTwoPieces / 2 / std::max<int64_t>(1, each)),
                     [&](int64_t first, int64_t last) {
                       for (int64_t i = first; i < last; ++i) multiply(at(i));
                     });
}

template void gemm_batch(int64_t, bool, bool, int64_t, int64_t, int64_t, const float*, int64_t, int64_t, const float*,
                         int64_t, int64_t, float*, int64_t, int64_t);
template void gemm_batch(int64_t, bool, bool, int64_t, int64_t, int64_t, const double*, int64_t, int64_t, const double*,
                         int64_t, int64_t, double*, int64_t, int64_t);

void gemm(const Product& p) {
  visit<float, double, int64_t, std::int32_t, std::uint8_t>("matmul", p.dtype, [&]<class T>(T) {
    const auto in = [](const void* x) { return static_cast<const T*>(x); };
    Operands<T> x{p.trans_a,
                  p.trans_b,
                  p.m,
                  p.n,
                  p.k,
                  static_cast<T>(p.alpha),
                  in(p.a),
                  p.lda,
                  in(p.b),
                  p.ldb,
                  static_cast<T>(p.beta),
                  static_cast<T*>(p.c),
                  p.ldc};
    x.finish = {.bias = in(p.then.bias), .formula = p.then.activation.formula};
    if constexpr (std::is_same_v<T, float>) x.finish.run = p.then.activation.cpu32;
    if constexpr (std::is_same_v<T, double>) x.finish.run = p.then.activation.cpu64;
    multiply_any(x);
  });
}

void gemm_batch(const Product& p, const Batch& batch) {
  visit<float, double>("bmm", p.dtype, [&]<class T>(T) {
    gemm_batch<T>(batch.count, p.trans_a, p.trans_b, p.m, p.n, p.k, static_cast<const T*>(p.a), p.lda, batch.a,
                  static_cast<const T*>(p.b), p.ldb, batch.b, static_cast<T*>(p.c), p.ldc, batch.c);
  });
}

}  // namespace gradus::cpu

// Products of matrices: the device's library where it has one, else tiles in shared memory.
#include <gradus/core/error.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "core/visit.h"
#include "kernels/formulas/name.h"
#include "kernels/formulas/rectifiers.h"
#include "kernels/gpu/elementwise/formulas.h"
#include "kernels/gpu/kernels.h"
#include "kernels/gpu/launch.h"

namespace gradus::gpu {

namespace {

// A matrix: element [i, j] of the batch's b-th lies at b * batch + i * row + j * column.
template <class T>
struct Matrix {
  Global<T> data;
  std::int64_t row, column, batch;
  GRADUS_DEVICE T& at(std::int64_t b, std::int64_t i, std::int64_t j) const {
    return data[b * batch + i * row + j * column];
  }
};

// What products of T are summed in: integers wrap around.
template <class T>
struct SumsOf {
  using type = T;
};
template <>
struct SumsOf<std::int64_t> {
  using type = std::uint64_t;
};
template <>
struct SumsOf<std::int32_t> {
  using type = std::uint32_t;
};
template <>
struct SumsOf<std::uint8_t> {
  using type = std::uint32_t;
};

// A block computes a tile of C, each of its threads a quarter of a row of it: elements (row + 16 a, column + 16 b).
inline constexpr int kTile = 64, kDepth = 16, kEach = 4, kAcross = kTile / kEach;
inline constexpr int kTileThreads = kAcross * kAcross;

template <class T>
struct TiledProduct {
  using Sum = typename SumsOf<T>::type;
  std::int64_t m, n, k, tiles_m, tiles_n;
  Matrix<const T> a, b;
  Matrix<T> c;
  double alpha, beta;

  struct Own {
    Sum sums[kEach][kEach];
  };

  GRADUS_DEVICE void operator()(const Block& block) const {
    GRADUS_SHARED(T, a_tile)[kDepth][kTile + 1];
    GRADUS_SHARED(T, b_tile)[kDepth][kTile + 1];
    PerThread<Own> own;
    const std::int64_t tile = block.index() % (tiles_m * tiles_n), batch = block.index() / (tiles_m * tiles_n);
    const std::int64_t top = tile / tiles_n * kTile, left = tile % tiles_n * kTile;
    block.phase([&](int t) {
      for (auto& row : own[t].sums)
        for (Sum& sum : row) sum = 0;
    });
    for (std::int64_t from = 0; from < k; from += kDepth) {
      block.phase([&](int t) {
        for (int e = t; e < kDepth * kTile; e += kTileThreads) {
          // Neighbouring threads read neighbouring elements, whichever way a matrix lies.
          const int ad = a.column == 1 ? e % kDepth : e / kTile, ai = a.column == 1 ? e / kDepth : e % kTile;
          const int bd = b.column == 1 ? e / kTile : e % kDepth, bj = b.column == 1 ? e % kTile : e / kDepth;
          a_tile[ad][ai] = top + ai < m && from + ad < k ? a.at(batch, top + ai, from + ad) : T(0);
          b_tile[bd][bj] = left + bj < n && from + bd < k ? b.at(batch, from + bd, left + bj) : T(0);
        }
      });
      block.phase([&](int t) {
        const int row = t / kAcross, column = t % kAcross;
        Own& mine = own[t];
        for (int d = 0; d < kDepth; ++d) {
          Sum x[kEach], y[kEach];
          for (int e = 0; e < kEach; ++e) x[e] = static_cast<Sum>(a_tile[d][row + e * kAcross]);
          for (int e = 0; e < kEach; ++e) y[e] = static_cast<Sum>(b_tile[d][column + e * kAcross]);
          for (int i = 0; i < kEach; ++i)
            for (int j = 0; j < kEach; ++j) mine.sums[i][j] += x[i] * y[j];
        }
      });
    }
    block.phase([&](int t) {
      for (int i = 0; i < kEach; ++i) {
        for (int j = 0; j < kEach; ++j) {
          const std::int64_t row = top + t / kAcross + i * kAcross, column = left + t % kAcross + j * kAcross;
          if (row >= m || column >= n) continue;
          T& to = c.at(batch, row, column);
          Sum value = own[t].sums[i][j];
          if (alpha != 1) value = static_cast<Sum>(static_cast<T>(alpha)) * value;
          if (beta != 0) value += static_cast<Sum>(static_cast<T>(beta)) * static_cast<Sum>(to);
          to = static_cast<T>(value);
        }
      }
    });
  }
};

template <class T>
Matrix<T> matrix(T* data, bool trans, std::int64_t ld, std::int64_t batch) {
  return trans ? Matrix<T>{data, 1, ld, batch} : Matrix<T>{data, ld, 1, batch};
}

void multiply(const Product& p, const Batch& batch) {
  if (p.m == 0 || p.n == 0 || batch.count == 0 || library_gemm(p, batch)) return;
  visit<float, double, std::int64_t, std::int32_t, std::uint8_t>("mm", p.dtype, [&]<class T>(T) {
    const std::int64_t tiles_m = (p.m + kTile - 1) / kTile, tiles_n = (p.n + kTile - 1) / kTile;
    launch_blocks(
        batch.count * tiles_m * tiles_n, kTileThreads,
        TiledProduct<T>{p.m, p.n, p.k, tiles_m, tiles_n, matrix(static_cast<const T*>(p.a), p.trans_a, p.lda, batch.a),
                        matrix(static_cast<const T*>(p.b), p.trans_b, p.ldb, batch.b),
                        matrix(static_cast<T*>(p.c), false, p.ldc, batch.c), p.alpha, p.beta});
  });
}

struct Identity {
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x;
  }
};

template <class F, class T>
struct Finish {
  F formula;
  std::int64_t n, ldc;
  Global<T> c;
  Global<const T> bias;
  GRADUS_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t j = i % n;
    T& to = c[i / n * ldc + j];
    to = formula.f(bias ? to + bias[j] : to);
  }
};

template <class F>
void finish(const void* formula, Dtype dtype, std::int64_t m, std::int64_t n, void* c, std::int64_t ldc,
            const void* bias) {
  // A bias alone may be of any type that products have.
  visit<float, double, std::int64_t, std::int32_t, std::uint8_t>("mm", dtype, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<F, Identity>) {
      launch(m * n, Finish<F, T>{*static_cast<const F*>(formula), n, ldc, output<T>(c), input<T>(bias)});
    }
  });
}

}  // namespace

ThenRun find_then(const char* name) {
  using namespace ops;
  if (std::string_view(name) == kernel::then_name<Relu>()) return finish<Relu>;
  if (std::string_view(name) == kernel::then_name<LeakyReluOfResult>()) return finish<LeakyReluOfResult>;
  throw Error(std::string("linear: GPUs have no kernel for the formula ") + name);
}

void gemm(const Product& p) {
  multiply(p, {1, 0, 0, 0});
  if (p.m == 0 || p.n == 0) return;
  const kernel::Epilogue& then = p.then;
  if (then.activation.formula != nullptr) {
    find_then(then.activation.name())(then.activation.formula, p.dtype, p.m, p.n, p.c, p.ldc, then.bias);
  } else if (then.bias != nullptr) {
    const Identity same;
    finish<Identity>(&same, p.dtype, p.m, p.n, p.c, p.ldc, then.bias);
  }
}

void gemm_batch(const Product& product, const Batch& batch) { multiply(product, batch); }

bool gemm_bfloat16(bool trans_a, bool trans_b, Int m, Int n, Int k, const BFloat16* a, Int lda, const BFloat16* b,
                   Int ldb, Dtype c_dtype, void* c, Int ldc) {
  return m > 0 && n > 0 && k > 0 &&
         library_gemm_bfloat16(trans_a, trans_b, m, n, k, a, lda, b, ldb, c_dtype == kFloat32, c, ldc);
}

}  // namespace gradus::gpu

// Matrix products against the plain triple loop.
#include "kernels/dispatch/gemm.h"

#include <gradus/core/parallel.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/cpu/product/direct_gemm.h"
#include "kernels/cpu/product/finish.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/reference/gemm.h"

namespace gradus {
namespace {

using std::int64_t;

template <class T>
std::vector<T> numbers(int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) {
    if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<T>(std::uniform_real_distribution<double>(-1, 1)(engine));
    } else {
      value = static_cast<T>(std::uniform_int_distribution<int>(-9, 9)(engine));
    }
  }
  return values;
}

// The product with every leading dimension `extra` wider than its matrix, checked with what lies between the rows.
template <class T, class F>
void check(F&& product, bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, T beta, int64_t extra) {
  const int64_t lda = std::max<int64_t>(1, (ta ? m : k) + extra), ldb = std::max<int64_t>(1, (tb ? k : n) + extra);
  const int64_t ldc = std::max<int64_t>(1, n + extra);
  const auto a = numbers<T>((ta ? k : m) * lda + 1, 1), b = numbers<T>((tb ? n : k) * ldb + 1, 2);
  auto c = numbers<T>(m * ldc + 1, 3);
  if constexpr (std::is_floating_point_v<T>)
    if (beta == 0)  // what stands in C is not read
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) c[static_cast<std::size_t>(i * ldc + j)] = std::numeric_limits<T>::quiet_NaN();
  auto want = c;
  reference::gemm(ta, tb, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, want.data(), ldc);
  product(ta, tb, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
  const double tolerance =
      std::is_floating_point_v<T> ? 2 * std::numeric_limits<T>::epsilon() * static_cast<double>(8 + k) : 0;
  for (std::size_t i = 0; i < c.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(c[i]), static_cast<double>(want[i]), tolerance)
        << (ta ? "t" : "n") << (tb ? "t " : "n ") << m << " x " << n << " x " << k << " beta " << beta << " at " << i;
  }
}

template <class T, class F>
void check_forms(F&& product, int64_t m, int64_t n, int64_t k) {
  for (int form = 0; form < 4; ++form) {
    check<T>(product, form & 1, form & 2, m, n, k, T(1), T(0), 0);
    check<T>(product, form & 1, form & 2, m, n, k, T(2), T(3), 5);
  }
}

template <class T>
struct Gemm : testing::Test {};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Floating);

const auto dispatched = [](auto... args) { cpu::gemm(args...); };

TYPED_TEST(Gemm, AwkwardSizes) {
  for (int64_t m : {0, 1, 7, 17, 33})
    for (int64_t n : {0, 1, 7, 16, 33})
      for (int64_t k : {0, 1, 8, 17, 65}) check_forms<TypeParam>(dispatched, m, n, k);
}

TYPED_TEST(Gemm, SizesThatGoToALibraryOrToSeveralThreads) {
  check_forms<TypeParam>(dispatched, 65, 63, 129);
  check_forms<TypeParam>(dispatched, 1000, 7, 300);
  check_forms<TypeParam>(dispatched, 5, 1031, 260);
  check_forms<TypeParam>(dispatched, 1, 300, 700);
  check_forms<TypeParam>(dispatched, 300, 1, 700);
  check_forms<TypeParam>(dispatched, 1, 1, 100'003);
}

// Whatever is chosen for a size, each instruction set must be right at all of them.
TYPED_TEST(Gemm, DirectLoopsInEveryInstructionSet) {
  using T = TypeParam;
  const auto direct = [](bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
                         const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
    cpu::direct_gemm(m, n, k, alpha, a, ta ? 1 : lda, ta ? lda : 1, b, tb ? 1 : ldb, tb ? ldb : 1, beta, c, ldc);
  };
  for (cpu::Isa isa : {cpu::Isa::base, cpu::Isa::v3, cpu::Isa::v4}) {
    cpu::set_isa(isa);
    for (int64_t m : {1, 5, 6, 7, 13, 25})
      for (int64_t n : {1, 3, 4, 8, 9, 16, 17, 31, 32, 33, 40})
        for (int64_t k : {0, 1, 9}) check_forms<T>(direct, m, n, k);
    check_forms<T>(direct, 14, 21, 600);  // more than one block deep
  }
  cpu::set_isa(cpu::best_isa());
}

TYPED_TEST(Gemm, NumberOfThreadsDoesNotChangeBits) {
  using T = TypeParam;
  const int before = get_num_threads();
  for (auto [m, n, k] : {std::array<int64_t, 3>{1024, 128, 16}, {7, 1024, 300}, {300, 200, 100}}) {
    const auto a = numbers<T>(m * k, 1), b = numbers<T>(k * n, 2);
    std::vector<T> results[2] = {numbers<T>(m * n, 3), numbers<T>(m * n, 4)};
    for (int threads : {1, 3}) {
      set_num_threads(threads);
      cpu::gemm(false, false, m, n, k, T(1), a.data(), k, b.data(), n, T(0), results[threads / 2].data(), n);
    }
    EXPECT_EQ(std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(T)), 0);
  }
  set_num_threads(before);
}

TYPED_TEST(Gemm, BiasGoesToEachRow) {
  using T = TypeParam;
  for (auto [m, n, k] : {std::array<int64_t, 3>{5, 19, 7},
                         {64, 40, 0},
                         {70, 133, 16},
                         {65, 33, 300},
                         {1, 200, 100},
                         {1024, 100, 20},
                         {9, 2000, 70}}) {
    for (bool trans_b : {false, true}) {
      const auto a = numbers<T>(m * k + 1, 1), b = numbers<T>(k * n + 1, 2), bias = numbers<T>(n, 3);
      std::vector<T> c(static_cast<std::size_t>(m * n), std::numeric_limits<T>::quiet_NaN()), want;
      for (int64_t i = 0; i < m; ++i) want.insert(want.end(), bias.begin(), bias.end());
      const int64_t lda = std::max<int64_t>(1, k), ldb = trans_b ? lda : n;
      reference::gemm(false, trans_b, m, n, k, T(1), a.data(), lda, b.data(), ldb, T(1), want.data(), n);
      cpu::gemm_finished<T>(false, trans_b, m, n, k, a.data(), lda, b.data(), ldb, {.bias = bias.data()}, c.data(), n);
      const double tolerance = 2 * std::numeric_limits<T>::epsilon() * static_cast<double>(8 + k);
      for (std::size_t i = 0; i < c.size(); ++i) ASSERT_NEAR(c[i], want[i], tolerance) << m << " x " << n << " x " << k;
    }
  }
}

struct Twice {
  template <class T>
  GRADUS_INLINE T f(T x) const {
    return x > 0 ? 2 * x : x;
  }
};

// Of products by our own loops, by the library and in pieces: as a pass of its own behind them.
TYPED_TEST(Gemm, FormulaComesLast) {
  using T = TypeParam;
  for (auto [m, n, k] :
       {std::array<int64_t, 3>{5, 19, 7}, {64, 40, 0}, {65, 33, 300}, {130, 200, 100}, {9, 2000, 70}}) {
    for (bool biased : {false, true}) {
      const auto a = numbers<T>(m * k + 1, 1), b = numbers<T>(k * n + 1, 2), bias = numbers<T>(n, 3);
      const int64_t ldb = std::max<int64_t>(1, k);
      std::vector<T> c(static_cast<std::size_t>(m * n), std::numeric_limits<T>::quiet_NaN()), want = c;
      cpu::Finish<T> finish{.bias = biased ? bias.data() : nullptr};
      cpu::gemm_finished<T>(false, true, m, n, k, a.data(), ldb, b.data(), ldb, finish, want.data(), n);
      const Twice twice;
      for (T& value : want) value = twice.f(value);
      finish.run = cpu::finish<Twice, T>;
      finish.formula = &twice;
      cpu::gemm_finished<T>(false, true, m, n, k, a.data(), ldb, b.data(), ldb, finish, c.data(), n);
      EXPECT_EQ(std::memcmp(c.data(), want.data(), c.size() * sizeof(T)), 0) << m << " x " << n << " x " << k;
    }
  }
}

TYPED_TEST(Gemm, BatchesEqualSingleProducts) {
  using T = TypeParam;
  const int64_t batch = 5, m = 6, n = 9, k = 11;
  const auto a = numbers<T>(batch * m * k, 1), b = numbers<T>(k * n, 2);
  auto c = numbers<T>(batch * m * n, 3), want = c;
  cpu::gemm_batch<T>(batch, false, false, m, n, k, a.data(), k, m * k, b.data(), n, 0, c.data(), n, m * n);
  for (int64_t i = 0; i < batch; ++i) {
    reference::gemm(false, false, m, n, k, T(1), a.data() + i * m * k, k, b.data(), n, T(0), want.data() + i * m * n,
                    n);
  }
  for (std::size_t i = 0; i < c.size(); ++i) EXPECT_NEAR(c[i], want[i], 1e-5);
}

// Against the same numbers in float32; sizes for one piece and for several, along either side.
TEST(GemmBFloat16, EqualsTheProductInFloat32) {
  const auto rounded = [](int64_t count, unsigned seed) {
    std::vector<BFloat16> halves;
    for (const float value : numbers<float>(count, seed)) halves.emplace_back(value);
    return halves;
  };
  const auto widened = [](const std::vector<BFloat16>& halves) {
    return std::vector<float>(halves.begin(), halves.end());
  };
  for (const auto& [m, n, k] :
       {std::array<int64_t, 3>{1, 1, 1}, {5, 3, 40}, {33, 65, 7}, {300, 96, 700}, {64, 900, 350}}) {
    for (int form = 0; form < 4; ++form) {
      const bool ta = (form & 1) != 0, tb = (form & 2) != 0;
      const int64_t lda = ta ? m : k, ldb = tb ? k : n;
      const auto a = rounded(m * k, 1), b = rounded(k * n, 2);
      std::vector<float> want(static_cast<std::size_t>(m * n)), wide = want;
      const std::vector<float> wa = widened(a), wb = widened(b);
      reference::gemm(ta, tb, m, n, k, 1.0F, wa.data(), lda, wb.data(), ldb, 0.0F, want.data(), n);
      std::vector<BFloat16> half(want.size());
      if (!cpu::gemm_bfloat16(ta, tb, m, n, k, a.data(), lda, b.data(), ldb, kFloat32, wide.data(), n)) {
        GTEST_SKIP() << "this machine has no fast loops for bfloat16";
      }
      ASSERT_TRUE(cpu::gemm_bfloat16(ta, tb, m, n, k, a.data(), lda, b.data(), ldb, kBFloat16, half.data(), n));
      for (std::size_t i = 0; i < want.size(); ++i) {
        const float tolerance = 1e-6F * static_cast<float>(8 + k);
        ASSERT_NEAR(wide[i], want[i], tolerance) << m << " x " << n << " x " << k << " form " << form << " at " << i;
        ASSERT_NEAR(static_cast<float>(half[i]), want[i], std::abs(want[i]) * 0x1p-8F + tolerance)
            << m << " x " << n << " x " << k << " form " << form << " at " << i;
      }
    }
  }
  EXPECT_FALSE(cpu::gemm_bfloat16(false, false, 2, 2, 0, nullptr, 1, nullptr, 2, kFloat32, nullptr, 2));
}

TEST(GemmInteger, IsExactAndWrapsAround) {
  const auto product = [](auto... args) { cpu::gemm(args...); };
  for (int64_t m : {0, 1, 7, 130})
    for (int64_t n : {1, 9, 70})
      for (int64_t k : {0, 1, 65}) {
        check_forms<int64_t>(product, m, n, k);
        check_forms<std::int32_t>(product, m, n, k);
      }
  const std::int32_t a[] = {2'000'000'000}, b[] = {3};
  std::int32_t c = 0;
  cpu::gemm(false, false, 1, 1, 1, std::int32_t{1}, a, 1, b, 1, std::int32_t{0}, &c, 1);
  EXPECT_EQ(c, static_cast<std::int32_t>(6'000'000'000LL));
}

// Our own loops take over, and have added the bias already.
TYPED_TEST(Gemm, AProductThatTheLibraryRefusesHasItsBiasOnce) {
  using T = TypeParam;
  const int64_t n = 300, k = 100, beyond = int64_t{1} << 40;  // of a row that is alone: never taken
  const auto a = numbers<T>(k, 1), b = numbers<T>(k * n, 2), bias = numbers<T>(n, 3);
  std::vector<T> c(static_cast<std::size_t>(n)), want = bias;
  reference::gemm(false, false, 1, n, k, T(1), a.data(), k, b.data(), n, T(1), want.data(), n);
  cpu::gemm_finished<T>(false, false, 1, n, k, a.data(), beyond, b.data(), n, {.bias = bias.data()}, c.data(), beyond);
  for (std::size_t i = 0; i < c.size(); ++i) EXPECT_NEAR(c[i], want[i], 1e-3);
}

}  // namespace
}  // namespace gradus

#include "distributed/sums/arithmetic.h"

#include <algorithm>
#include <functional>
#include <type_traits>

#include "core/threads/parallel.h"
#include "core/visit.h"

namespace gradus::distributed {

namespace {

constexpr std::int64_t kGrain = 1 << 16;

template <class T, class F>
void apply_pairs(std::byte* into, const std::byte* from, std::int64_t n, F&& f) {
  T* const a = reinterpret_cast<T*>(into);
  const T* const b = reinterpret_cast<const T*>(from);
  core::parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) a[i] = f(a[i], b[i]);
  });
}

// Integers wrap around, as in tensors.
template <class T, class F>
T wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  } else {
    return f(a, b);
  }
}

}  // namespace

void combine(ReduceOp op, Dtype dtype, std::byte* into, const std::byte* from, std::int64_t n) {
  visit<float, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint8_t>(
      "all_reduce", dtype, [&](auto zero) {
        using T = decltype(zero);
        // What is not a number stays, from whichever side.
        switch (op) {
          case ReduceOp::Sum:
          case ReduceOp::Avg:
            return apply_pairs<T>(into, from, n, [](T a, T b) { return wrapping(a, b, std::plus<>()); });
          case ReduceOp::Product:
            return apply_pairs<T>(into, from, n, [](T a, T b) { return wrapping(a, b, std::multiplies<>()); });
          case ReduceOp::Min:
            return apply_pairs<T>(into, from, n, [](T a, T b) { return a != a ? a : b < a || b != b ? b : a; });
          case ReduceOp::Max:
            return apply_pairs<T>(into, from, n, [](T a, T b) { return a != a ? a : a < b || b != b ? b : a; });
        }
      });
}

void scale(Dtype dtype, std::byte* x, std::int64_t n, double factor) {
  if (factor == 1) return;
  visit<float, double>("all_reduce", dtype, [&](auto zero) {
    using T = decltype(zero);
    T* const elements = reinterpret_cast<T*>(x);
    const T by = static_cast<T>(factor);
    core::parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) elements[i] *= by;
    });
  });
}

}  // namespace gradus::distributed

// From an optimizer's rule to its loop on each device, as loop.h does it for a formula. A rule is trivially copyable
// and has `update(p, g, state...)`, a function of one element that is marked GRADUS_INLINE. Other devices than the CPU
// know the rules of kernels/formulas/, as bases of those that optimizers have.
#pragma once

#include <span>
#include <type_traits>

#include "kernels/cpu/elementwise/quantised.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/formulas/name.h"
#include "kernels/update.h"

namespace gradus::kernel {

namespace detail {
template <class Rule, class T, int K>
struct UpdateBody {
  GRADUS_INLINE static void run(Rule rule, std::int64_t n, T* p, const T* g, T* a, T* b, T* c, T* d) {
#pragma GCC ivdep
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (K == 0) rule.update(p[i], g[i]);
      if constexpr (K == 1) rule.update(p[i], g[i], a[i]);
      if constexpr (K == 2) rule.update(p[i], g[i], a[i], b[i]);
      if constexpr (K == 3) rule.update(p[i], g[i], a[i], b[i], c[i]);
      if constexpr (K == 4) rule.update(p[i], g[i], a[i], b[i], c[i], d[i]);
    }
  }
};

// Block by block: from codes to numbers, the update, and back.
template <class Rule, class T>
struct QuantisedBody {
  GRADUS_INLINE static void run(Rule rule, std::int64_t n, T* p, const T* g, std::uint8_t* a_codes, float* a_scales,
                                std::uint8_t* b_codes, float* b_scales) {
    constexpr std::int64_t block = cpu::kQuantisedBlock;
    constexpr int count = static_cast<int>(Rule::quantised.size());
    static_assert(count == 1 || count == 2, "two tensors of state at most");
    alignas(64) T a[block], b[count == 2 ? block : 1];
    for (std::int64_t first = 0; first < n; first += block) {
      const std::int64_t length = n - first < block ? n - first : block;
      cpu::dequantise<T, Rule::quantised[0]>(a_codes + first, a_scales[first / block], length, a);
      if constexpr (count == 2)
        cpu::dequantise<T, Rule::quantised[count - 1]>(b_codes + first, b_scales[first / block], length, b);
      UpdateBody<Rule, T, count>::run(rule, length, p + first, g + first, a, b, nullptr, nullptr);
      a_scales[first / block] = cpu::quantise<T, Rule::quantised[0]>(a, length, a_codes + first);
      if constexpr (count == 2)
        b_scales[first / block] = cpu::quantise<T, Rule::quantised[count - 1]>(b, length, b_codes + first);
    }
  }
};

template <class Rule, class T, int K>
constexpr bool has_update() {
  T x{};
  if constexpr (K == 0) return requires(const Rule& r) {
      r.update(x, x);
    };
  if constexpr (K == 1) return requires(const Rule& r) {
      r.update(x, x, x);
    };
  if constexpr (K == 2) return requires(const Rule& r) {
      r.update(x, x, x, x);
    };
  if constexpr (K == 3) return requires(const Rule& r) {
      r.update(x, x, x, x, x);
    };
  if constexpr (K == 4) return requires(const Rule& r) {
      r.update(x, x, x, x, x, x);
    };
  return false;
}

template <class Rule, class T, int K>
void update_loop(const void* rule, std::int64_t n, void* p, const void* g, void* const* state) {
  const auto at = [&](int i) { return static_cast<T*>(i < K ? state[i] : nullptr); };
  cpu::simd_call<UpdateBody<Rule, T, K>>(*static_cast<const Rule*>(rule), n, static_cast<T*>(p),
                                         static_cast<const T*>(g), at(0), at(1), at(2), at(3));
}

// The loop for a rule with `count` tensors of state.
template <class Rule, class T, int K = 0>
decltype(Rules::cpu) select_update(std::size_t count) {
  if constexpr (K > kMaxState) {
    return nullptr;
  } else {
    if (count == static_cast<std::size_t>(K)) {
      if constexpr (has_update<Rule, T, K>()) return update_loop<Rule, T, K>;
      return nullptr;
    }
    return select_update<Rule, T, K + 1>(count);
  }
}

template <class Rule, class T>
void quantised_loop(const void* rule, std::int64_t n, void* p, const void* g, void* const* state) {
  const auto codes = [&](std::size_t i) {
    return static_cast<std::uint8_t*>(i < Rule::quantised.size() ? state[2 * i] : nullptr);
  };
  const auto scales = [&](std::size_t i) {
    return static_cast<float*>(i < Rule::quantised.size() ? state[2 * i + 1] : nullptr);
  };
  cpu::simd_call<QuantisedBody<Rule, T>>(*static_cast<const Rule*>(rule), n, static_cast<T*>(p),
                                         static_cast<const T*>(g), codes(0), scales(0), codes(1), scales(1));
}
}  // namespace detail

// What of a rule other devices know: its base `Update` where it has one, which needs no options and no tensors.
template <class Rule>
struct UpdateOfRule {
  using type = Rule;
};
template <class Rule>
requires requires { typename Rule::Update; }
struct UpdateOfRule<Rule> {
  using type = typename Rule::Update;
};
template <class Rule>
using UpdateOf = typename UpdateOfRule<Rule>::type;

// The prepared rules, for parameters of T with `state_count` tensors of state. A rule may keep its state in 8 bits:
// `quantised` says of each tensor whether it has a sign, and twice as many tensors come then, each one's codes and the
// largest absolute value of each block. Other devices have no loops for that.
template <class Rule, class T>
Rules rules_of(std::span<const Rule> rules, std::size_t state_count) {
  static_assert(std::is_trivially_copyable_v<Rule>, "a device takes a rule by its bytes");
  static_assert(sizeof(Rule) == sizeof(UpdateOf<Rule>), "a device sees no more of a rule than its Update holds");
  constexpr std::int64_t size = sizeof(T);
  if constexpr (requires { Rule::quantised; }) {
    if (state_count == 2 * Rule::quantised.size()) {
      constexpr std::int64_t block = cpu::kQuantisedBlock, scale = sizeof(float);
      return {rules.data(),
              sizeof(Rule),
              rules.size(),
              state_count,
              size,
              block,
              {block, scale, block, scale},
              detail::quantised_loop<Rule, T>,
              update_name<UpdateOf<Rule>>};
    }
  }
  return {rules.data(),
          sizeof(Rule),
          rules.size(),
          state_count,
          size,
          1,
          {size, size, size, size},
          detail::select_update<Rule, T>(state_count),
          update_name<UpdateOf<Rule>>};
}

}  // namespace gradus::kernel

// From an optimizer's rule to its loop on each device, as loop.h does it for a formula. A rule is trivially copyable
// and has `update(p, g, state...)`, a function of one element that is marked GRADUS_INLINE. Other devices than the CPU
// know the rules of kernels/formulas/, as bases of those that optimizers have.
#pragma once

#include <span>
#include <type_traits>

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

// The prepared rules, for parameters of T with `state_count` tensors of state.
template <class Rule, class T>
Rules rules_of(std::span<const Rule> rules, std::size_t state_count) {
  static_assert(std::is_trivially_copyable_v<Rule>, "a device takes a rule by its bytes");
  static_assert(sizeof(Rule) == sizeof(UpdateOf<Rule>), "a device knows of a rule what its Update holds");
  return {rules.data(),
          sizeof(Rule),
          rules.size(),
          state_count,
          sizeof(T),
          detail::select_update<Rule, T>(state_count),
          update_name<UpdateOf<Rule>>};
}

}  // namespace gradus::kernel

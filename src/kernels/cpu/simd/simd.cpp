#include "kernels/cpu/simd/simd.h"

#include <gradus/core/error.h>
#include <gradus/core/parallel.h>
#include <gradus/core/portable.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "core/portable.h"

namespace gradus::cpu {

namespace {

Isa machine_isa() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  // These ask the operating system too: whether it keeps the wide registers across switches.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) return Isa::v4;
  if (__builtin_cpu_supports("x86-64-v3")) return Isa::v3;
#endif
  return Isa::base;
}

Isa wished_isa() {
  const char* wish = std::getenv("GRADUS_ISA");
  if (wish == nullptr) return Isa::v4;
  if (std::string_view(wish) == "base") return Isa::base;
  if (std::string_view(wish) == "v3") return Isa::v3;
  return Isa::v4;
}

// The best that was built, up to this one.
Isa built(Isa isa) {
  while (!is_built(isa)) isa = static_cast<Isa>(static_cast<int>(isa) - 1);
  return isa;
}

// What the mode asks of `isa`: the loops of other sets multiply and add in one step.
Isa allowed(Isa isa) {
  if (!core::is_portable()) return isa;
#if defined(__x86_64__) && defined(__FMA__)
  throw ValueError(
      "portable: compiled for processors that multiply and add in one step; leave out -march, as loops are "
      "compiled for each instruction set anyway");
#endif
  return Isa::base;
}

}  // namespace

Isa best_isa() {
  static const Isa best = built(std::min(machine_isa(), wished_isa()));
  return best;
}

void set_isa(Isa isa) {
  detail::isa_in_use.store(static_cast<int>(allowed(built(std::min(isa, best_isa())))), std::memory_order_relaxed);
}

namespace detail {

std::atomic<int> isa_in_use{-1};

Isa detect_isa() {
  int expected = -1;
  const int best = static_cast<int>(allowed(best_isa()));
  return static_cast<Isa>(isa_in_use.compare_exchange_strong(expected, best) ? best : expected);
}

}  // namespace detail

}  // namespace gradus::cpu

namespace gradus {

void set_portable(bool portable) {
  core::detail::portable.store(portable, std::memory_order_relaxed);
  cpu::set_isa(cpu::best_isa());
  if (portable) set_flush_denormal(false);
}

}  // namespace gradus

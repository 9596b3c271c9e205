// From a formula to its loop on each device.
//
// A formula is a trivially copyable struct with `f`, a function of one element that is marked GRADUS_INLINE
// (kernels/inline.h) and uses only arithmetic and kernels/math.h. The CPU's loop is compiled where the formula is used.
// A device whose code another compiler makes includes the headers of the formulas, and finds the loop by its name.
#pragma once

#include <type_traits>

#include "kernels/cpu/elementwise/elementwise.h"
#include "kernels/cpu/product/finish.h"
#include "kernels/formulas/name.h"
#include "kernels/inline.h"
#include "kernels/product.h"

namespace gradus::kernel {

// Of formula F with N operands of T and a result of R.
template <class F, class R, class T, int N>
constexpr Loop loop_of() {
  static_assert(std::is_trivially_copyable_v<F>, "a device takes a formula by its bytes");
  return {cpu::contiguous_loop<F, R, T, N>, loop_name<F, R, T, N>, sizeof(F)};
}

// Of a formula that follows a product of matrices. It must outlive the call of the kernel.
template <class F>
Activation activation_of(const F& formula) {
  static_assert(std::is_trivially_copyable_v<F>, "a device takes a formula by its bytes");
  return {&formula, sizeof formula, cpu::finish<F, float>, cpu::finish<F, double>, then_name<F>};
}

}  // namespace gradus::kernel

// The names by which a device with a compiler of its own finds the loop of a formula: they come from the types, and so
// are the same in every library that includes the formula's header.
#pragma once

#include <type_traits>
#include <typeinfo>

namespace gradus::kernel {

// Of formula F with N operands of T and a result of R.
template <class F, class R, class T, int N>
const char* loop_name() {
  return typeid(void (*)(F, R, T, std::integral_constant<int, N>)).name();
}

// Of a formula that follows a product of matrices.
template <class F>
const char* then_name() {
  return typeid(void (*)(F)).name();
}

// Of an optimizer's rule.
template <class Rule>
const char* update_name() {
  return typeid(Rule(*)()).name();
}

}  // namespace gradus::kernel

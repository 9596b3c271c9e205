// From a type that is known at run time to one that is known at compile time.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/core/error.h>

namespace gradus {

[[noreturn]] void refuse_type(const char* call, Dtype dtype);

// Calls fn(T{}) for the one of Types that `dtype` is; DtypeError, in the name of `call`, where it is none of them. So a
// type that was forgotten is an error, and never read as another one.
template <class... Types, class Fn>
void visit(const char* call, Dtype dtype, Fn&& fn) {
  const bool known = ((dtype == DtypeOf<Types>::value && (fn(Types{}), true)) || ...);
  if (!known) refuse_type(call, dtype);
}

template <class Fn>
void visit_all(Dtype dtype, Fn&& fn) {
  visit<bool, std::uint8_t, std::int8_t, std::int16_t, std::int32_t, std::int64_t, Float16, BFloat16, float, double>(
      "visit", dtype, fn);
}

}  // namespace gradus

// A number as the bytes that a tensor holds it by.
#pragma once

#include <gradus/core/scalar.h>

#include <cstring>
#include <type_traits>

#include "core/visit.h"
#include "kernels/elementwise.h"

namespace gradus::ops {

inline kernel::Element element_of(const Scalar& value, Dtype dtype) {
  kernel::Element element{};
  visit_all(dtype, [&]<class T>(T) {
    typename kernel::Stored<T>::type v{};
    if constexpr (std::is_same_v<T, bool>) {
      v = value.as<bool>();
    } else if constexpr (std::is_arithmetic_v<T>) {
      v = value.as<T>();
    } else {
      v = T(value.as<float>());
    }
    std::memcpy(element.bytes, &v, sizeof v);
  });
  return element;
}

}  // namespace gradus::ops

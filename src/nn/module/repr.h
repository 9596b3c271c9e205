// Values in a module's printed form, as Python writes them.
#pragma once

#include <gradus/core/scalar.h>
#include <gradus/ops/spatial.h>

#include <string>
#include <vector>

#include "text/python.h"

namespace gradus::nn {

inline std::string repr(double value) { return python_text(value); }
inline std::string repr(bool value) { return python_text(value); }
inline std::string repr(std::int64_t value) { return std::to_string(value); }
inline std::string repr(const Scalar& value) {
  return value.kind() == Dtype::Float64 ? repr(value.to<double>()) : repr(value.to<std::int64_t>());
}

// "(1, 2)", "(1,)"
template <class Values>
std::string tuple(const Values& values) {
  std::string text = "(";
  std::size_t count = 0;
  for (const auto& value : values) text += (count++ > 0 ? ", " : "") + repr(value);
  return text + (count == 1 ? ",)" : ")");
}

template <int N>
std::vector<std::int64_t> list(const Spatial<N>& values) {
  std::vector<std::int64_t> result;
  for (int i = 0; i < N; ++i) result.push_back(values[i]);
  return result;
}

template <int N>
std::string tuple(const Spatial<N>& values) {
  return tuple(list(values));
}

// As it was given: one number, or one for each dimension.
template <int N>
std::string repr(const Spatial<N>& values) {
  return values.is_single() ? repr(values[0]) : tuple(values);
}

}  // namespace gradus::nn

// Arguments of layers by position: `nn::MaxPool2d(2, 2)`, `nn::Conv2d(3, 64, {3, 3}, {2, 2})`.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include <gradus/ops/spatial.h>

namespace gradus::nn::detail {

template <class T>
concept Count = std::integral<T> && !std::same_as<T, bool>;

// Braces without names are one number, or one for each dimension; never a stride and a padding.
template <int N, Count T>
Spatial<N> spatial_of(std::initializer_list<T> each) {
  const auto at = [&](std::size_t i) { return static_cast<std::int64_t>(each.begin()[i]); };
  if (each.size() == 1) return Spatial<N>({at(0)});
  if (each.size() != N)
    throw ValueError("stride: needs 1 or " + std::to_string(N) + " numbers, got " + std::to_string(each.size()));
  return [&]<std::size_t... I>(std::index_sequence<I...>) { return Spatial<N>({at(I)...}); }
  (std::make_index_sequence<N>());
}
template <int N, Count T>
Spatial<N> spatial_of(T all) {
  return Spatial<N>(all);
}

}  // namespace gradus::nn::detail

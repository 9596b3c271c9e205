// What a view passes on to the views of it.
#pragma once

#include <gradus/detail/tensor_impl.h>

namespace gradus::detail {

// Views of a view that was made while nothing was recorded are as it is, and stay so where making them is recorded.
inline constexpr Made kViewOfNoGrad = static_cast<Made>(3), kViewOfInference = static_cast<Made>(4);

constexpr Made made_of_views(Made made) {
  return made == Made::no_grad ? kViewOfNoGrad : made == Made::inference ? kViewOfInference : made;
}
constexpr bool stays_unrecorded(Made made) { return made == kViewOfNoGrad || made == kViewOfInference; }
constexpr bool is_of_inference(Made made) { return made == Made::inference || made == kViewOfInference; }

}  // namespace gradus::detail

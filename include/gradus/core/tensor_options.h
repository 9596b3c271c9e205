// What the functions of tensors take besides tensors: the options of those that create one, and dimensions.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>

#include <gradus/core/device.h>
#include <gradus/core/dtype.h>
#include <gradus/core/shape.h>

namespace gradus {

// Options of the functions that create tensors: `zeros({2, 3}, {.dtype = kFloat64, .requires_grad = true})`.
struct TensorOptions {
  std::optional<Dtype> dtype = {};    // unset: float32, or the type of the data
  std::optional<Device> device = {};  // unset: the CPU, or for zeros_like and such the device of their tensor
  bool requires_grad = false;
};

// One or several dimensions: `x.sum(1)`, `x.sum({0, -1})`. An empty list means all of them, as in PyTorch.
class Dims : public Shape {
 public:
  Dims() = default;
  template <std::integral T>
  Dims(T dim) : Shape{static_cast<std::int64_t>(dim)} {}
  Dims(std::initializer_list<std::int64_t> dims) : Shape(dims) {}
  Dims(const Shape& dims) : Shape(dims) {}
};

// Of x.to(device, options), a copy to another device.
struct ToOptions {
  // From pinned memory, return before the copy is done. It comes in the order of the device's other work, and x's
  // memory stays until then; who writes to it earlier changes what is copied. From other memory, and to the CPU, this
  // does nothing.
  bool non_blocking = false;
};

}  // namespace gradus

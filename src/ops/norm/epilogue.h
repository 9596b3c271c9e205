// What a kernel may do to its result in the same pass: relu(y + residual). kernel::Epilogue in tensors.
#pragma once

#include <gradus/tensor.h>

namespace gradus::ops {

struct Epilogue {
  Tensor residual = {};  // undefined: nothing is added
  bool relu = false;
};

}  // namespace gradus::ops

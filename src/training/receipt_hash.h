// The hash that receipts have of a tensor's bits.
#pragma once

#include <gradus/tensor.h>

#include <string>

namespace gradus::training {

std::string tensor_hash(const Tensor& x);  // SHA-256 of the row-major values

}  // namespace gradus::training

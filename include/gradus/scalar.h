// A number that has no tensor around it: bool, integer or floating point, remembered as such for type promotion.
#pragma once

#include <concepts>
#include <cstdint>

#include <gradus/dtype.h>

namespace gradus {

class Scalar {
 public:
  Scalar(bool v) : kind_(Dtype::Bool), integer_(v) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Scalar(T v) : kind_(Dtype::Int64), integer_(static_cast<std::int64_t>(v)) {}
  template <std::floating_point T>
  Scalar(T v) : kind_(Dtype::Float64), floating_(static_cast<double>(v)) {}

  // Bool, Int64 or Float64.
  Dtype kind() const { return kind_; }
  template <class T>
  T to() const {
    return kind_ == Dtype::Float64 ? static_cast<T>(floating_) : static_cast<T>(integer_);
  }

 private:
  Dtype kind_;
  union {
    std::int64_t integer_;
    double floating_;
  };
};

// The type of `tensor op scalar`: a scalar promotes only across kinds (bool < integer < floating), as in PyTorch.
Dtype promote_scalar(Dtype tensor, const Scalar& scalar);

}  // namespace gradus

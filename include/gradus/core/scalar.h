// A single number. It remembers whether it is a bool, an integer or a floating-point number, for type promotion.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include <gradus/core/dtype.h>

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
  // Whether the type can hold the number. As in PyTorch an unsigned type takes a negative integer modulo its range, a
  // fraction is cut off, and floating types hold infinities and NaN.
  bool fits(Dtype dtype) const;
  // ValueError where T cannot hold it.
  template <class T>
  T to() const {
    using Limits = std::numeric_limits<T>;
    if (!std::same_as<T, bool> &&
        !lies_in(static_cast<double>(Limits::lowest()), static_cast<double>(Limits::max()), std::floating_point<T>)) {
      refuse(8 * sizeof(T), std::floating_point<T> ? "float" : std::unsigned_integral<T> ? "uint" : "int");
    }
    return as<T>();
  }
  // The same without the check: integers wrap around.
  template <class T>
  T as() const {
    return kind_ == Dtype::Float64 ? static_cast<T>(floating_) : static_cast<T>(integer_);
  }

 private:
  bool lies_in(double low, double high, bool floating) const;
  [[noreturn]] void refuse(std::size_t bits, const char* type) const;

  Dtype kind_;
  union {
    std::int64_t integer_;
    double floating_;
  };
};

std::string to_string(const Scalar& value);

// ValueError, in the name of `call`, for a number that the type cannot hold.
void check_fits(const char* call, const Scalar& value, Dtype dtype);

// The type of `tensor op scalar`: a scalar promotes only across kinds (bool < integer < floating), as in PyTorch.
Dtype promote_scalar(Dtype tensor, const Scalar& scalar);

}  // namespace gradus

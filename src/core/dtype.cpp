#include <gradus/core/dtype.h>
#include <gradus/core/scalar.h>

#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "core/visit.h"

namespace gradus {

const char* to_string(Dtype dtype) {
  static constexpr const char* names[] = {"bool",  "uint8",   "int8",     "int16",   "int32",
                                          "int64", "float16", "bfloat16", "float32", "float64"};
  return names[static_cast<std::size_t>(dtype)];
}

void refuse_type(const char* call, Dtype dtype) {
  throw DtypeError(std::string(call) + ": not defined for " + to_string(dtype));
}

// Of two types the later one in the enumeration holds the other, but for two pairs.
Dtype promote_types(Dtype a, Dtype b) {
  if (a > b) std::swap(a, b);
  if (a == kUInt8 && b == kInt8) return kInt16;
  if (a == kFloat16 && b == kBFloat16) return kFloat32;
  return b;
}

namespace {
int kind(Dtype dtype) { return dtype == Dtype::Bool ? 0 : is_integral(dtype) ? 1 : 2; }
}  // namespace

Dtype promote_scalar(Dtype tensor, const Scalar& scalar) {
  if (kind(tensor) >= kind(scalar.kind())) return tensor;
  return scalar.kind() == Dtype::Float64 ? Dtype::Float32 : scalar.kind();
}

bool Scalar::lies_in(double low, double high, bool floating) const {
  if (kind_ == Dtype::Float64) {
    if (floating) return !(std::fabs(floating_) > high) || std::isinf(floating_);
    return floating_ >= low && floating_ <= high && floating_ < 0x1p63;
  }
  if (floating || high >= 0x1p63) return true;  // 64 bits
  const auto value = static_cast<double>(integer_);
  return value <= high && value >= (low == 0 ? -high : low);
}

bool Scalar::fits(Dtype dtype) const {
  bool fits = true;
  visit_all(dtype, [&]<class T>(T) {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::same_as<T, Float16>) {
      fits = lies_in(0, 65504, true);
    } else if constexpr (std::same_as<T, BFloat16>) {
      fits = lies_in(0, 0x1.FEp127, true);
    } else if constexpr (!std::same_as<T, bool>) {
      fits = lies_in(static_cast<double>(Limits::lowest()), static_cast<double>(Limits::max()), std::floating_point<T>);
    }
  });
  return fits;
}

std::string to_string(const Scalar& x) {
  if (x.kind() == Dtype::Bool) return x.as<bool>() ? "true" : "false";
  if (x.kind() == Dtype::Int64) return std::to_string(x.as<std::int64_t>());
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, x.as<double>()).ptr};
}

void Scalar::refuse(std::size_t bits, const char* type) const {
  throw ValueError("Scalar: " + std::string(type) + std::to_string(bits) + " cannot hold " + to_string(*this));
}

void check_fits(const char* call, const Scalar& value, Dtype dtype) {
  if (value.fits(dtype)) return;
  throw ValueError(std::string(call) + ": " + to_string(dtype) + " cannot hold " + to_string(value));
}

}  // namespace gradus

// Element types of tensors, with PyTorch's names and promotion rules.
#pragma once

#include <cstdint>
#include <cstring>

namespace gradus {

enum class Dtype : std::uint8_t { Bool, UInt8, Int32, Int64, BFloat16, Float32, Float64 };

inline constexpr Dtype kBool = Dtype::Bool;
inline constexpr Dtype kUInt8 = Dtype::UInt8;
inline constexpr Dtype kInt32 = Dtype::Int32;
inline constexpr Dtype kInt64 = Dtype::Int64;
inline constexpr Dtype kBFloat16 = Dtype::BFloat16;
inline constexpr Dtype kFloat32 = Dtype::Float32;
inline constexpr Dtype kFloat64 = Dtype::Float64;

// The upper half of a float32: 8 bits of exponent, 7 of mantissa. Conversion rounds to nearest, ties to even.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value) {
    std::uint32_t u;
    std::memcpy(&u, &value, sizeof u);
    // A NaN is kept a NaN: rounding could carry its mantissa away.
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    bits = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
  }
  explicit operator float() const {
    const std::uint32_t u = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &u, sizeof value);
    return value;
  }
};

constexpr std::int64_t element_size(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
    case Dtype::UInt8:
      return 1;
    case Dtype::BFloat16:
      return 2;
    case Dtype::Int32:
    case Dtype::Float32:
      return 4;
    case Dtype::Int64:
    case Dtype::Float64:
      return 8;
  }
  return 0;
}

constexpr bool is_floating_point(Dtype dtype) { return dtype >= Dtype::BFloat16; }
constexpr bool is_integral(Dtype dtype) { return dtype < Dtype::BFloat16; }  // bool included

// PyTorch's spelling: "float32", "int64", ...
const char* to_string(Dtype dtype);

// The type that an operation on both computes in (torch.promote_types).
Dtype promote_types(Dtype a, Dtype b);

// The type that floating-point functions compute in: integers become the default type, float32.
constexpr Dtype to_floating(Dtype dtype) { return is_floating_point(dtype) ? dtype : Dtype::Float32; }

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<bool> {
  static constexpr Dtype value = Dtype::Bool;
};
template <>
struct DtypeOf<std::uint8_t> {
  static constexpr Dtype value = Dtype::UInt8;
};
template <>
struct DtypeOf<std::int32_t> {
  static constexpr Dtype value = Dtype::Int32;
};
template <>
struct DtypeOf<std::int64_t> {
  static constexpr Dtype value = Dtype::Int64;
};
template <>
struct DtypeOf<BFloat16> {
  static constexpr Dtype value = Dtype::BFloat16;
};
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::Float32;
};
template <>
struct DtypeOf<double> {
  static constexpr Dtype value = Dtype::Float64;
};

}  // namespace gradus

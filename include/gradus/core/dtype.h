// Element types of tensors, with PyTorch's names and promotion rules.
#pragma once

#include <cstdint>

namespace gradus {

// In the order of promotion. float16 and bfloat16, int8 and int16 are types to store in: operations compute in float32
// and int32, and round or cut the result.
enum class Dtype : std::uint8_t { Bool, UInt8, Int8, Int16, Int32, Int64, Float16, BFloat16, Float32, Float64 };

inline constexpr Dtype kBool = Dtype::Bool;
inline constexpr Dtype kUInt8 = Dtype::UInt8;
inline constexpr Dtype kInt8 = Dtype::Int8;
inline constexpr Dtype kInt16 = Dtype::Int16;
inline constexpr Dtype kInt32 = Dtype::Int32;
inline constexpr Dtype kInt64 = Dtype::Int64;
inline constexpr Dtype kFloat16 = Dtype::Float16;
inline constexpr Dtype kHalf = Dtype::Float16;
inline constexpr Dtype kBFloat16 = Dtype::BFloat16;
inline constexpr Dtype kFloat32 = Dtype::Float32;
inline constexpr Dtype kFloat64 = Dtype::Float64;

// The conversions below are inlined even into loops that are compiled for one instruction set.
#define GRADUS_CONVERSION [[gnu::always_inline]]

// IEEE's 16 bits: 5 of exponent, 10 of mantissa. Conversion rounds to nearest, ties to even; what is 65520 or more
// becomes infinite.
struct Float16 {
  std::uint16_t bits = 0;

  Float16() = default;
  GRADUS_CONVERSION explicit Float16(float value) {
    const std::uint32_t u = __builtin_bit_cast(std::uint32_t, value), size = u & 0x7fffffffu;
    const std::uint32_t normal = (size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13;
    // The sum with 0.5 rounds what is below 2^-14 to a multiple of 2^-24, the smallest number.
    const std::uint32_t tiny =  // only right there
        __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, size) + 0.5f) - 0x3f000000u;
    const std::uint32_t special = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
    const std::uint32_t magnitude = size >= 0x47800000u ? special : size < 0x38800000u ? tiny : normal;
    bits = static_cast<std::uint16_t>(magnitude | ((u >> 16) & 0x8000u));
  }
  GRADUS_CONVERSION explicit operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, size = bits & 0x7fffu;
    const std::uint32_t tiny =
        __builtin_bit_cast(std::uint32_t, static_cast<float>(static_cast<std::int32_t>(size)) * 0x1p-24f);
    const std::uint32_t shifted = size << 13;
    const std::uint32_t u = size < 0x400u ? tiny : size < 0x7c00u ? shifted + 0x38000000u : shifted | 0x7f800000u;
    return __builtin_bit_cast(float, u | sign);
  }
};

// The upper half of a float32: 8 bits of exponent, 7 of mantissa. Conversion rounds to nearest, ties to even.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  GRADUS_CONVERSION explicit BFloat16(float value) {
    const std::uint32_t u = __builtin_bit_cast(std::uint32_t, value);
    // A NaN is kept a NaN: rounding could carry its mantissa away.
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    bits = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
  }
  GRADUS_CONVERSION explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }
};
#undef GRADUS_CONVERSION

constexpr std::int64_t element_size(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
    case Dtype::UInt8:
    case Dtype::Int8:
      return 1;
    case Dtype::Int16:
    case Dtype::Float16:
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

constexpr bool is_floating_point(Dtype dtype) { return dtype >= Dtype::Float16; }
constexpr bool is_integral(Dtype dtype) { return dtype < Dtype::Float16; }  // bool included

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
struct DtypeOf<std::int8_t> {
  static constexpr Dtype value = Dtype::Int8;
};
template <>
struct DtypeOf<std::int16_t> {
  static constexpr Dtype value = Dtype::Int16;
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
struct DtypeOf<Float16> {
  static constexpr Dtype value = Dtype::Float16;
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

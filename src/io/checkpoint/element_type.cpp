#include "io/checkpoint/element_type.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "gradus/core/error.h"

namespace gradus::io {

namespace {

template <class From, class To>
bool widen(const char* from, char* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    From x;
    std::memcpy(&x, from + i * sizeof x, sizeof x);
    if constexpr (sizeof(From) == sizeof(To)) {
      if (x > static_cast<From>(std::numeric_limits<To>::max())) return false;
    }
    const auto y = static_cast<To>(x);
    std::memcpy(to + i * sizeof y, &y, sizeof y);
  }
  return true;
}

// A floating-point number of a sign, `exponent` bits and `mantissa` bits, 8 in all. Ieee: with infinities; Finite:
// without, and all ones are the only NaN; UnsignedZero: what would be -0 is the only NaN.
enum class Special { Ieee, Finite, UnsignedZero };

float small_float(unsigned bits, int exponent, int mantissa, int bias, Special special) {
  const unsigned sign = bits >> (exponent + mantissa), low = bits & ((1u << (exponent + mantissa)) - 1);
  const unsigned top = low >> mantissa, fraction = low & ((1u << mantissa) - 1), highest = (1u << exponent) - 1;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  if (special == Special::UnsignedZero && sign != 0 && low == 0) return nan;
  if (special == Special::Finite && low == (1u << (exponent + mantissa)) - 1) return nan;
  if (special == Special::Ieee && top == highest) {
    return fraction != 0 ? nan : (sign != 0 ? -1.0f : 1.0f) * std::numeric_limits<float>::infinity();
  }
  const float magnitude =
      top == 0 ? std::ldexp(static_cast<float>(fraction), 1 - bias - mantissa)
               : std::ldexp(static_cast<float>(fraction | 1u << mantissa), static_cast<int>(top) - bias - mantissa);
  return sign != 0 ? -magnitude : magnitude;
}

// bfloat16 holds every number of 8 bits.
template <int exponent, int mantissa, int bias, Special special>
bool float8(const char* from, char* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const BFloat16 y(small_float(static_cast<unsigned char>(from[i]), exponent, mantissa, bias, special));
    std::memcpy(to + i * sizeof y, &y, sizeof y);
  }
  return true;
}

// Powers of two, without a sign: 2^(bits - 127); 255 is NaN.
bool float8_e8m0(const char* from, char* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<unsigned char>(from[i]);
    const BFloat16 y(bits == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, bits - 127));
    std::memcpy(to + i * sizeof y, &y, sizeof y);
  }
  return true;
}

constexpr ElementType kTypes[] = {
    {"float32", "FloatStorage", "F32", "f4", 4, kFloat32},
    {"float64", "DoubleStorage", "F64", "f8", 8, kFloat64},
    {"int64", "LongStorage", "I64", "i8", 8, kInt64},
    {"int32", "IntStorage", "I32", "i4", 4, kInt32},
    {"uint8", "ByteStorage", "U8", "u1", 1, kUInt8},
    {"bool", "BoolStorage", "BOOL", "b1", 1, kBool},
    {"bfloat16", "BFloat16Storage", "BF16", "", 2, kBFloat16},
    {"float16", "HalfStorage", "F16", "f2", 2, kFloat16},
    {"int16", "ShortStorage", "I16", "i2", 2, kInt16},
    {"int8", "CharStorage", "I8", "i1", 1, kInt8},
    {"uint16", "", "U16", "u2", 2, kInt32, widen<std::uint16_t, std::int32_t>},
    {"uint32", "", "U32", "u4", 4, kInt64, widen<std::uint32_t, std::int64_t>},
    {"uint64", "", "U64", "u8", 8, kInt64, widen<std::uint64_t, std::int64_t>},
    {"float8_e5m2", "", "F8_E5M2", "", 1, kBFloat16, float8<5, 2, 15, Special::Ieee>},
    {"float8_e4m3fn", "", "F8_E4M3", "", 1, kBFloat16, float8<4, 3, 7, Special::Finite>},
    {"float8_e5m2fnuz", "", "F8_E5M2FNUZ", "", 1, kBFloat16, float8<5, 2, 16, Special::UnsignedZero>},
    {"float8_e4m3fnuz", "", "F8_E4M3FNUZ", "", 1, kBFloat16, float8<4, 3, 8, Special::UnsignedZero>},
    {"float8_e8m0fnu", "", "F8_E8M0", "", 1, kBFloat16, float8_e8m0},
    {"complex32", "", "", "", 4, {}},
    {"complex64", "ComplexFloatStorage", "C64", "c8", 8, {}},
    {"complex128", "ComplexDoubleStorage", "", "c16", 16, {}},
    {"qint8", "QInt8Storage", "", "", 1, {}},
    {"quint8", "QUInt8Storage", "", "", 1, {}},
    {"qint32", "QInt32Storage", "", "", 4, {}},
    {"quint4x2", "QUInt4x2Storage", "", "", 1, {}},
    {"quint2x4", "QUInt2x4Storage", "", "", 1, {}},
    {"float4_e2m1fn_x2", "", "", "", 1, {}},
    {"", "UntypedStorage", "", "", 1, kUInt8},
};

const ElementType* find(std::string_view ElementType::*name, std::string_view wanted) {
  if (wanted.empty()) return nullptr;
  for (const ElementType& type : kTypes)
    if (type.*name == wanted) return &type;
  return nullptr;
}

bool drop_prefix(std::string_view& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

}  // namespace

const ElementType* torch_storage(std::string_view name) {
  if (name == "torch.storage.UntypedStorage") name = "torch.UntypedStorage";
  if (!drop_prefix(name, "torch.cuda.") && !drop_prefix(name, "torch.")) return nullptr;
  return find(&ElementType::storage, name);
}

const ElementType* torch_type(std::string_view name) {
  return drop_prefix(name, "torch.") ? find(&ElementType::torch, name) : nullptr;
}

const ElementType* safetensors_type(std::string_view name) { return find(&ElementType::safetensors, name); }
const ElementType* numpy_type(std::string_view code) { return find(&ElementType::numpy, code); }

const ElementType& element_type(Dtype dtype) {
  for (const ElementType& type : kTypes)
    if (type.is_exact() && *type.dtype == dtype) return type;
  throw DtypeError(std::string("save: files have no type for ") + to_string(dtype));
}

}  // namespace gradus::io

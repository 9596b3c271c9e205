#include "io/torch_types.h"

namespace gradus::io {

namespace {

struct Type {
  std::string_view storage, dtype;
  std::optional<Dtype> ours;
  std::int64_t size;
};

constexpr Type kTypes[] = {
    {"FloatStorage", "float32", kFloat32, 4},
    {"DoubleStorage", "float64", kFloat64, 8},
    {"LongStorage", "int64", kInt64, 8},
    {"IntStorage", "int32", kInt32, 4},
    {"ByteStorage", "uint8", kUInt8, 1},
    {"BoolStorage", "bool", kBool, 1},
    {"BFloat16Storage", "bfloat16", kBFloat16, 2},
    {"HalfStorage", "float16", {}, 2},
    {"ShortStorage", "int16", {}, 2},
    {"CharStorage", "int8", {}, 1},
    {"ComplexFloatStorage", "complex64", {}, 8},
    {"ComplexDoubleStorage", "complex128", {}, 16},
    {"QInt8Storage", "qint8", {}, 1},
    {"QUInt8Storage", "quint8", {}, 1},
    {"QInt32Storage", "qint32", {}, 4},
    {"QUInt4x2Storage", "quint4x2", {}, 1},
    {"QUInt2x4Storage", "quint2x4", {}, 1},
};
constexpr std::string_view kNewTypes[] = {"uint16",        "uint32",          "uint64",          "float8_e5m2",
                                          "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "float8_e8m0fnu",
                                          "complex32",     "float4_e2m1fn_x2"};

bool drop_prefix(std::string_view& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<TorchStorage> torch_storage(std::string_view name) {
  if (name == "torch.storage.UntypedStorage" || name == "torch.UntypedStorage") return TorchStorage{"", kUInt8, 1};
  if (!drop_prefix(name, "torch.cuda.") && !drop_prefix(name, "torch.")) return std::nullopt;
  for (const Type& type : kTypes)
    if (type.storage == name) return TorchStorage{type.dtype, type.ours, type.size};
  return std::nullopt;
}

std::string_view torch_storage_name(Dtype dtype) {
  for (const Type& type : kTypes)
    if (type.ours == dtype) return type.storage;
  return "";
}

bool is_torch_dtype(std::string_view name) {
  if (!drop_prefix(name, "torch.")) return false;
  for (const Type& type : kTypes)
    if (type.dtype == name) return true;
  for (const std::string_view type : kNewTypes)
    if (type == name) return true;
  return false;
}

std::optional<Dtype> torch_dtype(std::string_view name) {
  if (!drop_prefix(name, "torch.")) return std::nullopt;
  for (const Type& type : kTypes)
    if (type.dtype == name) return type.ours;
  return std::nullopt;
}

}  // namespace gradus::io

#include <gradus/dtype.h>
#include <gradus/scalar.h>

namespace gradus {

const char* to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
      return "bool";
    case Dtype::UInt8:
      return "uint8";
    case Dtype::Int32:
      return "int32";
    case Dtype::Int64:
      return "int64";
    case Dtype::BFloat16:
      return "bfloat16";
    case Dtype::Float32:
      return "float32";
    case Dtype::Float64:
      return "float64";
  }
  return "unknown";
}

// The order of the enumeration is the order of promotion: within our types every pair has its larger as the result.
Dtype promote_types(Dtype a, Dtype b) { return a < b ? b : a; }

namespace {
int kind(Dtype dtype) { return dtype == Dtype::Bool ? 0 : is_integral(dtype) ? 1 : 2; }
}  // namespace

Dtype promote_scalar(Dtype tensor, const Scalar& scalar) {
  if (kind(tensor) >= kind(scalar.kind())) return tensor;
  return scalar.kind() == Dtype::Float64 ? Dtype::Float32 : scalar.kind();
}

}  // namespace gradus

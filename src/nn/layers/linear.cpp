#include <gradus/nn/init.h>
#include <gradus/nn/layers/linear.h>

#include <cmath>

#include "nn/adapters/int8.h"
#include "nn/module/initial.h"
#include "nn/module/repr.h"

namespace gradus::nn {

namespace {

void check_features(const char* layer, std::initializer_list<std::int64_t> features) {
  for (std::int64_t n : features) {
    if (n < 0) throw ValueError(std::string(layer) + ": feature counts must not be negative, got " + std::to_string(n));
  }
}

}  // namespace

Parameter uniform_parameter(const Shape& sizes, std::int64_t fan_in, Dtype dtype) {
  Tensor x = empty(sizes, {.dtype = dtype});
  if (fan_in > 0) {
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    init::uniform_(x, -bound, bound);
  }
  return Parameter(x);
}

Linear::Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options)
    : Module("Linear", "in_features=" + std::to_string(in_features) + ", out_features=" + std::to_string(out_features) +
                           ", bias=" + repr(options.bias)),
      in_features(in_features),
      out_features(out_features) {
  check_features("Linear", {in_features, out_features});
  weight = add("weight", uniform_parameter({out_features, in_features}, in_features, options.dtype));
  bias = add("bias", options.bias ? uniform_parameter({out_features}, in_features, options.dtype) : Parameter());
}

Tensor Linear::forward(const Tensor& x) {
  if (detail::is_int8(weight)) [[unlikely]]
    return detail::int8_linear(*this, x, weight, bias);
  return linear(x, weight, bias);
}

Bilinear::Bilinear(std::int64_t in1_features, std::int64_t in2_features, std::int64_t out_features,
                   const LinearOptions& options)
    : Module("Bilinear", "in1_features=" + std::to_string(in1_features) +
                             ", in2_features=" + std::to_string(in2_features) +
                             ", out_features=" + std::to_string(out_features) + ", bias=" + repr(options.bias)),
      in1_features(in1_features),
      in2_features(in2_features),
      out_features(out_features) {
  check_features("Bilinear", {in1_features, in2_features, out_features});
  weight = add("weight", uniform_parameter({out_features, in1_features, in2_features}, in1_features, options.dtype));
  bias = add("bias", options.bias ? uniform_parameter({out_features}, in1_features, options.dtype) : Parameter());
}

Tensor Bilinear::forward(const Tensor& x1, const Tensor& x2) { return bilinear(x1, x2, weight, bias); }

Flatten::Flatten(std::int64_t start_dim, std::int64_t end_dim)
    : Module("Flatten", "start_dim=" + std::to_string(start_dim) + ", end_dim=" + std::to_string(end_dim)),
      start_dim_(start_dim),
      end_dim_(end_dim) {}

Unflatten::Unflatten(std::int64_t dim, const Shape& sizes)
    : Module("Unflatten", "dim=" + std::to_string(dim) + ", unflattened_size=" + tuple(sizes)),
      dim_(dim),
      sizes_(sizes) {}

}  // namespace gradus::nn

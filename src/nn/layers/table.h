// What the layers that hold a table of rows share.
#pragma once

#include <optional>
#include <string>

#include <gradus/tensor.h>

#include "nn/module/repr.h"

namespace gradus::nn {

// Normal values, with zeros in the row `padding_idx`, which counts from the front.
Tensor normal_table(const Shape& sizes, std::optional<std::int64_t> padding_idx, Dtype dtype);

// The sizes of a table that is there already; ShapeError and DtypeError.
Shape table_sizes(const char* layer, const Tensor& table);

// ", max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True" as far as they are not the defaults.
template <class Options>
std::string norm_text(const Options& o) {
  return (o.max_norm ? ", max_norm=" + repr(*o.max_norm) : std::string()) +
         (o.norm_type != 2 ? ", norm_type=" + repr(o.norm_type) : "") +
         (o.scale_grad_by_freq ? ", scale_grad_by_freq=True" : "");
}

}  // namespace gradus::nn

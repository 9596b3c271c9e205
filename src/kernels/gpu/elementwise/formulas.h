// The formulas that are compiled for GPUs, each found by its name (kernels/formulas/name.h).
#pragma once

#include <string_view>

#include "kernels/elementwise.h"
#include "kernels/update.h"

namespace gradus::gpu {

// out = formula(ins) over sizes; all in the formula's types.
using ElementwiseRun = void (*)(const void* formula, const Shape& sizes, const kernel::Operand& out,
                                std::span<const kernel::Operand> ins);
// c[i, j] = formula(c[i, j] + bias[j]), of float32 or float64; the bias may be null.
using ThenRun = void (*)(const void* formula, Dtype dtype, std::int64_t m, std::int64_t n, void* c, std::int64_t ldc,
                         const void* bias);
// An optimizer's update of all pieces.
using UpdateRun = void (*)(std::span<const kernel::Piece> pieces, const kernel::Rules& rules);

// An Error that names the formula where it is not there.
ElementwiseRun find_elementwise(const char* name);
ThenRun find_then(const char* name);

// One row of the tables that the files of formulas make.
struct ElementwiseEntry {
  std::string_view name;
  ElementwiseRun run;
};
std::span<const ElementwiseEntry> activation_formulas();
std::span<const ElementwiseEntry> arithmetic_formulas();
std::span<const ElementwiseEntry> comparison_formulas();
std::span<const ElementwiseEntry> function_formulas();

}  // namespace gradus::gpu

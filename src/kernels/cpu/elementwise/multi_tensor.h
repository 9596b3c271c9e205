// Loops over many tensors at once, shared between threads by their elements. Results do not depend on the number of
// threads.
#pragma once

#include <span>
#include <vector>

#include "kernels/update.h"

namespace gradus::cpu {

using namespace kernel;

// For each tensor the sum of |x|^p, in double, or for an infinite p the largest |x|. A NaN makes the result NaN.
std::vector<double> norm_powers(std::span<const Elements> tensors, double p);

// x *= factor
void multi_scale(std::span<const Elements> tensors, double factor);

// x into [-limit, limit]; a NaN stays.
void multi_clamp(std::span<const Elements> tensors, double limit);

// a += weight (b - a), element by element of pairs of equal sizes and types, as torch.lerp; DtypeError for others.
void multi_lerp(std::span<const Elements> a, std::span<const Elements> b, double weight);

// The same, and b = a.
void multi_meet(std::span<const Elements> a, std::span<const Elements> b, double weight);

}  // namespace gradus::cpu

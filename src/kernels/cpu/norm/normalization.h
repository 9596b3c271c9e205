// Normalisation: of batches, layers, groups and instances. All see x as [batch, groups, channels, space], contiguous,
// take moments of each group (of each sample by itself, or over the batch too), and scale by a weight and a bias for
// each channel of each group. float32 and float64.
#pragma once

#include "kernels/norm.h"

namespace gradus::cpu {

using namespace kernel;

// The mean and the mean square deviation of each group, none of which is empty. `floor` is what will be added to the
// latter: what is nothing beside it need not be exact.
void moments(Dtype dtype, const Normalization& n, double floor, const void* x, void* mean, double* var);

// y = (x - mean) * rstd * weight + bias; null stands for a weight of 1 and for no bias.
void normalize(Dtype dtype, const Normalization& n, const void* x, const void* mean, const void* rstd,
               const void* weight, const void* bias, void* y);

// Gradients from the gradient g of y. With `constant`, mean and rstd do not depend on x; x is not read then unless gw
// is wanted. Null pointers: no weight, and gradients that are not wanted (gw and gb go together).
void normalize_backward(Dtype dtype, const Normalization& n, bool constant, const void* g, const void* x,
                        const void* mean, const void* rstd, const void* weight, void* gx, void* gw, void* gb);

}  // namespace gradus::cpu

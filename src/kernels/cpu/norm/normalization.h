// Normalisation: of batches, layers, groups and instances. All see x as [batch, groups, channels, space], contiguous,
// take moments of each group (of each sample by itself, or over the batch too), and scale by a weight and a bias for
// each channel of each group. float32 and float64.
#pragma once

#include "kernels/epilogue.h"
#include "kernels/norm.h"

namespace gradus::cpu {

using namespace kernel;

// Kernels::moments and the like. No group is empty. Row-major there is no residual and no relu; with constant moments x
// is read only where gw is wanted.
void moments(const Normalization& n, double floor, const void* x, void* mean, double* var);
void normalize(const Normalization& n, const void* x, const void* mean, const void* rstd, const void* weight,
               const Epilogue& then, void* y);
void normalize_backward(const Normalization& n, const NormalizationGradients& to);

}  // namespace gradus::cpu

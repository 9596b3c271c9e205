// Choosing between elements, testing them, and changing their bits, with PyTorch's names, argument order and defaults.
#pragma once

#include <optional>

#include <gradus/ops.h>

namespace gradus {

// A number on one side or on both: `where(x > 0, x, 0.0)`, `where(mask, 1.0, 0.0)`. A number promotes the type only
// across kinds; two numbers make a tensor of float32, int64 or bool.
Tensor where(const Tensor& condition, const Tensor& a, const Scalar& b);
Tensor where(const Tensor& condition, const Scalar& a, const Tensor& b);
Tensor where(const Tensor& condition, const Scalar& a, const Scalar& b);

Tensor fmax(const Tensor& a, const Tensor& b);  // the larger; NaN only where both are
Tensor fmin(const Tensor& a, const Tensor& b);
Tensor heaviside(const Tensor& x, const Tensor& values);  // 0 below 0, 1 above, and values at 0; without gradient
// Replaces NaN and infinities: by default with 0, and with the largest and the smallest number of the type.
Tensor nan_to_num(const Tensor& x, std::optional<double> nan = {}, std::optional<double> posinf = {},
                  std::optional<double> neginf = {});

// --- bool results
Tensor isclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);
Tensor isposinf(const Tensor& x);
Tensor isneginf(const Tensor& x);

// --- bits of integers; for bool, the logical operations. DtypeError for floating-point tensors.
// The operators & and | are logical_and and logical_or, which differ from these on integers.
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_and(const Tensor& a, const Scalar& b);
Tensor bitwise_or(const Tensor& a, const Scalar& b);
Tensor bitwise_xor(const Tensor& a, const Scalar& b);
Tensor bitwise_not(const Tensor& x);
Tensor bitwise_left_shift(const Tensor& x, const Tensor& places);
Tensor bitwise_left_shift(const Tensor& x, const Scalar& places);
Tensor bitwise_right_shift(const Tensor& x, const Tensor& places);  // keeps the sign
Tensor bitwise_right_shift(const Tensor& x, const Scalar& places);
inline Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise_xor(a, b); }
inline Tensor operator^(const Tensor& a, const Scalar& b) { return bitwise_xor(a, b); }
inline Tensor operator~(const Tensor& x) { return bitwise_not(x); }

}  // namespace gradus

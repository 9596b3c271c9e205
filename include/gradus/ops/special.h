// torch.special: the functions of gradus/ops/mathematics.h under the names that it has for them, and a few more.
// Differentiable like the others. The Bessel functions, orthogonal polynomials and incomplete gamma functions of
// torch.special are not here.
#pragma once

#include <gradus/ops.h>
#include <gradus/ops/mathematics.h>
#include <gradus/ops/statistics.h>

namespace gradus::special {

using gradus::digamma;
using gradus::erf;
using gradus::erfc;
using gradus::erfinv;
using gradus::exp2;
using gradus::expm1;
using gradus::log1p;
using gradus::log_softmax;
using gradus::logit;
using gradus::logsumexp;
using gradus::polygamma;
using gradus::round;
using gradus::sinc;
using gradus::softmax;
using gradus::xlogy;

inline Tensor expit(const Tensor& x) { return sigmoid(x); }
inline Tensor gammaln(const Tensor& x) { return lgamma(x); }
inline Tensor psi(const Tensor& x) { return digamma(x); }
Tensor entr(const Tensor& x);                          // -x log(x); 0 at 0, and minus infinity below
Tensor ndtr(const Tensor& x);                          // the share of the normal distribution below x
Tensor xlog1py(const Tensor& x, const Tensor& y);      // x log(1 + y), and 0 where x is 0 and y is not NaN
Tensor multigammaln(const Tensor& x, std::int64_t p);  // of p dimensions; x is above (p - 1) / 2 (ValueError)

}  // namespace gradus::special

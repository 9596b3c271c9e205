// Less common activations, with PyTorch's names, argument order and defaults; gradus/ops.h has the most common ones.
// Differentiable to any order. Those whose names end in _ work in place.
#pragma once

#include <gradus/core/scalar.h>
#include <gradus/random.h>
#include <gradus/tensor.h>

namespace gradus {

// scale (max(x, 0) + min(alpha expm1(x), 0)) with the constants of Klambauer et al. (2017), which keep a network's
// means at 0 and its variances at 1. Initialise its weights with nonlinearity "linear", drop out with alpha_dropout.
Tensor selu(const Tensor& x);
Tensor& selu_(Tensor& x);
// max(x, 0) + min(alpha expm1(x / alpha), 0), whose slope is continuous: Barron (2017). ValueError for an alpha of 0.
Tensor celu(const Tensor& x, double alpha = 1.0);
Tensor& celu_(Tensor& x, double alpha = 1.0);
Tensor mish(const Tensor& x);  // x tanh(softplus(x)): Misra (2019)
Tensor& mish_(Tensor& x);
Tensor hardswish(const Tensor& x);  // x min(max(x + 3, 0), 6) / 6: Howard et al. (2019)
Tensor& hardswish_(Tensor& x);
Tensor hardsigmoid(const Tensor& x);  // min(max(x + 3, 0), 6) / 6
Tensor& hardsigmoid_(Tensor& x);
Tensor softsign(const Tensor& x);                        // x / (1 + |x|)
Tensor tanhshrink(const Tensor& x);                      // x - tanh(x)
Tensor softshrink(const Tensor& x, double lambd = 0.5);  // x moved towards 0 by lambd >= 0 (ValueError)
Tensor hardshrink(const Tensor& x, double lambd = 0.5);  // 0 within [-lambd, lambd], x outside
Tensor threshold(const Tensor& x, const Scalar& threshold, const Scalar& value);  // x above the threshold, else value
Tensor& threshold_(Tensor& x, const Scalar& threshold, const Scalar& value);

Tensor softmin(const Tensor& x, std::int64_t dim);  // softmax(-x, dim)
// The first half along `dim` times the sigmoid of the second: Dauphin et al. (2017). ShapeError for an odd size.
Tensor glu(const Tensor& x, std::int64_t dim = -1);

// x where it is positive, else x times a slope: drawn from [lower, upper) for each element in training, otherwise their
// mean. Xu et al. (2015). Here and below, the default generator is used unless one is given.
Tensor rrelu(const Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false,
             Generator* generator = nullptr);
Tensor& rrelu_(Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false,
               Generator* generator = nullptr);
// A sample of the categorical distribution with these logits, made soft by the temperature tau: Jang et al. (2017).
// With `hard` the result is one-hot and has the gradient of the soft one. eps has no effect, as in PyTorch.
Tensor gumbel_softmax(const Tensor& logits, double tau = 1, bool hard = false, double eps = 1e-10,
                      std::int64_t dim = -1, Generator* generator = nullptr);
// Dropout for networks with selu: with probability p an element is set to selu's lowest value; then all are scaled and
// shifted, so that mean and variance stay the same. feature_alpha_dropout does this to whole channels of [N, C, ...].
Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool training = false, Generator* generator = nullptr);
Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool training = false, Generator* generator = nullptr);

}  // namespace gradus

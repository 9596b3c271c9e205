// Dropout and activations that work in place, as PyTorch's with inplace=True; gradus/ops.h, gradus/ops/activation.h and
// gradus/ops/resampling.h have the others. Each returns x, whose memory takes the result.
#pragma once

#include <gradus/tensor.h>

namespace gradus {

Tensor& elu_(Tensor& x, double alpha = 1.0);
Tensor& silu_(Tensor& x);

Tensor& dropout_(Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);
Tensor& dropout1d_(Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);
Tensor& dropout2d_(Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);
Tensor& dropout3d_(Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);
Tensor& alpha_dropout_(Tensor& x, double p = 0.5, bool training = false, Generator* generator = nullptr);
Tensor& feature_alpha_dropout_(Tensor& x, double p = 0.5, bool training = false, Generator* generator = nullptr);

}  // namespace gradus

namespace gradus::nn::functional {
using gradus::alpha_dropout_;
using gradus::dropout1d_;
using gradus::dropout2d_;
using gradus::dropout3d_;
using gradus::dropout_;
using gradus::elu_;
using gradus::feature_alpha_dropout_;
using gradus::silu_;
}  // namespace gradus::nn::functional

// torch.nn.utils.fusion: a convolution and the batch normalisation after it as one convolution.
#pragma once

#include <gradus/nn/layers/convolution.h>
#include <gradus/nn/layers/normalization.h>

namespace gradus::nn::utils {

// In evaluation, conv followed by bn is the convolution that this returns, which has parameters of its own and a bias.
// ValueError unless both evaluate, bn tracks statistics, and its features are conv's channels. (Networks that only
// evaluate need no call: nn::Sequential and nn::chain fold neighbours by themselves.)
Conv1d fuse_conv_bn_eval(const Conv1d& conv, const BatchNorm1d& bn);
Conv2d fuse_conv_bn_eval(const Conv2d& conv, const BatchNorm2d& bn);
Conv3d fuse_conv_bn_eval(const Conv3d& conv, const BatchNorm3d& bn);

}  // namespace gradus::nn::utils

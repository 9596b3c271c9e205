// torch.nn.functional: losses, similarities, and the operations that layers are made of. Losses take their options
// last, named as PyTorch names them and with its defaults:
//
//   namespace F = gradus::nn::functional;
//   F::cross_entropy(logits, labels, {.ignore_index = 0, .label_smoothing = 0.1});
//
// Differences from PyTorch: input and target of one element-wise loss must have the same sizes (PyTorch warns and
// broadcasts), and class indices may be of any integer type.
#pragma once

#include <gradus/nn/loss/reduction.h>
#include <gradus/ops.h>
#include <gradus/ops/activation.h>
#include <gradus/ops/attention.h>
#include <gradus/ops/convolution.h>
#include <gradus/ops/embedding_bag.h>
#include <gradus/ops/folding.h>
#include <gradus/ops/further.h>
#include <gradus/ops/normalization.h>
#include <gradus/ops/pooling.h>
#include <gradus/ops/resampling.h>
#include <gradus/ops/unpooling.h>

namespace gradus::nn {

// The options of mse_loss and l1_loss.
struct LossOptions {
  Reduction reduction = Reduction::Mean;
};

struct CrossEntropyOptions {
  Tensor weight = {};                // [C]: a factor for each class
  std::int64_t ignore_index = -100;  // targets equal to this count for nothing; class indices only
  Reduction reduction = Reduction::Mean;
  double label_smoothing = 0;  // in [0, 1]: the share of the target that is spread over all classes
};

struct NllOptions {
  Tensor weight = {};  // [C]
  std::int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};

struct BceOptions {
  Tensor weight = {};  // broadcasts against the input
  Reduction reduction = Reduction::Mean;
};

struct BceWithLogitsOptions {
  Tensor weight = {};  // broadcasts against the input
  Reduction reduction = Reduction::Mean;
  Tensor pos_weight = {};  // broadcasts against the input: a factor for the loss of positives
};

struct HuberOptions {
  Reduction reduction = Reduction::Mean;
  double delta = 1;  // above 0: where the parabola becomes a line
};

struct SmoothL1Options {
  Reduction reduction = Reduction::Mean;
  double beta = 1;  // where the parabola becomes a line; 0 is l1_loss
};

struct KlDivOptions {
  Reduction reduction = Reduction::Mean;
  bool log_target = false;  // the target holds log-probabilities too
};

struct CosineEmbeddingOptions {
  double margin = 0;
  Reduction reduction = Reduction::Mean;
};

// Options by name: `F::normalize(x, {.dim = -1})`.
struct NormalizeOptions {
  double p = 2;
  std::int64_t dim = 1;
  double eps = 1e-12;
};
struct SimilarityOptions {
  std::int64_t dim = 1;
  double eps = 1e-8;
};

namespace functional {

// input [C], [N, C] or [N, C, d1, ...]: unnormalised scores. target: class indices [], [N] or [N, d1, ...], in [0, C)
// or ignore_index (IndexError); or probabilities, floating point and of the input's sizes. Class indices with one
// weight for all and no smoothing are one operation over the memory.
Tensor cross_entropy(const Tensor& input, const Tensor& target, const CrossEntropyOptions& options = {});
// As cross_entropy with class indices, of log-probabilities.
Tensor nll_loss(const Tensor& input, const Tensor& target, const NllOptions& options = {});

// input: probabilities in [0, 1] (ValueError); target of the same sizes. Logarithms end at -100.
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const BceOptions& options = {});
// Of sigmoid(input), without its rounding.
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const BceWithLogitsOptions& options = {});

Tensor mse_loss(const Tensor& input, const Tensor& target, const LossOptions& options = {});
Tensor l1_loss(const Tensor& input, const Tensor& target, const LossOptions& options = {});
Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberOptions& options = {});
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1Options& options = {});

// input: log-probabilities; target: probabilities of the same sizes. The gradient of a target of 0 is taken as 0.
Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options = {});

// input1, input2 [N, D] with target [N], or [D] with a 0-d target: 1 where they should be alike, -1 where not.
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                             const CosineEmbeddingOptions& options = {});
// The cosine of the angle between vectors along `dim`, whose lengths count as eps at least. The inputs broadcast.
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, std::int64_t dim = 1, double eps = 1e-8);
inline Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, const SimilarityOptions& o) {
  return cosine_similarity(x1, x2, o.dim, o.eps);
}
// x / max(norm(x, p, dim), eps)
Tensor normalize(const Tensor& x, double p = 2, std::int64_t dim = 1, double eps = 1e-12);
inline Tensor normalize(const Tensor& x, const NormalizeOptions& o) { return normalize(x, o.p, o.dim, o.eps); }

// The operations of gradus/ops.h that PyTorch has here.
using gradus::adaptive_avg_pool1d;
using gradus::adaptive_avg_pool2d;
using gradus::adaptive_avg_pool3d;
using gradus::adaptive_max_pool1d;
using gradus::adaptive_max_pool2d;
using gradus::adaptive_max_pool3d;
using gradus::alpha_dropout;
using gradus::avg_pool1d;
using gradus::avg_pool2d;
using gradus::avg_pool3d;
using gradus::batch_norm;
using gradus::bilinear;
using gradus::celu;
using gradus::celu_;
using gradus::channel_shuffle;
using gradus::conv1d;
using gradus::conv2d;
using gradus::conv3d;
using gradus::conv_transpose1d;
using gradus::conv_transpose2d;
using gradus::conv_transpose3d;
using gradus::dropout;
using gradus::dropout1d;
using gradus::dropout2d;
using gradus::dropout3d;
using gradus::elu;
using gradus::embedding;
using gradus::embedding_bag;
using gradus::feature_alpha_dropout;
using gradus::fold;
using gradus::gelu;
using gradus::glu;
using gradus::group_norm;
using gradus::gumbel_softmax;
using gradus::hardshrink;
using gradus::hardsigmoid;
using gradus::hardswish;
using gradus::hardtanh;
using gradus::hardtanh_;
using gradus::instance_norm;
using gradus::interpolate;
using gradus::layer_norm;
using gradus::leaky_relu;
using gradus::leaky_relu_;
using gradus::linear;
using gradus::local_response_norm;
using gradus::log_softmax;
using gradus::logsigmoid;
using gradus::lp_pool1d;
using gradus::lp_pool2d;
using gradus::lp_pool3d;
using gradus::max_pool1d;
using gradus::max_pool2d;
using gradus::max_pool3d;
using gradus::max_unpool1d;
using gradus::max_unpool2d;
using gradus::max_unpool3d;
using gradus::mish;
using gradus::one_hot;
using gradus::pad;
using gradus::pairwise_distance;
using gradus::pixel_shuffle;
using gradus::pixel_unshuffle;
using gradus::prelu;
using gradus::relu;
using gradus::relu6;
using gradus::rms_norm;
using gradus::rrelu;
using gradus::rrelu_;
using gradus::scaled_dot_product_attention;
using gradus::selu;
using gradus::selu_;
using gradus::sigmoid;
using gradus::silu;
using gradus::softmax;
using gradus::softmin;
using gradus::softplus;
using gradus::softshrink;
using gradus::softsign;
using gradus::tanh;
using gradus::tanhshrink;
using gradus::threshold;
using gradus::threshold_;
using gradus::unfold;

}  // namespace functional
}  // namespace gradus::nn

// The triplet margin, Gaussian and CTC losses; gradus/nn/functional.h and gradus/nn/loss/loss.h have the others.
#pragma once

#include <gradus/nn/functional.h>
#include <gradus/nn/module.h>

namespace gradus::nn {

struct TripletMarginOptions {
  double margin = 1;
  double p = 2;
  double eps = 1e-6;
  bool swap = false;  // the negative's distance is the smaller of those to the anchor and to the positive
  Reduction reduction = Reduction::Mean;
};

struct GaussianNllOptions {
  bool full = false;  // add the constant log(2 pi) / 2
  double eps = 1e-6;  // the least variance, for stability; the gradient ignores this limit
  Reduction reduction = Reduction::Mean;
};

struct CtcOptions {
  std::int64_t blank = 0;
  Reduction reduction = Reduction::Mean;  // Mean first divides each loss by the length of its target
  bool zero_infinity = false;             // a target too long for its input has a loss of 0 instead of infinity
};

namespace functional {
// max(d(anchor, positive) - d(anchor, negative) + margin, 0), d being pairwise_distance; inputs [N, D] or [D].
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginOptions& options = {});
// (log(var) + (input - target)^2 / var) / 2. var has the sizes of input, or a last size of 1, or lacks the last
// dimension; ValueError for a negative variance.
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                         const GaussianNllOptions& options = {});
// Connectionist temporal classification: Graves et al. (2006). log_probs [T, N, C], or [T, C] without a batch, are the
// results of log_softmax; targets are [N, S], or all of them one after the other; input_lengths and target_lengths [N].
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options = {});
}  // namespace functional

struct TripletMarginLoss : Module {
  explicit TripletMarginLoss(const TripletMarginOptions& options = {})
      : Module("TripletMarginLoss"), options_(options) {}
  using Module::forward;
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) {
    return functional::triplet_margin_loss(anchor, positive, negative, options_);
  }
  Tensor operator()(const Tensor& anchor, const Tensor& positive, const Tensor& negative) {
    return call([&] { return forward(anchor, positive, negative); });
  }

 private:
  TripletMarginOptions options_;
};

struct GaussianNLLLoss : Module {
  explicit GaussianNLLLoss(const GaussianNllOptions& options = {}) : Module("GaussianNLLLoss"), options_(options) {}
  using Module::forward;
  Tensor forward(const Tensor& input, const Tensor& target, const Tensor& var) {
    return functional::gaussian_nll_loss(input, target, var, options_);
  }
  Tensor operator()(const Tensor& input, const Tensor& target, const Tensor& var) {
    return call([&] { return forward(input, target, var); });
  }

 private:
  GaussianNllOptions options_;
};

struct CTCLoss : Module {
  explicit CTCLoss(const CtcOptions& options = {}) : Module("CTCLoss"), options_(options) {}
  using Module::forward;
  Tensor forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                 const Tensor& target_lengths) {
    return functional::ctc_loss(log_probs, targets, input_lengths, target_lengths, options_);
  }
  Tensor operator()(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                    const Tensor& target_lengths) {
    return call([&] { return forward(log_probs, targets, input_lengths, target_lengths); });
  }

 private:
  CtcOptions options_;
};

}  // namespace gradus::nn

// Losses that fewer programs need; gradus/nn/functional.h and gradus/nn/loss.h have the rest.
#pragma once

#include <gradus/nn/functional.h>
#include <gradus/nn/module.h>

namespace gradus::nn {

struct TripletMarginOptions {
  double margin = 1;
  double p = 2;
  double eps = 1e-6;
  bool swap = false;  // the negative's distance is that to the nearer of anchor and positive
  Reduction reduction = Reduction::Mean;
};

struct GaussianNllOptions {
  bool full = false;  // with the constant log(2 pi) / 2
  double eps = 1e-6;  // the least variance, for stability; it has no part in the gradient
  Reduction reduction = Reduction::Mean;
};

struct CtcOptions {
  std::int64_t blank = 0;
  Reduction reduction = Reduction::Mean;  // of the losses over the lengths of their targets
  bool zero_infinity = false;             // targets that do not fit count for nothing, instead of an infinite loss
};

namespace functional {
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginOptions& options = {});
// var of input's sizes, or with a last size of 1, or without the last dimension.
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                         const GaussianNllOptions& options = {});
// log_probs [T, N, C] (or [T, C]), of log_softmax; targets [N, S], or all one after the other; the lengths of each.
// Graves et al. (2006).
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

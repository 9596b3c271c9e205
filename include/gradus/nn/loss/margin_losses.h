// Margin losses, the Poisson loss, and triplets with a distance of your own; gradus/nn/loss/loss.h and
// gradus/nn/loss/further_losses.h have the others.
#pragma once

#include <functional>

#include <gradus/nn/layers/further_layers.h>
#include <gradus/nn/loss/loss.h>

namespace gradus::nn {

struct MarginRankingOptions {
  double margin = 0;
  Reduction reduction = Reduction::Mean;
};

struct HingeEmbeddingOptions {
  double margin = 1;
  Reduction reduction = Reduction::Mean;
};

struct MultiMarginOptions {
  std::int64_t p = 1;  // or 2: the power of each term
  double margin = 1;
  Tensor weight = {};  // [C]: a factor for each class
  Reduction reduction = Reduction::Mean;
};

struct MultiLabelSoftMarginOptions {
  Tensor weight = {};  // broadcasts against the input
  Reduction reduction = Reduction::Mean;
};

struct PoissonNllOptions {
  bool log_input = true;  // the input is the rate's logarithm
  bool full = false;      // add Stirling's approximation of log(target!), for targets above 1
  double eps = 1e-8;      // keeps log(input + eps) finite; without log_input only
  Reduction reduction = Reduction::Mean;
};

struct TripletMarginWithDistanceOptions {
  // Of two batches: one distance for each sample. pairwise_distance if it is not set.
  std::function<Tensor(const Tensor&, const Tensor&)> distance_function = {};
  double margin = 1;
  bool swap = false;  // the negative's distance is the smaller of those to the anchor and to the positive
  Reduction reduction = Reduction::Mean;
};

namespace functional {
// max(-target (input1 - input2) + margin, 0): target is 1 where input1 should be the larger, -1 where input2. All have
// the same number of dimensions (ShapeError) and broadcast.
Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                           const MarginRankingOptions& options = {});
// The input where target is 1, max(margin - input, 0) where it is -1: for distances of pairs that are alike or are not.
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, const HingeEmbeddingOptions& options = {});
// log(1 + exp(-target input)), targets being 1 and -1. It stays finite where PyTorch's exponential overflows.
Tensor soft_margin_loss(const Tensor& input, const Tensor& target, const LossOptions& options = {});
// The sum over classes i other than the target y of max(margin - input[y] + input[i], 0)^p, divided by C. input [N, C]
// with target [N], or [C] with [] or [1]; the target is a class (IndexError).
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginOptions& options = {});
// The same with several classes: target has the sizes of input, [N, C] or [C], and holds classes up to the first -1.
// The sum over those, y, and over the others, i, of max(1 - input[y] + input[i], 0), divided by C.
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, const LossOptions& options = {});
// The mean over classes, the last dimension, of the binary cross entropy of sigmoid(input) and target.
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                   const MultiLabelSoftMarginOptions& options = {});
// exp(input) - target input, or, without log_input, input - target log(input + eps).
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonNllOptions& options = {});
// max(margin + d(anchor, positive) - d(anchor, negative), 0).
Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                         const TripletMarginWithDistanceOptions& options = {});
}  // namespace functional

struct HingeEmbeddingLoss : Loss<HingeEmbeddingOptions, functional::hinge_embedding_loss> {
  explicit HingeEmbeddingLoss(HingeEmbeddingOptions options = {}) : Loss("HingeEmbeddingLoss", options) {}
};
struct SoftMarginLoss : Loss<LossOptions, functional::soft_margin_loss> {
  explicit SoftMarginLoss(LossOptions options = {}) : Loss("SoftMarginLoss", options) {}
};
struct MultiMarginLoss : Loss<MultiMarginOptions, functional::multi_margin_loss> {
  explicit MultiMarginLoss(MultiMarginOptions options = {}) : Loss("MultiMarginLoss", std::move(options)) {}
};
struct MultiLabelMarginLoss : Loss<LossOptions, functional::multilabel_margin_loss> {
  explicit MultiLabelMarginLoss(LossOptions options = {}) : Loss("MultiLabelMarginLoss", options) {}
};
struct MultiLabelSoftMarginLoss : Loss<MultiLabelSoftMarginOptions, functional::multilabel_soft_margin_loss> {
  explicit MultiLabelSoftMarginLoss(MultiLabelSoftMarginOptions options = {})
      : Loss("MultiLabelSoftMarginLoss", std::move(options)) {}
};
struct PoissonNLLLoss : Loss<PoissonNllOptions, functional::poisson_nll_loss> {
  explicit PoissonNLLLoss(PoissonNllOptions options = {}) : Loss("PoissonNLLLoss", options) {}
};

// A module of three inputs around one function and its options.
template <class Options, Tensor (*function)(const Tensor&, const Tensor&, const Tensor&, const Options&)>
class LossOfThree : public Module {
 public:
  LossOfThree(std::string type, Options options) : Module(std::move(type)), options_(std::move(options)) {}
  Tensor forward(const Tensor& a, const Tensor& b, const Tensor& c) { return function(a, b, c, options_); }
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& c) {
    return call([&] { return forward(a, b, c); });
  }
  Options& options() { return options_; }

 private:
  using Module::forward;
  Options options_;
};

struct MarginRankingLoss : LossOfThree<MarginRankingOptions, functional::margin_ranking_loss> {
  explicit MarginRankingLoss(MarginRankingOptions options = {}) : LossOfThree("MarginRankingLoss", options) {}
};
struct TripletMarginWithDistanceLoss
    : LossOfThree<TripletMarginWithDistanceOptions, functional::triplet_margin_with_distance_loss> {
  explicit TripletMarginWithDistanceLoss(TripletMarginWithDistanceOptions options = {})
      : LossOfThree("TripletMarginWithDistanceLoss", std::move(options)) {
    // As in PyTorch, where a distance that is not given is a module of its own.
    if (!this->options().distance_function) static_cast<void>(add("distance_function", PairwiseDistance()));
  }
};

}  // namespace gradus::nn

// The softmax over very many classes by their frequency: Grave et al., "Efficient softmax approximation for GPUs"
// (2017).
#pragma once

#include <vector>

#include <gradus/nn/containers.h>
#include <gradus/nn/layers/linear.h>

namespace gradus::nn {

struct AdaptiveLogSoftmaxOptions {
  double div_value = 4;  // the features of cluster i are in_features / div_value^(i + 1)
  bool head_bias = false;
  Dtype dtype = kFloat32;
};

// Classes are numbered by falling frequency. The head scores the first cutoffs[0] of them and one number for each
// cluster; cluster i has the classes from cutoffs[i] to below cutoffs[i + 1], the last one to below n_classes. cutoffs
// rise, from 1 at least to n_classes - 1 at most (ValueError).
class AdaptiveLogSoftmaxWithLoss : public Module {
 public:
  std::int64_t in_features, n_classes;
  Linear head;
  ModuleList tail;  // of two linear layers each
  AdaptiveLogSoftmaxWithLoss(std::int64_t in_features, std::int64_t n_classes, const std::vector<std::int64_t>& cutoffs,
                             const AdaptiveLogSoftmaxOptions& options = {});
  struct Result {
    Tensor output;  // the target's log-probability, for each sample
    Tensor loss;    // minus their mean
  };
  // x [N, in_features] with target [N], or [in_features] with []; targets in [0, n_classes) (IndexError).
  Result forward(const Tensor& x, const Tensor& target);
  Result operator()(const Tensor& x, const Tensor& target) {
    return call([&] { return forward(x, target); });
  }
  Tensor log_prob(const Tensor& x);  // [N, n_classes]
  Tensor predict(const Tensor& x);   // [N]: the likeliest classes, without the scores of clusters that cannot win
  const std::vector<std::int64_t>& cutoffs() const { return cutoffs_; }  // with n_classes at the end

 private:
  using Module::forward;
  std::int64_t shortlist() const { return cutoffs_[0]; }
  Tensor cluster(std::size_t i, const Tensor& x);  // its log-probabilities
  Tensor all_log_probs(const Tensor& x, const Tensor& scores);

  std::vector<std::int64_t> cutoffs_;
};

}  // namespace gradus::nn

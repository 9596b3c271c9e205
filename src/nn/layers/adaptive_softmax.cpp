#include <gradus/nn/layers/adaptive_softmax.h>
#include <gradus/ops/placing.h>

#include <cmath>
#include <string>

#include "core/range.h"

namespace gradus::nn {

namespace {

constexpr const char* kName = "AdaptiveLogSoftmaxWithLoss";

std::vector<std::int64_t> checked(std::vector<std::int64_t> cutoffs, std::int64_t n_classes) {
  std::int64_t last = 0;
  for (const std::int64_t cutoff : cutoffs) {
    if (cutoff <= last || cutoff >= n_classes)
      throw ValueError(std::string(kName) + ": cutoffs must rise, from 1 to at most " + std::to_string(n_classes - 1) +
                       ", got " + std::to_string(cutoff) + " after " + std::to_string(last));
    last = cutoff;
  }
  if (cutoffs.empty()) throw ValueError(std::string(kName) + ": needs at least one cutoff, got none");
  cutoffs.push_back(n_classes);
  return cutoffs;
}

void check_input(const Tensor& x, std::int64_t dims, std::int64_t in_features) {
  if (x.dim() != dims || x.size(-1) != in_features)
    throw ShapeError(std::string(kName) + ": needs x of " + std::to_string(dims) + " dimensions and " +
                     std::to_string(in_features) + " features, got " + to_string(x.sizes()));
}

}  // namespace

AdaptiveLogSoftmaxWithLoss::AdaptiveLogSoftmaxWithLoss(std::int64_t in_features, std::int64_t n_classes,
                                                       const std::vector<std::int64_t>& cutoffs,
                                                       const AdaptiveLogSoftmaxOptions& o)
    : Module(kName),
      in_features(in_features),
      n_classes(n_classes),
      head(add("head", Linear(in_features, checked(cutoffs, n_classes)[0] + std::ssize(cutoffs),
                              {.bias = o.head_bias, .dtype = o.dtype}))),
      tail(add("tail", ModuleList())),
      cutoffs_(checked(cutoffs, n_classes)) {
  check_range(kName, "div_value", o.div_value, above(0));
  for (std::size_t i = 0; i + 1 < cutoffs_.size(); ++i) {
    const double share = std::pow(o.div_value, static_cast<double>(i + 1));
    const auto size = static_cast<std::int64_t>(std::floor(static_cast<double>(in_features) / share));
    Sequential layers;
    layers.append(Linear(in_features, size, {.bias = false, .dtype = o.dtype}));
    layers.append(Linear(size, cutoffs_[i + 1] - cutoffs_[i], {.bias = false, .dtype = o.dtype}));
    tail.append(std::move(layers));
  }
}

Tensor AdaptiveLogSoftmaxWithLoss::cluster(std::size_t i, const Tensor& x) {
  return log_softmax(tail[static_cast<std::int64_t>(i)](x), 1);
}

AdaptiveLogSoftmaxWithLoss::Result AdaptiveLogSoftmaxWithLoss::forward(const Tensor& x, const Tensor& target) {
  if (target.dim() > 1)
    throw ShapeError(std::string(kName) + ": the target must have 1 dimension, or none without a batch, got " +
                     gradus::to_string(target.sizes()));
  check_input(x, target.dim() + 1, in_features);
  if (target.dim() == 1 && x.size(0) != target.size(0))
    throw ShapeError(std::string(kName) + ": needs a target for each sample, got " + gradus::to_string(x.sizes()) +
                     " and " + gradus::to_string(target.sizes()));
  if (!is_integral(target.dtype()) || target.dtype() == kBool)
    throw DtypeError(std::string(kName) + ": the target must be of integers, got " + gradus::to_string(target.dtype()));
  const Tensor rows = target.dim() == 0 ? unsqueeze(x, 0) : x;
  const Tensor classes = reshape(target.to(kInt64), {rows.size(0)});
  if (any(logical_or(classes < 0, classes >= n_classes)).item<bool>())
    throw IndexError(std::string(kName) + ": targets must be in [0, " + std::to_string(n_classes - 1) + "], got " +
                     std::to_string(amin(classes).item<std::int64_t>()) + " to " +
                     std::to_string(amax(classes).item<std::int64_t>()));
  Tensor in_head = classes;  // the class, or the number that stands for its cluster
  Tensor output = zeros({rows.size(0)}, {.dtype = rows.dtype(), .device = rows.device()});
  for (std::size_t i = 0; i + 1 < cutoffs_.size(); ++i) {
    const Tensor mine = logical_and(classes >= cutoffs_[i], classes < cutoffs_[i + 1]);
    const Tensor at = reshape(nonzero(mine), {-1});
    if (at.numel() == 0) continue;
    const Tensor within = unsqueeze(index_select(classes, 0, at) - cutoffs_[i], 1);
    const Tensor log_probs = gather(cluster(i, index_select(rows, 0, at)), 1, within);
    output = index_add(output.to(log_probs.dtype()), 0, at, squeeze(log_probs, 1));
    in_head = index_fill(in_head, 0, at, shortlist() + static_cast<std::int64_t>(i));
  }
  output = output + squeeze(gather(log_softmax(head(rows), 1), 1, unsqueeze(in_head, 1)), 1);
  const Tensor loss = mean(-output);
  return {target.dim() == 0 ? squeeze(output, 0) : output, loss};
}

Tensor AdaptiveLogSoftmaxWithLoss::all_log_probs(const Tensor& x, const Tensor& scores) {
  const Tensor log_probs = log_softmax(scores, 1);
  std::vector<Tensor> parts{narrow(log_probs, 1, 0, shortlist())};
  for (std::size_t i = 0; i + 1 < cutoffs_.size(); ++i)
    parts.push_back(cluster(i, x) + narrow(log_probs, 1, shortlist() + static_cast<std::int64_t>(i), 1));
  return cat(parts, 1);
}

Tensor AdaptiveLogSoftmaxWithLoss::log_prob(const Tensor& x) {
  check_input(x, 2, in_features);
  return call([&] { return all_log_probs(x, head(x)); });
}

Tensor AdaptiveLogSoftmaxWithLoss::predict(const Tensor& x) {
  check_input(x, 2, in_features);
  return call([&] {
    const Tensor scores = head(x);
    const Tensor best = argmax(scores, 1);
    const Tensor open = reshape(nonzero(best >= shortlist()), {-1});  // a cluster could win
    if (open.numel() == 0) return best;
    const Tensor log_probs = all_log_probs(index_select(x, 0, open), index_select(scores, 0, open));
    return index_copy(best, 0, open, argmax(log_probs, 1));
  });
}

}  // namespace gradus::nn

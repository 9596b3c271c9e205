// gradus/nn/loss/margin_losses.h, composed of operations.
#include <gradus/autocast.h>
#include <gradus/nn/loss/margin_losses.h>
#include <gradus/ops/further.h>

#include <numbers>

#include "nn/loss/loss.h"

namespace gradus::nn::functional {

namespace {

// The scores of samples in rows: [N, C] as it is, [C] and a number as one sample.
struct Rows {
  std::int64_t count, classes;
  Tensor scores;

  Rows(const char* call, const Tensor& input) {
    require_floating(call, input);
    count = input.dim() == 2 ? input.size(0) : 1;
    classes = input.dim() == 0 ? 1 : input.size(-1);
    if (input.dim() > 2 || classes == 0) {
      throw ShapeError(std::string(call) + ": input must be [N, C] or [C] with at least one class, got " +
                       to_string(input.sizes()));
    }
    scores = reshape(input, {count, classes});
  }
};

// As int64, each in [low, classes). Of another device's memory, the operations that use them check.
Tensor checked_classes(const char* call, const Tensor& target, std::int64_t low, std::int64_t classes) {
  if (!is_integral(target.dtype()) || target.dtype() == kBool) {
    throw DtypeError(std::string(call) + ": target must hold integers, got " + to_string(target.dtype()));
  }
  if (target.device() == kCPU) {
    const auto values = target.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] >= low && values[i] < classes) continue;
      throw IndexError(std::string(call) + ": targets must be in [" + std::to_string(low) + ", " +
                       std::to_string(classes) + "), got " + std::to_string(values[i]) + " at position " +
                       std::to_string(i));
    }
  }
  return target.to(kInt64);
}

}  // namespace

Tensor margin_ranking_loss(const Tensor& given1, const Tensor& given2, const Tensor& target,
                           const MarginRankingOptions& o) {
  const Tensor input1 = autocast_loss(given1), input2 = autocast_loss(given2);
  require_floating("margin_ranking_loss", input1);
  require_floating("margin_ranking_loss", input2);
  if (input1.dim() != input2.dim() || input1.dim() != target.dim()) {
    throw ShapeError("margin_ranking_loss: input1, input2 and target must have the same number of dimensions, got " +
                     to_string(input1.sizes()) + ", " + to_string(input2.sizes()) + " and " +
                     to_string(target.sizes()));
  }
  return reduced("margin_ranking_loss", clamp(-target * (input1 - input2) + o.margin, 0.0), o.reduction);
}

Tensor hinge_embedding_loss(const Tensor& given, const Tensor& target, const HingeEmbeddingOptions& o) {
  const Tensor input = autocast_loss(given);
  require_same_sizes("hinge_embedding_loss", input, target);
  const Tensor nothing = zeros_like(input);
  const Tensor apart = where(target != 1, clamp(o.margin - input, 0.0), nothing);
  return reduced("hinge_embedding_loss", apart + where(target != -1, input, nothing), o.reduction);
}

Tensor soft_margin_loss(const Tensor& given, const Tensor& target, const LossOptions& o) {
  const Tensor input = autocast_loss(given);
  require_same_sizes("soft_margin_loss", input, target);
  return reduced("soft_margin_loss", -logsigmoid(target * input), o.reduction);
}

Tensor multi_margin_loss(const Tensor& given, const Tensor& target, const MultiMarginOptions& o) {
  const char* call = "multi_margin_loss";
  const Tensor input = autocast_loss(given);
  if (o.p != 1 && o.p != 2) throw ValueError("multi_margin_loss: p must be 1 or 2, got " + std::to_string(o.p));
  const Rows rows(call, input);
  if (target.numel() != rows.count || target.dim() > 1 || (input.dim() == 2 && target.dim() == 0)) {
    throw ShapeError("multi_margin_loss: for input " + to_string(input.sizes()) + " the target must be [" +
                     std::to_string(rows.count) + "] class indices, got " + to_string(target.sizes()));
  }
  if (o.weight.defined() && o.weight.sizes() != Shape{rows.classes}) {
    throw ShapeError("multi_margin_loss: weight must be [" + std::to_string(rows.classes) +
                     "], one for each class, got " + to_string(o.weight.sizes()));
  }
  const Tensor own = unsqueeze(reshape(checked_classes(call, target, 0, rows.classes), {rows.count}), 1);
  Tensor terms = relu(o.margin - gather(rows.scores, 1, own) + rows.scores);
  if (o.p == 2) terms = square(terms);
  if (o.weight.defined()) terms = terms * unsqueeze(index_select(o.weight, 0, squeeze(own, 1)), 1);
  terms = masked_fill(terms, squeeze(one_hot(own, rows.classes), 1).to(kBool), 0);
  return reduced(call, reshape(sum(terms, 1) / rows.classes, target.sizes()), o.reduction);
}

Tensor multilabel_margin_loss(const Tensor& given, const Tensor& target, const LossOptions& o) {
  const char* call = "multilabel_margin_loss";
  const Tensor input = autocast_loss(given);
  const Rows rows(call, input);
  require_same_sizes(call, input, target);
  const Shape sizes{rows.count, rows.classes};
  const Tensor labels = reshape(checked_classes(call, target, -1, rows.classes), sizes);
  const Tensor counts = cumsum((labels < 0).to(kInt64), 1) == 0;  // those before the first -1
  const std::int64_t most = rows.count == 0 ? 0 : max(sum(counts.to(kInt64), 1)).item<std::int64_t>();
  const Tensor safe = masked_fill(labels, !counts, 0);
  const Tensor zero = zeros(sizes, {.dtype = input.dtype(), .device = input.device()});
  const Tensor is_label = scatter_add(zero, 1, safe, counts.to(input.dtype())) > 0;
  // [N, labels, C]: each label against each class that is none.
  const Tensor own = gather(rows.scores, 1, narrow(safe, 1, 0, most));
  const Tensor terms = relu(1 - unsqueeze(own, 2) + unsqueeze(rows.scores, 1));
  const Tensor nothing = unsqueeze(!narrow(counts, 1, 0, most), 2) | unsqueeze(is_label, 1);
  const Tensor losses = sum(masked_fill(terms, nothing, 0), {1, 2}) / rows.classes;
  return reduced(call, input.dim() == 2 ? losses : reshape(losses, Shape{}), o.reduction);
}

Tensor multilabel_soft_margin_loss(const Tensor& given, const Tensor& target, const MultiLabelSoftMarginOptions& o) {
  const char* call = "multilabel_soft_margin_loss";
  const Tensor input = autocast_loss(given);
  require_same_sizes(call, input, target);
  if (input.dim() == 0) throw ShapeError("multilabel_soft_margin_loss: input must be [..., C], got a 0-d tensor");
  const Tensor losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input));
  return reduced(call, sum(weighted(call, losses, o.weight), -1) / input.size(-1), o.reduction);
}

Tensor poisson_nll_loss(const Tensor& given, const Tensor& target, const PoissonNllOptions& o) {
  const Tensor input = autocast_loss(given);
  require_same_sizes("poisson_nll_loss", input, target);
  Tensor losses = o.log_input ? exp(input) - target * input : input - target * log(input + o.eps);
  if (o.full) {
    const Tensor stirling = target * log(target) - target + log(target * (2 * std::numbers::pi)) * 0.5;
    losses = losses + masked_fill(stirling, target <= 1, 0);
  }
  return reduced("poisson_nll_loss", losses, o.reduction);
}

Tensor triplet_margin_with_distance_loss(const Tensor& given_anchor, const Tensor& given_positive,
                                         const Tensor& given_negative, const TripletMarginWithDistanceOptions& o) {
  const Tensor anchor = autocast_loss(given_anchor), positive = autocast_loss(given_positive),
               negative = autocast_loss(given_negative);
  if (!(o.margin > 0)) {
    throw ValueError("triplet_margin_with_distance_loss: margin must be above 0, got " + to_string(o.margin));
  }
  if (anchor.dim() != positive.dim() || anchor.dim() != negative.dim()) {
    throw ShapeError(
        "triplet_margin_with_distance_loss: anchor, positive and negative must have the same number of dimensions, "
        "got " +
        to_string(anchor.sizes()) + ", " + to_string(positive.sizes()) + " and " + to_string(negative.sizes()));
  }
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return o.distance_function ? o.distance_function(a, b) : pairwise_distance(a, b);
  };
  const Tensor near = distance(anchor, positive);
  Tensor far = distance(anchor, negative);
  if (o.swap) far = minimum(far, distance(positive, negative));
  return reduced("triplet_margin_with_distance_loss", clamp(near - far + o.margin, 0.0), o.reduction);
}

}  // namespace gradus::nn::functional

// Cross entropy over classes: one fused operation for plain class indices, and the rest from operations.
#include <gradus/autocast.h>
#include <gradus/autograd/op.h>

#include <cmath>

#include "core/range.h"
#include "core/tensor_access.h"
#include "kernels/dispatch/kernels.h"
#include "nn/loss/loss.h"
#include "ops/elementwise/elementwise.h"

namespace gradus::nn {

namespace {

// Class indices as int64, one after the other, each in [0, classes) or ignored.
struct Targets {
  Tensor index;
  std::int64_t ignored;
  std::int64_t classes;
  std::int64_t counted = 0;  // that are not ignored: known of the host's memory

  Targets(const char* call, const Tensor& target, std::int64_t ignore_index, std::int64_t class_count)
      : index(target.to(kInt64).contiguous()), ignored(ignore_index), classes(class_count) {
    if (index.device() != kCPU) {
      kernels(index.device())
          .check_index(index.const_data_ptr<std::int64_t>(), index.sizes(),
                       {.call = call, .low = 0, .high = classes, .ignored = ignored});
      return;
    }
    const std::int64_t* t = index.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < index.numel(); ++i) {
      if (t[i] == ignored) continue;
      if (t[i] < 0 || t[i] >= classes) {
        throw IndexError(std::string(call) + ": class indices must be in [0, " + std::to_string(classes) +
                         ") or ignore_index " + std::to_string(ignored) + ", got " + std::to_string(t[i]) +
                         " at position " + std::to_string(i));
      }
      ++counted;
    }
  }
  Tensor ignores() const { return index == ignored; }
  Tensor safe() const { return masked_fill(index, ignores(), 0); }  // any class for those that are ignored
};

// Over as many classes the probabilities are not kept, but two numbers of each row: the memory is that of the input.
constexpr std::int64_t kManyClasses = 1024;

// g (p - one_hot(target)) scale, for the probabilities p = softmax(x) of [N, C].
struct CrossEntropyBackward final : Op {
  Targets targets;
  Tensor probabilities, stats;  // one of them, for forward only
  double scale;
  CrossEntropyBackward(Targets t, Tensor p, Tensor rows, double s)
      : targets(std::move(t)), probabilities(std::move(p)), stats(std::move(rows)), scale(s) {}
  const char* name() const override { return "cross_entropy_backward"; }
  Tensor forward(const Tensor& g, const Tensor& x) {
    if (needs(1)) save(0, g);
    if (needs(0) || needs(1)) save(1, x);
    const Tensor p = std::exchange(probabilities, Tensor()), rows = std::exchange(stats, Tensor());
    const Tensor in = rows.defined() ? x.contiguous() : Tensor();
    const auto data = [](const Tensor& t) -> const void* { return t.defined() ? t.impl()->data : nullptr; };
    const Tensor gx = detail::make_empty(x.sizes(), x.dtype(), x.device());
    kernels(x.device())
        .cross_entropy_backward(x.dtype(), data(p), data(in), data(rows), targets.index.const_data_ptr<std::int64_t>(),
                                targets.ignored, scale, g.impl()->data, gx.impl()->data, x.size(0), targets.classes);
    return gx;
  }
  void backward(const Tensor& gg, Grads gx) override {
    const Tensor p = softmax(saved(1), 1);
    const Tensor each = masked_fill(full_like(p, scale), unsqueeze(targets.ignores(), 1), 0);
    if (needs(0)) gx[0] = sum(gg * each * (p - one_hot(targets.safe(), targets.classes).to(p.dtype())));
    if (needs(1)) gx[1] = saved(0) * each * p * (gg - sum(gg * p, 1, true));
  }
};

// The sum over rows of -log softmax(x)[target], divided by the number of rows that count if `average`. Keeps the
// probabilities, which are on the way to the loss, so that backward computes no exponentials; of long rows, only their
// largest element and the logarithm of their sum.
struct CrossEntropy final : Op {
  Targets targets;
  double scale;
  CrossEntropy(Targets t, bool average)
      : targets(std::move(t)), scale(average ? 1 / static_cast<double>(targets.counted) : 1) {}
  const char* name() const override { return "cross_entropy"; }
  std::int64_t flops(const Tensor&, const Tensor& x) const { return 5 * x.numel(); }
  Tensor forward(const Tensor& x) {
    const std::int64_t rows = x.size(0);
    const Tensor losses = detail::make_empty({rows}, x.dtype(), x.device());
    const bool many = targets.classes > kManyClasses;
    Tensor kept;
    if (needs(0)) kept = detail::make_empty(many ? Shape{rows, 2} : x.sizes(), x.dtype(), x.device());
    const Tensor in = x.contiguous();
    void* const into = kept.defined() ? kept.impl()->data : nullptr;
    kernels(x.device())
        .cross_entropy(x.dtype(), in.impl()->data, targets.index.const_data_ptr<std::int64_t>(), targets.ignored,
                       losses.impl()->data, many ? nullptr : into, many ? into : nullptr, rows, targets.classes);
    save(0, x);
    if (kept.defined()) save(1, kept);
    return sum(losses) * scale;
  }
  void backward(const Tensor& g, Grads gx) override {
    const bool many = targets.classes > kManyClasses;
    const Tensor kept = saved(1);
    gx[0] = apply(CrossEntropyBackward(targets, many ? Tensor() : kept, many ? kept : Tensor(), scale), g, saved(0));
  }
};

// The sizes of `input` without its class dimension.
Shape without_classes(const Tensor& input, int dim) {
  Shape sizes = input.sizes();
  sizes.erase(dim);
  return sizes;
}

// Checks sizes, and returns the class dimension.
int class_dim(const char* call, const Tensor& input, const Tensor& target, const Tensor& weight, bool same_sizes) {
  require_floating(call, input);
  if (input.dim() == 0) throw ShapeError(std::string(call) + ": input must be [C] or [N, C, ...], got a 0-d tensor");
  const int dim = input.dim() == 1 ? 0 : 1;
  const Shape wanted = same_sizes ? input.sizes() : without_classes(input, dim);
  if (same_sizes && target.sizes() == without_classes(input, dim)) {
    throw DtypeError(std::string(call) + ": class indices must be integers, got " + to_string(target.dtype()) + " " +
                     to_string(target.sizes()) + "; use to(kInt64), or probabilities of sizes " + to_string(wanted));
  }
  if (!(target.sizes() == wanted)) {
    throw ShapeError(std::string(call) + ": for input " + to_string(input.sizes()) + " the target must be " +
                     to_string(wanted) + (same_sizes ? "" : " class indices") + ", got " + to_string(target.sizes()));
  }
  if (input.size(dim) == 0) throw ShapeError(std::string(call) + ": needs at least one class");
  if (weight.defined() && !(weight.sizes() == Shape{input.size(dim)})) {
    throw ShapeError(std::string(call) + ": weight must be [" + std::to_string(input.size(dim)) +
                     "], one for each class, got " + to_string(weight.sizes()));
  }
  return dim;
}

// A weight for each class, as it broadcasts against `input`.
Tensor class_weights(const Tensor& weight, const Tensor& input, int dim) {
  Shape sizes;
  sizes.resize(input.sizes().rank());
  for (std::int64_t& size : sizes) size = 1;
  sizes[dim] = input.sizes()[dim];
  return reshape(weight, sizes);
}

struct IndexOptions {
  Tensor weight;
  Reduction reduction;
  double label_smoothing;
};

// From log-probabilities and class indices.
Tensor from_logs(const char* call, const Tensor& logs, const Targets& targets, int dim, const IndexOptions& options) {
  const Tensor safe = targets.safe(), ignores = targets.ignores();
  const Tensor weights = options.weight.defined()
                             ? reshape(index_select(options.weight, 0, reshape(safe, {-1})), safe.sizes())
                             : ones(safe.sizes(), {.dtype = logs.dtype(), .device = logs.device()});
  const Tensor counted = masked_fill(weights, ignores, 0);
  Tensor losses = masked_fill(-squeeze(gather(logs, dim, unsqueeze(safe, dim)), dim) * weights, ignores, 0);
  if (options.label_smoothing > 0) {
    const Tensor all = options.weight.defined() ? logs * class_weights(options.weight, logs, dim) : logs;
    const Tensor spread = masked_fill(-sum(all, dim), ignores, 0);
    losses = losses * (1 - options.label_smoothing) +
             spread * (options.label_smoothing / static_cast<double>(targets.classes));
  }
  if (options.reduction == Reduction::Mean) return sum(losses) / sum(counted);
  return reduced(call, losses, options.reduction);
}

Tensor from_probabilities(const Tensor& input, const Tensor& target, int dim, const CrossEntropyOptions& options) {
  const std::int64_t classes = input.size(dim);
  const double smoothing = options.label_smoothing;
  const Tensor share = smoothing > 0 ? target * (1 - smoothing) + smoothing / static_cast<double>(classes) : target;
  Tensor all = log_softmax(input, dim) * share;
  if (options.weight.defined()) all = all * class_weights(options.weight, input, dim);
  if (options.reduction == Reduction::Mean) return -sum(all) / (input.numel() / classes);
  return reduced("cross_entropy", -sum(all, dim), options.reduction);
}

void check_indices(const char* call, const Tensor& target) {
  if (is_integral(target.dtype()) && target.dtype() != kBool) return;
  throw DtypeError(std::string(call) + ": class indices must be integers, got " + to_string(target.dtype()));
}

void check_reduction(const char* call, Reduction reduction) {
  if (reduction != Reduction::BatchMean) return;
  throw ValueError(std::string(call) + ": reduction must be None, Mean or Sum");
}

}  // namespace

namespace functional {

Tensor cross_entropy(const Tensor& input, const Tensor& target, const CrossEntropyOptions& options) {
  if (autocasts_loss(input)) return cross_entropy(autocast_loss(input), target, options);
  const char* call = "cross_entropy";
  const double smoothing = options.label_smoothing;
  check_range("cross_entropy", "label_smoothing", smoothing, between(0, 1));
  check_reduction(call, options.reduction);
  gradus::detail::begin_loss(call, input, target);
  const bool probabilities = target.is_floating_point();
  const int dim = class_dim(call, input, target, options.weight, probabilities);
  if (probabilities) return from_probabilities(input, target, dim, options);
  check_indices(call, target);
  Targets targets(call, target, options.ignore_index, input.size(dim));
  const bool plain = !options.weight.defined() && smoothing == 0 && options.reduction != Reduction::None;
  if (plain && input.dim() <= 2) {
    const Tensor rows = input.dim() == 1 ? unsqueeze(input, 0) : input;
    targets.index = reshape(targets.index, {-1});
    const bool average = options.reduction == Reduction::Mean, known = targets.index.device() == kCPU;
    const Tensor count = average && !known ? sum(logical_not(targets.ignores())) : Tensor();
    Tensor loss = apply(CrossEntropy(std::move(targets), average && known), rows.to(ops::compute_type(input.dtype())));
    if (count.defined()) loss = loss / count;
    return loss.to(input.dtype());
  }
  return from_logs(call, log_softmax(input, dim), targets, dim, {options.weight, options.reduction, smoothing});
}

Tensor nll_loss(const Tensor& input, const Tensor& target, const NllOptions& options) {
  if (autocasts_loss(input)) return nll_loss(autocast_loss(input), target, options);
  const char* call = "nll_loss";
  check_reduction(call, options.reduction);
  check_indices(call, target);
  gradus::detail::begin_loss(call, input, target);
  const int dim = class_dim(call, input, target, options.weight, false);
  const Targets targets(call, target, options.ignore_index, input.size(dim));
  return from_logs(call, input, targets, dim, {options.weight, options.reduction, 0});
}

}  // namespace functional
}  // namespace gradus::nn

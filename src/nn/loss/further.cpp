// Triplets, Gaussians, and connectionist temporal classification.
#include <gradus/autograd.h>
#include <gradus/nn/loss/further_losses.h>
#include <gradus/ops/further.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "kernels/math.h"
#include "nn/loss/loss.h"

namespace gradus::nn::functional {

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginOptions& o) {
  require_same_sizes("triplet_margin_loss", anchor, positive);
  require_same_sizes("triplet_margin_loss", anchor, negative);
  if (!(o.margin > 0)) {
    throw ValueError("triplet_margin_loss: margin must be above 0, got " + to_string(o.margin));
  }
  const Tensor near = pairwise_distance(anchor, positive, o.p, o.eps);
  Tensor far = pairwise_distance(anchor, negative, o.p, o.eps);
  if (o.swap) far = minimum(far, pairwise_distance(positive, negative, o.p, o.eps));
  return reduced("triplet_margin_loss", clamp(near - far + o.margin, 0.0), o.reduction);
}

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var_given,
                         const GaussianNllOptions& o) {
  require_same_sizes("gaussian_nll_loss", input, target);
  Tensor var = var_given;
  if (var.sizes() != input.sizes()) {
    Shape first = input.sizes(), kept = input.sizes();
    if (input.dim() > 0) {
      first = Shape(std::vector<std::int64_t>(input.sizes().begin(), input.sizes().end() - 1));
      kept[kept.rank() - 1] = 1;
    }
    if (var.sizes() == first) {
      var = unsqueeze(var, -1);
    } else if (var.sizes() != kept && var.numel() != 1) {
      throw ShapeError("gaussian_nll_loss: var must have the sizes of the input " + to_string(input.sizes()) +
                       ", with a last size of 1 or without one, got " + to_string(var.sizes()));
    }
  }
  if ((var.detach() < 0).any().item<bool>()) throw ValueError("gaussian_nll_loss: var must not be negative");
  if (!(o.eps > 0)) throw ValueError("gaussian_nll_loss: eps must be above 0, got " + to_string(o.eps));
  // The bound changes the value and not the gradient.
  const Tensor bounded = var + (clamp(var.detach(), o.eps) - var.detach());
  const Tensor difference = input - target;
  Tensor loss = (log(bounded) + difference * difference / bounded) * 0.5;
  if (o.full) loss = loss + 0.5 * math::log(2 * std::numbers::pi);
  return reduced("gaussian_nll_loss", loss, o.reduction);
}

namespace {

constexpr double kNever = -1e30;  // the logarithm of what cannot be, without the NaNs of an infinity's gradient

std::vector<std::int64_t> lengths_of(const char* what, const Tensor& lengths, std::int64_t n, std::int64_t most) {
  const auto refuse = [&](const std::string& got) {
    throw ValueError(std::string("ctc_loss: ") + what + " must be " + std::to_string(n) + " integers from 0 to " +
                     std::to_string(most) + ", got " + got);
  };
  if (!is_integral(lengths.dtype()) || lengths.numel() != n) {
    refuse(std::string(to_string(lengths.dtype())) + " " + to_string(lengths.sizes()));
  }
  const auto all = lengths.to_vector<std::int64_t>();
  for (const std::int64_t length : all)
    if (length < 0 || length > most) refuse(std::to_string(length));
  return all;
}

// log(exp(a) + exp(b) + exp(c)), element by element.
Tensor log_add(const Tensor& a, const Tensor& b, const Tensor& c) {
  const Tensor top = maximum(maximum(a.detach(), b.detach()), c.detach());
  return top + log(exp(a - top) + exp(b - top) + exp(c - top));
}

// Each sample's target with blanks around its classes, as rows of `states` states: the class that a state emits,
// whether it may be reached from the last but one (0, else kNever), and whether a path may end in it. What lies past
// the end of a shorter target is never reached.
struct Paths {
  std::int64_t states = 1;
  std::vector<std::int64_t> labels;
  std::vector<double> skips, ends;
};

Paths paths_of(const Tensor& targets, bool rows, const std::vector<std::int64_t>& lengths, std::int64_t classes,
               std::int64_t blank) {
  const auto n = static_cast<std::int64_t>(lengths.size());
  const std::int64_t longest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  const std::int64_t width = rows && n > 0 ? targets.numel() / n : 0;
  Paths paths{.states = 2 * longest + 1, .labels = {}, .skips = {}, .ends = {}};
  paths.labels.assign(static_cast<std::size_t>(n * paths.states), blank);
  paths.skips.assign(paths.labels.size(), kNever);
  paths.ends.assign(paths.labels.size(), kNever);
  const auto all = targets.to_vector<std::int64_t>();
  std::size_t at = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t length = lengths[static_cast<std::size_t>(i)];
    const std::size_t from = rows ? static_cast<std::size_t>(i * width) : at;
    at += static_cast<std::size_t>(length);
    const auto row = static_cast<std::size_t>(i * paths.states);
    for (std::int64_t s = 0; s < length; ++s) {
      const std::int64_t label = all[from + static_cast<std::size_t>(s)];
      if (label < 0 || label >= classes) {
        throw ValueError("ctc_loss: targets must be classes, 0 to " + std::to_string(classes - 1) + ", got " +
                         std::to_string(label));
      }
      const std::size_t place = row + static_cast<std::size_t>(2 * s + 1);
      paths.labels[place] = label;
      if (s > 0 && label != paths.labels[place - 2]) paths.skips[place] = 0;
    }
    paths.ends[row + static_cast<std::size_t>(2 * length)] = 0;
    if (length > 0) paths.ends[row + static_cast<std::size_t>(2 * length - 1)] = 0;
  }
  return paths;
}

// The loss of each sample, [N]: log_probs [T, N, C] summed over all paths. Infinite where there is none.
Tensor ctc_losses(const Tensor& log_probs, const Paths& paths, const std::vector<std::int64_t>& lengths) {
  const std::int64_t steps = log_probs.size(0), n = log_probs.size(1), states = paths.states;
  const Device device = log_probs.device();
  const TensorOptions like{.dtype = log_probs.dtype() == kFloat64 ? kFloat64 : kFloat32, .device = device};
  const Tensor labels = tensor(paths.labels, {n, states}, {.device = device}),
               skip = tensor(paths.skips, {n, states}, like), end = tensor(paths.ends, {n, states}, like);
  const auto never = [&](std::int64_t count) { return full({n, count}, kNever, like); };
  const auto emission = [&](std::int64_t t) {
    return gather(select(log_probs, 0, t).to(like.dtype.value()), 1, labels);
  };
  std::vector<double> start(paths.labels.size(), kNever);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t s = 0; s < std::min<std::int64_t>(2, states); ++s)
      start[static_cast<std::size_t>(i * states + s)] = 0;
  // A sample without input has only its start to end in, which an empty target does.
  Tensor alpha = tensor(start, {n, states}, like);
  std::vector<double> origin(paths.labels.size(), kNever);
  for (std::int64_t i = 0; i < n; ++i) origin[static_cast<std::size_t>(i * states)] = 0;
  Tensor last = tensor(origin, {n, states}, like);
  for (std::int64_t t = 0; t < steps; ++t) {
    if (t == 0) {
      alpha = alpha + emission(0);
    } else {
      const Tensor one = states > 1 ? cat({never(1), narrow(alpha, 1, 0, states - 1)}, 1) : never(1);
      const Tensor two = states > 2 ? cat({never(2), narrow(alpha, 1, 0, states - 2)}, 1) : never(states);
      alpha = log_add(alpha, one, two + skip) + emission(t);
    }
    alpha = clamp(alpha, kNever);
    std::vector<bool> ended(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < ended.size(); ++i) ended[i] = lengths[i] == t + 1;
    last = where(unsqueeze(tensor(ended, {.device = device}), 1), alpha, last);
  }
  const Tensor reached = last + end;
  const Tensor top = amax(reached.detach(), {1}, true);
  const Tensor losses = -(squeeze(top, 1) + log(sum(exp(reached - top), {1})));
  return where(losses.detach() > -kNever / 2, full_like(losses.detach(), std::numeric_limits<double>::infinity()),
               losses);
}

}  // namespace

Tensor ctc_loss(const Tensor& given, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                const CtcOptions& o) {
  require_floating("ctc_loss", given);
  if (given.dim() != 2 && given.dim() != 3) {
    throw ShapeError("ctc_loss: needs log_probs [T, N, C] or [T, C], got " + to_string(given.sizes()));
  }
  const bool single = given.dim() == 2;
  const Tensor log_probs = single ? unsqueeze(given, 1) : given;
  const std::int64_t steps = log_probs.size(0), n = log_probs.size(1), classes = log_probs.size(2);
  if (o.blank < 0 || o.blank >= classes) {
    throw ValueError("ctc_loss: blank must be a class, 0 to " + std::to_string(classes - 1) + ", got " +
                     std::to_string(o.blank));
  }
  if (!is_integral(targets.dtype()) || targets.dim() < 1 || targets.dim() > 2) {
    throw ShapeError("ctc_loss: needs integer targets [N, S] or [all], got " + std::string(to_string(targets.dtype())) +
                     " " + to_string(targets.sizes()));
  }
  if (targets.dim() == 2 && targets.size(0) != n) {
    throw ShapeError("ctc_loss: targets must have one row for each of the " + std::to_string(n) + " samples, got " +
                     to_string(targets.sizes()));
  }
  const bool rows = targets.dim() == 2 || single;
  const auto in = lengths_of("input_lengths", input_lengths, n, steps);
  const auto out = lengths_of("target_lengths", target_lengths, n, rows ? targets.sizes().back() : targets.numel());
  if (!rows && std::accumulate(out.begin(), out.end(), std::int64_t{0}) != targets.numel()) {
    throw ValueError("ctc_loss: target_lengths must sum to the " + std::to_string(targets.numel()) + " targets");
  }
  Tensor losses = ctc_losses(log_probs, paths_of(targets, rows, out, classes, o.blank), in);
  if (o.zero_infinity) {
    losses = where(losses.detach() == std::numeric_limits<double>::infinity(), zeros_like(losses.detach()), losses);
  }
  losses = losses.to(given.dtype());
  if (o.reduction == Reduction::Mean) {
    std::vector<double> divisors(out.begin(), out.end());
    for (double& d : divisors) d = std::max(d, 1.0);
    return mean(losses / tensor(divisors, {.dtype = losses.dtype(), .device = losses.device()}));
  }
  if (o.reduction == Reduction::None && single) return squeeze(losses, 0);
  return reduced("ctc_loss", losses, o.reduction);
}

}  // namespace gradus::nn::functional

// What an audit sees of losses: what they are given, and by what that was made.
#include "optim/audit/seeing.h"

namespace gradus::optim {

namespace {

// The operation that made what an edge leads to, past those that only arrange or bound its elements.
Ref<Node> maker(Ref<Node> node) {
  while (node &&
         is_one_of(node->name(), {"view", "permute", "expand", "slice", "to", "alias", "clone", "squeeze", "clamp"})) {
    const auto edges = node->edges();
    if (edges.empty()) break;
    node = edges[0].node;
  }
  return node;
}
std::string made_by(const Tensor& x) {
  const Ref<Node> node = maker(x.grad_fn());
  return node ? node->name() : "";
}
// With its layer: "softmax in 3 (Softmax)".
std::string maker_of(const Tensor& x) {
  const Ref<Node> node = maker(x.grad_fn());
  if (!node) return "";
  const auto& layer = node->layer();
  return layer && !layer->path.empty() ? node->name() + (" in " + layer->to_string()) : std::string(node->name());
}
// What that operation was given was made by.
std::string made_before(const Tensor& x) {
  const Ref<Node> node = maker(x.grad_fn());
  if (!node || node->edges().empty()) return "";
  const Ref<Node> before = maker(node->edges()[0].node);
  return before ? before->name() : "";
}

bool all_ones(const Tensor& sums, double tolerance) { return amax(abs(sums - 1)).item() < tolerance; }

// Rows that are probabilities, or their logarithms, along dim.
bool normalised(const Tensor& p, std::int64_t dim, double tolerance = 1e-3) {
  return p.size(dim) > 1 && amin(p).item() >= 0 && all_ones(sum(p, dim), tolerance);
}

// Whether these numbers were rounded to 16 bits, before they came in a wider type or not.
bool are_halves(const Tensor& x) {
  if (x.element_size() < 4) return true;
  const auto holds = [&](Dtype half) { return equal(x.to(half).to(x.dtype()), x); };
  return holds(kBFloat16) || holds(kFloat16);
}

// The share of elements outside of what an activation can give.
double share_outside(const Tensor& target, const std::string& activation) {
  const Tensor t = target.detach().to(kFloat64);
  constexpr double kMargin = 1e-3;
  const double low = activation == "tanh" ? -1 : 0;
  Tensor outside = t < low - kMargin;
  if (activation != "relu") outside = outside | (t > 1 + kMargin);
  return outside.to(kFloat64).mean().item();
}

}  // namespace

void Audit::Watch::begin_loss(const char* name, const Tensor& input, const Tensor& target) {
  if (busy_ > 0 || !input.defined() || input.numel() == 0) return;
  const std::lock_guard lock(mutex);
  const std::string loss = name;
  if (loss == "dropout" || loss == "batch_norm") {
    const auto layer = gradus::detail::current_layer();
    if (!layer || modules.count(layer->module) == 0) return;
    if (static_cast<const nn::detail::ModuleState*>(layer->module)->training) return;
    note(loss == "dropout" ? dropouts : batch_statistics, layer->to_string(),
         loss == "dropout" ? "dropped out though the module was evaluating"
                           : "normalised by the batch though the module was evaluating");
    return;
  }
  const bool recording = is_grad_enabled();
  const Quiet quiet(busy_);
  if (recording && target.defined())
    std::erase_if(compared, [&](const auto& one) { return one.second.impl()->storage == target.impl()->storage; });
  if (!recording) {
    for (auto& [model, mode] : modes)
      if (mode.unrecorded == interval) note(validations, model, "a loss (" + loss + ")");
    return;
  }
  const std::string from = made_by(input), given = loss + " was given ";
  const Tensor x = input.detach().to(kFloat64);
  const std::int64_t dim = input.dim() == 1 ? 0 : 1;
  if (from == "softmax" && x.dim() == 2 && x.size(1) == 1 && amax(x).item() == amin(x).item())
    note(losses, loss + " single", given + "a softmax over one value, which is 1 whatever the network says");
  if (loss == "cross_entropy") {
    if (is_one_of(from, {"softmax", "sigmoid", "relu", "tanh", "log_softmax"}))
      note(losses, loss + " " + from, given + "the result of " + maker_of(input));
    else if (x.dim() >= 1 && normalised(x, dim) && x.numel() > x.size(dim))
      note(losses, loss + " softmax", given + "values that are probabilities already");
    else if (x.dim() >= 1 && x.numel() > x.size(dim) && amax(x).item() <= 0 && normalised(exp(x), dim))
      note(losses, loss + " log_softmax", given + "values that are log-probabilities already");
  } else if (loss == "nll_loss" || loss == "kl_div") {
    const Tensor p = exp(x);
    const std::int64_t classes = loss == "kl_div" ? x.dim() - 1 : dim;
    if (x.dim() == 0 || x.size(classes) < 2) return;
    const double near = are_halves(input.detach()) ? 0.05 : 1e-3;
    if (normalised(p, classes, near)) return;
    if (loss == "kl_div" && x.dim() > 2 && normalised(p, 1, near)) return;  // of images, by channel
    if (from == "log_softmax")
      note(losses, loss + " dim", given + "a log_softmax over another dimension than its classes");
    else if (loss == "nll_loss" && x.dim() == 2 && x.size(0) > 1 && normalised(p, 0))
      note(losses, loss + " dim", given + "log-probabilities that are normalised over the batch");
    else if (loss == "kl_div" && normalised(x, classes))
      note(losses, loss + " raw", given + "probabilities instead of their logarithms");
    else if (loss == "nll_loss")
      note(losses, loss + " raw", given + (normalised(x, classes) ? "probabilities" : "unnormalised scores"));
  } else if (loss == "binary_cross_entropy_with_logits") {
    if (is_one_of(from, {"sigmoid", "softmax", "relu"}))
      note(losses, loss + " " + from, given + "the result of " + maker_of(input));
    if (const double share = share_outside(target, "sigmoid"); share > 0.01)
      note(losses, loss + " targets", loss + " was given targets outside [0, 1], such as -1 and 1");
  } else if (loss == "binary_cross_entropy") {
    if (from == "sigmoid" && is_one_of(made_before(input), {"sigmoid", "softmax", "relu"}))
      note(losses, loss + " twice", given + "a sigmoid of the result of " + made_before(input));
    if (from == "softmax" && x.dim() == 2 && x.size(0) > 1 && !normalised(x, 1) && normalised(x, 0))
      note(losses, loss + " dim", given + "a softmax over the batch");
  } else if (is_one_of(loss, {"mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"})) {
    if (target.defined() && target.requires_grad() && input.requires_grad())
      note(losses, loss + " recorded", loss + " was given a target that requires a gradient");
    if (!is_one_of(from, {"relu", "sigmoid", "tanh", "softmax"}) || !target.defined()) return;
    if (const double share = share_outside(target, from); share > 0.01)
      note(losses, loss + " range",
           given + "the result of " + maker_of(input) + ", though " +
               std::to_string(static_cast<int>(std::ceil(100 * share))) + " % of its targets lie outside " +
               (from == "relu"   ? "[0, inf)"
                : from == "tanh" ? "[-1, 1]"
                                 : "[0, 1]"));
  }
}

}  // namespace gradus::optim

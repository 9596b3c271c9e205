// Losses: what they were given, and what became of their graphs.
#include <fmt/format.h>

#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

using Names = std::vector<std::string>;

// What a finding of a loss says where its rule alone would say less.
struct Words {
  const char *rule, *why, *remedy;
};
Words words_of(const std::string& loss, const std::string& kind) {
  if (kind == "log_softmax")
    return {"normalised-twice",
            "cross_entropy applies log_softmax by itself; a second one changes nothing and costs time",
            "nll_loss(log_softmax(scores, 1), target), or cross_entropy(scores, target)"};
  if (kind == "relu")
    return {"normalised-twice", "scores below zero are cut off, and their gradients with them",
            "end the network with its last Linear, without an activation"};
  if (kind == "single")
    return {"wrong-dimension", "a single score has nothing to be compared with, so its softmax has no gradient",
            "sigmoid for a single output, or as many outputs as classes"};
  if (kind == "dim")
    return {"wrong-dimension", "",
            loss == "kl_div" ? "log_softmax over the last dimension: log_softmax(scores, -1)" : ""};
  if (kind == "raw" && loss == "kl_div")
    return {"not-normalised",
            "kl_div takes log-probabilities as its first argument; of anything else it is not a divergence",
            "kl_div(log_softmax(scores, 1), probabilities, {.reduction = nn::Reduction::BatchMean})"};
  if (kind == "raw") return {"not-normalised", "", ""};
  if (kind == "range") return {"out-of-range", "", ""};
  if (kind == "targets")
    return {"out-of-range", "the loss has no lower bound for such targets, so scores grow without limit",
            "targets of 0 and 1: (y + 1) / 2 of -1 and 1"};
  if (kind == "recorded") return {"target-recorded", "", ""};
  return {"normalised-twice", "", ""};
}

}  // namespace

void conclude_losses(const Conclusions& c) {
  for (const auto& [key, note] : c.watch.losses) {
    const std::string loss = key.substr(0, key.find(' ')), kind = key.substr(key.find(' ') + 1);
    const Words words = words_of(loss, kind);
    const std::string seen = fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step);
    c.add(words.rule, {loss}, seen, words.why, words.remedy);
    if (kind == "log_softmax") c.findings.back().severity = Severity::wasteful;
  }
  for (const auto& [key, note] : c.watch.broadcasts)
    c.add("broadcast-loss", {key}, fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step));
  for (const auto& [key, note] : c.watch.leaf_losses)
    c.add("loss-without-graph", {key}, fmt::format("{}, {} times", note.text, note.count));
  for (const auto& [key, note] : c.watch.kept_graphs)
    if (note.count >= 3)
      c.add("graph-kept", {key}, fmt::format("{}, {} times from step {} on", note.text, note.count, note.first_step));
}

void conclude_not_finite(const Conclusions& c) {
  const auto& watch = c.watch;
  if (!watch.not_finite) return;
  const std::int64_t step = watch.not_finite->step;
  std::string seen = fmt::format("NaN or infinity, first seen at step {}", step), remedy;
  const auto& operation = watch.not_finite_operation;
  const auto& layer = watch.not_finite_layer;
  if (watch.not_finite_input && *watch.not_finite_input <= step) {
    seen += ", and the network's input has one already";
    remedy = "look for it in the data: isfinite(x).all(); leave such samples out, or fill in what is missing";
  } else if (operation && operation->step <= step && !(layer && layer->step < operation->step)) {
    seen += ", and made by " + operation->what;
    const auto by = [&](const char* name) {
      return operation->what == name || operation->what.find(std::string("of ") + name) != std::string::npos;
    };
    if (by("log"))
      remedy = "log(x + 1e-8), or what computes the logarithm safely: log_softmax, logsigmoid, cross_entropy";
    else if (by("sqrt") || by("norm") || by("rsqrt") || by("pow"))
      remedy = "add a small number before the root: sqrt(x + 1e-12), F::normalize(x) for x / norm(x)";
    else if (by("div") || by("reciprocal"))
      remedy = "x / (y + 1e-8), or F::normalize(x) for x / norm(x)";
    else if (by("exp") || by("expm1"))
      remedy = "clamp before exp: exp(x.clamp(-20, 20)); and begin with small values";
  } else if (layer && layer->step <= step) {
    seen += ", and forward first in the result of " + layer->what;
  }
  c.add("not-finite", {watch.not_finite->what}, seen, {}, remedy);
}

}  // namespace gradus::optim

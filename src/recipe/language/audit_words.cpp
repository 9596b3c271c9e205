#include "recipe/language/audit_words.h"

#include <algorithm>
#include <utility>

namespace gradus::recipe {

namespace {

// Rules that a recipe cannot break, such as a forgotten zero_grad(), keep the words of the library.
constexpr std::pair<const char*, const char*> kRemedies[] = {
    {"not-finite",
     "a smaller lr, clip_norm: 1 in the optimizer, or log(x + 1e-6) if the argument may be 0; --detect-anomaly names "
     "the operation"},
    {"zero-gradient", "init: {\"*.weight\": kaiming_normal_}, a smaller lr, or LeakyReLU instead of ReLU"},
    {"lost-update", "a larger lr in the optimizer"},
    {"constant-initialisation", "init: {\"*.weight\": kaiming_uniform_}, or leave init out"},
    {"unowned", "name it in params of an optimizer, or in freeze of the recipe or of the phase"},
    {"unreached", "use it in the loss that its optimizer minimizes (look for detach), or leave it out of params"},
    {"two-owners", "name it in params of only one optimizer"},
    {"never-stepped", "give its optimizer an update in a phase: updates: [{minimize: LOSS, optimizer: NAME}]"},
    {"steps-skipped", "a smaller lr; --detect-anomaly names the operation that is not finite"},
    {"no-gradients", "minimize a loss that uses these networks"},
    {"nothing-to-train", "unfreeze: in the phase in which it trains, or leave freeze out"},
    {"foreign-gradient", "detach(x) what the other network made"},
    {"wasted-gradient", "detach(x) what the other network made"},
    {"out-of-range", "leave out the activation at the end of the network, or scale the targets into its range"},
    {"target-recorded", "detach(x) what the prediction should move to"},
    {"small-updates", "a larger lr in the optimizer"},
    {"swapped-betas", "betas: [0.9, 0.999]"},
    {"zero-rate",
     "set lr in the optimizer, a longer total_steps or T_max in its schedule, or freeze what should not change"},
    {"idle-schedule", "give the schedule to the optimizer that the phase uses"},
    {"schedule-over",
     "count in the unit of schedule_by: epochs by default, steps (epochs times batches) with schedule_by: step"},
    {"schedule-late", "count in the unit of schedule_by: epochs by default; or schedule_by: step"},
    {"wrong-mode", "ReduceLROnPlateau(metric=NAME, mode=max) for a metric that should rise"},
    {"normalised-twice", "leave out the Softmax, Sigmoid or ReLU at the end of the network; the loss applies its own"},
    {"wrong-dimension", "log_softmax(x, 1)"},
    {"not-normalised", "cross_entropy(net(x), y), or nll_loss(log_softmax(net(x), 1), y)"},
    {"broadcast-loss", "mse_loss(squeeze(net(x), 1), y), which refuses different sizes"},
    {"drifting-statistics", "freeze: [NAME], which stops running statistics too"},
    {"off-yet-owned", "freeze it in the recipe, which says that this is intended, or leave it out of params"},
    {"left-off", "unfreeze: in the phase that trains it"},
    {"schedule-unused", "use its optimizer in a phase"},
    {"clip-part", "clip_norm in the optimizer, which counts all that it owns"},
    {"equal-start", "leave init out of one of them"},
    {"vanishing-gradient", "BatchNorm or LayerNorm between layers, ReLU instead of Sigmoid, or init: kaiming_normal_"},
    {"exploding-gradient", "clip_norm: 1 in the optimizer, or a smaller lr"},
    {"large-updates", "a smaller lr in the optimizer"},
    {"dead-units", "a smaller lr, another init, or LeakyReLU"},
    {"saturated-units", "standardize: true in data, a normalisation before it, or smaller init"},
    {"decayed-norms", "groups: {\"*.bias\": {weight_decay: 0}}"},
    {"huge-decay", "weight_decay: 1e-4 to 1e-2 are usual"},
    {"bias-before-norm", "bias=false in the layer"},
    {"coupled-decay", "type: AdamW"},
    {"input-scale", "standardize: true in data"},
};

}  // namespace

void in_recipe_words(optim::AuditFinding& finding) {
  const auto found = std::find_if(std::begin(kRemedies), std::end(kRemedies),
                                  [&](const auto& entry) { return finding.rule == entry.first; });
  if (found != std::end(kRemedies)) finding.remedy = found->second;
}

}  // namespace gradus::recipe

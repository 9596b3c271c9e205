#include "optim/audit/rules.h"

#include <algorithm>

#include "text/table.h"

namespace gradus::optim {

namespace {

constexpr Severity kWrong = Severity::wrong, kWasteful = Severity::wasteful, kAdvice = Severity::advice;

constexpr AuditRule kRules[] = {
    // Values.
    {"not-finite", kWrong, "", "nothing that follows a NaN or an infinity can be trusted",
     "autograd::DetectAnomaly guard; names the operation; then lower lr, clip with optimizer.set_clipping({.max_norm = "
     "1}), or "
     "keep the arguments of log, sqrt and divisions away from 0"},
    {"zero-gradient", kWrong, "the gradient was exactly zero every time",
     "nothing moves: the layers after it are dead, saturated, or multiply by zero",
     "initialise anew (nn::init::kaiming_normal_), lower the rate that killed it, or use a LeakyReLU"},
    {"lost-update", kWrong, "no step changed a single element, though gradient and rate are not zero",
     "the update is below the rounding of the values it is added to",
     "raise lr; or keep the parameters in float32 or float64"},
    {"constant-initialisation", kWrong, "all elements started with one value",
     "units that start alike get the same gradient and stay alike", "nn::init::kaiming_uniform_(weight)"},
    // Ownership.
    {"elsewhere", kWrong, "owns no parameter of the audited networks",
     "its steps do not train them: it holds those of a copy, or of layers that were replaced",
     "make the optimizer from the network that is trained: optim::SGD opt(net, {...})"},
    {"same-network", kWrong, "these are one network under two names",
     "`Net target = net` is another handle of the same parameters, so one cannot lag behind the other",
     "Net target = nn::clone(net)"},
    {"unregistered", kWrong, "backward reaches it, but it belongs to no network and no optimizer",
     "it is neither trained, nor saved, nor moved with its network",
     "register it: nn::Linear h = add(\"h\", nn::Linear(...)), an nn::ModuleList, or nn::Parameter w = add(\"w\", "
     "...); and then make the optimizer. What belongs to no network: opt.add_param_group({.params = w})"},
    {"buffer-trained", kWrong, "a buffer requires a gradient or is in an optimizer",
     "parameters() does not list buffers, so groups, freezing and clipping pass over it",
     "register it as a parameter: add(\"name\", nn::Parameter(x))"},
    {"loaded-into-itself", kWrong, "load_state_dict() was given the network's own tensors",
     "a state_dict() shares the network's memory, so what was kept has changed with every step, and loading it does "
     "nothing",
     "clone when keeping it: for (auto& [name, tensor] : net.state_dict()) best.set(name, tensor.clone())"},
    {"made-in-forward", kWrong, "a layer is made anew in each forward",
     "its weights are other random numbers each time",
     "make it once, as a member: nn::Linear h = add(\"h\", nn::Linear(...))"},
    {"unowned", kWrong, "trainable, but in no optimizer", "it keeps its initial values",
     "give it to an optimizer (add_param_group), or nn::freeze it"},
    {"target-trained", kWrong, "", "a target that moves by gradients does not lag behind",
     "give the optimizer only the parameters of the network that learns: optim::Adam opt(q, {...})"},
    {"detached", kWrong, "in an optimizer, but another tensor has its name in the network now",
     "the layer was replaced after the optimizer was made, so what stands there now is not stepped",
     "make the optimizer anew from the network; fresh.load_state_dict(old.state_dict(), {.strict = false}) keeps the "
     "state of what stayed"},
    {"two-owners", kWrong, "two optimizers stepped on the same gradient", "it moves twice as far, by two momenta",
     "leave it to one of them, or give each a gradient of its own with minimize(loss)"},
    {"unreached", kWrong, "owned and trainable, but no backward has reached it",
     "it keeps its initial values, but for decay",
     "use it in the forward pass, without detach() or NoGrad on the way; or leave it out of the optimizer"},
    {"half-tied", kWrong,
     "its memory is another parameter's, or it was the same parameter once: tied in one place only",
     "the two take different steps", "register one Parameter in both places: b.weight = a.weight"},
    // Steps and gradients.
    {"never-stepped", kWrong, "", "what it owns keeps its initial values",
     "call its step() after backward, or minimize(loss)"},
    {"steps-skipped", kWrong, "", "nothing is trained",
     "find where the gradients stop being finite: autograd::DetectAnomaly guard;"},
    {"cleared-too-early", kWrong, "its gradient was cleared between backward and step", "the step has nothing to use",
     "zero_grad() before backward: opt.zero_grad(); loss.backward(); opt.step()"},
    {"loss-without-graph", kWrong, "",
     "no gradient goes to any network: the loss was made anew from a number, or detached",
     "call backward() on what the loss function returned; item() is for printing"},
    {"no-gradients", kWrong, "", "a step without gradients changes nothing",
     "call backward before step, on a loss that these parameters lead to"},
    {"nothing-to-train", kWrong, "", "an optimizer passes over parameters that require no gradient",
     "requires_grad_(true), or nn::unfreeze, before the phase in which it trains"},
    {"clipped-to-zero", kWrong, "clipping cut its gradient to nothing", "a limit of 0 leaves nothing to step with",
     "nn::utils::clip_grad_norm_(net.parameters(), 1.0)"},
    {"stale-gradient", kWrong, "a step used a gradient that an earlier step had used already",
     "each step then repeats all the earlier ones", "call zero_grad() before each backward, or minimize(loss)"},
    {"foreign-gradient", kWrong, "", "the loss of one network moves the other, often against its own",
     "compute only what is needed: optimizer.minimize(loss) or loss.backward({.inputs = optimizer.parameters()}); or "
     "detach() what the other network made"},
    {"backward-twice", kWrong, "", "the second backward adds the same gradients again",
     "one backward per loss; retain_graph only for several losses over one graph"},
    {"accumulation-cleared", kWrong, "", "only the last micro-batch counts",
     "zero_grad() once per step, before the first micro-batch"},
    {"closure-adds", kWrong, "the closure of an optimizer adds to the gradient of its last call",
     "LBFGS then works with sums of gradients of different points", "zero_grad() at the beginning of the closure"},
    {"moved-while-off", kWrong, "requires_grad is off, but momentum or decay moved it",
     "what was meant to stay drifts away", "nn::freeze it, or zero_grad() when requires_grad is switched off"},
    {"momentum-lost", kWrong, "its optimizer was rebuilt, and its state is lost",
     "the first steps without it are erratic",
     "edit param_groups() instead, or carry the state over with state_dict() and load_state_dict()"},
    {"state-not-loaded", kWrong, "its schedule goes on from a later step, and it has no state",
     "moments begin at zero under a rate for the middle of training",
     "save and load both: optimizer.load_state_dict(state), or training::Checkpoint, which has all parts"},
    {"clip-too-early", kWrong, "", "there is nothing to clip before backward, so nothing is clipped",
     "clip between the two: loss.backward(); nn::utils::clip_grad_norm_(net.parameters(), 1.0); opt.step()"},
    {"clip-too-late", kWrong, "", "the step has used the gradients as they were",
     "clip between the two: loss.backward(); nn::utils::clip_grad_norm_(net.parameters(), 1.0); opt.step()"},
    {"inner-stepped", kWrong, "", "the slow weights of Lookahead never follow",
     "step the Lookahead, and not what it wraps"},
    // Rates.
    {"zero-rate", kWrong, "its rate is 0: steps leave it as it is", "it is not trained",
     "set lr, give the schedule a longer course, or freeze it"},
    {"idle-schedule", kWrong, "its optimizer has not stepped between its steps",
     "the rates of the optimizer that trains do not change",
     "bind the schedule to the optimizer that trains, and step that first"},
    {"schedule-twice", kWrong, "", "it goes through its course too fast, and skips values",
     "schedule.step() in one place: after each step of the optimizer, or after each epoch"},
    {"schedule-restarted", kWrong, "", "a run that goes on gets the rates of its beginning again",
     "save and load both: schedule.load_state_dict(state), or training::Checkpoint, which has all parts"},
    {"rate-overwritten", kWrong, "", "the rate that was set by hand holds until the next step of the schedule only",
     "set the rate by hand, or by the schedule: leave out one of the two"},
    {"schedule-first", kWrong, "stepped before its optimizer was", "the first value of the schedule is never used",
     "opt.step(); schedule.step();"},
    {"schedule-over", kWrong, "", "rates rise again, or are too small to train: the course was set for other steps",
     "count in the unit in which step() is called: epochs times batches where it is called after each batch"},
    {"wrong-mode", kWrong, "", "the rate is cut because the metric gets better",
     "ReduceLROnPlateau(opt, {.mode = \"max\"}) for a metric that should rise, \"min\" for one that should fall"},
    // Losses and modes.
    {"normalised-twice", kWrong, "",
     "the loss normalises by itself: gradients get small, and the best loss is out of reach",
     "give the loss the network's scores as they are, or take the loss that fits what they are"},
    {"wrong-dimension", kWrong, "", "samples compete with each other instead of classes",
     "softmax and log_softmax over dimension 1"},
    {"not-normalised", kWrong, "",
     "nll_loss takes log-probabilities: what it returns for anything else is not a likelihood",
     "cross_entropy(scores, target), or nll_loss(log_softmax(scores, 1), target)"},
    {"out-of-range", kWrong, "", "the network cannot say what lies outside the range of its last activation",
     "leave out the last activation, or scale the targets into its range"},
    {"broadcast-loss", kWrong, "", "every prediction is compared with every target, so the network learns their mean",
     "pred.squeeze(1) - y, or mse_loss, which refuses different sizes"},
    {"trained-in-evaluation", kWrong, "", "dropout is off, and batch normalisation does not follow the data",
     "net.train() before training, also after each validation"},
    {"dropout-in-evaluation", kWrong, "", "results in evaluation are random, and worse than they could be",
     "dropout(x, p, is_training()), or an nn::Dropout as a member"},
    {"statistics-in-evaluation", kWrong, "", "results in evaluation depend on the other samples of the batch",
     "batch_norm(x, mean, var, weight, bias, is_training()), or an nn::BatchNorm as a member"},
    {"teacher-in-training", kWrong, "", "its dropout and batch statistics add noise to what the other learns from",
     "teacher.eval() before training, or nn::freeze(teacher)"},
    {"validated-in-training", kWrong, "",
     "dropout falsifies the result, and batch statistics move with validation data",
     "net.eval() before validation, net.train() after it"},
    {"drifting-statistics", kWrong, "its running statistics change though its parameters are not trained",
     "the frozen part changes", "nn::freeze the module, which stops them through any later train()"},
    {"average-unused", kWrong, "its average has never been updated", "it still holds the initial weights",
     "ema.update_parameters(net) after each step"},
    // Waste.
    {"wasted-gradient", kWasteful, "gradients were computed for it that nobody used",
     "backward through a network costs as much again for its own parameters",
     "optimizer.minimize(loss), or loss.backward({.inputs = optimizer.parameters()})"},
    {"target-gradient", kWasteful, "backward reaches it, and no optimizer has it: it is like a network that one has",
     "what a target says is a constant; its gradients cost time and are never used",
     "const NoGrad guard; around the target's forward, or .detach() of its result"},
    {"graph-kept", kWasteful, "", "each sum keeps the graph of all steps before it in memory", "total += loss.item()"},
    {"off-yet-owned", kAdvice, "owned by an optimizer that steps, and never on",
     "it is not trained, and may have been forgotten",
     "requires_grad_(true) in the phase that trains it; or leave it out of the optimizer: "
     "optim::filter(net, [](auto& p) { return p.requires_grad(); })"},
    // Advice.
    {"changed-by-hand", kAdvice, "changed in place between steps, while another tensor shares its memory",
     "an average or a copy that is kept as handles is the network itself",
     "clone where the copy is made: ema[name] = p.detach().clone()"},
    {"gradient-on-the-way", kAdvice, "its gradients were computed on the way to what was stepped, and used by nobody",
     "a backward through a network need not compute those of its own parameters",
     "optimizer.minimize(loss), or loss.backward({.inputs = optimizer.parameters()})"},
    {"frozen-yet-owned", kAdvice, "owned by an optimizer that steps, and frozen at each of its steps",
     "it is not trained, and may have been left frozen by another phase",
     "nn::unfreeze(net, \"backbone\") in the phase that trains it; or leave it out: "
     "optim::filter(net, [](auto& p) { return p.requires_grad(); })"},
    {"left-off", kAdvice, "on at first, and off since", "a later phase may count on it",
     "requires_grad_(true) at the end of the phase that switched it off"},
    {"target-recorded", kAdvice, "", "backward then moves the target as well, and not only the prediction towards it",
     "target.detach(), or const NoGrad guard; where it is computed"},
    {"target-still", kAdvice, "", "a target that is never set to the network's values is its beginning",
     "target.load_state_dict(net.state_dict()) from time to time; nn::freeze(target) where that is intended"},
    {"shared-module", kAdvice, "one module stands here several times",
     "what looks like several layers is one, with one weight", "a module for each place: nn::clone(block)"},
    {"schedules-together", kAdvice, "", "their factors multiply",
     "SequentialLR(opt, {first, second}, {steps}) for one after the other, ChainedScheduler({first, second}) for both; "
     "or each for its own optimizer"},
    {"schedule-rebuilt", kAdvice, "", "each begins from its first value, so the rate does not get beyond the beginning",
     "make the schedule once, before the loop over epochs"},
    {"recorded-evaluation", kAdvice, "", "recording takes memory and time",
     "const NoGrad guard; around the validation"},
    {"schedule-unused", kAdvice, "its step() has not been called yet", "rates stay where they are",
     "schedule.step() after each epoch, or after each step if it counts those"},
    {"other-threads", kAdvice, "",
     "their losses, modes and layers were not looked at, only gradients, steps and schedules",
     "make the audit on the thread that trains"},
    {"kept-handle", kAdvice, "somebody keeps tensors that share the memory of all its parameters",
     "a state_dict() kept as the best so far changes with every step",
     "clone its tensors: for (auto& [name, tensor] : net.state_dict()) best.set(name, tensor.clone())"},
    {"schedule-late", kAdvice, "", "training ends in the middle of the schedule",
     "schedule.step() after each step of the optimizer, or a course that counts epochs"},
    {"accumulation-not-divided", kAdvice, "", "the step is as many times larger as there are micro-batches",
     "(loss / micro_batches).backward()"},
    {"clip-part", kAdvice, "a clipping left out these parameters of the optimizer that it clipped for",
     "the norm is not that of the step", "nn::utils::clip_grad_norm_(optimizer.parameters(), 1.0)"},
    {"equal-start", kAdvice, "two parameters of one network had the same values when the audit began",
     "they were tied, perhaps, and no longer are", "b.weight = a.weight ties them"},
    {"vanishing-gradient", kAdvice, "", "the first layers hardly learn",
     "normalise between layers, initialise for the activation, add skip connections"},
    {"exploding-gradient", kAdvice, "", "single steps undo what many have learnt",
     "optimizer.set_clipping({.max_norm = 1}), or a lower lr"},
    {"large-updates", kAdvice, "steps moved it by more than its own norm", "each of them undoes what was learnt",
     "lower lr"},
    {"small-updates", kAdvice, "no step moved it by a ten-millionth of its norm", "it hardly changes", "raise lr"},
    {"swapped-betas", kAdvice, "",
     "the first is for the gradients' mean, the second for their squares, which needs longer",
     "{.betas = {0.9, 0.999}}"},
    {"dead-units", kAdvice, "", "a unit that is zero for every sample gets no gradient",
     "lower lr, initialise anew, or use a LeakyReLU"},
    {"saturated-units", kAdvice, "", "where an activation is flat, hardly any gradient passes",
     "scale inputs and initial weights down, or normalise before it"},
    // Habits.
    {"decayed-norms", kAdvice, "weight decay on biases and normalisations", "decay is meant for matrices",
     "groups by pattern: {\"*.bias\", {.weight_decay = 0.0}}"},
    {"huge-decay", kAdvice, "", "it pulls weights to zero faster than most losses can hold them",
     "1e-4 to 1e-2 are usual"},
    {"bias-before-norm", kAdvice, "a bias that the batch normalisation after it subtracts again", "it does nothing",
     "{.bias = false}"},
    {"coupled-decay", kAdvice, "Adam with weight_decay adds an L2 penalty to the gradient",
     "the penalty is divided by the size of the gradients; decoupled decay is not", "optim::AdamW"},
    {"input-scale", kAdvice, "", "the largest column dominates", "standardise the columns"},
    {"float-rate", kAdvice, "", "0.1f is 0.10000000149 as a double", "write the rate as a double"},
};

}  // namespace

std::span<const AuditRule> rules_of_audit() { return kRules; }

const AuditRule& rule_of_audit(const std::string& name) {
  const auto found =
      std::find_if(std::begin(kRules), std::end(kRules), [&](const AuditRule& r) { return r.name == name; });
  if (found != std::end(kRules)) return *found;
  throw ValueError("audit: there is no rule '" + name + "'" + did_you_mean(name, audit_rules()));
}

std::vector<std::string> audit_rules() {
  std::vector<std::string> names;
  for (const AuditRule& rule : kRules) names.emplace_back(rule.name);
  return names;
}

}  // namespace gradus::optim

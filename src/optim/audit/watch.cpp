// What an audit sees of gradients as they arrive, and of optimizers and schedules as they step.
#include "optim/audit/watch.h"

#include <gradus/autograd.h>
#include <gradus/nn/freeze.h>
#include <gradus/ops.h>
#include <gradus/optim/lookahead.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "autograd/gradient_owner.h"
#include "core/epochs.h"
#include "core/own_loads.h"

namespace gradus::optim {

using nn::detail::ModuleState;

namespace {

// Copies of a layer within one network have equal values by design ("layers.0.weight", "layers.1.weight").
bool differ_in_numbers_only(const std::string& a, const std::string& b) {
  std::string x, y;
  std::copy_if(a.begin(), a.end(), std::back_inserter(x), [](char c) { return c < '0' || c > '9'; });
  std::copy_if(b.begin(), b.end(), std::back_inserter(y), [](char c) { return c < '0' || c > '9'; });
  return x == y;
}

double rate_of(const Optimizer& optimizer, std::size_t group) {
  const auto names = optimizer.option_names();
  if (std::find(names.begin(), names.end(), "lr") == names.end()) return 1;
  const OptionValue value = optimizer.option(group, "lr");
  const double* rate = std::get_if<double>(&value);
  return rate == nullptr ? 1 : *rate;
}

}  // namespace

double norm_of(const Tensor& x) {
  const NoGrad guard;
  return std::sqrt(square(x.detach().to(kFloat64)).sum().item());
}

void visit_states(const ModuleState& state, const std::string& path,
                  const std::function<void(const ModuleState&, const std::string&)>& fn) {
  fn(state, path);
  for (const auto& child : state.children)
    visit_states(*child.module->state(), path.empty() ? child.name : path + "." + child.name, fn);
}

bool owns(const Optimizer& optimizer, const Tensor& parameter) {
  for (std::size_t g = 0; g < optimizer.group_count(); ++g)
    for (const auto& [name, tensor] : optimizer.group_params(g))
      if (tensor.is_same(parameter)) return true;
  return false;
}

std::vector<NamedTensor> AuditedModels::Model::named_parameters() const {
  std::vector<NamedTensor> names;
  std::unordered_set<const void*> seen;
  visit_states(*state, "", [&](const ModuleState& inner, const std::string& path) {
    for (const auto& [member, tensor] : inner.parameters)
      if (tensor.defined() && seen.insert(tensor.impl()).second)
        names.emplace_back(path.empty() ? member : path + "." + member, tensor);
  });
  return names;
}

std::vector<nn::NamedTensor> Audit::Watch::all_names() const {
  std::vector<nn::NamedTensor> names;
  for (const auto& model : models) {
    visit_states(*model.state, model.name, [&](const ModuleState& state, const std::string& path) {
      for (const auto& [name, tensor] : state.parameters)
        if (tensor.defined()) names.emplace_back(path.empty() ? name : path + "." + name, tensor);
    });
  }
  return names;
}

Audit::Watch::Watch(const AuditedModels& audited, const AuditedOptimizers& given, const AuditOptions& asked, bool live)
    : models(audited), options(asked), watching(live) {
  names_at_start = all_names();
  epochs_at_start = core::epochs.begun;
  own_loads_at_start = core::own_loads_since(0).size();
  look(live);
  refresh();
  compare_statistics();
  drifting.clear();
  for (Optimizer& optimizer : given) {
    const Id id = known(optimizer);
    if (id == kNone) {
      elsewhere.push_back(name_of(optimizer));
    } else {
      optimizers[id].given = true;
    }
  }
  const Busy busy(busy_);
  look_at_start();
  if (watching) add_watcher(*this);
}

Audit::Watch::~Watch() {
  if (watching) remove_watcher(*this);
  look(false);
  gradus::detail::end_gradient_sink(*this);
}

// Close looks need a gradient sink and an observer of this thread: neither is there in between.
void Audit::Watch::look(bool closely) {
  if (on_thread() && closely != observing_) {
    observing_ = closely;
    closely ? gradus::detail::add_observer(*this) : gradus::detail::remove_observer(*this);
  }
  if (closely == looking) return;
  looking = closely;
  closely ? gradus::detail::add_gradient_sink(*this) : gradus::detail::remove_gradient_sink(*this);
  if (closely) {
    for (auto& [impl, p] : parameters) {
      p.held.clear();
      p.consumed.clear();
      p.consumed_by.clear();
      p.used = Tensor();
      p.arrived_nonzero = false;
      p.stepped = false;
    }
    passes.clear();
    candidates.clear();
    refresh();
  } else {
    for (auto& [impl, p] : parameters) p.used = Tensor();
    for (auto& [impl, stranger] : strangers) stranger.tensor = Tensor();
  }
}

// Takes in parameters that are new.
void Audit::Watch::refresh() {
  for (const auto& model : models) {
    visit_states(*model.state, model.name, [&, &name = model.name](const ModuleState& state, const std::string& path) {
      modules.insert(&state);
      for (const auto& [member, tensor] : state.parameters) {
        if (!tensor.defined()) continue;
        Watched& p = parameters[tensor.impl()];
        if (!p.tensor.defined()) {
          p.tensor = tensor;
          p.name = path.empty() ? member : path + "." + member;
          p.model = name;
          p.start_version = tensor.version();
          order.push_back(tensor.impl());
        }
      }
    });
  }
}

void Audit::Watch::look_at_start() {
  for (const void* impl : order) {
    Watched& p = parameters.at(impl);
    p.start_norm = norm_of(p.tensor);
    if (!std::isfinite(p.start_norm)) found_not_finite("the values of " + p.name + " before training");
    if (p.tensor.dim() < 2 || p.tensor.numel() < 4 || !p.tensor.requires_grad()) continue;
    const NoGrad guard;
    const Tensor x = p.tensor.detach();
    const bool constant = amax(x).item() == amin(x).item();
    if (constant && p.start_norm != 0) constant_at_start.push_back(p.name);
    for (const void* other : order) {
      if (other == impl) break;
      const Watched& q = parameters.at(other);
      if (constant || q.model != p.model || !(q.tensor.sizes() == p.tensor.sizes())) continue;
      if (q.start_norm != p.start_norm || q.tensor.dtype() != p.tensor.dtype()) continue;
      if (q.tensor.const_data_ptr() == p.tensor.const_data_ptr() || differ_in_numbers_only(p.name, q.name)) continue;
      if (equal(x, q.tensor.detach())) alike_at_start.emplace_back(q.name, p.name);
    }
  }
}

// Two of one type are told apart by the networks that they train: "Adam(G)".
void Audit::Watch::name_apart(Known& added) {
  const auto network_of = [&](const Known& k) {
    std::string model;
    for (const Tensor& own : k.optimizer->parameters())
      if (const auto it = parameters.find(own.impl()); it != parameters.end() && model.empty())
        model = it->second.model;
    return model;
  };
  for (Known& other : optimizers) {
    if (other.optimizer == nullptr || name_of(*other.optimizer) != added.name) continue;
    const std::string mine = network_of(added), its = network_of(other);
    if (mine == its || mine.empty() || its.empty()) continue;
    if (other.name == added.name) other.name += "(" + its + ")";
    added.name += "(" + mine + ")";
    return;
  }
}

// An optimizer counts when it has a parameter of the networks.
Audit::Watch::Id Audit::Watch::known(Optimizer& optimizer) {
  for (Id id = 0; id < optimizers.size(); ++id)
    if (optimizers[id].optimizer == &optimizer) return id;
  for (const Tensor& p : optimizer.parameters()) {
    if (parameters.count(p.impl()) == 0) continue;
    Known k;
    k.optimizer = &optimizer;
    k.name = name_of(optimizer);
    k.type = optimizer.name();
    k.skipped_at_start = optimizer.skipped_steps();
    for (const Tensor& own : optimizer.parameters()) k.started = k.started || optimizer.steps_of(own) > 0;
    name_apart(k);
    optimizers.push_back(std::move(k));
    return optimizers.size() - 1;
  }
  for (const Tensor& p : optimizer.parameters()) owned_elsewhere.insert(p.impl());
  return kNone;
}

// What .grad held is gone: cleared by hand, or replaced.
void Audit::Watch::forget_gradient(Watched& p, bool count) {
  std::vector<Pass> unused;
  for (const Pass held : p.held)
    if (std::find(p.consumed.begin(), p.consumed.end(), held) == p.consumed.end()) unused.push_back(held);
  bool others = false, strange = false, beyond = false;
  for (const Pass held : unused) {
    const auto info = passes.find(held);
    if (info == passes.end()) continue;
    others = others || !info->second.steppers.empty();
    beyond = beyond || (!info->second.steppers.empty() && p.arrival > info->second.last_used);
    strange = strange || info->second.strangers;
  }
  if (count && !unused.empty() && p.arrived_nonzero && stepping == kNone) {
    if (others) {
      (beyond ? p.wasted : p.on_the_way) = true;
    } else if (!strange && p.version_at_arrival == p.tensor.version()) {
      ++p.cleared_unused;
    }
  }
  p.held.clear();
  p.consumed.clear();
  p.consumed_by.clear();
  p.arrived_nonzero = false;
}

// A gradient is about to be added to p's.
void Audit::Watch::arriving(const gradus::detail::TensorImpl* leaf, const Tensor& incoming) {
  const std::lock_guard lock(mutex);
  const auto found = parameters.find(leaf);
  if (found == parameters.end()) return;
  const Busy busy(busy_);
  Watched& p = found->second;
  const Tensor grad = p.tensor.grad();
  const double norm = norm_of(incoming);
  if (!p.held.empty()) {
    const bool cleared = !grad.defined() || norm_of(grad) == 0;
    if (cleared) forget_gradient(p, true);
    // A closure's second gradient on top of its first.
    if (!cleared && stepping != kNone && optimizers[stepping].optimizer != nullptr &&
        owns(*optimizers[stepping].optimizer, p.tensor))
      ++optimizers[stepping].closure_adds;
  }
  if (!p.held.empty() && p.held.back() == pass) ++pass;  // of a thread that is not watched
  p.held.push_back(pass);
  p.version_at_arrival = p.tensor.version();
  p.arrival = ++arrivals;
  p.arrived_nonzero = p.arrived_nonzero || norm != 0;
  ++p.reached;
  if (norm != 0) ++p.reached_nonzero;
  if (!std::isfinite(norm)) found_not_finite("the gradient of " + p.name);
  suspects_ = suspects_ || (p.tensor.dim() >= 2 && p.reached >= 3 && p.reached_nonzero == 0);
  p.largest_gradient = std::max(p.largest_gradient, norm);
  if (p.first_gradient < 0) p.first_gradient = norm;
}

void Audit::Watch::before_step(Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  const Busy busy(busy_);
  if (looking) refresh();
  const Id self = known(optimizer);
  if (self == kNone) return;
  if (any_lost) {
    for (const Tensor& x : optimizer.parameters()) {
      const auto it = parameters.find(x.impl());
      if (it == parameters.end() || !x.grad().defined()) continue;
      if (it->second.lost_state && optimizer.steps_of(x) == 0) lost.insert(x.impl());
      it->second.lost_state = false;
    }
  }
  if (optimizers[self].steps == 0) {
    Known& k = optimizers[self];
    std::int64_t made = 0;
    for (const Tensor& x : optimizer.parameters()) made = std::max(made, optimizer.steps_of(x));
    for (const auto& ticket : schedules_of(optimizer)) {
      if (ticket->steps != 0 || !ticket->scale) continue;
      if (made == 0 && ticket->epoch > 0) k.resumed_without_state = true;
      if (made == 0 || k.started || ticket->epoch != 0) continue;
      k.resumed_at = made;
      k.restarted = ticket->name;
    }
  }
  if (!looking) return;
  // A Lookahead steps what it wraps without a word: who is heard here was stepped past it.
  for (const Known& other : optimizers) {
    const auto* around = dynamic_cast<const Lookahead*>(other.optimizer);
    if (around != nullptr && &around->optimizer() == &optimizer) inner_stepped.insert(name_of(optimizer));
  }
  stepping = self;
  Known& k = optimizers[self];
  k.before.clear();
  bool any_gradient = false, any_on = false;
  std::size_t held = 0;
  bool unscaled = true;
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    for (const auto& [name, tensor] : optimizer.group_params(g)) {
      const auto it = parameters.find(tensor.impl());
      if (it == parameters.end()) {
        any_on = true;
        any_gradient = any_gradient || tensor.grad().defined();
        continue;
      }
      Watched& p = it->second;
      if (p.stepped && tensor.version() != p.version_after_step) ++p.changed_between;
      if (is_frozen(tensor)) {
        ++p.frozen_steps;
        continue;
      }
      if (tensor.requires_grad()) {
        any_on = true;
        ++p.chances;
        p.off_run = 0;
      } else {
        ++p.off_steps;
        ++p.off_run;
      }
      const Tensor grad = tensor.grad();
      const double norm = grad.defined() ? norm_of(grad) : 0;
      const bool fresh =
          !p.held.empty() && p.arrived_nonzero && (p.consumed.empty() || p.consumed.back() != p.held.back());
      if (norm == 0 && fresh) {
        const bool elsewhere = !grad.defined() && gradus::detail::gradient_owner(tensor.impl());
        if (!elsewhere) ++(grad.defined() && p.clipped_at == interval ? p.clipped_to_zero : p.unused_by_step);
        forget_gradient(p, false);
      }
      if (!grad.defined()) continue;
      any_gradient = true;
      p.gradient_norm = norm;
      k.before.emplace_back(&p, tensor.detach().clone());
      // One that was set by hand is another one.
      const bool added = !p.held.empty() && !p.consumed.empty() && p.held.back() != p.consumed.back();
      if (!p.consumed.empty() && !added && !(grad.is_same(p.used) && grad.version() == p.used_version))
        forget_gradient(p, false);
      if (norm == 0) continue;
      for (std::size_t i = 0; i < p.consumed.size(); ++i)
        (p.consumed_by[i] == self ? stale : shared).insert(tensor.impl());
      held = std::max(held, p.held.size());
      for (const Pass each : p.held) {
        const auto info = passes.find(each);
        if (info == passes.end()) continue;
        if (info->second.scaled) unscaled = false;
        if (each == p.held.back()) continue;
        for (const Id other : info->second.steppers)
          if (other != self && optimizers[other].optimizer != nullptr && !owns(*optimizers[other].optimizer, tensor))
            candidates.push_back({tensor.impl(), other, pass});
      }
    }
  }
  k.without_gradients = any_gradient ? 0 : k.without_gradients + 1;
  k.nothing_on = any_on ? 0 : k.nothing_on + 1;
  if (held >= 3 && unscaled && stale.empty()) ++k.micro_steps;
  compare_modes(optimizer);
}

void Audit::Watch::after_step(Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  const Busy busy(busy_);
  const Id self = known(optimizer);
  stepping = kNone;
  if (self == kNone) {
    ++foreign[&optimizer];
    return;
  }
  Known& k = optimizers[self];
  ++k.steps;
  ++total_steps;
  if (looking) {
    ++looked_steps;
    ++k.looked;
    std::unordered_map<const void*, double> rates;
    for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
      const double rate = rate_of(optimizer, g);
      for (const auto& [name, tensor] : optimizer.group_params(g)) rates[tensor.impl()] = rate;
    }
    for (auto& [p, old] : k.before) {
      const double before = norm_of(old);
      p->update_norm = norm_of(p->tensor.detach() - old);
      if (!std::isfinite(*p->update_norm)) found_not_finite("the values of " + p->name);
      if (!p->tensor.requires_grad() && *p->update_norm != 0) moved_off.insert(p->tensor.impl());
      const double rate = rates[p->tensor.impl()];
      if (rate == 0) {
        ++p->zero_rate_steps;
        ++p->zero_rate_run;
      } else {
        ++p->rated_steps;
        p->zero_rate_run = 0;
        if (p->gradient_norm.value_or(0) != 0) ++(*p->update_norm == 0 ? p->still : p->moved);
      }
      if (p->tensor.dim() >= 2 && before > 0 && *p->update_norm > before)
        p->large_updates += *p->update_norm > 5 * before ? 3 : 1;
      if (p->tensor.dim() >= 2 && rate != 0 && *p->update_norm < 1e-7 * before) ++p->tiny_updates;
      p->used = p->tensor.grad();
      p->used_version = p->used.defined() ? p->used.version() : 0;
      p->consumed = p->held;
      p->consumed_by.assign(p->held.size(), self);
      const auto state = optimizer.state_tensors(p->tensor);
      p->has_state = !state.empty();
      p->stepped_by = self;
      for (const auto& [name, tensor] : state)
        if (tensor.defined() && tensor.is_floating_point() && !std::isfinite(norm_of(tensor)))
          found_not_finite(name + " of " + p->name);
    }
    if (const auto info = passes.find(pass); info != passes.end()) {
      info->second.steppers.push_back(self);
      for (const auto& [p, old] : k.before)
        if (!p->held.empty() && p->held.back() == pass)
          info->second.last_used = std::max(info->second.last_used, p->arrival);
    }
    compare_holders();
  }
  for (std::size_t g = 0; g < optimizer.group_count(); ++g) {
    for (const auto& [name, tensor] : optimizer.group_params(g)) {
      const auto it = parameters.find(tensor.impl());
      if (it == parameters.end()) continue;
      it->second.stepped = true;
      it->second.version_after_step = tensor.version();
    }
  }
  k.before.clear();
  forget_recorded();
  outer.clear();
  ++interval;
  roots_of_interval.clear();
  compare_statistics();
  if (!on_thread()) ++foreign_steps;
  if (watching) look(total_steps < kFirstSteps || total_steps % kPeriod < kWindow);
}

void Audit::Watch::after_schedule(const void* schedule, const std::string& name, const std::string& option,
                                  Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  const Id id = known(optimizer);
  if (id == kNone) {
    if (foreign[&optimizer] == 0) ++idle_foreign[name + " of " + name_of(optimizer)];
    return;
  }
  Known& k = optimizers[id];
  Schedule& s = k.schedules[schedule];
  s.count = s.at == k.steps ? s.count + 1 : 1;
  if (s.count == 2 && k.steps > 0 && s.skipped == optimizer.skipped_steps()) ++s.twice;
  s.skipped = optimizer.skipped_steps();
  ++s.calls;
  s.at = k.steps;
  s.name = name;
  s.option = option;
  for (const auto& [key, other] : k.schedules) {
    if (key == schedule || other.at != k.steps || k.steps == 0 || other.option != option || other.calls == 0) continue;
    ++s.together;
    s.partner = other.name;
  }
  s.in_epoch = s.epochs == core::epochs.begun ? s.in_epoch + 1 : 1;
  s.epochs = core::epochs.begun;
  if (s.epochs > epochs_at_start && core::epochs.batches > 1 && s.in_epoch <= core::epochs.batches)
    s.most_in_epoch = std::max(s.most_in_epoch, s.in_epoch);
  if (k.steps == 0 && !k.started && optimizer.skipped_steps() == k.skipped_at_start) s.first = true;
}

void Audit::Watch::after_metric(const void* plateau, Optimizer& optimizer, double metric, bool falls, bool reduced) {
  const std::lock_guard lock(mutex);
  const Id id = known(optimizer);
  if (id == kNone) return;
  auto [it, added] = optimizers[id].metrics.try_emplace(
      plateau, Metric{.falls = falls, .first = metric, .first_rate = rate_of(optimizer, 0)});
  Metric& m = it->second;
  if (!added && metric != m.last) ++((metric < m.last) == falls ? m.better : m.worse);
  ++m.count;
  m.last = metric;
  if (reduced) ++m.reductions;
}

void Audit::Watch::clipped(std::span<const Tensor> given) {
  const std::lock_guard lock(mutex);
  if (!looking) return;
  std::unordered_set<const void*> set;
  std::size_t with_gradient = 0, used = 0, mine = 0;
  for (const Tensor& x : given) {
    set.insert(x.impl());
    const auto it = parameters.find(x.impl());
    if (it == parameters.end()) continue;
    ++mine;
    Watched& p = it->second;
    if (!x.grad().defined()) continue;
    p.clipped_at = interval;
    ++with_gradient;
    if (!p.consumed.empty() && p.consumed == p.held) ++used;
  }
  if (mine == 0) return;
  if (with_gradient == 0) note(clips, "clip-too-early", "clipped when no gradient was there");
  if (with_gradient > 0 && used == with_gradient) note(clips, "clip-too-late", "clipped after the step that used them");
  for (Known& k : optimizers) {
    if (k.optimizer == nullptr) continue;
    std::vector<std::string> out;
    bool some = false;
    for (const Tensor& x : k.optimizer->parameters()) {
      const auto it = parameters.find(x.impl());
      if (it == parameters.end() || !x.grad().defined()) continue;
      if (set.count(x.impl()) != 0)
        some = true;
      else
        out.push_back(it->second.name);
    }
    if (some) k.unclipped.insert(out.begin(), out.end());
  }
}

void Audit::Watch::gone(const Optimizer& optimizer) {
  const std::lock_guard lock(mutex);
  for (Id id = 0; id < optimizers.size(); ++id) {
    if (optimizers[id].optimizer != &optimizer) continue;
    optimizers[id].optimizer = nullptr;
    for (auto& [impl, p] : parameters) {
      p.lost_state = p.lost_state || (p.has_state && p.stepped_by == id);
      any_lost = any_lost || p.lost_state;
    }
  }
}

void Audit::Watch::note(std::map<std::string, Note>& notes, const std::string& key, const std::string& text) {
  Note& n = notes[key];
  if (n.count++ == 0) {
    n.text = text;
    n.first_step = step_number();
  }
}

void Audit::Watch::found_not_finite(const std::string& what) {
  if (!not_finite) not_finite = NotFinite{what, step_number()};
}

Audit::Audit(const AuditedModels& models, const AuditedOptimizers& optimizers, const AuditOptions& options) {
  if (models.empty()) throw ValueError("Audit: needs at least one network");
  watch_ = std::make_unique<Watch>(models, optimizers, options, true);
}

Audit::~Audit() = default;

AuditReport audit(const AuditedModels& models, const AuditedOptimizers& optimizers, const AuditOptions& options) {
  if (models.empty()) throw ValueError("audit: needs at least one network");
  return Audit::Watch(models, optimizers, options, false).report();
}

}  // namespace gradus::optim

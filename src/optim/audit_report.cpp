// What an audit concludes.
#include <fmt/format.h>

#include <algorithm>

#include <gradus/nn/freeze.h>

#include "optim/audit_watch.h"

namespace gradus::optim {

namespace {

double rate_of(const Optimizer& optimizer, std::size_t group) {
  const auto names = optimizer.option_names();
  if (std::find(names.begin(), names.end(), "lr") == names.end()) return std::numeric_limits<double>::quiet_NaN();
  const OptionValue lr = optimizer.option(group, "lr");
  const double* value = std::get_if<double>(&lr);
  return value == nullptr ? std::numeric_limits<double>::quiet_NaN() : *value;
}

const char* text_of(AuditRow::Status status) {
  return status == AuditRow::Status::frozen ? "frozen" : status == AuditRow::Status::off ? "off" : "trainable";
}

std::int64_t bytes_of(const Tensor& x) { return x.numel() * element_size(x.dtype()); }

// Whether two different tensors lie on the same memory.
bool overlap(const Tensor& a, const Tensor& b) {
  const auto begin = [](const Tensor& x) { return static_cast<const std::byte*>(x.data_ptr()); };
  return begin(a) < begin(b) + bytes_of(b) && begin(b) < begin(a) + bytes_of(a);
}

}  // namespace

AuditReport Audit::Watch::report() const {
  const std::lock_guard lock(mutex);
  AuditReport report;
  const auto find = [&](const std::string& rule, const std::string& message, const std::string& remedy,
                        std::vector<std::string> names) {
    if (!names.empty()) report.findings.push_back({rule, std::move(names), message, remedy});
  };
  const auto named = [&](const std::set<const void*>& found) {
    std::vector<std::string> names;
    for (const void* impl : order)
      if (found.count(impl) != 0) names.push_back(parameters.at(impl).name);
    return names;
  };

  const auto names = all_names();
  std::set<const void*> present, unowned, unreached, zero_rate, left = foreign;
  for (const auto& [name, tensor] : names) {
    if (!present.insert(tensor.impl()).second) continue;
    const auto watched = parameters.find(tensor.impl());
    AuditRow row;
    row.name = name;
    row.sizes = tensor.sizes();
    row.status = is_frozen(tensor)        ? AuditRow::Status::frozen
                 : tensor.requires_grad() ? AuditRow::Status::trainable
                                          : AuditRow::Status::off;
    const bool trainable = row.status == AuditRow::Status::trainable;
    bool zero = false;
    for (const Known& k : optimizers) {
      if (k.optimizer == nullptr) continue;
      for (std::size_t g = 0; g < k.optimizer->group_count(); ++g) {
        for (const auto& [own_name, own] : k.optimizer->group_params(g)) {
          if (!own.is_same(tensor)) continue;
          row.owners.push_back({k.name, g, rate_of(*k.optimizer, g)});
          zero = zero || row.owners.back().lr == 0;
        }
      }
      for (const auto& [key, state] : k.optimizer->state_tensors(tensor)) row.state_bytes += bytes_of(state);
    }
    if (trainable && row.owners.empty()) unowned.insert(tensor.impl());
    if (watched != parameters.end()) {
      const Watched& p = watched->second;
      row.gradient_norm = p.gradient_norm;
      row.update_norm = p.update_norm;
      if (trainable && p.chances > 0 && p.reached == 0 && !p.update_norm) unreached.insert(tensor.impl());
      if (p.zero_rate_steps > 0) zero = p.rated_steps == 0;
      if (p.left_by != kNone) left.insert(tensor.impl());
    }
    if (trainable && zero && (!watching || watched->second.zero_rate_steps > 0)) zero_rate.insert(tensor.impl());
    report.rows.push_back(std::move(row));
  }

  std::vector<std::string> detached, tied, idle;
  for (const Known& k : optimizers) {
    for (const auto& [key, schedule] : k.schedules) {
      const bool idle_since = schedule.at == k.steps && schedule.count > 1;
      if (k.steps == 0 || idle_since) idle.push_back(schedule.name + " of " + k.name);
    }
    if (k.optimizer == nullptr) continue;
    for (std::size_t g = 0; g < k.optimizer->group_count(); ++g)
      for (const auto& [name, tensor] : k.optimizer->group_params(g))
        if (present.count(tensor.impl()) == 0) detached.push_back(name.empty() ? tensor.name() : name);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool same = names[i].second.is_same(names[j].second);
      if (!same && overlap(names[i].second, names[j].second)) {
        tied.push_back(names[j].first);
        tied.push_back(names[i].first);
      }
    }
  }
  const auto now = [&](const std::string& name) {
    const auto it = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.first == name; });
    return it == names.end() ? Tensor() : it->second;
  };
  for (std::size_t i = 0; i < names_at_start.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto& [a_name, a] = names_at_start[j];
      const auto& [b_name, b] = names_at_start[i];
      if (!a.is_same(b)) continue;
      const Tensor a_now = now(a_name), b_now = now(b_name);
      if (!a_now.defined() || !b_now.defined() || a_now.is_same(b_now)) continue;
      tied.push_back(a_name);
      tied.push_back(b_name);
    }
  }

  find("unowned", "trainable, but in no optimizer", "give it to an optimizer, or freeze it", named(unowned));
  find("two-owners", "stepped by two optimizers", "leave it to one of them", named(shared));
  find("detached", "in an optimizer, but not in the network any more",
       "remove its group and add what stands in its place with add_param_group", std::move(detached));
  find("unreached", "owned and trainable, but no backward has reached it",
       "use it in the forward pass, or freeze it; look for a detach() or a no_grad scope", named(unreached));
  find("stale-gradient", "a step used a gradient that an earlier step had used already",
       "call zero_grad() before each backward, or minimize(loss)", named(stale));
  find("foreign-gradient", "holds gradients of a backward that was for another optimizer",
       "compute only what is needed: optimizer.minimize(loss) or loss.backward({.inputs = optimizer.parameters()})",
       named(left));
  find("moved-while-off", "requires_grad is off, but momentum or decay moved it",
       "nn::freeze it, or zero_grad() when requires_grad is switched off", named(moved));
  find("drifting-statistics", "its running statistics change though its parameters are not trained",
       "nn::freeze the module, which stops them through any later train()",
       std::vector<std::string>(drifting.begin(), drifting.end()));
  find("momentum-lost", "its optimizer was rebuilt, and its state is lost",
       "edit param_groups() instead, or carry the state over with state_dict() and load_state_dict()", named(lost));
  find("zero-rate", "its rate is 0: steps leave it as it is", "set lr, or freeze it", named(zero_rate));
  find("idle-schedule", "its optimizer has not stepped between its steps",
       "bind the schedule to the optimizer that trains, and step that first", std::move(idle));
  find("half-tied", "its memory is another parameter's, or it was the same parameter once: tied in one place only",
       "register one Parameter in both places", std::move(tied));
  return report;
}

bool AuditReport::has(const std::string& rule) const {
  return std::any_of(findings.begin(), findings.end(), [&](const AuditFinding& f) { return f.rule == rule; });
}

std::string AuditReport::to_string() const {
  std::size_t widest = 9;
  for (const AuditRow& row : rows) widest = std::max(widest, row.name.size());
  std::string text = fmt::format("{:<{}}  {:>18}  {:<9}  {:<20}  {:>9}  {:>9}  {:>9}  {:>11}\n", "parameter", widest,
                                 "shape", "status", "owner", "rate", "gradient", "update", "state bytes");
  const auto number = [](const std::optional<double>& x) { return x ? fmt::format("{:.3g}", *x) : std::string("-"); };
  for (const AuditRow& row : rows) {
    std::string owners, rates;
    for (const AuditOwner& owner : row.owners) {
      owners += fmt::format("{}{}[{}]", owners.empty() ? "" : ", ", owner.optimizer, owner.group);
      rates += fmt::format("{}{:.3g}", rates.empty() ? "" : ", ", owner.lr);
    }
    text +=
        fmt::format("{:<{}}  {:>18}  {:<9}  {:<20}  {:>9}  {:>9}  {:>9}  {:>11}\n", row.name, widest,
                    gradus::to_string(row.sizes), text_of(row.status), owners.empty() ? "-" : owners,
                    rates.empty() ? "-" : rates, number(row.gradient_norm), number(row.update_norm), row.state_bytes);
  }
  for (const AuditFinding& finding : findings) {
    text += fmt::format("\n{}: {}\n  {}\n  remedy: {}\n", finding.rule, finding.message,
                        fmt::join(finding.parameters, ", "), finding.remedy);
  }
  return text + (findings.empty() ? "\nnothing found\n" : "");
}

}  // namespace gradus::optim

// The report: its rows, its findings in order, and how it reads.
#include <fmt/format.h>
#include <gradus/core/pattern.h>
#include <gradus/nn/freeze.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "optim/audit/rules.h"
#include "optim/audit/watch.h"

namespace gradus::optim {

namespace {

double rate_of(const Optimizer& optimizer, std::size_t group) {
  const auto names = optimizer.option_names();
  if (std::find(names.begin(), names.end(), "lr") == names.end()) return std::numeric_limits<double>::quiet_NaN();
  const OptionValue lr = optimizer.option(group, "lr");
  const double* value = std::get_if<double>(&lr);
  return value == nullptr ? std::numeric_limits<double>::quiet_NaN() : *value;
}

const char* word_of(AuditRow::Status status) {
  return status == AuditRow::Status::frozen ? "frozen" : status == AuditRow::Status::off ? "off" : "trainable";
}

std::vector<AuditRow> rows_of(const Audit::Watch& watch) {
  std::vector<AuditRow> rows;
  std::set<const void*> present;
  for (const auto& [name, tensor] : watch.all_names()) {
    if (!present.insert(tensor.impl()).second) continue;
    AuditRow row;
    row.name = name;
    row.sizes = tensor.sizes();
    row.status = is_frozen(tensor)        ? AuditRow::Status::frozen
                 : tensor.requires_grad() ? AuditRow::Status::trainable
                                          : AuditRow::Status::off;
    for (const auto& k : watch.optimizers) {
      if (k.optimizer == nullptr) continue;
      for (std::size_t g = 0; g < k.optimizer->group_count(); ++g)
        for (const auto& [own_name, own] : k.optimizer->group_params(g))
          if (own.is_same(tensor)) row.owners.push_back({k.name, g, rate_of(*k.optimizer, g)});
      for (const auto& [key, state] : k.optimizer->state_tensors(tensor))
        row.state_bytes += state.numel() * state.element_size();
    }
    if (const auto watched = watch.parameters.find(tensor.impl()); watched != watch.parameters.end()) {
      row.gradient_norm = watched->second.gradient_norm;
      row.update_norm = watched->second.update_norm;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string findings_text(const std::vector<AuditFinding>& findings) {
  std::string text;
  for (const AuditFinding& f : findings) text += text_of(f);
  return text;
}

nlohmann::ordered_json as_json(const std::vector<AuditFinding>& findings) {
  auto list = nlohmann::ordered_json::array();
  for (const AuditFinding& f : findings)
    list.push_back({{"rule", f.rule},
                    {"severity", to_string(f.severity)},
                    {"names", f.parameters},
                    {"message", f.message},
                    {"why", f.why},
                    {"remedy", f.remedy}});
  return list;
}

}  // namespace

const char* to_string(Severity severity) {
  return severity == Severity::wrong ? "wrong" : severity == Severity::wasteful ? "wasteful" : "advice";
}

std::string text_of(const AuditFinding& f) {
  // A network has many parameters; the JSON has all names.
  constexpr std::size_t kMost = 12;
  const std::size_t shown = std::min(f.parameters.size(), kMost);
  const std::string more =
      f.parameters.size() > kMost ? fmt::format(" and {} more", f.parameters.size() - kMost) : std::string();
  return fmt::format("\n{} ({}): {}\n  {}{}\n  why: {}\n  remedy: {}\n", f.rule, to_string(f.severity), f.message,
                     fmt::join(f.parameters.begin(), f.parameters.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                     more, f.why, f.remedy);
}

void Conclusions::add(const char* rule, std::vector<std::string> names, std::string message) const {
  if (names.empty()) return;
  const AuditRule& text = rule_of_audit(rule);
  findings.push_back({rule, text.severity, std::move(names), message.empty() ? text.message : std::move(message),
                      text.why, text.remedy});
}

void Conclusions::add(const char* rule, std::vector<std::string> names, std::string message, std::string why,
                      std::string remedy) const {
  if (names.empty()) return;
  add(rule, std::move(names), std::move(message));
  if (!why.empty()) findings.back().why = std::move(why);
  if (!remedy.empty()) findings.back().remedy = std::move(remedy);
}

std::vector<std::string> Conclusions::named(const std::set<const void*>& found) const {
  std::vector<std::string> names;
  for (const void* impl : watch.order)
    if (found.count(impl) != 0) names.push_back(watch.parameters.at(impl).name);
  return names;
}

AuditReport Audit::Watch::report() const {
  const std::lock_guard lock(mutex);
  const Busy busy(busy_);
  AuditReport report;
  report.steps = total_steps;
  report.looked = looked_steps;
  report.rows = rows_of(*this);
  std::vector<AuditFinding> all;
  const Conclusions conclusions{*this, all};
  conclude_owners(conclusions, report.rows);
  conclude_gradients(conclusions);
  conclude_schedules(conclusions);
  conclude_values(conclusions);
  conclude_losses(conclusions);
  conclude_modes(conclusions);
  conclude_options(conclusions);
  if (options.habits) conclude_habits(conclusions);
  if (foreign_steps > 0)
    conclusions.add(
        "other-threads", {"the audit"},
        fmt::format("{} of {} steps were made on another thread than the audit was", foreign_steps, total_steps));

  const auto rules = rules_of_audit();
  const auto place = [&](const AuditFinding& f) {
    return std::find_if(rules.begin(), rules.end(), [&](const AuditRule& rule) { return rule.name == f.rule; }) -
           rules.begin();
  };
  std::stable_sort(all.begin(), all.end(), [&](const AuditFinding& a, const AuditFinding& b) {
    return std::pair(a.severity, place(a)) < std::pair(b.severity, place(b));
  });
  for (AuditFinding& finding : all) {
    AuditFinding meant = finding;
    meant.parameters.clear();
    for (const auto& [rule, pattern] : expectations) {
      if (rule != finding.rule) continue;
      const auto split = std::stable_partition(finding.parameters.begin(), finding.parameters.end(),
                                               [&](const std::string& name) { return !matches(pattern, name); });
      meant.parameters.insert(meant.parameters.end(), split, finding.parameters.end());
      finding.parameters.erase(split, finding.parameters.end());
    }
    if (!meant.parameters.empty()) report.expected.push_back(std::move(meant));
    if (!finding.parameters.empty()) report.findings.push_back(std::move(finding));
  }
  return report;
}

AuditReport Audit::report() const { return watch_->report(); }

Audit& Audit::expect(const std::string& rule, const std::string& pattern) {
  static_cast<void>(rule_of_audit(rule));
  const std::lock_guard lock(watch_->mutex);
  watch_->expectations.emplace_back(rule, pattern);
  return *this;
}

const AuditFinding* AuditReport::find(const std::string& rule) const {
  const auto found =
      std::find_if(findings.begin(), findings.end(), [&](const AuditFinding& f) { return f.rule == rule; });
  return found == findings.end() ? nullptr : &*found;
}

bool AuditReport::has(const std::string& rule) const { return find(rule) != nullptr; }

bool AuditReport::has(Severity at_least) const {
  return std::any_of(findings.begin(), findings.end(), [&](const AuditFinding& f) { return f.severity <= at_least; });
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
                    gradus::to_string(row.sizes), word_of(row.status), owners.empty() ? "-" : owners,
                    rates.empty() ? "-" : rates, number(row.gradient_norm), number(row.update_norm), row.state_bytes);
  }
  return text + summary_of(*this);
}

std::string summary_of(const AuditReport& report) {
  const auto& [rows, findings, expected, steps, looked] = report;
  std::string text = findings_text(findings);
  if (!expected.empty()) text += "\nexpected, and so not counted:\n" + findings_text(expected);
  // What silence is worth.
  const std::string seen = steps == 0
                               ? fmt::format("{} parameters, no steps", rows.size())
                               : fmt::format("{} parameters, {} steps, {} of them closely", rows.size(), steps, looked);
  return text + fmt::format("\n{}; looked at: {}\n",
                            findings.empty()       ? "nothing found"
                            : findings.size() == 1 ? "1 finding"
                                                   : fmt::format("{} findings", findings.size()),
                            seen);
}

std::string AuditReport::to_json() const {
  nlohmann::ordered_json json{
      {"steps", steps}, {"looked", looked}, {"findings", as_json(findings)}, {"expected", as_json(expected)}};
  json["parameters"] = nlohmann::ordered_json::array();
  for (const AuditRow& row : rows) {
    nlohmann::ordered_json entry{{"name", row.name},
                                 {"sizes", std::vector<std::int64_t>(row.sizes.begin(), row.sizes.end())},
                                 {"status", word_of(row.status)}};
    entry["owners"] = nlohmann::ordered_json::array();
    for (const AuditOwner& owner : row.owners) {
      nlohmann::ordered_json o{{"optimizer", owner.optimizer}, {"group", owner.group}};
      o["lr"] = std::isfinite(owner.lr) ? nlohmann::ordered_json(owner.lr) : nlohmann::ordered_json();
      entry["owners"].push_back(std::move(o));
    }
    const auto number = [](const std::optional<double>& x) {
      return x && std::isfinite(*x) ? nlohmann::ordered_json(*x) : nlohmann::ordered_json();
    };
    entry["gradient_norm"] = number(row.gradient_norm);
    entry["update_norm"] = number(row.update_norm);
    entry["state_bytes"] = row.state_bytes;
    json["parameters"].push_back(std::move(entry));
  }
  return json.dump(2);
}

}  // namespace gradus::optim

#include "cli/run/run_watch.h"

#include <fmt/format.h>

#include "cli/run/output.h"
#include "io/log/jsonl.h"

namespace gradus::cli {

using nlohmann::ordered_json;

namespace {

// Remedies for whoever runs a command that brings its own networks: options instead of C++.
void in_options(optim::AuditFinding& finding) {
  constexpr const char* kSmaller = "a smaller rate: --lr, and the options that end in -lr";
  constexpr const char* kLarger = "a larger rate: --lr, and the options that end in -lr";
  constexpr std::pair<const char*, const char*> kOptions[] = {
      {"not-finite",
       "a smaller rate (--lr, and the options that end in -lr); --detect-anomaly names the operation, and "
       "--on-nan skip leaves single batches out"},
      {"steps-skipped", "a smaller rate; --detect-anomaly names the operation that is not finite"},
      {"zero-gradient", kSmaller},
      {"dead-units", kSmaller},
      {"exploding-gradient", kSmaller},
      {"large-updates", kSmaller},
      {"small-updates", kLarger},
      {"lost-update", kLarger},
      {"zero-rate", "a rate above zero: --lr, and the options that end in -lr"},
      {"huge-decay", "--weight-decay 1e-4"},
      {"saturated-units", "pictures or signals of usual size: values around 0, or in [0, 1]"},
  };
  for (const auto& [rule, remedy] : kOptions)
    if (finding.rule == rule) finding.remedy = remedy;
}

}  // namespace

std::string RunWatch::save_receipt() const { return receipt_ ? receipt_->report().to_json() : saved_receipt_; }

void RunWatch::load_receipt(const std::string& text) { saved_receipt_ = text; }

void RunWatch::begin(std::int64_t step) {
  since_ = step;
  if (!receipt_file_.empty() && !receipt_) {
    receipt_.emplace(watched_.networks, watched_.optimizers);
    if (!saved_receipt_.empty()) receipt_->resume(training::parse_receipt(saved_receipt_, "the checkpoint's receipt"));
  }
  if (!audits_ || audit_) return;
  optim::AuditedOptimizers optimizers;
  std::vector<std::pair<const optim::Optimizer*, std::string>> names;
  for (const auto& [name, optimizer] : watched_.optimizers) {
    optimizers.push_back(optimizer);
    names.emplace_back(&optimizer.get(), name);
  }
  names_.emplace(std::move(names));
  audit_.emplace(watched_.networks, optimizers);
  for (const auto& [rule, pattern] : watched_.expected) audit_->expect(rule, pattern);
}

void RunWatch::begin_phase(const std::string& name) {
  if (receipt_) receipt_->begin_phase(name);
}

void RunWatch::tell(const std::string& when, const char* key, const std::string& audit_file) {
  optim::AuditReport report = audit_->report();
  for (auto* list : {&report.findings, &report.expected}) {
    for (optim::AuditFinding& finding : *list) watched_.words ? watched_.words(finding) : in_options(finding);
    // What is frozen is so because an option or the recipe says it.
    std::erase_if(*list, [](const optim::AuditFinding& finding) {
      return finding.parameters.empty() || finding.rule == "frozen-yet-owned";
    });
  }
  say("audit, {}:{}{}", when, report.findings.empty() && report.expected.empty() ? "" : "\n",
      optim::summary_of(report));
  findings_["since_step"] = since_;
  findings_[key] = ordered_json::parse(report.to_json());
  io::write_json_file(audit_file, findings_);
}

void RunWatch::end_epoch(const std::string& audit_file) {
  if (audit_ && !std::exchange(told_, true)) tell("after the first epoch", "first_epoch", audit_file);
}

void RunWatch::end(const std::string& audit_file) {
  if (audit_) tell("of the run", "end", audit_file);
  if (!receipt_) return;
  const training::ReceiptReport report = receipt_->report();
  report.save(receipt_file_);
  std::int64_t frozen = 0;
  for (const auto& row : report.rows) frozen += row.frozen && row.before == row.after ? 1 : 0;
  say("receipt: {}: {} steps, {} of {} tensors frozen and unchanged{}\n", receipt_file_, report.steps, frozen,
      report.rows.size(), report.separate() ? "" : ", an optimizer moved what it does not own");
}

}  // namespace gradus::cli

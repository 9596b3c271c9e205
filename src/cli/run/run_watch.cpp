#include "cli/run/run_watch.h"

#include <fmt/format.h>

#include "cli/run/output.h"
#include "io/log/jsonl.h"

namespace gradus::cli {

using nlohmann::ordered_json;

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
  if (watched_.words)
    for (auto* list : {&report.findings, &report.expected}) {
      for (optim::AuditFinding& finding : *list) watched_.words(finding);
      std::erase_if(*list, [](const optim::AuditFinding& finding) { return finding.parameters.empty(); });
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

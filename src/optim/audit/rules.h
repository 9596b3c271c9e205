// The rules: what each finding says about itself.
#pragma once

#include <gradus/optim/control/audit.h>

namespace gradus::optim {

struct AuditRule {
  const char* name;
  Severity severity;
  const char* message;  // where the evidence adds nothing of its own
  const char* why;
  const char* remedy;
};

// In the order of a report, within one severity.
std::span<const AuditRule> rules_of_audit();
const AuditRule& rule_of_audit(const std::string& name);  // ValueError: no such rule

}  // namespace gradus::optim

// What the findings of audits call optimizers, where their type would not do: the command's go by their names in
// recipes.
#pragma once

#include <gradus/optim/control/audit.h>

#include <string>
#include <utility>
#include <vector>

namespace gradus::optim {

// While it lives; the optimizers must too.
class OptimizerNames {
 public:
  explicit OptimizerNames(std::vector<std::pair<const Optimizer*, std::string>> names);
  ~OptimizerNames();
  OptimizerNames(const OptimizerNames&) = delete;
  OptimizerNames& operator=(const OptimizerNames&) = delete;

 private:
  std::vector<std::pair<const Optimizer*, std::string>> names_;
};
std::string name_of(const Optimizer& optimizer);  // else its type

// As reports and plans print them: one finding; what was found, and what was looked at.
std::string text_of(const AuditFinding& finding);
std::string summary_of(const AuditReport& report);

}  // namespace gradus::optim
